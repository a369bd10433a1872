"""Branches of a model (If): names of theirs, and those that its shapes decide once and for all.

Exporters leave an If where a shape was not known to them. Here all shapes are, so that no executor
has to understand it; OpenVINO of 2022, the last one for Python 3.6, does not.
"""

import typing

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper, shape_inference


def add_prefix(model, prefix):
    """A copy of a model whose names all begin with ``prefix``.

    What branches read of the graph around them is renamed too, which onnx before 1.12, the last one
    for Python 3.6, leaves as it was.
    """
    model = compose.add_prefix(model, prefix)
    graph = model.graph
    made = [value.name for value in graph.input] + [tensor.name for tensor in graph.initializer]
    made += [name for node in graph.node for name in node.output]
    names = {name[len(prefix) :]: name for name in made if name.startswith(prefix)}
    names.update((name, name) for name in made)  # renamed already
    for node in graph.node:
        _rename_inside(node, names)
    return model


def _rename_inside(node, names):
    """Rename what a node's branches read; names that a branch makes itself hide those outside."""
    for attribute in node.attribute:
        branches = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        for branch in branches:
            own = {name for inner in branch.node for name in inner.output}
            own.update(value.name for value in branch.input)
            own.update(tensor.name for tensor in branch.initializer)
            seen = {old: new for old, new in names.items() if old not in own}
            for inner in branch.node:
                inner.input[:] = [seen.get(name, name) for name in inner.input]
                _rename_inside(inner, seen)
            for value in branch.output:
                value.name = seen.get(value.name, value.name)


def decided(model):
    """A model in which every If whose condition follows from shapes is the branch that it takes.

    Args:
        model: not changed.

    Returns:
        a copy, what was inferred of it forgotten; the model itself where there is no such If.
    """
    if not any(node.op_type == "If" for node in model.graph.node):
        return model
    whole = onnx.ModelProto.FromString(model.SerializeToString())
    for _ in range(len(model.graph.node)):  # what is known now may tell a shape, and that an If
        if not _decide(whole):
            break
        del whole.graph.value_info[:]
        whole = shape_inference.infer_shapes(whole)
    left = sum(node.op_type == "If" for node in whole.graph.node)
    del whole.graph.value_info[:]
    return whole if left < sum(node.op_type == "If" for node in model.graph.node) else model


def _decide(model):
    """Put constants in the place of nodes that give nothing else; whether there was one."""
    graph = model.graph
    shapes = {v.name: _sides(v) for v in list(graph.value_info) + list(graph.input)}
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type in KINDS}
    nodes, changed = [], False
    for node in graph.node:
        value = _value(node, values, shapes)
        if node.op_type == "If" and node.input[0] in values:
            nodes.extend(_taken(graph, node, values[node.input[0]].all()))
        elif value is not None:
            values[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        else:
            while node.input and not node.input[-1]:  # left out at the end: need not be said
                del node.input[-1]
            nodes.append(node)
            continue
        changed = True
    del graph.node[:]
    graph.node.extend(nodes)
    return changed


def _taken(graph, node, condition):
    """The nodes of the branch that is taken; its constants go to the graph."""
    name = "then_branch" if condition else "else_branch"
    branch = next(attribute.g for attribute in node.attribute if attribute.name == name)
    graph.initializer.extend(branch.initializer)
    pairs = zip(branch.output, node.output)
    return list(branch.node) + [
        helper.make_node("Identity", [value.name], [name]) for value, name in pairs
    ]


def _sides(value):
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _value(node, values, shapes):
    """What a node gives, where it follows from shapes and whole numbers by a simple operator."""
    rule = _RULES.get(node.op_type)
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Shape" and not given:
        sides = shapes.get(node.input[0], [])
        return np.array(sides, np.int64) if sides and all(sides) else None
    if rule is None or any(name not in values for name in node.input):
        return None
    try:
        value = rule(given, *[values[name] for name in node.input])
    except (ValueError, IndexError, KeyError, TypeError):  # a form of it that is not known here
        return None
    kinds = (np.dtype(np.int64), np.dtype(np.bool_))
    return value if value is not None and value.dtype in kinds else None


def _constant(given):
    return numpy_helper.to_array(given["value"]) if "value" in given else None


def _filled(given, shape):
    value = numpy_helper.to_array(given["value"]) if "value" in given else np.zeros(1, np.float32)
    return np.full(shape, value[0], value.dtype)


def _sliced(given, data, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    places = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        # an end before the first one, going backwards, is none in Python
        last = None if step < 0 and end < -data.shape[axis] else end
        places[axis] = slice(start, last, step)
    return data[tuple(places)]


KINDS = (TensorProto.INT64, TensorProto.BOOL)
_RULES: "typing.Dict[str, typing.Callable]" = {
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
