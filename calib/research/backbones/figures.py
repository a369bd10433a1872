"""Counts what an ONNX backbone is made of, and writes it."""

import collections
from pathlib import Path

import numpy as np
import onnx
import onnxslim
import torch
from onnx import shape_inference
from torch import nn

from calib.errors import BadRun
from calib.research.train.export import write_onnx
from runtime.graphs import counting, models

# One result for each value, and no weights: they cost memory traffic and hardly any arithmetic.
ELEMENTWISE = frozenset(
    "Add Sub Mul Div Pow Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Tanh Erf Gelu Elu "
    "Softplus Sqrt Exp Neg Abs Max Min Where Cast BatchNormalization LayerNormalization".split()
)
FUSED = frozenset(["Relu", "Clip"])  # engines do them with the convolution before

Figures = collections.namedtuple(
    "Figures",
    "channels cells parameters macs activations elementwise branches grouped operators",
)
Figures.__doc__ = """Of one backbone.

Attributes:
    channels, cells: of the map that it gives; cells a side.
    parameters: numbers in its weights.
    macs: multiply-accumulates of one picture.
    activations: numbers that its nodes write.
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
    """
    try:
        write_onnx(backbone, path, {"picture": torch.zeros(1, 3, side, side)}, ["map"])
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
    shapes = models.shapes(graph)
    made = [name for node in graph.node if node.op_type != "Constant" for name in node.output]
    readers = collections.Counter(name for node in graph.node for name in set(node.input))
    (_, channels, cells, _) = shapes[graph.output[0].name]
    return Figures(
        channels,
        cells,
        told.parameters,
        told.macs,
        sum(int(np.prod(shapes[name])) for name in made if name in shapes),
        sum(n for op, n in told.operators.items() if op in ELEMENTWISE - FUSED),
        sum(readers[name] > 1 for name in made),
        sum(models.attributes(node).get("group", 1) > 1 for node in graph.node),
        dict(told.operators),
    )
