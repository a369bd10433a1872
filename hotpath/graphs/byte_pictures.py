"""Lets an INT8 network take its pictures as bytes if that can't change any result.

Such a network quantises its input first. Where the steps of the quantiser are those of the bytes,
normalising a byte and quantising it gives the byte itself. Then both can be left out: a crop
takes a quarter of the memory, and the network converts nothing.

``with_pixels`` lets such a network take the channels of a pixel side by side.
"""

from typing import FrozenSet, Optional, Tuple

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from hotpath.graphs import models
from hotpath.graphs.assemble import AssembledGraphs
from hotpath.runtime.network import Network

PLANES = (0, 3, 1, 2)  # axes of (n, h, w, 3) as (n, 3, h, w)


def with_byte_pictures(network: Network, graphs: AssembledGraphs) -> AssembledGraphs:
    """Let both models take uint8 pictures.

    Args:
        network: uses ``mean`` and ``scale``, with which a picture is normalised.
        graphs: its ``assemble.AssembledGraphs``.

    Returns:
        ``AssembledGraphs`` whose picture inputs are uint8, not normalised; each model that this
        would change is as it was.
    """
    exemplar, search = (
        _with_byte_picture(model, name, network)
        for model, name in zip((graphs.exemplar, graphs.search), graphs.image)
    )
    return graphs._replace(exemplar=exemplar, search=search)


def _with_byte_picture(model: ModelProto, name: str, network: Network) -> ModelProto:
    readers = [node for node in model.graph.node if name in node.input]
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear" or len(readers[0].input) < 3:
        return model
    constants = models.constants(model.graph)
    if not all(part in constants for part in readers[0].input[1:3]):
        return model
    step, zero = (constants[part] for part in readers[0].input[1:3])
    if zero.dtype != np.uint8 or step.size != 1 or not _keeps_bytes(network, step, zero):
        return model
    model = models.copy(model)
    quantised = readers[0].output[0]
    graph = model.graph
    models.replace(graph.node, [node for node in graph.node if quantised not in node.output])
    models.replace(graph.value_info, [v for v in graph.value_info if v.name != quantised])
    models.rename(model, {quantised: name})
    for value in model.graph.input:
        if value.name == name:
            value.type.tensor_type.elem_type = TensorProto.UINT8
    return models.prune(model)


def _keeps_bytes(network: Network, step: np.ndarray, zero: np.ndarray) -> bool:
    """Whether every byte, normalised as the crop does it and quantised, is what it was."""
    values = np.arange(256, dtype=np.float32)[:, None]
    mean, scale = (np.array(numbers, np.float32) for numbers in (network.mean, network.scale))
    normal = (values - mean) * scale
    steps = np.rint(normal / step.astype(np.float32).ravel()) + zero.astype(np.float32).ravel()
    return bool((np.clip(steps, 0, 255) == values).all())


def with_pixels(model: ModelProto) -> Tuple[ModelProto, FrozenSet[str]]:
    """Let a model take its pictures in bytes as (n, h, w, 3).

    Some engines compute whole numbers in that order and would turn every picture around first. The
    values stay the same: the picture is turned around in the graph, where such an engine finds
    nothing to do.

    Args:
        model: ONNX; not changed.

    Returns:
        (model, names): the rewritten model, and the names of the inputs that it takes so. Inputs of
        other types stay as they are, and a picture that is not only dequantised first.
    """
    picture_of = {}  # output of the node that dequantises a picture -> the picture's name
    for value in model.graph.input:
        output = _dequantised(model, value)
        if output is not None:
            picture_of[output] = value.name
    if not picture_of:
        return model, frozenset()
    model = models.copy(model)
    for value in model.graph.input:
        if value.name in picture_of.values():
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, [dims[axis].dim_value for axis in (0, 2, 3, 1)]):
                dim.dim_value = size
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        if node.output[0] in picture_of:
            planes = node.output[0]
            node.output[0] = planes + "_pixels"
            nodes.append(helper.make_node("Transpose", [planes + "_pixels"], [planes], perm=PLANES))
    models.replace(model.graph.node, nodes)
    return model, frozenset(picture_of.values())


def _dequantised(model: ModelProto, value: ValueInfoProto) -> Optional[str]:
    """What the one node that dequantises a picture in bytes gives; None for another input."""
    shape = models.shape_of(value)
    is_bytes = value.type.tensor_type.elem_type == TensorProto.UINT8
    readers = [node for node in model.graph.node if value.name in node.input]
    if not is_bytes or len(shape) != 4 or shape[1] != 3 or 0 in shape or len(readers) != 1:
        return None
    picture, *steps = readers[0].input
    constants = models.constants(model.graph)
    one_step = all(name in constants and constants[name].size == 1 for name in steps)
    fits = readers[0].op_type == "DequantizeLinear" and picture == value.name and one_step
    return str(readers[0].output[0]) if fits else None
