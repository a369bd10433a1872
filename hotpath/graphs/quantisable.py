"""Which layers of a network INT8 quantises, for the quantiser and for ``networks show``.

``parts`` gives a network's graphs in the form that is measured and quantised. ``floating`` says
which of their nodes stay in floating point, and why.
"""

import pathlib
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set

from onnx import GraphProto, ModelProto, NodeProto, helper, shape_inference

from hotpath.graphs import assemble, models
from hotpath.runtime.network import Network

WEIGHTED = ("Conv", "Gemm", "MatMul")  # operators with weights: counted, ranked and kept
# What runs in INT8. Sums and products of activations stay in floating point. With them and the last
# layers in INT8, OpenVINO chose nanotrack_v2's simulated cell on 96 % of the pairs instead of 99 %,
# and a frame took longer.
OPS = WEIGHTED + ("Relu", "Clip", "Concat", "MaxPool")
SHAPING = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")  # keep values and levels
MOVES = (*SHAPING, "Cast", "Identity")


def parts(network: Network, paths: Mapping[str, pathlib.Path]) -> Dict[str, ModelProto]:
    """Prepare a network's two graphs for measuring and quantising: dict of exemplar, search.

    Their tensors have the names of ``hotpath.graphs.assemble``, which every engine
    builds from.
    """
    built = assemble.build(network, paths)
    return {
        "exemplar": prepare_for_quantiser(built.exemplar),
        "search": prepare_for_quantiser(built.search),
    }


def prepare_for_quantiser(model: ModelProto) -> ModelProto:
    """Return the model with named nodes, constants as initializers, and all shapes."""
    model = models.copy(model)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in versions.items())
    taken = set()
    for node in models.without_constant_nodes(model).graph.node:
        if not node.name or node.name in taken:  # name it by its result, the same in both parts
            result = base(node.output[0])
            prefix = node.output[0][: len(node.output[0]) - len(result)]
            node.name = f"{prefix}{node.op_type}_{result}"
        taken.add(node.name)
    return shape_inference.infer_shapes(model, strict_mode=True)


def base(name: str) -> str:
    """Strip the prefix of the part from a layer's name; the backbone is in both parts."""
    return name[2:] if name[:2] in ("z/", "x/") else name


def weighted_layers(model: ModelProto) -> List[NodeProto]:
    """Return the nodes with constant weights, in order. These can be kept in 16 bit."""
    constant = {tensor.name for tensor in model.graph.initializer}
    return [n for n in model.graph.node if n.op_type in WEIGHTED and n.input[1] in constant]


def last_layers(model: ModelProto) -> Set[str]:
    """Return the base names of the nodes between each output and its last weighted layer.

    They are never quantised, since 256 levels are too few to choose a cell by.
    """
    node_of = {name: node for node in model.graph.node for name in node.output}
    names = set()
    ahead = [node_of[v.name] for v in model.graph.output if v.name in node_of]
    while ahead:
        node = ahead.pop()
        names.add(base(node.name))
        if node.op_type not in WEIGHTED:
            ahead += [node_of[name] for name in node.input if name in node_of]
    return names


def floating(model: ModelProto, keep: Iterable[str] = ()) -> Dict[str, str]:
    """Nodes that stay in floating point: dict of name -> why.

    Args:
        model: one of ``parts``.
        keep: base names of layers that are to stay so.
    """
    constant = {tensor.name for tensor in model.graph.initializer}
    attention, joined = _attention(model.graph, constant), _after_joins(model.graph)
    reasons = {}
    for node in model.graph.node:
        if node.op_type in MOVES:
            continue
        if node.op_type not in OPS:
            reasons[node.name] = "not quantised"
        elif node.op_type == "Conv" and node.input[1] not in constant:
            reasons[node.name] = "no engine has INT8 for a kernel that is the exemplar's"
        elif base(node.name) in keep:
            reasons[node.name] = "kept"
        elif node.name in attention:
            reasons[node.name] = "beside a softmax"
        elif node.name in joined:
            reasons[node.name] = "its input is joined of several tensors"
    return reasons


def _attention(graph: GraphProto, constant: Set[str]) -> List[str]:
    """Names of the products before and after each softmax.

    256 levels are too few for shares of some 300 cells. In INT8 they double the loss of a small
    OSTrack, and OpenVINO is slower (docs/results/int8.md).
    """
    node_of = {name: node for node in graph.node for name in node.output}
    names = []
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] in constant:
            continue
        first = _source(node_of, node.input[0], ("Mul", "Div", "Add", *MOVES))
        if first is not None and first.op_type == "Softmax":
            names.append(node.name)
            first = _source(node_of, first.input[0], ("Mul", "Div", "Add", *MOVES))
            if first is not None and first.op_type == "MatMul":
                names.append(first.name)
    return names


def _after_joins(graph: GraphProto) -> List[str]:
    """Names of the products with weights whose input is joined of several tensors.

    OpenVINO 2026.4 takes a scale of each joined tensor there, and then can't load the network.
    """
    node_of = {name: node for node in graph.node for name in node.output}
    sources = {
        node.name: _source(node_of, node.input[0], MOVES)
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm")
    }
    return [name for name, node in sources.items() if node is not None and node.op_type == "Concat"]


def _source(
    node_of: Mapping[str, NodeProto], name: str, through: Sequence[str]
) -> Optional[NodeProto]:
    """The node that a tensor comes from, past nodes of some operators."""
    node = node_of.get(name)
    while node is not None and node.op_type in through:
        node = node_of.get(node.input[0])
    return node
