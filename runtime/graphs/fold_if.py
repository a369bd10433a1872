"""Folds every If of a model whose condition depends on shapes alone.

Exporters leave an If where they did not know a shape. Here all shapes are known. After folding, an
executor need not support If. OpenVINO 2022, the last one for Python 3.6, does not support it.
"""

from typing import Any, Callable, Dict, List, Optional

import numpy as np
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

from runtime.graphs import models

Attributes = Dict[str, Any]


def fold(model: ModelProto) -> ModelProto:
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
    shapes = {v.name: _sides(v) for v in list(graph.value_info) + list(graph.input)}
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type in KINDS}
    nodes: List[NodeProto] = []
    changed = False
    for node in graph.node:
        value = _value(node, values, shapes)
        if node.op_type == "If" and node.input[0] in values:
            nodes.extend(_taken(graph, node, bool(values[node.input[0]].all())))
        elif value is not None:
            values[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        else:
            while node.input and not node.input[-1]:  # an optional input that is left out
                del node.input[-1]
            nodes.append(node)
            continue
        changed = True
    del graph.node[:]
    graph.node.extend(nodes)
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


def _sides(value: ValueInfoProto) -> List[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _value(
    node: NodeProto, values: Dict[str, np.ndarray], shapes: Dict[str, List[int]]
) -> Optional[np.ndarray]:
    """The value of a node that computes with known shapes and whole numbers; None for others."""
    rule = _RULES.get(node.op_type)
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Shape" and not given:
        sides = shapes.get(node.input[0], [])
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
