"""Rewrites the search graph of one target for several if this can't change any result.

``several`` visits each node once. Each tensor that depends on a picture or an exemplar must hold
the targets one after the other along axis 0. Each operator must keep the targets apart. An operator
that is not known to do so ends the attempt. Two kinds of node are rewritten:

- a Reshape to a constant shape gets N times the length of axis 0, or any length;
- a convolution with the exemplar's features as weights gets N times as many groups, so that the
  channels of each target meet their own weights. It takes a fixed number of targets.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, helper, shape_inference

from hotpath.graphs import models

Nodes = Optional[List[NodeProto]]  # None: the node does not change

# operators that compute each number from one number
_EACH = set(
    """
    Abs Cast Ceil Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log
    Mish Neg Reciprocal Relu Selu Sigmoid Sin Softplus Sqrt Tanh Cos
    """.split()
)
# operators that compute each number from two numbers
_PAIRS = {"Add", "Div", "Max", "Min", "Mul", "Pow", "PRelu", "Sub"}
# operators that compute each sample from one sample
_SAMPLES = set(
    """
    AveragePool BatchNormalization ConvTranspose DepthToSpace GlobalAveragePool GlobalMaxPool
    InstanceNormalization MaxPool SpaceToDepth
    """.split()
)


class _Stuck(Exception):
    """A node that may mix the targets."""


ANY = None  # number of targets that each call says
NUMBER = "windows"  # name of that dimension


def several(model: ModelProto, count: Optional[int] = ANY) -> Optional[ModelProto]:
    """Rewrite a search model for ``count`` targets.

    Args:
        model: ONNX model for one target, shapes inferred and fixed (``Graphs.search``).
        count: targets, 2 or more; ``ANY``: axis 0 of inputs and outputs has the name ``NUMBER``.

    Returns:
        an ONNX model with the same names, each input and output ``count`` times as long along
        axis 0, the targets one after the other; None if the graph does not allow it.
    """
    model = models.copy(model)
    try:
        _Rewriter(model.graph, count).run()
        for value in list(model.graph.input) + list(model.graph.output):
            first = value.type.tensor_type.shape.dim[0]
            if count is not ANY:
                first.dim_value *= count
            elif first.dim_value == 1:
                first.dim_param = NUMBER
            else:
                return None
        del model.graph.value_info[:]
        expected = [models.shape_of(value) for value in model.graph.output]
        model = shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
    except (_Stuck, shape_inference.InferenceError, onnx.checker.ValidationError):
        return None
    return model if [models.shape_of(value) for value in model.graph.output] == expected else None


class _Rewriter:
    """Rewrites a graph's nodes in their order.

    Args:
        graph: its nodes and initializers are replaced.
        count: targets.
    """

    def __init__(self, graph: GraphProto, count: Optional[int]) -> None:
        self.graph, self.count = graph, count
        self.shapes = models.shapes(graph)
        self.constants = models.constants(graph)
        inputs = [v.name for v in graph.input if v.name not in self.constants]
        self.apart = set(inputs)  # tensors that hold the targets along axis 0
        self.nodes: List[NodeProto] = []

    def run(self) -> None:
        """Rewrite all nodes.

        Raises:
            _Stuck: one of them may mix the targets.
        """
        for node in self.graph.node:
            if not self.apart.intersection(node.input):
                if any(attribute.HasField("g") for attribute in node.attribute):
                    raise _Stuck
                self.nodes.append(node)  # the same for every target
                continue
            rule = _RULES.get(node.op_type)
            if rule is None or len(node.output) == 0:
                raise _Stuck
            self.nodes.extend(rule(self, node) or [node])
            self.apart.update(name for name in node.output if name)
        if not all(value.name in self.apart for value in self.graph.output):
            raise _Stuck
        models.replace(self.graph.node, self.nodes)

    def shape(self, name: str) -> models.Shape:
        """The shape of a tensor for one target; all sides must be known."""
        shape = self.constants[name].shape if name in self.constants else self.shapes.get(name)
        if not shape or not all(shape):
            raise _Stuck
        return shape

    def constant(self, name: str) -> np.ndarray:
        """The value of a tensor, which must be constant."""
        if name not in self.constants:
            raise _Stuck
        value: np.ndarray = self.constants[name]
        return value

    def add_shape(self, name: str, sides: Sequence[int]) -> str:
        """Add a constant shape; returns its name."""
        return models.add_constant(self.graph, name, np.array(sides, np.int64))

    def need(self, condition: object) -> None:
        """Give up unless the condition holds."""
        if not condition:
            raise _Stuck


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    return models.attributes(node).get(name, default)


def _alone(self: _Rewriter, node: NodeProto) -> None:
    """The first input holds the targets; all others are constant."""
    self.need(node.input[0] in self.apart)
    self.need(not self.apart.intersection(node.input[1:]))


def _samples(self: _Rewriter, node: NodeProto) -> None:
    _alone(self, node)
    self.need(len(self.shape(node.input[0])) >= 3)


def _pairs(self: _Rewriter, node: NodeProto) -> None:
    """Both inputs hold the targets, or the constant one is the same for all of them."""
    rank = len(self.shape(node.output[0]))
    for name in node.input:
        shape = self.shape(name) if name in self.apart else np.shape(self.constant(name))
        if name in self.apart:
            self.need(len(shape) == rank and shape[0] == self.shape(node.output[0])[0])
        else:
            self.need(len(shape) < rank or shape[0] == 1)


def _concat(self: _Rewriter, node: NodeProto) -> None:
    rank = len(self.shape(node.output[0]))
    self.need(_attribute(node, "axis", 0) % rank != 0)
    # a constant input would have to be repeated
    self.need(all(name in self.apart for name in node.input))
    self.need(len({self.shape(name)[0] for name in node.input}) == 1)


def _conv(self: _Rewriter, node: NodeProto) -> Nodes:
    if node.input[1] not in self.apart:
        _samples(self, node)
        return None
    return _conv_by_features(self, node)


def _conv_by_features(self: _Rewriter, node: NodeProto) -> Nodes:
    """(N, C, h, w) by N targets' weights: one sample of N * C channels in N times the groups."""
    source, weights = node.input[0], node.input[1]
    self.need(source in self.apart and len(node.input) == 2 and self.count)
    count = self.count or 0
    batch, channels, *sides = self.shape(source)
    self.need(batch == 1)
    output, name = node.output[0], node.output[0]
    joined = self.add_shape(name + "/joined", [1, count * channels] + sides)
    parted = self.add_shape(name + "/parted", [count] + list(self.shape(output)[1:]))
    kept = [a for a in node.attribute if a.name != "group"]
    conv = helper.make_node("Conv", [name + "/in", weights], [name + "/out"], name=node.name)
    conv.attribute.extend(kept)
    group = _attribute(node, "group", 1) * count
    conv.attribute.append(helper.make_attribute("group", group))
    return [
        helper.make_node("Reshape", [source, joined], [name + "/in"]),
        conv,
        helper.make_node("Reshape", [name + "/out", parted], [output]),
    ]


