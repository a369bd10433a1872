"""Joins a network's files into a pair: what runs once on the exemplar, and what runs each frame.

The parts that the TOML names decide how:

- backbone, head: the backbone runs on both pictures, the head takes both features (NanoTrack);
- exemplar, search, head: as above, with a backbone for each size of picture;
- exemplar, search: the search graph takes the exemplar's features (LightTrack, SiamFC);
- whole: one graph takes both pictures (VitTrack).
"""

from typing import Dict, List, Tuple

import numpy as np
from onnx import (
    ModelProto,
    TensorProto,
    ValueInfoProto,
    compose,
    helper,
    numpy_helper,
)

from hotpath.graphs import models
from hotpath.runtime.network import Network

Parts = Dict[str, ModelProto]
Pair = Tuple[ModelProto, ModelProto]

IMAGES = ("exemplar", "search")  # names of the pictures in the pair
PIXELS = "z/pixels0"  # the exemplar, where one graph takes both pictures
BOX = "exemplar_box"  # name of the target's box in the exemplar, where a network takes it


def join(network: Network, parts: Parts) -> Pair:
    """Join the parts of a network.

    Args:
        network: the ``Network``.
        parts: dict of part name -> model, of one opset; changed.

    Returns:
        (exemplar, search). The exemplar model has the input "exemplar". The search model has the
        input "search", and takes the exemplar's outputs by their names.

    Raises:
        ValueError, KeyError: a part has other inputs or outputs than its name says.
    """
    _unify_ir(parts)
    if "whole" in parts:
        return _split(network, parts["whole"])
    if "head" in parts:
        return _with_head(network, parts)
    return _pair(network, parts["exemplar"], parts["search"])


def _unify_ir(parts: Parts) -> None:
    """Give all parts the newest IR version among them."""
    # engines refuse files of a newer IR than theirs, though no operator here needs it
    latest = 8 if max(map(models.opset, parts.values())) <= 15 else 10
    ir_version = min(latest, max(model.ir_version for model in parts.values()))
    for model in parts.values():
        model.ir_version = ir_version


def _branch(backbone: ModelProto, prefix: str, image: str, side: int) -> ModelProto:
    """A copy of a backbone for one of the two pictures, its names with a prefix."""
    source = _only_picture(backbone).name
    model = models.add_prefix(backbone, prefix)
    _set_side(model, prefix + source, side)
    models.rename(model, {prefix + source: image})
    return model


def _with_head(network: Network, parts: Parts) -> Pair:
    """Backbones and a head that takes both features."""
    exemplar = _branch(
        parts.get("exemplar", parts.get("backbone")), "z/", IMAGES[0], network.exemplar
    )
    search = _branch(parts.get("search", parts.get("backbone")), "x/", IMAGES[1], network.search)
    z_names = [value.name for value in exemplar.graph.output]
    x_names = [value.name for value in search.graph.output]
    inputs = models.inputs(parts["head"])
    if len(inputs) != len(z_names) + len(x_names):
        raise ValueError(
            f"the head takes {len(inputs)} inputs, but the exemplar gives {len(z_names)} features "
            f"and the search region {len(x_names)}"
        )
    z_inputs, x_inputs = inputs[: len(z_names)], inputs[len(z_names) :]
    if _is_swapped(z_inputs, x_inputs):
        x_inputs, z_inputs = inputs[: len(x_names)], inputs[len(x_names) :]
    joined = compose.merge_models(
        search,
        models.add_prefix(parts["head"], "head/"),
        io_map=[(name, "head/" + value.name) for name, value in zip(x_names, x_inputs)],
    )
    models.rename(joined, {"head/" + v.name: name for v, name in zip(z_inputs, z_names)})
    return exemplar, joined


def _is_swapped(first: List[ValueInfoProto], second: List[ValueInfoProto]) -> bool:
    """Whether a head takes the search region's features, which are larger, first."""
    sides = [[models.shape_of(v)[-1:] for v in values] for values in (first, second)]
    are_known = all(side and side[0] for values in sides for side in values)
    return are_known and len(first) == len(second) and sides[0] > sides[1]


