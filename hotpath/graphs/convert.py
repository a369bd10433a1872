"""Rewrites a model for engines that know fewer operators or types than ONNX Runtime.

``for_old_tensorrt`` is for TensorRT 8.2, whose parser ends at opset 13. It also marks what stays in
float32 where the rest is FP16: a LayerNorm squares its input, and 256 squared is more than float16
holds. ``to_float16`` and ``with_half_ends`` are for TensorRT 11, which computes in the types that
the model has. onnxconverter-common 1.16 can't replace them: it mixes both types at nodes that stay
in float32, and needs Python 3.8.
"""

import math
from typing import Any, Dict, Iterator, List, Set, Tuple

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

from hotpath.graphs import IN_FLOAT32, models
from hotpath.runtime.errors import BadNetwork

OPSETS = range(13, 18)  # what nodes are rewritten for, the best first
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")

# Inputs that stay float32 or integers: sizes (Resize) and scales (quantisers).
_KEPT = {"Resize": (1, 2, 3), "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2)}
_LARGEST = 65504.0  # in float16

# (operator, its inputs, its output, its attributes). "x", "scale" and "bias" are the inputs of the
# node that the steps replace, "y" is its output.
_Step = Tuple[str, str, str, Dict[str, Any]]
_NUMBERS = {"half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "root": math.sqrt(2.0)}
_NUMBERS.update(bend=0.044715, slope=math.sqrt(2.0 / math.pi))
_SHARES: Dict[bytes, List[_Step]] = {  # of Gelu, by its attribute
    b"none": [("Div", "x root", "scaled", {}), ("Erf", "scaled", "share", {})],
    b"tanh": [
        ("Pow", "x three", "cube", {}),
        ("Mul", "cube bend", "more", {}),
        ("Add", "x more", "bent", {}),
        ("Mul", "bent slope", "scaled", {}),
        ("Tanh", "scaled", "share", {}),
    ],
}


# attributes that TensorRT's parser leaves out or refuses, with the values that it computes
# (onnx-tensorrt, docs/operators.md, for TensorRT 10; NVIDIA/TensorRT#3560)
NOT_BY_TENSORRT: Dict[str, Dict[str, Any]] = {
    "Resize": {"antialias": 0, "exclude_outside": 0, "keep_aspect_ratio_policy": b"stretch"},
    "ScatterND": {"reduction": b"none"},
    "AveragePool": {"dilations": [1, 1]},
}


# whose integers TensorRT has no layers for (onnx-tensorrt, docs/operators.md)
INTEGERS = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")


def check_quantisers(model: ModelProto, name: str) -> None:
    """Raise ``BadNetwork`` where TensorRT's parser refuses how a model is quantised.

    Its quantisers take int8 and no zero points but 0. ``hotpath int8`` writes that form as
    ``NAME-int8-symmetric.toml``; the tools of ONNX Runtime write others, unless they are told.
    """
    constants = models.constants(model.graph)
    for node in model.graph.node:
        why = ""
        if node.op_type in INTEGERS:
            why = f"has no {node.op_type}"
        elif node.op_type in QUANTISERS and len(node.input) > 2 and node.input[2]:
            zero_point = constants.get(node.input[2])
            if zero_point is None:
                why = f"takes no zero point that is computed ({node.name or node.output[0]})"
            elif zero_point.any():
                why = f"takes no zero point but 0 ({node.name or node.output[0]})"
            elif zero_point.dtype != np.int8:
                why = f"quantises to int8 only, not {zero_point.dtype} ({node.output[0]})"
        if why:
            raise BadNetwork(
                f"{name} can't be read by TensorRT, which {why}; run `hotpath int8` on the network "
                "in floating point, and build the NAME-int8-symmetric.toml that it writes",
                what="not by TensorRT",
            )


def _refuse_for_tensorrt(node: NodeProto) -> None:
    """Raise ``BadNetwork`` for an operator that TensorRT would compute otherwise."""
    attributes = models.attributes(node)
    for key, usual in NOT_BY_TENSORRT.get(node.op_type, {}).items():
        if attributes.get(key, usual) != usual:
            value = attributes[key]
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            raise BadNetwork(
                f"TensorRT does not compute {node.op_type} with {key}={value} "
                f"({node.name or node.output[0]}); export the network without it",
                what="not by TensorRT",
            )


def for_old_tensorrt(model: ModelProto) -> ModelProto:
    """A copy in the oldest opset from 13 on that its operators allow, its LayerNorms marked.

    HardSwish, LayerNormalization and Gelu become simpler operators. Where an operator needs an
    opset above 17, the model keeps its own, and so does each node that cannot be written in it.
    """
    model = models.copy(model)
    shapes = models.shapes(model.graph)
    constants = models.constants(model.graph)
    written: List[Tuple[NodeProto, List[NodeProto]]] = []  # each node, and what it becomes
    for original in model.graph.node:
        node = NodeProto()
        node.CopyFrom(original)
        _refuse_for_tensorrt(node)
        while node.input and not node.input[-1]:  # left out
            del node.input[-1]
        steps = _steps(node, shapes)
        if not steps:
            _write_older(model.graph, node, shapes, constants)
        replacement = _replaced(model.graph, node, steps) if steps else [node]
        written.append((original, replacement))
    opset = models.opset(model)
    nodes = [node for _, replacement in written for node in replacement]
    for version in range(OPSETS[0], min(OPSETS[-1], opset) + 1):
        if all(_known(node, version) for node in nodes):
            opset = version
            break
    else:
        kept = [
            replacement if all(_known(n, opset) for n in replacement) else [own]
            for own, replacement in written
        ]
        nodes = [node for replacement in kept for node in replacement]
    domains = {e.domain: e.version for e in model.opset_import if e.domain != "ai.onnx"}
    domains[""] = opset
    entries = [helper.make_opsetid(d, v) for d, v in sorted(domains.items())]
    models.replace(model.opset_import, entries)
    models.replace(model.graph.node, nodes)
    for node in _norms(model.graph):
        node.name = node.output[0] + IN_FLOAT32
    onnx.checker.check_model(model)
    return model


def _steps(node: NodeProto, shapes: Dict[str, models.Shape]) -> List[_Step]:
    """What a newer operator stands for; nothing for one that stays."""
    values = models.attributes(node)
    if node.op_type == "HardSwish":
        gate = {"alpha": 1.0 / 6, "beta": 0.5}
        return [("HardSigmoid", "x", "gate", gate), ("Mul", "x gate", "y", {})]
    if node.op_type == "Gelu":
        return _SHARES[values.get("approximate", b"none")] + [
            ("Add", "share one", "above", {}),
            ("Mul", "x above", "twice", {}),
            ("Mul", "twice half", "y", {}),
        ]
    if node.op_type != "LayerNormalization":
        return []
    first = values.get("axis", -1)
    axes = {"axes": list(range(first if first < 0 else first - len(shapes[node.input[0]]), 0))}
    has_bias = len(node.input) > 2
    return [
        ("ReduceMean", "x", "mean", axes),
        ("Sub", "x mean", "away", {}),
        ("Pow", "away two", "square", {}),
        ("ReduceMean", "square", "variance", axes),
        ("Add", "variance epsilon", "more", {}),
        ("Sqrt", "more", "deviation", {}),
        ("Div", "away deviation", "norm", {}),
        ("Mul", "norm scale", "scaled" if has_bias else "y", {}),
    ] + ([("Add", "scaled bias", "y", {})] if has_bias else [])


def _replaced(graph: GraphProto, node: NodeProto, steps: List[_Step]) -> List[NodeProto]:
    """The nodes of steps; their numbers are added to the graph."""
    prefix = node.output[0] + "/"
    epsilon = models.attributes(node).get("epsilon", 1e-5)
    numbers = dict(_NUMBERS, epsilon=epsilon)
    names = dict(zip(("x", "scale", "bias"), node.input), y=node.output[0])
    read = {name for _, inputs, _, _ in steps for name in inputs.split()}
    for name in sorted(read & set(numbers)):
        names[name] = models.add_constant(graph, prefix + name, np.float32(numbers[name]))
    return [
        helper.make_node(
            kind,
            [names.get(name, prefix + name) for name in inputs.split()],
            [names.get(output, prefix + output)],
            **attributes,
        )
        for kind, inputs, output, attributes in steps
    ]


def _write_older(
    graph: GraphProto,
    node: NodeProto,
    shapes: Dict[str, models.Shape],
    constants: Dict[str, np.ndarray],
) -> None:
    """Write a node as opset 13 does if that can say the same; in place."""
    values, second = models.attributes(node), constants.get("".join(node.input[1:2]))
    dropped = {key for key, value in values.items() if value == _default(node, key)}
    if node.op_type == "Reshape" and second is not None and 0 not in second:
        dropped.add("allowzero")
    if node.op_type == "Split" and "num_outputs" in values:
        sizes = np.array([shapes[name][values.get("axis", 0)] for name in node.output])
        node.input.append(models.add_constant(graph, node.output[0] + "/sizes", sizes))
        dropped.add("num_outputs")
    if node.op_type.startswith("Reduce") and node.op_type != "ReduceSum" and second is not None:
        del node.input[1:]
        if second.size:  # none means all
            node.attribute.append(helper.make_attribute("axes", second.tolist()))
    models.replace(node.attribute, [a for a in node.attribute if a.name not in dropped])


def _default(node: NodeProto, key: str) -> Any:
    """The default of an attribute that opset 13 lacks; None for other attributes."""
    try:
        old = onnx.defs.get_schema(node.op_type, OPSETS[0], node.domain).attributes
        new = onnx.defs.get_schema(node.op_type, node.domain).attributes
    except onnx.defs.SchemaError:
        return None
    if key in old or not new[key].default_value.type:
        return None
    return helper.get_attribute_value(new[key].default_value)


def _norms(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of each LayerNorm, from its mean to the division by the deviation."""
    node_of = {name: node for node in graph.node for name in node.output}
    readers: Dict[str, List[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        square = node_of.get(node.input[0]) if node.op_type == "ReduceMean" else None
        if square is None or square.op_type not in ("Pow", "Mul"):
            continue
        if square.op_type == "Mul" and square.input[0] != square.input[1]:
            continue
        difference = node_of.get(square.input[0])
        if difference is not None and difference.op_type == "Sub":
            yield difference
            yield from (node_of[name] for name in difference.input[1:] if name in node_of)
        yield square
        yield node
        after = readers.get(node.output[0], [])
        while after and after[0].op_type in ("Add", "Sqrt", "Reciprocal", "Div"):
            yield after[0]
            after = [] if after[0].op_type == "Div" else readers.get(after[0].output[0], [])


def _known(node: NodeProto, version: int) -> bool:
    """Whether an opset has the operator with these inputs and attributes."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return False
    fits = schema.min_input <= len(node.input) <= schema.max_input
    return fits and all(attribute.name in schema.attributes for attribute in node.attribute)


def is_quantised(model: ModelProto) -> bool:
    """Whether a model has INT8 quantisers (Q/DQ)."""
    return any(node.op_type in QUANTISERS for node in model.graph.node)


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
    graph = model.graph
    kept = {  # sizes, and scales of quantisers
        node.input[place]
        for node in graph.node
        for place in _KEPT.get(node.op_type, ())
        if place < len(node.input)
    }
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):  # ConstantOfShape
                _halve(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to":
                if attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
    kept |= _between_casts(graph)
    for tensor in graph.initializer:
        if tensor.name not in kept:
            _halve(tensor)
    if ends:
        _halve_ends(graph)
    else:
        _cast_ends(graph, TensorProto.FLOAT16, TensorProto.FLOAT)
    models.replace(graph.value_info, [])
    onnx.checker.check_model(model)
    return model


def _between_casts(graph: GraphProto) -> Set[str]:
    """Put casts around the marked nodes; returns their constants, which stay float32."""
    weights = models.constants(graph)
    nodes = []
    cast = set()
    marked = [node for node in graph.node if node.name.endswith(IN_FLOAT32)]
    inside = {name for node in marked for name in node.output}
    outputs = {value.name for value in graph.output} & inside
    for node in graph.node:
        is_inside = node.name.endswith(IN_FLOAT32)
        kind = TensorProto.FLOAT if is_inside else TensorProto.FLOAT16
        for place, name in enumerate(node.input):
            if is_inside and name in weights:
                node.input[place] = name + IN_FLOAT32
                if name + IN_FLOAT32 not in cast:
                    models.add_constant(graph, name + IN_FLOAT32, weights[name])
            elif name and is_inside != (name in inside):
                node.input[place] = f"{name}/{kind}"
                if node.input[place] not in cast:
                    nodes.append(helper.make_node("Cast", [name], [node.input[place]], to=kind))
            cast.add(node.input[place])
        nodes.append(node)
    for node in nodes:
        node.output[:] = [name + IN_FLOAT32 if name in outputs else name for name in node.output]
        node.input[:] = [name + IN_FLOAT32 if name in outputs else name for name in node.input]
    half = TensorProto.FLOAT16
    nodes += [helper.make_node("Cast", [name + IN_FLOAT32], [name], to=half) for name in outputs]
    models.replace(graph.node, nodes)
    return {tensor.name for tensor in graph.initializer if tensor.name.endswith(IN_FLOAT32)}


def with_half_ends(model: ModelProto) -> ModelProto:
    """A copy whose inputs and outputs are float16, and which computes as before."""
    model = models.copy(model)
    _cast_ends(model.graph, TensorProto.FLOAT, TensorProto.FLOAT16)
    _halve_ends(model.graph)
    models.replace(model.graph.value_info, [])
    onnx.checker.check_model(model)
    return model


def _float_ends(graph: GraphProto) -> List[ValueInfoProto]:
    """The inputs and outputs of float32."""
    constant = {tensor.name for tensor in graph.initializer}
    ends = [value for value in graph.input if value.name not in constant] + list(graph.output)
    return [v for v in ends if v.type.tensor_type.elem_type == TensorProto.FLOAT]


def _halve_ends(graph: GraphProto) -> None:
    """Declare the inputs and outputs as float16."""
    for value in _float_ends(graph):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16


def _cast_ends(graph: GraphProto, inside: int, outside: int) -> None:
    """Put casts behind the inputs and before the outputs, to and from the type inside."""
    inputs = {value.name for value in graph.input}
    names = {value.name: value.name + "/inside" for value in _float_ends(graph)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    sources = sorted(name for name in names if name in inputs)
    results = sorted(name for name in names if name not in inputs)
    before = [helper.make_node("Cast", [name], [names[name]], to=inside) for name in sources]
    after = [helper.make_node("Cast", [names[name]], [name], to=outside) for name in results]
    models.replace(graph.node, before + list(graph.node) + after)


def _halve(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
