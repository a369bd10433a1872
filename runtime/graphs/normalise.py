"""Brings any export into one form: float32, every shape fixed, constants folded.

Exporters leave chains of nodes that compute shapes, copies, branches, and float16. The rest of this
folder and the engines need graphs without them. onnxslim folds them, off the board: a bundle for a
board holds graphs that were normalised when it was built. Simplified files don't need it.

An If whose condition depends on shapes alone is folded here, for executors that do not support If
(OpenVINO 2022, the last one for Python 3.6).
"""

import functools
from typing import Any, Callable, Dict, List, Optional

import numpy as np
import onnx
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
    shape_inference,
)

from runtime.errors import BadNetwork
from runtime.graphs import models

Attributes = Dict[str, Any]

# Nodes that a normalised graph does not have; without onnxslim the engines may still take them.
FOLDED = {"Dropout", "Identity", "If", "Loop", "Scan", "Shape", "Size"}

_OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


def normalise(model: ModelProto) -> ModelProto:
    """Fold all that depends on shapes and constants alone.

    Args:
        model: shapes of its inputs fixed; not changed.

    Returns:
        a model with the same inputs and outputs; the model itself where nothing is to be folded.

    Raises:
        BadNetwork: a shape can't be computed: onnxslim is not installed, or it is not enough.
    """
    light, weights = models.without_weights(model)
    unknown = unknown_shapes(light)
    if not unknown and not any(node.op_type in FOLDED for node in model.graph.node):
        return model
    try:
        import onnxslim
    except ImportError:
        if unknown:  # an old onnx infers less; computing the constants first may be enough
            model = fold_ifs(models.infer_shapes(_with_computed_constants(model)))
            unknown = unknown_shapes(model)
        if not unknown:
            return model
        raise BadNetwork(
            f"the shape of {unknown[0]} has to be computed from other nodes; run `pip install "
            "onnxslim` on a "
            "computer with Python 3.8 or newer, or export with constant folding"
        ) from None
    model = ModelProto.FromString(_slimmed(onnxslim, light.SerializeToString()))
    unknown = unknown_shapes(model)
    if unknown:
        raise BadNetwork(
            f"the shape of {unknown[0]} depends on more than the sides of the pictures; export "
            "the network "
            "for one size of picture"
        )
    return models.with_weights(model, weights)


@functools.lru_cache(maxsize=2)  # `networks add` folds the same graph for each engine
def _slimmed(onnxslim: Any, content: bytes) -> bytes:
    """The result of onnxslim; inputs and outputs in their old order."""
    model = ModelProto.FromString(content)
    outputs = [value.name for value in model.graph.output]
    inputs = [value.name for value in model.graph.input]
    try:
        slim: ModelProto = onnxslim.slim(model)
    except Exception as error:  # its passes raise errors of any class
        raise BadNetwork(
            f"onnxslim {onnxslim.__version__} can't fold the graph: {models.first_line(error)}; "
            "export it with constant folding"
        ) from None
    if sorted(v.name for v in slim.graph.output) != sorted(outputs):
        raise BadNetwork(f"onnxslim {onnxslim.__version__} lost an output of the graph")
    places = {name: place for place, name in enumerate(inputs + outputs)}
    for values in (slim.graph.input, slim.graph.output):
        models.replace(values, sorted(values, key=lambda value: places[value.name]))
    return bytes(slim.SerializeToString())


