"""Brings any export into one form: float32, every shape fixed, constants folded.

Exporters leave chains of nodes that compute shapes, copies, branches, and float16. The rest of this
folder and the engines need graphs without them. onnxslim folds them, off the board: a bundle for a
board holds graphs that were normalised when it was built. Simplified files don't need it.
"""

from typing import Any, Iterable, List

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx import TensorProto as Tensor

from runtime.errors import BadNetwork
from runtime.graphs import fold_if, models

# Nodes that a normalised graph does not have; without onnxslim the engines may still take them.
FOLDED = {"Dropout", "Identity", "If", "Loop", "Scan", "Shape", "Size"}

_OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


def normalise(model: ModelProto) -> ModelProto:
    """Fold all that depends on shapes and constants alone.

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
        if unknown:  # an old onnx infers less; computing the constants first may be enough
            model = fold_if.fold(models.infer_shapes(_with_computed_constants(model)))
            unknown = unknown_shapes(model)
        if not unknown:
            return model
        raise BadNetwork(
            f"the shape of {unknown[0]} has to be computed from other nodes; run `pip install "
            "onnxslim` on a "
            "computer with Python 3.8 or newer, or export with constant folding"
        ) from None
    model = _slimmed(onnxslim, model)
    unknown = unknown_shapes(model)
    if unknown:
        raise BadNetwork(
            f"the shape of {unknown[0]} depends on more than the sides of the pictures; export "
            "the network "
            "for one size of picture"
        )
    return model


def _slimmed(onnxslim: Any, model: ModelProto) -> ModelProto:
    """The result of onnxslim, its inputs and outputs in their old order."""
    outputs = [value.name for value in model.graph.output]
    inputs = [value.name for value in model.graph.input]
    try:
        slim: ModelProto = onnxslim.slim(models.copy(model))
    except Exception as error:  # its passes raise errors of any class
        raise BadNetwork(
            f"onnxslim {onnxslim.__version__} can't fold the graph: {models.first_line(error)}; "
            "export it with constant folding"
        ) from None
    if sorted(v.name for v in slim.graph.output) != sorted(outputs):
        raise BadNetwork(f"onnxslim {onnxslim.__version__} lost an output of the graph")
    places = {name: place for place, name in enumerate(inputs + outputs)}
    for values in (slim.graph.input, slim.graph.output):
        ordered = sorted(values, key=lambda value: places[value.name])
        del values[:]
        values.extend(ordered)
    return slim


def _with_computed_constants(model: ModelProto) -> ModelProto:
    """A copy in which ONNX Runtime has computed what depends on constants alone, if it is there."""
    try:
        import onnxruntime
    except ImportError:
        return model
    model = models.copy(model)
    graph = model.graph
    constant = {tensor.name for tensor in graph.initializer}
    folded, kept = [], []
    for node in graph.node:
        inside = [a for a in node.attribute if a.HasField("g") or len(a.graphs)]
        if not inside and all(name in constant for name in node.input if name):
            constant.update(node.output)
            folded.append(node)
        else:
            kept.append(node)
    used = {name for node in kept for name in models.names_read(node)} | {
        v.name for v in graph.output
    }
    made = [name for node in folded for name in node.output if name in used]
    if not made:
        return model
    outputs = [helper.make_empty_tensor_value_info(name) for name in made]
    part = models.copy(model)
    del part.graph.node[:], part.graph.input[:], part.graph.output[:]
    part.graph.node.extend(folded)
    part.graph.output.extend(outputs)
    try:
        session = onnxruntime.InferenceSession(
            part.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        values = session.run(made, {})
    except Exception:  # its errors have no common base; the graph stays as it is
        return model
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(v, name) for v, name in zip(values, made))
    return model


def unknown_shapes(model: ModelProto) -> List[str]:
    """Names of tensors with a shape that does not follow from the inputs' shapes alone."""
    model = models.copy(model)
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError:
        return [node.output[0] for node in model.graph.node[:1]]
    known = {v.name for v in list(graph.value_info) + list(graph.output) if _is_fixed(v)}
    names = (name for node in graph.node for name in node.output if name)
    return [name for name in names if name not in known]


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
    del graph.value_info[:]
    return model


def _widen(graph: Any) -> None:
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


def _widen_tensor(tensor: Tensor) -> None:
    if tensor.data_type in _OTHER_FLOATS:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def set_shapes(model: ModelProto, values: Iterable[ValueInfoProto]) -> None:
    """Give a model's inputs the shapes of the tensors of the same names; in place."""
    shapes = {value.name: models.shape_of(value) for value in values}
    inputs = [
        helper.make_tensor_value_info(v.name, TensorProto.FLOAT, shapes[v.name])
        if v.name in shapes
        else v
        for v in model.graph.input
    ]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
