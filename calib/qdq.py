"""Write INT8 networks as Q/DQ ONNX, from a table of ranges, with ONNX Runtime's quantiser.

There are two forms. ``cpu`` is for ONNX Runtime and OpenVINO: activations are uint8 with a zero
point, which gives one more bit after a ReLU; biases are int32. Scales are chosen so that all
engines get the same levels (``hotpath.calib.no_ties``). ``symmetric`` is for TensorRT: activations
are int8 without a zero point; biases are float. Weights are int8 with one scale a
channel. The derived TOML names the two files, so that ``--network NAME-int8.toml`` runs on any
engine.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, shape_inference, version_converter
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from hotpath.calib import no_ties
from hotpath.calib.errors import BadTable
from hotpath.calib.ranges import Ranges
from hotpath.kernels import toml
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network
from hotpath.runtime.prepare.graphs import assemble, models

FORMS = ("cpu", "symmetric")
OPSET = 13  # the first whose DequantizeLinear takes a scale a channel; TensorRT 8.2 knows it
WEIGHTED = ("Conv", "Gemm", "MatMul")  # operators with weights: counted, ranked and kept
# What runs in INT8. Sums and products of activations stay in floating point. With them and the last
# layers in INT8, OpenVINO chose nanotrack_v2's simulated cell on 96 % of the pairs instead of 99 %,
# and a frame took longer.
OPS = WEIGHTED + ("Relu", "Clip", "Concat", "MaxPool")

MOVES = (*no_ties.MOVES, "Cast", "Identity")


def parts(network: Network, paths: Mapping[str, Any]) -> dict[str, onnx.ModelProto]:
    """Prepare a network's two graphs for measuring and quantising: dict of exemplar, search.

    Their tensors have the names of ``hotpath.runtime.prepare.graphs.assemble``, which every engine
    builds from.
    """
    built = assemble.build(network, paths)
    return {"exemplar": prepared(built.exemplar), "search": prepared(built.search)}


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in opset 13 or newer, with named nodes and constants as initializers."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    versions = {entry.domain: entry.version for entry in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in versions.items())
    if versions.get("", versions.get("ai.onnx", 0)) < OPSET:
        model.ir_version = max(model.ir_version, 7)
        model = version_converter.convert_version(model, OPSET)
    taken = set()
    for node in models.without_constant_nodes(model).graph.node:
        if not node.name or node.name in taken:  # name it by its result, the same in both parts
            result = base(node.output[0])
            prefix = node.output[0][: len(node.output[0]) - len(result)]
            node.name = f"{prefix}{node.op_type}_{result}"
        taken.add(node.name)
    return shape_inference.infer_shapes(model, strict_mode=True)


def base(name: str) -> str:
    """Strip the prefix of the part from a layer's name; the backbone is in both parts."""
    return name[2:] if name[:2] in ("z/", "x/") else name


def weighted_layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes with constant weights, in order. These can be kept in 16 bit."""
    constant = {tensor.name for tensor in model.graph.initializer}
    return [n for n in model.graph.node if n.op_type in WEIGHTED and n.input[1] in constant]


def last_layers(model: onnx.ModelProto) -> set[str]:
    """Return the base names of the nodes between each output and its last weighted layer.

    They are never quantised, since 256 levels are too few to choose a cell by.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    found, ahead = set(), [made[v.name] for v in model.graph.output if v.name in made]
    while ahead:
        node = ahead.pop()
        found.add(base(node.name))
        if node.op_type not in WEIGHTED:
            ahead += [made[name] for name in node.input if name in made]
    return found


