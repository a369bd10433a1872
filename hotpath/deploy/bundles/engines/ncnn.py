"""Build for ncnn: pnnx converts the two graphs, in fp32 or fp16.

This runs on a computer; the bundle is then copied to the board or into an app.
"""

import importlib.util
import pathlib
import shutil
from typing import TYPE_CHECKING, Callable, Dict

import numpy as np

from hotpath.base.messages import make_command
from hotpath.deploy.bundles.engines import converted
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import bundle

if TYPE_CHECKING:
    import onnx

TIMEOUT_S = 300


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: there is no pnnx or no onnx, pnnx can't convert the network, or the precision
            is INT8.
    """
    if order.precision == "int8":
        raise BuildFailed(
            f"ncnn computes in fp32 and fp16; run `{order.command('fp32')}`, or add "
            "ENGINE=onnxruntime for INT8",
            what="precision",
        )
    program = _converter(order)

    def convert(part: converted.ModelToConvert) -> Dict[str, str]:
        return _convert(program, part, order.precision)

    return converted.build(order, _version(), convert)


def _converter(order: Order) -> str:
    """Path of pnnx's program. Its Python package is not imported: that needs PyTorch."""
    spec = importlib.util.find_spec("pnnx")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = pathlib.Path(folder) / "pnnx"
        if program.is_file():
            return str(program)
    raise BuildFailed(
        "pnnx, which converts networks for ncnn, is not installed; run "
        f"`{make_command('setup', ALSO='ncnn')}` on a computer, then `{order.command()}`",
        what="no converter",
    )


def _version() -> str:
    """Return the version of pnnx, which has the version of the ncnn that it converts for."""
    from importlib import metadata  # not in Python 3.6 and 3.7

    return metadata.version("pnnx")


def _convert(program: str, part: converted.ModelToConvert, precision: str) -> Dict[str, str]:
    """Convert one model into the bundle's folder; returns the names of its files."""
    sides = ",".join("[{}]f32".format(",".join(map(str, shape))) for _, shape in part.inputs)
    work = part.folder / (part.name + "-work")
    work.mkdir()
    (work / "model.onnx").write_bytes(_sums_as_means(part.model).SerializeToString())
    command = [program, "model.onnx", "inputshape=" + sides]
    command += ["fp16={:d}".format(precision == "fp16")]
    _, text = converted.run_tool("pnnx", command, TIMEOUT_S, cwd=str(work))
    lines = [line for line in text.splitlines() if line.strip()]
    files = {}
    for ending in ("param", "bin"):
        output = work / ("model.ncnn." + ending)
        if not output.is_file():
            last = lines[-1] if lines else "it ended without a message"
            raise BuildFailed(f"pnnx can't convert the {part.name} of the network: {last}")
        files[ending] = f"{part.name}.{ending}"
        shutil.move(str(output), str(part.folder / files[ending]))
    shutil.rmtree(str(work))
    _check_operators((part.folder / files["param"]).read_text(), part.name)
    return files


def _sums_as_means(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Write a ReduceSum as a mean times the number of its values.

    pnnx ignores axes that stand in an input, as they do from opset 13 on, and sums nothing. A mean
    has them in an attribute.

    Args:
        model: of opset 13 to 17, with fixed shapes. It is not changed.
    """
    from onnx import helper, numpy_helper, shape_inference

    model = shape_inference.infer_shapes(model)
    graph = model.graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    for index, node in reversed(list(enumerate(graph.node))):
        axes = constants.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type != "ReduceSum" or axes is None or node.input[0] not in shapes:
            continue
        shape = shapes[node.input[0]]
        name = node.output[0] + "-count"
        count = np.array(np.prod([shape[axis] for axis in axes]), np.float32)
        graph.initializer.append(numpy_helper.from_array(count, name))
        graph.node.insert(index + 1, helper.make_node("Mul", [name + "-mean", name], node.output))
        node.op_type, node.output[0] = "ReduceMean", name + "-mean"
        del node.input[1:]
        node.attribute.append(helper.make_attribute("axes", axes.tolist()))
    return model


def _check_operators(param: str, part: str) -> None:
    """Refuse an operator that pnnx passed on without knowing it: its name has a dot or a colon."""
    for line in param.splitlines()[2:]:
        kind = line.split()[0] if line.split() else ""
        if "." in kind or ":" in kind:
            raise BuildFailed(
                f"ncnn has no operator {kind}, which the {part} of the network needs; take another "
                "engine",
                what="unknown operator",
            )