def _pair(network: Network, exemplar: ModelProto, search: ModelProto) -> Pair:
    """An exemplar model, and a search model that takes its outputs."""
    exemplar, search = _without_masks(exemplar), _without_masks(search)
    exemplar = _branch(exemplar, "z/", IMAGES[0], network.exemplar)
    features = [value.name for value in exemplar.graph.output]
    source = _only_picture(search)
    remaining = [value.name for value in models.inputs(search) if value.name != source.name]
    named = {name[len("z/") :]: name for name in features}
    if all(name in named for name in remaining):
        features = [named[name] for name in remaining]
    if len(remaining) != len(features):
        raise ValueError(
            f"the search graph takes {len(remaining)} inputs besides its picture, but the exemplar "
            f"gives {len(features)} features"
        )
    search = _branch(search, "x/", IMAGES[1], network.search)
    models.rename(search, {"x/" + name: feature for name, feature in zip(remaining, features)})
    return exemplar, search


def _split(network: Network, whole: ModelProto) -> Pair:
    """Split a model of both pictures into the part of the exemplar and the rest."""
    images, boxes = _given(network, whole)
    search = models.add_prefix(whole, "x/")
    for value in images:
        is_last = value is images[-1]
        _set_side(search, "x/" + value.name, network.search if is_last else network.exemplar)
    taken = zip(images + boxes, (PIXELS, IMAGES[1], "z/box"))
    models.rename(search, {"x/" + value.name: name for value, name in taken})
    return _handed_on(network, search), search


def _given(
    network: Network, whole: ModelProto
) -> Tuple[List[ValueInfoProto], List[ValueInfoProto]]:
    """The pictures that a model takes, the search region last, and the target's box, if any."""
    images = [value for value in models.inputs(whole) if not is_box(value)]
    boxes = [value for value in models.inputs(whole) if is_box(value)]
    if len(images) != 2 or not all(map(models.is_picture, images)):
        raise ValueError(
            f"the graph takes {len(images)} inputs; it must take two pictures, exemplar and search "
            "region (export a network with two exemplars so that one picture is both)"
        )
    places = {network.exemplar: 0, network.search: 2}
    images.sort(key=lambda value: places.get(models.shape_of(value)[2], 1))
    return images, boxes


def _handed_on(network: Network, search: ModelProto) -> ModelProto:
    """The model of the exemplar: it hands its picture on, and the target's box."""
    values = {value.name: value for value in search.graph.input}
    outputs = [values[name] for name in (PIXELS, "z/box") if name in values]
    sides = [1, 3, network.exemplar, network.exemplar]
    inputs = [helper.make_tensor_value_info(IMAGES[0], TensorProto.FLOAT, sides)]
    nodes = [helper.make_node("Identity", [IMAGES[0]], [PIXELS])]
    for value in outputs[1:]:
        nodes.append(helper.make_node("Identity", [BOX], [value.name]))
        shape = models.shape_of(value)
        inputs.append(helper.make_tensor_value_info(BOX, TensorProto.FLOAT, shape))
    return helper.make_model(
        helper.make_graph(nodes, "exemplar", inputs, outputs),
        opset_imports=search.opset_import,
        ir_version=search.ir_version,
    )


def is_box(value: ValueInfoProto) -> bool:
    """Whether an input is four numbers: left, top, right, bottom of the target in the exemplar."""
    return int(np.prod(models.shape_of(value))) == 4


def _without_masks(model: ModelProto) -> ModelProto:
    """Remove the inputs and outputs that mask padding (STARK): nothing is masked here."""
    graph = model.graph
    for value in models.inputs(model):
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            zeros = np.zeros(models.shape_of(value), bool)
            graph.initializer.append(numpy_helper.from_array(zeros, value.name))
            graph.input.remove(value)
    for value in list(graph.output):
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            graph.output.remove(value)
    return model


def _only_picture(model: ModelProto) -> ValueInfoProto:
    """The one input that is a picture."""
    values = models.inputs(model)
    pictures = [value for value in values if models.is_picture(value)]
    if len(values) == 1 and len(models.shape_of(values[0])) == 4:
        return values[0]
    if len(pictures) != 1:
        there = ", ".join(f"{v.name} {list(models.shape_of(v))}" for v in values)
        raise ValueError(f"a graph must take one picture of 1x3xHxW, but its inputs are {there}")
    return pictures[0]


def _set_side(model: ModelProto, name: str, side: int) -> None:
    """Give a picture the shape (1, 3, side, side) and forget the shapes that depend on it."""
    for value in model.graph.input:
        if value.name == name:
            dims = value.type.tensor_type.shape.dim
            if len(dims) != 4:
                raise ValueError(f"the picture {name} must have 4 dimensions")
            if dims[1].dim_value not in (0, 3):
                raise ValueError(
                    f"the picture {name} has {dims[1].dim_value} channels instead of 3"
                )
            for dim, size in zip(dims, (1, 3, side, side)):
                dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
