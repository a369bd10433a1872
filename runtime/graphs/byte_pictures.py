"""Lets an INT8 network take its pictures as bytes, where that can't change any result.

Such a network quantises its input first. Where the steps of the quantiser are those of the bytes,
normalising a byte and quantising it gives the byte itself. Then both can be left out: a crop
takes a quarter of the memory, and the network converts nothing.
"""

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from runtime.graphs import models
from runtime.graphs.assemble import Graphs
from runtime.network import Network


def with_byte_pictures(network: Network, graphs: Graphs) -> Graphs:
    """Let both models take uint8 pictures.

    Args:
        network: uses ``mean`` and ``scale``, with which a picture is normalised.
        graphs: its ``assemble.Graphs``.

    Returns:
        ``Graphs`` whose picture inputs are uint8, not normalised; each model that this would
        change is as it was.
    """
    exemplar, search = (
        _with_byte_picture(model, name, network)
        for model, name in zip((graphs.exemplar, graphs.search), graphs.image)
    )
    return graphs._replace(exemplar=exemplar, search=search)


def dtype_of(model: ModelProto, name: str) -> type:
    """The NumPy type of an input or output: uint8 for a picture in bytes, else float32."""
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    return np.uint8 if types.get(name) == TensorProto.UINT8 else np.float32


def _with_byte_picture(model: ModelProto, name: str, network: Network) -> ModelProto:
    readers = [node for node in model.graph.node if name in node.input]
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear" or len(readers[0].input) < 3:
        return model
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    if not all(part in constants for part in readers[0].input[1:3]):
        return model
    step, zero = (numpy_helper.to_array(constants[part]) for part in readers[0].input[1:3])
    if zero.dtype != np.uint8 or step.size != 1 or not _keeps_bytes(network, step, zero):
        return model
    model = models.copy(model)
    quantised = readers[0].output[0]
    for node in list(model.graph.node):
        if quantised in node.output:
            model.graph.node.remove(node)
        for place, read in enumerate(node.input):
            if read == quantised:
                node.input[place] = name
    for value in list(model.graph.value_info):
        if value.name == quantised:
            model.graph.value_info.remove(value)
    for value in model.graph.input:
        if value.name == name:
            value.type.tensor_type.elem_type = TensorProto.UINT8
    return models.prune(model)


def _keeps_bytes(network: Network, step: np.ndarray, zero: np.ndarray) -> bool:
    """Whether every byte, normalised as the crop does it and quantised, is what it was."""
    values = np.arange(256, dtype=np.float32)[:, None]
    mean, scale = (np.array(each, np.float32) for each in (network.mean, network.scale))
    normal = (values - mean) * scale
    steps = np.rint(normal / step.astype(np.float32).ravel()) + zero.astype(np.float32).ravel()
    return bool((np.clip(steps, 0, 255) == values).all())
