"""Compare an INT8 network layer by layer with its plain Q/DQ graph, here and on ARM.

    python -m tests.arm.layers [--network NAME-int8.toml]

The INT8 search graph (kestrel's by default) shows all values that it rounds to 256 levels. One
search region goes through ONNX Runtime without any optimisation, which is the definition, and
through the engines. The table has the share of a layer's values that are one level or more away
from the definition.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from tests.arm.machine import HOME, command_line, exit_code, open_machine


def main(words=None):
    """Run the command line; returns the exit code."""
    cli = command_line("layers", __doc__)
    cli.add_argument("--network", default="kestrel", metavar="NAME|FILE.toml")
    cli.add_argument("--there", nargs=4, help=argparse.SUPPRESS)
    options = cli.parse_args(words)
    if options.there:
        engine, model, values, out = options.there
        run = {"openvino": _openvino, "onnxruntime": _onnxruntime}[engine]
        np.savez(out, **run(model, dict(np.load(values))))
        return 0
    machine = open_machine("aarch64")
    with tempfile.TemporaryDirectory(dir=str(HOME)) as name:
        folder = pathlib.Path(name)
        model, values = str(folder / "model.onnx"), str(folder / "in.npz")
        given, levels = _write(model, options.network)
        np.savez(values, **given)
        sides = {
            "ONNX Runtime, here": _onnxruntime(model, given),
            "OpenVINO, here": _openvino(model, given),
        }
        for engine in ("onnxruntime", "openvino"):
            out = str(folder / (engine + ".npz"))
            command = ["-m", "tests.arm.layers", "--there", engine, model, values, out]
            machine.run(machine.table["cores"][0], command, check=True, stderr=subprocess.DEVNULL)
            sides[engine + ", ARM"] = dict(np.load(out))
        _print(_onnxruntime(model, given, optimised=False), sides, levels)
    return 0


def _write(path, network):
    """Write the graph with all rounded values as outputs: (its inputs, size of their levels)."""
    import onnx
    from onnx import helper, numpy_helper

    from runtime import load_tracker
    from tests.arm import same_boxes

    frames = same_boxes.first_frames(same_boxes.CLIP, 2)
    precision = "fp32" if network.endswith(".toml") else "int8"  # a file is INT8 by itself
    tracker = load_tracker(network, precision=precision, engine="onnxruntime")
    tracker.init(frames[0], same_boxes.FACE)
    tracker.update(frames[1])
    graphs = tracker.engine._graphs
    given = {graphs.image[1]: np.array(tracker.engine.search_crop)}
    given.update({n: np.array(f) for n, f in zip(graphs.features, tracker.device.features)})
    model = onnx.ModelProto.FromString(graphs.search.SerializeToString())
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    levels = {
        node.output[0]: float(constants[node.input[1]])
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] not in constants
    }
    there = {value.name for value in model.graph.output}
    for name in levels:
        if name not in there:
            value = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            model.graph.output.append(value)
    onnx.save(model, path)
    return given, levels


def _onnxruntime(model, given, optimised=True):
    import onnxruntime

    options, level = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    feed = {value.name: given[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, feed)))


def _openvino(model, given):
    from runtime.engines import openvino

    compiled = openvino.compile_on_cpu(openvino.load_library(), model, 1)
    request = compiled.create_infer_request()
    request.infer({port.any_name: given[port.any_name] for port in compiled.inputs})
    return {
        name: request.get_tensor(port).data.copy()
        for port in compiled.outputs
        for name in port.names
    }


def _print(expected, sides, levels):
    print("| values | " + " | ".join(sides) + " |\n" + "|---" * (len(sides) + 1) + "|")
    for name, level in levels.items():
        if name not in expected:
            continue
        cells = [
            f"{(np.abs(side[name] - expected[name]) > level / 2).mean():.5f}"
            for side in sides.values()
        ]
        print("| {} | {} |".format(name.replace("_DequantizeLinear_Output", ""), " | ".join(cells)))


if __name__ == "__main__":
    sys.exit(exit_code("layers", main))