def _with_computed_constants(model: ModelProto) -> ModelProto:
    """A copy in which ONNX Runtime has computed what depends on constants alone, if it is there."""
    try:
        import onnxruntime
    except ImportError:
        return model
    model = models.copy(model)
    graph = model.graph
    constant = {tensor.name for tensor in graph.initializer}
    folded, kept = [], []
    for node in graph.node:
        if not models.branches(node) and all(name in constant for name in node.input if name):
            constant.update(node.output)
            folded.append(node)
        else:
            kept.append(node)
    used = {name for node in kept for name in models.names_read(node)} | {
        v.name for v in graph.output
    }
    made = [name for node in folded for name in node.output if name in used]
    if not made:
        return model
    part = models.copy(model)
    models.replace(part.graph.input, [])
    models.replace(part.graph.node, folded)
    models.replace(part.graph.output, [helper.make_empty_tensor_value_info(name) for name in made])
    try:
        session = onnxruntime.InferenceSession(
            part.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        values = session.run(made, {})
    except Exception:  # its errors have no common base; the graph stays as it is
        return model
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    models.replace(graph.node, nodes)
    for name, value in zip(made, values):
        models.add_constant(graph, name, value)
    return model


def unknown_shapes(model: ModelProto) -> List[str]:
    """Names of tensors with a shape that does not follow from the inputs' shapes alone."""
    model = models.copy(model)
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except shape_inference.InferenceError:
        return [node.output[0] for node in model.graph.node[:1]]
    known = {v.name for v in list(graph.value_info) + list(graph.output) if _is_fixed(v)}
    names = (name for node in graph.node for name in node.output if name)
    return [name for name in names if name not in known]


def _is_fixed(value: ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return bool(kind.HasField("shape")) and all(dim.dim_value > 0 for dim in kind.shape.dim)


def to_float32(model: ModelProto) -> ModelProto:
    """Let a model of float16 or float64 compute in float32; in place. Returns the model."""
    graph = model.graph
    values = list(graph.input) + list(graph.output)
    if not any(v.type.tensor_type.elem_type in _OTHER_FLOATS for v in values) and not any(
        t.data_type in _OTHER_FLOATS for t in graph.initializer
    ):
        return model
    _widen(graph)
    del graph.value_info[:]
    return model


def _widen(graph: Any) -> None:
    for value in list(graph.input) + list(graph.output):
        if value.type.tensor_type.elem_type in _OTHER_FLOATS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen_tensor(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _OTHER_FLOATS:
                attribute.i = TensorProto.FLOAT
        for branch in models.branches(node):
            _widen(branch)


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _OTHER_FLOATS:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def fold_ifs(model: ModelProto) -> ModelProto:
    """Replace every If whose condition depends on shapes alone by the branch that it takes.

    Args:
        model: not changed.

    Returns:
        a copy without inferred shapes; the model itself where there is no such If.
    """
    if not any(node.op_type == "If" for node in model.graph.node):
        return model
    whole = models.copy(model)
    for _ in range(len(model.graph.node)):  # a folded branch may make another shape known
        if not _decide(whole):
            break
        del whole.graph.value_info[:]
        whole = shape_inference.infer_shapes(whole)
    left = sum(node.op_type == "If" for node in whole.graph.node)
    del whole.graph.value_info[:]
    return whole if left < sum(node.op_type == "If" for node in model.graph.node) else model


def _decide(model: ModelProto) -> bool:
    """Replace the nodes with a known value by constants. Returns whether there was one."""
    graph = model.graph
    shapes = models.shapes(graph)
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type in KINDS}
    nodes: List[NodeProto] = []
    changed = False
    for node in graph.node:
        value = _value(node, values, shapes)
        if node.op_type == "If" and node.input[0] in values:
            nodes.extend(_taken(graph, node, bool(values[node.input[0]].all())))
        elif value is not None:
            values[node.output[0]] = value
            models.add_constant(graph, node.output[0], value)
        else:
            while node.input and not node.input[-1]:  # an optional input that is left out
                del node.input[-1]
            nodes.append(node)
            continue
        changed = True
    models.replace(graph.node, nodes)
    return changed


def _taken(graph: GraphProto, node: NodeProto, condition: bool) -> List[NodeProto]:
    """The nodes of the branch that is taken. Its constants move to the graph."""
    name = "then_branch" if condition else "else_branch"
    branch = next(attribute.g for attribute in node.attribute if attribute.name == name)
    graph.initializer.extend(branch.initializer)
    pairs = zip(branch.output, node.output)
    return list(branch.node) + [
        helper.make_node("Identity", [value.name], [name]) for value, name in pairs
    ]


def _value(
    node: NodeProto, values: Dict[str, np.ndarray], shapes: Dict[str, models.Shape]
) -> Optional[np.ndarray]:
    """The value of a node that computes with known shapes and whole numbers; None for others."""
    rule = _RULES.get(node.op_type)
    given = models.attributes(node)
    if node.op_type == "Shape" and not given:
        sides = shapes.get(node.input[0], ())
        return np.array(sides, np.int64) if sides and all(sides) else None
    if rule is None or any(name not in values for name in node.input):
        return None
    try:
        value = rule(given, *[values[name] for name in node.input])
    except (ValueError, IndexError, KeyError, TypeError):  # another form of the operator
        return None
    kinds = (np.dtype(np.int64), np.dtype(np.bool_))
    return value if value is not None and value.dtype in kinds else None


def _constant(given: Attributes) -> Optional[np.ndarray]:
    if "value" not in given:
        return None
    value: np.ndarray = numpy_helper.to_array(given["value"])
    return value


def _filled(given: Attributes, shape: np.ndarray) -> np.ndarray:
    value = numpy_helper.to_array(given["value"]) if "value" in given else np.zeros(1, np.float32)
    return np.full(shape, value[0], value.dtype)


def _sliced(
    given: Attributes,
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: Any = None,
    steps: Any = None,
) -> np.ndarray:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    places: List[slice] = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        # Python has no end before the first element for a backward slice
        last = None if step < 0 and end < -data.shape[axis] else end
        places[axis] = slice(start, last, step)
    return data[tuple(places)]


KINDS = (TensorProto.INT64, TensorProto.BOOL)
_RULES: Dict[str, Callable[..., Optional[np.ndarray]]] = {
    "Cast": lambda given, data: data if given["to"] == TensorProto.INT64 else None,
    "Concat": lambda given, *parts: np.concatenate(parts, given["axis"]),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Equal": lambda given, one, two: np.equal(one, two),
    "Gather": lambda given, data, index: np.asarray(np.take(data, index, given.get("axis", 0))),
    "Reshape": lambda given, data, shape: data.reshape(shape),
    "Slice": _sliced,
    "Transpose": lambda given, data: np.transpose(data, given.get("perm")),
}
