"""The mean of two networks' maps, as one pair of graphs."""

from typing import Tuple

import numpy as np
from onnx import ModelProto, helper

from hotpath.graphs import models

Pair = Tuple[ModelProto, ModelProto]

PREFIX = "second/"  # begins the names of the second network's tensors
HALF = 0.5


def join(first: Pair, second: Pair, share: float = HALF) -> Pair:
    """Return (exemplar, search) models that give the mean of two networks' maps.

    Args:
        first, second: (exemplar, search) of each network, of one opset. Their pictures have the
            same names and all other tensors different ones. The maps have the same order.
        share: of the second network's maps, 0 to 1.

    Raises:
        ValueError: the networks give different numbers of maps, or their opsets differ.
    """
    exemplar, search = (_together(*models_of) for models_of in zip(first, second))
    pairs = list(zip(first[1].graph.output, second[1].graph.output))
    if len(first[1].graph.output) != len(second[1].graph.output):
        raise ValueError("the two networks give different numbers of maps")
    graph = search.graph
    shares = [
        models.add_constant(graph, PREFIX + f"share{place}", np.float32(value))
        for place, value in enumerate((1 - share, share))
    ]
    del graph.output[:]
    for own, other in pairs:
        result = "mean/" + own.name.split("/", 1)[-1]
        for value, part in zip((own, other), shares):
            graph.node.append(helper.make_node("Mul", [value.name, part], [value.name + "/part"]))
        parts = [own.name + "/part", other.name + "/part"]
        graph.node.append(helper.make_node("Add", parts, [result]))
        graph.output.append(own)
        graph.output[-1].name = result
    return exemplar, search


def _together(first: ModelProto, second: ModelProto) -> ModelProto:
    """A model with the nodes, inputs and outputs of both, which share the inputs they both have."""
    if models.opset(first) != models.opset(second):
        raise ValueError(f"opset {models.opset(first)} and opset {models.opset(second)}")
    model = models.copy(first)
    graph, other = model.graph, second.graph
    inputs = {value.name for value in graph.input}
    graph.input.extend(value for value in other.input if value.name not in inputs)
    graph.output.extend(other.output)
    graph.initializer.extend(other.initializer)
    graph.value_info.extend(other.value_info)
    graph.node.extend(other.node)
    return models.prune(model)
