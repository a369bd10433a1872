"""Gives a model's names a prefix, so that it can be joined with another one.

What branches (If, Loop) read of the graph around them is renamed too, which onnx before 1.12, the
last one for Python 3.6, leaves as it was.
"""

from onnx import compose


def add_prefix(model, prefix):
    """A copy of a model whose names all begin with ``prefix``."""
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
