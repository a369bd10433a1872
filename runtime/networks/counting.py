"""What a network's ONNX files hold and cost: parameters, multiplications, tensors, operators.

Counted here in a few lines, from the shapes that ONNX infers: a multiply-accumulate (MAC) is one of
a convolution, a matrix product or a fully connected layer; what else a graph does (activations,
pooling, sums) is not counted, as in the trackers' papers.
"""

from collections import Counter, OrderedDict, namedtuple

import onnx
from onnx import shape_inference

from runtime.graphs import assemble

Counts = namedtuple("Counts", "parameters macs inputs outputs operators")
Counts.__doc__ = """One ONNX model's figures.

Attributes:
    parameters: numbers in its weights.
    macs: multiply-accumulates of one run, or None where a shape is not fixed.
    inputs, outputs: dicts of tensor name -> shape.
    operators: dict of operator -> how often, the most frequent first.
"""


def count(model):
    """Figures of one ONNX model: ``Counts``."""
    try:
        model = shape_inference.infer_shapes(model)
    except Exception:  # its classes differ by version; figures then lack the MACs
        pass
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    operators = Counter(node.op_type for node in _nodes(model.graph))
    values = list(model.graph.input) + list(model.graph.value_info) + list(model.graph.output)
    shapes = {value.name: assemble.shape_of(value) for value in values}
    shapes.update(weights)
    return Counts(
        sum(_product(dims) for dims in weights.values()),
        _macs(model.graph.node, shapes),
        OrderedDict((v.name, shapes[v.name]) for v in model.graph.input if v.name not in weights),
        OrderedDict((v.name, shapes[v.name]) for v in model.graph.output),
        OrderedDict(operators.most_common()),
    )


def count_parts(network, paths):
    """Figures of every file, and of the two graphs that a tracker runs.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, as ``network.locate()`` gives it.

    Returns:
        dict of name -> ``Counts``: the parts, then "exemplar, once" and "a frame".

    Raises:
        BadNetwork: the files are no ONNX or don't fit the TOML.
    """
    counts = OrderedDict((part, count(onnx.load(str(path)))) for part, path in paths.items())
    graphs = assemble.build(network, paths)
    counts["exemplar, once"] = count(graphs.exemplar)
    counts["a frame"] = count(graphs.search)
    return counts


def _nodes(part):
    """Every node of a graph, those in its branches too."""
    for node in part.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _macs(nodes, shapes):
    total = 0
    for node in nodes:
        counter = _COUNTERS.get(node.op_type)
        if counter is None:
            continue
        ins = [shapes.get(name) for name in node.input]
        out = shapes.get(node.output[0])
        known = [shape for shape in ins[:2] + [out] if shape is not None and 0 not in shape]
        if len(known) < 3:
            return None
        total += counter(node, ins, out)
    return total


def _conv(node, ins, out):
    return _product(out) * _product(ins[1][1:])  # (channels out, channels in a group, kernel …)


def _conv_transpose(node, ins, out):
    return _product(ins[0]) * _product(ins[1][1:])


def _gemm(node, ins, out):
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return _product(out) * ins[0][0 if transposed else 1]


def _matmul(node, ins, out):
    return _product(out) * ins[0][-1]


_COUNTERS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}


def _product(numbers):
    result = 1
    for number in numbers:
        result *= int(number)
    return result
