"""Whether a graph's score map holds probabilities already, because the export ends in a Sigmoid."""

import pathlib
from typing import Mapping, Set

from onnx import ModelProto

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
    constants = set(models.constants(model.graph))
    squashed: Set[str] = set()
    for node in model.graph.node:  # in the order in which they are computed
        takes_all = node.op_type in ("Mul", "Concat", "Min", "Max")
        values = set(node.input if takes_all else node.input[:1]) - constants
        keeps = node.op_type in KEEPS and bool(values) and values <= squashed
        if node.op_type in SQUASHES or keeps:
            squashed.update(node.output)
    return name in squashed