def quantised(
    model: onnx.ModelProto,
    ranges: Ranges,
    form: str = "cpu",
    keep: Iterable[str] = (),
    only: Iterable[str] | None = None,
) -> onnx.ModelProto:
    """The model with Q/DQ pairs.

    Args:
        model: one of ``parts``.
        ranges: dict of tensor -> (low, high).
        form: one of ``FORMS``.
        keep: base names of layers left in floating point.
        only: names of the nodes to quantise; None for all.

    Raises:
        BadTable: a tensor of the model has no range.
    """
    symmetric = form == "symmetric"
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    constant = {tensor.name for tensor in copy.graph.initializer}
    # no engine has INT8 for a convolution that takes the exemplar as its kernel
    excluded = [
        node.name
        for node in copy.graph.node
        if base(node.name) in keep or (node.op_type == "Conv" and node.input[1] not in constant)
    ]
    excluded += _attention(copy.graph, constant) + _after_joins(copy.graph)
    options = {
        "ActivationSymmetric": symmetric,
        "WeightSymmetric": True,
        "QuantizeBias": not symmetric,
    }
    spans = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        copy,
        True,
        False,
        QuantType.QInt8,
        QuantType.QInt8 if symmetric else QuantType.QUInt8,
        TensorsData(CalibrationMethod.MinMax, spans),
        list(only) if only is not None else [],
        excluded,
        list(OPS),
        options,
    )
    try:
        quantizer.quantize_model()
    except (ValueError, KeyError) as error:
        raise BadTable(
            f"the table lacks a range ({str(error).splitlines()[0][:160]}); calibrate this "
            "network again"
        ) from None
    quantizer.model.topological_sort()
    done = quantizer.model.model
    if not symmetric:
        no_ties.without_ties(done, model)
    onnx.checker.check_model(done)
    return done


def _attention(graph: onnx.GraphProto, constant: set[str]) -> list[str]:
    """Names of the products before and after each softmax.

    256 levels are too few for shares of some 300 cells. In INT8 they double the loss of a small
    OSTrack, and OpenVINO is slower (docs/results/one-stream.md).
    """
    made = {name: node for node in graph.node for name in node.output}
    found = []
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] in constant:
            continue
        first = _source(made, node.input[0], ("Mul", "Div", "Add", *MOVES))
        if first is not None and first.op_type == "Softmax":
            found.append(node.name)
            first = _source(made, first.input[0], ("Mul", "Div", "Add", *MOVES))
            if first is not None and first.op_type == "MatMul":
                found.append(first.name)
    return found


def _after_joins(graph: onnx.GraphProto) -> list[str]:
    """Names of the products with weights whose input is joined of several tensors.

    OpenVINO 2026.4 takes a scale of each joined tensor there, and then can't load the network.
    """
    made = {name: node for node in graph.node for name in node.output}
    sources = {
        node.name: _source(made, node.input[0], MOVES)
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm")
    }
    return [name for name, node in sources.items() if node is not None and node.op_type == "Concat"]


def _source(
    made: Mapping[str, onnx.NodeProto], name: str, through: Sequence[str]
) -> onnx.NodeProto | None:
    """The node that a tensor comes from, past nodes of some operators."""
    node = made.get(name)
    while node is not None and node.op_type in through:
        node = made.get(node.input[0])
    return node


def write(
    network: Network, models: dict[str, onnx.ModelProto], folder: str | Path, name: str, note: str
) -> Path:
    """Write both parts of a quantised network and the derived TOML; returns the TOML's path.

    ``name`` is the stem of the files' names. ``note`` is a comment at the head of the TOML.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for part, model in models.items():
        data = model.SerializeToString()
        path = folder / f"{name}_{part}.onnx"
        path.write_bytes(data)
        files.append({"part": part, "name": path.name, "sha256": hashlib.sha256(data).hexdigest()})
    table = toml.read(network.path, BadNetwork)
    table["file"] = files
    names = {base(value.name): value.name for value in models["search"].graph.output}
    if "maps" in table["head"]:
        told = [entry.split("+") for entry in table["head"]["maps"]]
        table["head"]["maps"] = ["+".join(names.get(n, n) for n in entry) for entry in told]
    path = folder / (name + ".toml")
    path.write_text(toml.text(table, note))
    return path


def macs(model: onnx.ModelProto) -> dict[str, int]:
    """dict of node name -> multiply-accumulates of the layers of ``weighted_layers``."""
    graph_ = model.graph
    shapes = {
        v.name: assemble.shape_of(v) for v in [*graph_.input, *graph_.value_info, *graph_.output]
    }
    weights = {t.name: tuple(t.dims) for t in graph_.initializer}
    counted = {}
    for node in weighted_layers(model):
        out, weight = shapes.get(node.output[0], ()), weights[node.input[1]]
        each = int(np.prod(weight[1:])) if node.op_type == "Conv" else max(weight)
        if node.op_type == "MatMul":
            each = weight[-2] if len(weight) > 1 else weight[0]
        counted[node.name] = int(np.prod(out)) * each
    return counted
