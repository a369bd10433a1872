"""Joins two networks into one that gives the mean of their maps.

Both see the same pictures, so they must cut the same windows, and their maps must have the same
cells. What differs in the colours of these pictures is folded into the second network's graphs.
"""

from typing import List, Sequence, Tuple

import numpy as np
from onnx import ModelProto, NodeProto, helper

from hotpath.graphs import lifting, mean_maps, models
from hotpath.graphs.assemble import Graphs
from hotpath.graphs.mean_maps import PREFIX, Pair
from hotpath.runtime import decode
from hotpath.runtime.decode.shared import conventions
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network
from hotpath.runtime.networks import schema

FOLDED = ("channels", "mean", "scale")  # keys of [input] in which the networks may differ


def why_not(first: Network, second: Network) -> str:
    """Return one sentence with everything in which two networks differ, or "" if they can join."""
    if first.family != second.family:
        what = [f"family is {first.family} and {second.family}"]
    else:
        heads = decode.module_of(first.family).KEYS["head"]
        keys = [key for key in schema.SECTIONS["input"] if key not in FOLDED]
        keys += [key for key in heads if key not in conventions.KEYS]
        what = [
            f"{key} is {_shown(first, key)} and {_shown(second, key)}"
            for key in keys
            if getattr(first, key, None) != getattr(second, key, None)
        ]
    names = f"{first.name} and {second.name}"
    return f"{names} can't be joined: {'; '.join(what)}" if what else ""


def _shown(network: Network, key: str) -> str:
    value = getattr(network, key, None)
    return "not used" if value is None else str(value)


def joined(networks: Sequence[Network], built: Sequence[Graphs], share: float) -> Pair:
    """Return (exemplar, search) models of two networks, both for the first one's pictures.

    Args:
        networks: two networks that ``why_not`` allows.
        built: their ``Graphs``.
        share: of the second network's maps, 0 to 1.

    Raises:
        BadNetwork: the networks can't be joined; the sentence says what differs.
    """
    reason = why_not(*networks)
    if reason:
        raise BadNetwork(reason, what="networks differ")
    pairs = [(graphs.exemplar, graphs.search) for graphs in built]
    newest = max(models.opset(model) for pair in pairs for model in pair)
    first, later = (
        [lifting.lifted(model, newest, network.path) for model in pair]
        for network, pair in zip(networks, pairs)
    )
    second = []
    for model, image in zip(later, built[1].image):
        model = models.add_prefix(model, PREFIX)
        models.rename(model, {PREFIX + image: image})
        second.append(_for_pictures(model, image, *networks))
    try:
        exemplar, search = mean_maps.join((first[0], first[1]), (second[0], second[1]), share)
    except ValueError as error:
        names = " and ".join(network.name for network in networks)
        raise BadNetwork(f"{names} can't be joined: {error}", what="networks differ") from None
    return models.infer_shapes(exemplar), models.infer_shapes(search)


def _for_pictures(model: ModelProto, image: str, taken: Network, own: Network) -> ModelProto:
    """Let a model take pictures that were normalised for another network; in place."""
    order, factor, offset = _conversion(taken, own)
    steps: List[NodeProto] = []
    name = image
    if order != [0, 1, 2]:
        indices = models.add_constant(model.graph, PREFIX + image + "/order", np.array(order))
        steps.append(helper.make_node("Gather", [name, indices], [PREFIX + "turned"], axis=1))
        name = PREFIX + "turned"
    if not (np.allclose(factor, 1, atol=1e-6) and np.allclose(offset, 0, atol=1e-6)):
        for kind, values in (("Mul", factor), ("Add", offset)):
            result = f"{PREFIX}{image}/{kind.lower()}"
            shaped = np.array(values, np.float32).reshape(1, 3, 1, 1)
            constant = models.add_constant(model.graph, result + "/by", shaped)
            steps.append(helper.make_node(kind, [name, constant], [result]))
            name = result
    if steps:
        for node in model.graph.node:
            for place, read in enumerate(node.input):
                node.input[place] = name if read == image else read
        models.replace(model.graph.node, steps + list(model.graph.node))
    return model


def _conversion(taken: Network, own: Network) -> Tuple[List[int], np.ndarray, np.ndarray]:
    """How values for one network become those for another: order of channels, factor, offset."""
    order = [0, 1, 2] if taken.channels == own.channels else [2, 1, 0]
    mean, scale = (np.array(getattr(taken, key), float)[order] for key in ("mean", "scale"))
    own_scale = np.array(own.scale, float)
    return order, own_scale / scale, (mean - np.array(own.mean, float)) * own_scale
