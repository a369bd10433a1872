"""Counts the parameters, multiplications, tensors and operators of a network's ONNX files.

Multiply-accumulates (MACs) are those of convolutions, matrix products and fully connected layers,
from the shapes that ONNX infers. Activations, pooling and sums are not counted, as in the trackers'
papers.
"""

import pathlib
from collections import Counter, OrderedDict, namedtuple
from typing import Any, Callable, Dict, Iterator, Optional

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, shape_inference

from hotpath.graphs import assemble, models
from hotpath.runtime.network import Network

Counts = namedtuple("Counts", "parameters macs inputs outputs operators")
Counts.__doc__ = """One ONNX model's figures.

Attributes:
    parameters: numbers in its weights.
    macs: multiply-accumulates of one run, or None where a shape is not fixed.
    inputs, outputs: dicts of tensor name -> shape.
    operators: dict of operator -> how often, the most frequent first.
"""


def count(model: ModelProto) -> Counts:
    """The figures of one ONNX model."""
    try:
        model = shape_inference.infer_shapes(model)
    except Exception:  # its class differs by version; the figures then lack the MACs
        pass
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    operators, shapes = Counter(node.op_type for node in _nodes(model.graph)), shapes_of(model)
    macs = [macs_of(node, shapes) for node in model.graph.node]
    return Counts(
        sum(_product(dims) for dims in weights.values()),
        None if None in macs else sum(filter(None, macs)),
        OrderedDict((v.name, shapes[v.name]) for v in model.graph.input if v.name not in weights),
        OrderedDict((v.name, shapes[v.name]) for v in model.graph.output),
        OrderedDict(operators.most_common()),
    )


def read_parts(network: Network, paths: Dict[str, pathlib.Path]) -> Dict[str, ModelProto]:
    """The model of each file, and the two graphs that a tracker runs.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, as ``network.locate()`` gives it.

    Returns:
        dict of name -> model: the parts, then "exemplar, once" and "a frame".

    Raises:
        BadNetwork: the files are no ONNX, or don't fit the TOML.
    """
    parts = OrderedDict((part, models.read(path)) for part, path in paths.items())
    graphs = assemble.build(network, paths)
    parts["exemplar, once"], parts["a frame"] = graphs.exemplar, graphs.search
    return parts


def _nodes(part: GraphProto) -> Iterator[NodeProto]:
    """Each node of a graph and of its branches."""
    for node in part.node:
        yield node
        for branch in models.branches(node):
            yield from _nodes(branch)


def shapes_of(model: ModelProto) -> Dict[str, models.Shape]:
    """The shapes of a model's tensors, with those of its weights."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return dict(models.shapes(model.graph), **weights)


def macs_of(node: NodeProto, shapes: Dict[str, models.Shape]) -> Optional[int]:
    """The multiply-accumulates of a node; None where a shape is not fixed."""
    counter = _COUNTERS.get(node.op_type)
    if counter is None:
        return 0
    ins = [shapes.get(name) for name in node.input]
    out = shapes.get(node.output[0])
    if any(not shape or 0 in shape for shape in [*ins[:2], out]):
        return None
    return counter(node, ins, out)  # type: ignore[arg-type]  # known, see above


# of (node, shapes of its inputs, shape of its output)
_COUNTERS: Dict[str, Callable[[NodeProto, Any, models.Shape], int]] = {
    # weights are (channels out, channels in a group, kernel …)
    "Conv": lambda node, ins, out: _product(out) * _product(ins[1][1:]),
    "ConvTranspose": lambda node, ins, out: _product(ins[0]) * _product(ins[1][1:]),
    "Gemm": lambda node, ins, out: (
        _product(out) * int(ins[0][0 if models.attributes(node).get("transA") else 1])
    ),
    "MatMul": lambda node, ins, out: _product(out) * int(ins[0][-1]),
}


def _product(sides: models.Shape) -> int:
    return int(np.prod(sides))
