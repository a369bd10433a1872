"""Brings any export into one form: float32, every shape fixed, constants folded.

Exporters leave chains of nodes that compute shapes, copies, branches, and float16. The rest of this
folder and the engines need graphs without them. onnxslim folds them, off the board: a bundle for a
board holds graphs that were normalised when it was built. Simplified files don't need it.
"""

import functools
from types import ModuleType
from typing import List

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, numpy_helper, shape_inference

from hotpath.base.messages import make_command
from hotpath.graphs import models
from hotpath.runtime.errors import BadNetwork

# Nodes that a normalised graph does not have; without onnxslim the engines may still take them.
FOLDED = {"Dropout", "Identity", "If", "Loop", "Scan", "Shape", "Size"}

_OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


def normalise(model: ModelProto) -> ModelProto:
    """Fold everything that depends only on shapes and constants.

    Args:
        model: shapes of its inputs fixed; not changed.

    Returns:
        a model with the same inputs and outputs; the model itself where nothing is to be folded.

    Raises:
        BadNetwork: a shape can't be computed: onnxslim is not installed, or it is not enough.
    """
    unknown = unknown_shapes(model)
    if not unknown and not any(node.op_type in FOLDED for node in model.graph.node):
        return model
    try:
        import onnxslim
    except ImportError:
        if not unknown:
            return model
        raise BadNetwork(
            f"the shape of {unknown[0]} has to be computed from other nodes; run "
            f"`{make_command('setup', ALSO='exports')}` on a computer with Python 3.8 or newer, or "
            "export with constant folding"
        ) from None
    model = ModelProto.FromString(_slimmed(onnxslim, model.SerializeToString()))
    unknown = unknown_shapes(model)
    if unknown:
        raise BadNetwork(
            f"the shape of {unknown[0]} depends on more than the sides of the pictures; export "
            "the network for one size of picture"
        )
    return model


@functools.lru_cache(maxsize=2)  # `networks add` folds the same graph for each engine
def _slimmed(onnxslim: ModuleType, content: bytes) -> bytes:
    """The result of onnxslim; inputs and outputs in their old order."""
    model = ModelProto.FromString(content)
    outputs = [value.name for value in model.graph.output]
    inputs = [value.name for value in model.graph.input]
    try:
        slim: ModelProto = onnxslim.slim(model)
    except Exception as error:  # its passes raise errors of any class
        raise BadNetwork(
            f"onnxslim {onnxslim.__version__} can't fold the graph: {models.first_line(error)}; "
            "export it with constant folding"
        ) from None
    if sorted(v.name for v in slim.graph.output) != sorted(outputs):
        raise BadNetwork(f"onnxslim {onnxslim.__version__} lost an output of the graph")
    places = {name: place for place, name in enumerate(inputs + outputs)}
    for values in (slim.graph.input, slim.graph.output):
        models.replace(values, sorted(values, key=lambda value: places[value.name]))
    return bytes(slim.SerializeToString())


def unknown_shapes(model: ModelProto) -> List[str]:
    """List tensors with a shape that depends on more than the shapes of the inputs."""
    model = models.copy(model)
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except shape_inference.InferenceError:
        return [node.output[0] for node in model.graph.node[:1]]
    fixed = {v.name for v in list(graph.value_info) + list(graph.output) if _is_fixed(v)}
    names = (name for node in graph.node for name in node.output if name)
    return [name for name in names if name not in fixed]


def _is_fixed(value: ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return bool(kind.HasField("shape")) and all(dim.dim_value > 0 for dim in kind.shape.dim)


def to_float32(model: ModelProto) -> ModelProto:
    """Let a model of float16 or float64 compute in float32; in place. Returns the model."""
    graph = model.graph
    values = list(graph.input) + list(graph.output)
    if not any(v.type.tensor_type.elem_type in _OTHER_FLOATS for v in values) and not any(
        t.data_type in _OTHER_FLOATS for t in graph.initializer
    ):
        return model
    _widen(graph)
    _drop_casts(graph)
    del graph.value_info[:]
    return model


def _drop_casts(graph: GraphProto) -> None:
    """Remove the casts of weights that are float32 now."""
    weights = {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    results = {value.name for value in graph.output}
    names = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in weights
        and node.output[0] not in results
        and models.attributes(node)["to"] == TensorProto.FLOAT
    }
    models.replace(graph.node, [node for node in graph.node if node.output[0] not in names])
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def _widen(graph: GraphProto) -> None:
    for value in list(graph.input) + list(graph.output):
        if value.type.tensor_type.elem_type in _OTHER_FLOATS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen_tensor(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _OTHER_FLOATS:
                attribute.i = TensorProto.FLOAT
        for branch in models.branches(node):
            _widen(branch)


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _OTHER_FLOATS:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
