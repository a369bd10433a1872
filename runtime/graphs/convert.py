"""Rewrites a model for executors that know fewer operators or types than ONNX Runtime.

``for_old_tensorrt`` is for TensorRT 8.2: its parser has no HardSwish and ends at opset 13.
``to_float16`` and ``with_half_ends`` are for TensorRT 11, which computes in the types that the
model has.
"""

from typing import Iterable, Mapping, Set

import numpy as np
import onnx
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from onnx import TensorProto as Tensor

from runtime.errors import BadNetwork
from runtime.graphs import models
from runtime.graphs.assemble import Graphs

OPSET = 13
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")

# Inputs that stay float32 or integers: sizes (Resize) and scales (quantisers).
_KEPT = {"Resize": (1, 2, 3), "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2)}
_LARGEST = 65504.0  # in float16


def for_old_tensorrt(model: ModelProto) -> ModelProto:
    """A copy of a model without HardSwish, in opset 13 where its operators allow it."""
    model = models.copy(model)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "HardSwish":  # x * max(0, min(1, x / 6 + 1 / 2))
            gate = node.output[0] + "/gate"
            nodes.append(
                helper.make_node("HardSigmoid", node.input, [gate], alpha=1.0 / 6, beta=0.5)
            )
            node = helper.make_node("Mul", [node.input[0], gate], node.output)
        elif node.op_type == "Reshape" and not any(a.i for a in node.attribute):
            del node.attribute[:]  # allowzero = 0, which is what older opsets mean
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("", 0) > OPSET and all(_known(node) for node in model.graph.node):
        versions[""] = OPSET
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(d, v) for d, v in sorted(versions.items()))
    onnx.checker.check_model(model)
    return model


def _known(node: NodeProto) -> bool:
    """Whether opset 13 has the operator with these attributes."""
    try:
        schema = onnx.defs.get_schema(node.op_type, OPSET, node.domain)
    except onnx.defs.SchemaError:
        return False
    return all(attribute.name in schema.attributes for attribute in node.attribute)


def is_quantised(model: ModelProto) -> bool:
    """Whether a model has INT8 quantisers (Q/DQ)."""
    return any(node.op_type in QUANTISERS for node in model.graph.node)


def precision_of(graphs: Graphs) -> str:
    """The precision of a network's own graphs: "int8" or "fp32"."""
    return "int8" if any(map(is_quantised, (graphs.exemplar, graphs.search))) else "fp32"


def to_float16(model: ModelProto, ends: bool = False) -> ModelProto:
    """A copy that computes in float16.

    Args:
        model: it is not changed.
        ends: whether its inputs and outputs are float16 too. They stay float32 otherwise.

    Raises:
        BadNetwork: the model has branches (If, Loop).
    """
    if any(models.branches(node) for node in model.graph.node):
        raise BadNetwork(
            "the network has branches, which can't be converted to fp16; take PRECISION=fp32"
        )
    model = models.copy(model)
    source = model.graph
    del source.value_info[:]
    given = {v.name for v in source.input if _is_float(v)} - {t.name for t in source.initializer}
    wanted = {v.name for v in source.output if _is_float(v)}
    renames = {} if ends else {name: name + "/half" for name in given | wanted}
    kept = _kept(source)
    for node in source.node:
        node.input[:] = [renames.get(name, name) for name in node.input]
        node.output[:] = [renames.get(name, name) for name in node.output]
        if node.op_type == "Constant" and node.output[0] not in kept:
            for attribute in node.attribute:
                if attribute.name == "value":
                    _halve(attribute.t)
        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
    for tensor in source.initializer:
        if tensor.name not in kept:
            _halve(tensor)
    if ends:
        _halve_ends(source)
    else:
        _add_casts(source, given, wanted, renames, TensorProto.FLOAT16, TensorProto.FLOAT)
    onnx.checker.check_model(model)
    return model


def with_half_ends(model: ModelProto) -> ModelProto:
    """A copy whose inputs and outputs are float16, and which computes as before."""
    model = models.copy(model)
    source = model.graph
    given = {v.name for v in source.input if _is_float(v)} - {t.name for t in source.initializer}
    wanted = {v.name for v in source.output if _is_float(v)}
    renames = {name: name + "/float" for name in given | wanted}
    del source.value_info[:]
    for node in source.node:
        node.input[:] = [renames.get(name, name) for name in node.input]
        node.output[:] = [renames.get(name, name) for name in node.output]
    _halve_ends(source)
    _add_casts(source, given, wanted, renames, TensorProto.FLOAT, TensorProto.FLOAT16)
    onnx.checker.check_model(model)
    return model


def _halve_ends(source: GraphProto) -> None:
    """Declare the inputs and outputs as float16."""
    constants = {tensor.name for tensor in source.initializer}
    for value in list(source.input) + list(source.output):
        if _is_float(value) and value.name not in constants:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16


def _add_casts(
    source: GraphProto,
    given: Iterable[str],
    wanted: Iterable[str],
    renames: Mapping[str, str],
    inside: int,
    outside: int,
) -> None:
    """Put casts behind the inputs and before the outputs, to and from the type inside."""
    before = [_cast(name, renames[name], inside) for name in sorted(given)]
    after = [_cast(renames[name], name, outside) for name in sorted(wanted)]
    nodes = before + list(source.node) + after
    del source.node[:]
    source.node.extend(nodes)


def _kept(source: GraphProto) -> Set[str]:
    """Names of the constants that stay as they are: sizes, and scales of quantisers."""
    return {
        node.input[place]
        for node in source.node
        for place in _KEPT.get(node.op_type, ())
        if place < len(node.input)
    }


def _cast(name: str, to: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [name], [to], to=kind)


def _is_float(value: ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.FLOAT)


def _halve(tensor: Tensor) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
