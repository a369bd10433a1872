"""Brings the outputs of a search graph into the order that the network's family takes."""

from typing import Dict, Iterable, List, Sequence

import numpy as np
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper

from runtime import decode
from runtime.decode.shared import conventions
from runtime.errors import BadNetwork
from runtime.graphs import models
from runtime.network import Network

JOIN = "+"  # between the names of outputs whose channels are joined


def order(network: Network, search: ModelProto) -> ModelProto:
    """Keep the outputs that the family takes, in its order.

    Args:
        network: uses ``maps`` and the family's keys.
        search: its search graph, shapes inferred; changed in place.

    Returns:
        ``search``.

    Raises:
        BadNetwork: the outputs are not those that the TOML describes.
    """
    if any(JOIN in name for name in network.maps):
        search = _join(network, search)
    wanted = decode.shapes(network)
    there = list(search.graph.output)
    chosen = _by_name(network, there) if network.maps else _by_shape(wanted, there)
    shapes = [models.shape_of(value) for value in chosen]
    if [_without_ones(shape) for shape in shapes] != [_without_ones(shape) for shape in wanted]:
        raise BadNetwork(
            f"{network.path} says maps of {_text(wanted)}, but its ONNX gives "
            f"{_text([models.shape_of(value) for value in there])} for a {network.search} px "
            "search region; correct the TOML "
            "or the file"
        )
    del search.graph.output[:]
    search.graph.output.extend(chosen)
    return models.prune(_multiply(network, search))


def _multiply(network: Network, search: ModelProto) -> ModelProto:
    """Bring the maps into the convention that the decoders know."""
    factors = conventions.factors(network)
    graph = search.graph
    for place, value in enumerate(list(graph.output)):
        if place not in factors:
            continue
        name = "converted/" + base_name(value.name)
        array = np.array(factors[place], np.float32).reshape(-1, 1, 1)
        graph.initializer.append(numpy_helper.from_array(array, name + "/factors"))
        graph.node.append(helper.make_node("Mul", [value.name, name + "/factors"], [name]))
        graph.output[place].name = name
    return models.infer_shapes(search) if factors else search


def base_name(name: str) -> str:
    """The name of an output in its file; in the search graph it has a prefix."""
    return name.split("/", 1)[-1]


def _join(network: Network, search: ModelProto) -> ModelProto:
    """Add an output for each entry "a+b" of ``[head] maps``."""
    named = _named(search.graph.output)
    for entry in network.maps:
        if JOIN not in entry:
            continue
        parts = [_find(network, named, name.strip()).name for name in entry.split(JOIN)]
        search.graph.node.append(helper.make_node("Concat", parts, ["joined/" + entry], axis=1))
        search.graph.output.append(helper.ValueInfoProto(name="joined/" + entry))
    return models.infer_shapes(search)


def _by_name(network: Network, there: List[ValueInfoProto]) -> List[ValueInfoProto]:
    """The outputs that ``[head] maps`` names."""
    named = _named(there)
    return [_find(network, named, name) for name in network.maps]


def _named(values: Iterable[ValueInfoProto]) -> Dict[str, ValueInfoProto]:
    return {base_name(value.name): value for value in values}


def _find(network: Network, named: Dict[str, ValueInfoProto], name: str) -> ValueInfoProto:
    if name not in named:
        raise BadNetwork(
            "{}: [head] maps names {!r}, but the ONNX gives {}; correct the name".format(
                network.path, name, ", ".join(sorted(named))
            )
        )
    return named[name]


def _by_shape(wanted: Sequence[models.Shape], there: List[ValueInfoProto]) -> List[ValueInfoProto]:
    """For each wanted shape the first output that has it; all outputs where one is missing."""
    left, chosen = list(there), []
    for shape in wanted:
        fits = (v for v in left if _without_ones(models.shape_of(v)) == _without_ones(shape))
        value = next(fits, None)
        if value is None:
            return there
        left.remove(value)
        chosen.append(value)
    return chosen


def _without_ones(shape: models.Shape) -> models.Shape:
    """A shape without its sides of 1, in which exports differ."""
    return tuple(side for side in shape if side != 1)


def _text(shapes: Iterable[models.Shape]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
