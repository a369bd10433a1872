"""Counts what an ONNX backbone is made of, and writes it."""

import collections
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxslim
import torch
from onnx import shape_inference
from torch import nn

from calib.errors import BadRun
from runtime.graphs import counting, models

OPSET = 13  # of TensorRT 8.2 on a Jetson Nano
# One result for each value, and no weights: they cost memory traffic and hardly any arithmetic.
ELEMENTWISE = frozenset(
    "Add Sub Mul Div Pow Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Tanh Erf Gelu Elu "
    "Softplus Sqrt Exp Neg Abs Max Min Where Cast BatchNormalization LayerNormalization".split()
)
FUSED = frozenset(["Relu", "Clip"])  # engines do them with the convolution before

Figures = collections.namedtuple(
    "Figures",
    "channels cells parameters macs activations receptive_field elementwise branches grouped "
    "operators",
)
Figures.__doc__ = """Of one backbone.

Attributes:
    channels, cells: of the map that it gives; cells a side.
    parameters: numbers in its weights.
    macs: multiply-accumulates of one picture.
    activations: numbers that its nodes write.
    receptive_field: pixels a side that one cell sees, by the largest kernels on its way.
    elementwise: element-wise operations, without ReLU and Clip, which engines fuse.
    branches: tensors that more than one node reads.
    grouped: convolutions with groups, such as depthwise ones.
    operators: dict of operator -> how often.
"""


def write(backbone: nn.Module, path: Path, side: int) -> onnx.ModelProto:
    """Export a folded backbone to ONNX, simplified.

    Args:
        backbone: module of (1, 3, side, side) float32.
        path: of the file, with input ``picture`` and output ``map``.

    Raises:
        BadRun: PyTorch or onnxslim can't export it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.onnx.export(
            backbone,
            (torch.zeros(1, 3, side, side),),
            str(path),
            input_names=["picture"],
            output_names=["map"],
            dynamo=False,
            opset_version=OPSET,
        )
        model = onnxslim.slim(str(path))
    except Exception as error:  # of many classes
        raise BadRun(
            f"{path.stem} can't be exported to ONNX: {str(error).strip().splitlines()[0]}"
        ) from None
    onnx.save(model, str(path))
    return model


def count(model: onnx.ModelProto) -> Figures:
    """The ``Figures`` of an ONNX backbone."""
    told = counting.count(model)
    inferred = shape_inference.infer_shapes(model)
    graph = inferred.graph
    shapes = {v.name: models.shape_of(v) for v in [*graph.input, *graph.value_info, *graph.output]}
    made = [name for node in graph.node if node.op_type != "Constant" for name in node.output]
    readers = collections.Counter(name for node in graph.node for name in set(node.input))
    (_, channels, cells, _) = shapes[graph.output[0].name]
    return Figures(
        channels,
        cells,
        told.parameters,
        told.macs,
        sum(int(np.prod(shapes[name])) for name in made if name in shapes),
        receptive_field(graph),
        sum(n for op, n in told.operators.items() if op in ELEMENTWISE - FUSED),
        sum(readers[name] > 1 for name in made),
        sum(_groups(node) > 1 for node in graph.node if node.op_type == "Conv"),
        dict(told.operators),
    )


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def _groups(node: onnx.NodeProto) -> int:
    return _attribute(node, "group", 1)


def receptive_field(graph: onnx.GraphProto) -> int:
    """Pixels a side that a cell of the output sees, and no global pooling counted.

    With f the field and j the distance of two cells, both in pixels, a kernel k with stride s and
    dilation d gives f + (k - 1) d j and j s (Araujo et al., "Computing receptive fields of
    convolutional neural networks", Distill 2019).
    """
    fields = {value.name: (1, 1) for value in graph.input}
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        known = [fields[name] for name in node.input if name in fields]
        if not known:
            continue
        field, jump = max(known)
        if node.op_type in ("Conv", "MaxPool", "AveragePool"):
            kernel = _attribute(node, "kernel_shape", None)
            if kernel is None:
                kernel = weights[node.input[1]][2:]
            field += (kernel[0] - 1) * _attribute(node, "dilations", [1])[0] * jump
            jump *= _attribute(node, "strides", [1])[0]
        for name in node.output:
            fields[name] = field, jump
    return fields[graph.output[0].name][0]
