"""Whether a graph's score map holds probabilities already, because the export ends in a Sigmoid."""

import pathlib
from typing import Mapping, Set

from onnx import ModelProto, NodeProto

from hotpath.graphs import canonical_models, models
from hotpath.runtime.network import Network

SQUASHES = ("Sigmoid", "HardSigmoid", "Softmax", "QLinearSigmoid", "QLinearSoftmax")
# what leaves a probability one, if all that it takes are probabilities
KEEPS = {"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat"}
KEEPS |= {"Slice", "Gather", "Split", "Clip", "Min", "Max", "Mul", "Pow", "Sqrt", "MaxPool"}
KEEPS |= {"QuantizeLinear", "DequantizeLinear", "Resize"}


def are_probabilities(network: Network, paths: Mapping[str, pathlib.Path]) -> bool:
    """Whether the score map of a network's files is the result of a Sigmoid or a Softmax.

    Args:
        network: its ``score`` says what is done to the map after the graph.
        paths: dict of part -> path.

    Raises:
        BadNetwork: see ``canonical_models.models``.
    """
    graphs = canonical_models.models(network, paths)
    # the box comes before its score
    return is_squashed(graphs.search, graphs.maps[network.family == "corners"])


def advice(kind: str) -> str:
    """What to do with such a graph, of which ``score`` is the ``kind``."""
    write = 'write score = "none"'
    if kind == "softmax":  # of two channels, of which "none" takes one
        write = 'export the scores without it, or the target\'s channel alone with score = "none"'
    return f"map 1 holds probabilities already, from a {kind} in the graph; {write}"


def is_squashed(model: ModelProto, name: str) -> bool:
    """Whether a tensor of a graph comes from Sigmoids or Softmaxes alone."""
    makers = {output: node for node in model.graph.node for output in node.output}
    constants = set(models.constants(model.graph))
    return name in makers and _is_squashed(makers[name], makers, constants)


def _is_squashed(node: NodeProto, makers: Mapping[str, NodeProto], constants: Set[str]) -> bool:
    if node.op_type in SQUASHES:
        return True
    values = node.input[:1] if node.op_type not in ("Mul", "Concat", "Min", "Max") else node.input
    values = [name for name in values if name not in constants]
    return node.op_type in KEEPS and all(
        name in makers and _is_squashed(makers[name], makers, constants) for name in values
    )
