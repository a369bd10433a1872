"""Rewrites the search graph of one target for several if this can't change any result.

Each tensor that depends on a picture or an exemplar must hold the targets one after the other along
axis 0, so there is no graph for several if an operator mixes them. It then changes the tensor's
shape, such as a sum over axis 0, or works along axis 0, such as a softmax, or is not among
``OPERATORS``. Two kinds of node are rewritten:

- a Reshape to a constant shape gets N times the length of axis 0, or any length;
- a convolution with the exemplar's features as weights gets N times as many groups, so that the
  channels of each target meet their own weights. It takes a fixed number of targets.
"""

from typing import Any, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, shape_inference

from hotpath.graphs import models
from hotpath.graphs.models import Shape

# operators that take the targets in each input, or in one
JOINING = set("Add Concat Div MatMul Max Min Mul PRelu Pow Sub".split())
# and those that take them in the first input
OPERATORS = JOINING | set(
    """
    Abs AveragePool BatchNormalization Cast Ceil Clip Conv ConvTranspose Cos DepthToSpace
    DequantizeLinear Elu Erf Exp Flatten Floor Gelu Gemm GlobalAveragePool GlobalMaxPool HardSigmoid
    HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax MaxPool
    Mish Neg QuantizeLinear Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize
    Selu Sigmoid Sin Softmax Softplus SpaceToDepth Split Sqrt Tanh Transpose
    """.split()
)
# the axis of those that say none; along axis 0 they would mix the targets
AXES = {"Concat": 0, "Split": 0, "QuantizeLinear": 1, "DequantizeLinear": 1}
AXES.update(dict.fromkeys(("LayerNormalization", "LogSoftmax", "Softmax"), -1))

ANY = None  # number of targets that each call says
NUMBER = "windows"  # name of that dimension


class _Stuck(Exception):
    """A node that may mix the targets."""


def several(model: ModelProto, count: Optional[int] = ANY) -> Optional[ModelProto]:
    """Rewrite a search model for ``count`` targets.

    Args:
        model: ONNX model for one target, shapes inferred and fixed (``Graphs.search``).
        count: targets, 2 or more; ``ANY``: axis 0 of inputs and outputs has the name ``NUMBER``.

    Returns:
        an ONNX model with the same names, each input and output ``count`` times as long along
        axis 0, the targets one after the other; None if the graph does not allow it.
    """
    shapes = models.shapes(model.graph)
    # a tensor that mixes this many targets has another shape than one that holds them in turn
    tried = 1 + max(side for shape in shapes.values() for side in shape)
    try:
        for_several, _ = _rewritten(model, count)
        for_tried, apart = _rewritten(model, tried)
        got = models.shapes(shape_inference.infer_shapes(for_tried, strict_mode=True).graph)
        for name in apart:
            first, *rest = shapes.get(name) or (0,)
            if not first or got.get(name) != (first * tried, *rest):
                return None
        for_several = shape_inference.infer_shapes(for_several, strict_mode=True)
        onnx.checker.check_model(for_several)
    except (_Stuck, LookupError, ArithmeticError, ValueError):  # such as an axis of a single number
        return None
    except (shape_inference.InferenceError, onnx.checker.ValidationError):
        return None
    return for_several


def _rewritten(model: ModelProto, count: Optional[int]) -> Tuple[ModelProto, Set[str]]:
    """Return a copy for ``count`` targets, and the tensors that hold them one after the other.

    Raises:
        _Stuck: a node may mix the targets.
    """
    model = models.copy(model)
    graph = model.graph
    shapes, constants = models.shapes(graph), models.constants(graph)
    apart = {value.name for value in graph.input} - set(constants)
    nodes: List[NodeProto] = []

    def reshape(source: str, sides: Sequence[int], to: str, name: str = "") -> NodeProto:
        shape = models.add_constant(graph, to + "/several", np.array(sides, np.int64))
        return helper.make_node("Reshape", [source, shape], [to], name or None)

    for node in graph.node:
        if not apart.intersection(node.input):
            if models.branches(node):
                raise _Stuck
            nodes.append(node)  # the same for every target
            continue
        source, output = node.input[0], node.output[0]
        if node.op_type == "Conv" and node.input[1] in apart:
            batch, channels, *sides = shapes[source]
            if not count or batch != 1 or source not in apart or len(node.input) > 2:
                raise _Stuck
            # (N, C, h, w) by N targets' weights: one sample of N * C channels in N times the groups
            given = models.attributes(node)
            given["group"] = given.get("group", 1) * count
            taken, made = output + "/in", output + "/out"
            nodes += [
                reshape(source, [1, count * channels, *sides], taken),
                helper.make_node("Conv", [taken, node.input[1]], [made], node.name, **given),
                reshape(made, [count, *shapes[output][1:]], output),
            ]
        elif not _keeps_apart(node, apart, shapes, constants):
            raise _Stuck
        elif node.op_type == "Reshape":
            length, *sides = shapes[output]
            sides = [length * count if count else -1, *sides]
            nodes.append(reshape(source, sides, output, node.name))
        else:
            nodes.append(node)
        apart.update(name for name in node.output if name)
    if not apart.issuperset(value.name for value in graph.output):
        raise _Stuck
    models.replace(graph.node, nodes)
    for value in list(graph.input) + list(graph.output):
        side = value.type.tensor_type.shape.dim[0]
        if count:
            side.dim_value *= count
        elif side.dim_value == 1:
            side.dim_param = NUMBER
        else:
            raise _Stuck
    del graph.value_info[:]
    return model, apart


def _keeps_apart(
    node: NodeProto, apart: Set[str], shapes: Mapping[str, Shape], constants: Mapping[str, Any]
) -> bool:
    """Whether a node can only mix the targets in ``apart`` if it changes the shape, too."""
    kind, (first, *others) = node.op_type, node.input
    if kind not in OPERATORS:
        return False
    if kind not in JOINING and (first not in apart or apart.intersection(others)):
        return False
    if kind in AXES:
        axis = models.attributes(node).get("axis", AXES[kind])
        return bool(axis % len(shapes[first]))
    if kind in ("Gemm", "PRelu"):  # the shape is inferred without looking at the last input
        tables = [np.shape(constants[name]) for name in others[kind == "Gemm" :]]
        return all(len(table) < len(shapes[first]) or table[0] == 1 for table in tables)
    if kind == "Resize":  # by scales, of which that of axis 0 is 1
        return len(others) == 2 and constants[others[1]][0] == 1
    return True
