"""Lets a network take pictures in bytes with the channels of a pixel side by side.

Some engines compute whole numbers in that order and would turn every picture around first. The
network's values stay the same: the picture is turned around in the graph, where such an engine
finds nothing to do.
"""

from typing import Any, FrozenSet, Optional, Tuple

from onnx import ModelProto, TensorProto, helper, numpy_helper

from runtime.graphs import models

TO_PLANES = (0, 3, 1, 2)  # axes of (n, h, w, 3) as (n, 3, h, w)


def with_pixels(model: ModelProto) -> Tuple[ModelProto, FrozenSet[str]]:
    """Let a model take its pictures in bytes as (n, h, w, 3).

    Args:
        model: ONNX; not changed.

    Returns:
        (model, names): the rewritten model, and the names of the inputs that it takes so. Inputs of
        other types stay as they are, and a picture that is not only dequantised first.
    """
    places = [_reader(model, value) for value in model.graph.input]
    if not any(place is not None for place in places):
        return model, frozenset()
    model, found = models.copy(model), set()
    for value, place in zip(model.graph.input, places):
        if place is None:
            continue
        found.add(value.name)
        dims = value.type.tensor_type.shape.dim
        count, channels, height, width = (dim.dim_value for dim in dims)
        for dim, size in zip(dims, (count, height, width, channels)):
            dim.dim_value = size
    # from the last node on, so that the places before it stay what they are
    for place in sorted((place for place in places if place is not None), reverse=True):
        dequantise = model.graph.node[place]
        planes = dequantise.output[0]
        dequantise.output[0] = planes + "_pixels"
        turn = helper.make_node("Transpose", [dequantise.output[0]], [planes], perm=TO_PLANES)
        model.graph.node.insert(place + 1, turn)
    return model, frozenset(found)


def _reader(model: ModelProto, value: Any) -> Optional[int]:
    """Where the node is that dequantises a picture in bytes; None if the input is no such one."""
    kind = value.type.tensor_type
    sizes = [dim.dim_value for dim in kind.shape.dim]
    if kind.elem_type != TensorProto.UINT8 or len(sizes) != 4 or sizes[1] != 3 or 0 in sizes:
        return None
    places = [n for n, node in enumerate(model.graph.node) if value.name in node.input]
    if len(places) != 1 or model.graph.node[places[0]].op_type != "DequantizeLinear":
        return None
    picture, *steps = model.graph.node[places[0]].input
    counts = {
        tensor.name: numpy_helper.to_array(tensor).size
        for tensor in model.graph.initializer
        if tensor.name in steps
    }
    one_step = picture == value.name and all(counts.get(name) == 1 for name in steps)
    return places[0] if one_step else None