def _matmul(self: _Rewriter, node: NodeProto) -> None:
    left, right = node.input
    self.need(left in self.apart)
    if right in self.apart:
        a, b = self.shape(left), self.shape(right)
        self.need(len(a) == len(b) >= 3 and a[0] == b[0])
    else:
        self.need(len(self.shape(left)) >= 3 or np.ndim(self.constant(right)) == 2)
        self.need(np.ndim(self.constant(right)) <= 2)


def _gemm(self: _Rewriter, node: NodeProto) -> None:
    _alone(self, node)
    self.need(not _attribute(node, "transA", 0))
    if len(node.input) > 2 and node.input[2]:
        shape = np.shape(self.constant(node.input[2]))
        self.need(len(shape) < 2 or shape[0] == 1)


def _reshape(self: _Rewriter, node: NodeProto) -> Nodes:
    """Axis 0 must keep its length; the new shape then begins with N times this length."""
    source, target = node.input
    self.need(source in self.apart)
    before, after = self.shape(source), self.shape(node.output[0])
    self.need(before[0] == after[0])
    self.constant(target)
    first = before[0] * self.count if self.count else -1
    name = self.add_shape(node.output[0] + "/several", [first] + list(after[1:]))
    return [helper.make_node("Reshape", [source, name], node.output, name=node.name)]


def _transpose(self: _Rewriter, node: NodeProto) -> None:
    _alone(self, node)
    self.need(_attribute(node, "perm", [1])[0] == 0)


def _along(default: int) -> Callable[[_Rewriter, NodeProto], None]:
    """The rule of operators that work along one axis."""

    def rule(self: _Rewriter, node: NodeProto) -> None:
        _alone(self, node)
        self.need(_attribute(node, "axis", default) % len(self.shape(node.input[0])) != 0)

    return rule


def _reduce(self: _Rewriter, node: NodeProto) -> None:
    _alone(self, node)
    axes = _attribute(node, "axes", None)
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = self.constant(node.input[1]).tolist()
    self.need(axes)
    rank = len(self.shape(node.input[0]))
    self.need(all(axis % rank for axis in axes))


def _flatten(self: _Rewriter, node: NodeProto) -> None:
    _alone(self, node)
    self.need(_attribute(node, "axis", 1) == 1)


def _quantise(self: _Rewriter, node: NodeProto) -> None:
    """One scale for all numbers, or one for each place along an axis other than the first."""
    _alone(self, node)
    rank = len(self.shape(node.input[0]))
    is_scalar = np.size(self.constant(node.input[1])) == 1
    self.need(is_scalar or _attribute(node, "axis", 1) % rank != 0)


def _resize(self: _Rewriter, node: NodeProto) -> None:
    """Scales are given for each axis; sizes would contain the number of targets."""
    _alone(self, node)
    self.need(len(node.input) == 3 and node.input[2])
    self.need(self.constant(node.input[2])[0] == 1)


_RULES: Dict[str, Callable[[_Rewriter, NodeProto], Nodes]] = {
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _quantise,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "LayerNormalization": _along(-1),
    "LogSoftmax": _along(0),
    "MatMul": _matmul,
    "QuantizeLinear": _quantise,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceMin": _reduce,
    "ReduceSum": _reduce,
    "Reshape": _reshape,
    "Resize": _resize,
    "Softmax": _along(0),
    "Split": _along(0),
    "Transpose": _transpose,
}
_RULES.update(dict.fromkeys(_EACH, _alone))
_RULES.update(dict.fromkeys(_SAMPLES, _samples))
_RULES.update(dict.fromkeys(_PAIRS, _pairs))
