"""Small operations on one ONNX model that all of this folder uses."""

import pathlib
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple, Union

import numpy as np
import onnx
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    compose,
    helper,
    numpy_helper,
    shape_inference,
)

from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import onnx_budget

Shape = Tuple[int, ...]

ONNX_DOMAINS = ("", "ai.onnx")
MOST_NUMBERS = 1 << 28  # of a tensor; the largest tracker here has 3 million in one
WEIGHED = ("Conv", "ConvTranspose", "Gemm")  # layers
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def read(path: Union[str, pathlib.Path]) -> ModelProto:
    """Read an ONNX file, with its external data. Its outputs need no shapes, which are inferred.

    Raises:
        BadNetwork: the file is no valid ONNX, over the budget, an input has no shape, or a weight
            is NaN.
    """
    try:
        onnx_budget.check(path)
        model = onnx.load(str(path))
        _check_age(path, model)
        model = _inlined(model)
        _give_shapes(model)
    except BadNetwork:
        raise
    except Exception as error:  # the class of protobuf's DecodeError differs by version
        raise BadNetwork(
            f"{path} is not a whole ONNX file ({first_line(error)}); fetch it again",
            what="not ONNX",
            where=path,
        ) from None
    ends = [*model.graph.input, *model.graph.output]
    shapeless = [value.name for value in ends if not _has_shape(value)]
    if shapeless:
        raise BadNetwork(
            f"{path}: {', '.join(shapeless)} has no shape, and none follows; export it with "
            "the shapes of its inputs and outputs",
            what="no shape",
        )
    try:
        onnx.checker.check_model(model)
        damaged = _with_nan(model)
    except Exception as error:  # the class of protobuf's DecodeError differs by version
        raise BadNetwork(
            f"{path} is not a whole ONNX file ({first_line(error)}); fetch it again",
            what="not ONNX",
        ) from None
    if damaged:
        raise BadNetwork(
            f"{path} has NaN in its weights {damaged}; fetch it again, or train the network again",
            what="not finite",
        )
    return model


def _inlined(model: ModelProto) -> ModelProto:
    """The model with the bodies of its functions.

    Raises:
        BadNetwork: this ``onnx`` has no inliner.
    """
    if not model.functions:
        return model
    try:
        from onnx import inliner
    except ImportError:  # before onnx 1.15
        what = ", ".join(sorted({function.name for function in model.functions}))
        raise BadNetwork(
            f"onnx {onnx.__version__} can't write out the functions of this file ({what}); prepare "
            "it where there is onnx 1.15 or newer",
            what="has functions",
        ) from None
    inlined: ModelProto = inliner.inline_local_functions(model)
    return inlined


def _check_age(path: Union[str, pathlib.Path], model: ModelProto) -> None:
    """Raise ``BadNetwork`` for a file of versions that the installed ``onnx`` does not know."""
    words = []
    if model.ir_version > onnx.IR_VERSION:
        words.append(f"IR version {model.ir_version}, where {onnx.IR_VERSION} is the newest known")
    newest = onnx.defs.onnx_opset_version()
    opsets = [opset.version for opset in model.opset_import if opset.domain in ONNX_DOMAINS]
    if opsets and max(opsets) > newest:
        words.append(f"opset {max(opsets)}, where {newest} is the newest known")
    if words:
        raise BadNetwork(
            f"{path} is newer than the installed onnx {onnx.__version__}: it has "
            f"{' and '.join(words)}; run `pip install --upgrade onnx`, or export it anew",
            what="too new",
        )


def _give_shapes(model: ModelProto) -> None:
    """Set the types of outputs that state none, where they can be inferred."""
    if all(_has_shape(value) for value in model.graph.output):
        return
    inferred = {value.name: value for value in shape_inference.infer_shapes(model).graph.output}
    for value in model.graph.output:
        if not _has_shape(value):
            value.CopyFrom(inferred[value.name])


def _has_shape(value: ValueInfoProto) -> bool:
    kind = value.type
    is_other = kind.WhichOneof("value") not in (None, "tensor_type")  # such as a sequence
    return is_other or kind.tensor_type.HasField("shape")


def _with_nan(model: ModelProto) -> Optional[str]:
    """Name of a weight that is not a number, or None. Some engines compute with 0 instead."""
    for tensor in model.graph.initializer:
        if tensor.data_type in FLOATS and np.isnan(numpy_helper.to_array(tensor)).any():
            return str(tensor.name)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type in FLOATS:
                if np.isnan(numpy_helper.to_array(attribute.t)).any():
                    return str(node.output[0])
    return None


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class if there is no message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def copy(model: ModelProto) -> ModelProto:
    """A copy that shares nothing with the model."""
    return onnx.ModelProto.FromString(model.SerializeToString())


def replace(entries: Any, values: Iterable[Any]) -> None:
    """Replace the entries of a repeated field, such as a graph's nodes; in place."""
    values = list(values)
    del entries[:]
    entries.extend(values)


def constants(graph: GraphProto) -> Dict[str, np.ndarray]:
    """The value of each constant of a graph."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def add_constant(graph: GraphProto, name: str, values: np.ndarray) -> str:
    """Add a constant to a graph; returns its name."""
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def without_constant_nodes(model: ModelProto) -> ModelProto:
    """Let constants be tensors of the graph instead of nodes; in place. Returns the model."""
    graph = model.graph
    kept = []
    for node in graph.node:
        if node.op_type != "Constant" or not node.attribute[0].name.startswith("value"):
            kept.append(node)
            continue
        value = helper.get_attribute_value(node.attribute[0])
        if not isinstance(value, TensorProto):
            kind = np.float32 if node.attribute[0].name.startswith("value_float") else np.int64
            value = numpy_helper.from_array(np.array(value, kind))
        graph.initializer.add().CopyFrom(value)
        graph.initializer[-1].name = node.output[0]
    replace(graph.node, kept)
    model.ir_version = max(model.ir_version, 4)  # before, each of them had to be an input too
    return model


def attributes(node: NodeProto) -> Dict[str, Any]:
    """The value of each attribute of a node."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def opset(model: ModelProto) -> int:
    """Version of the standard operators that a model uses."""
    return max(int(entry.version) for entry in model.opset_import if entry.domain in ONNX_DOMAINS)


def inputs(model: ModelProto) -> List[ValueInfoProto]:
    """A model's inputs without those that have a constant value."""
    tensors = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in tensors]


def shape_of(value: ValueInfoProto) -> Shape:
    """The shape of a tensor, with 0 for a side that is not fixed."""
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def is_picture(value: ValueInfoProto) -> bool:
    """Whether a tensor is of pictures: four dimensions, three channels."""
    shape = shape_of(value)
    return len(shape) == 4 and shape[1] == 3


def values(graph: GraphProto) -> List[ValueInfoProto]:
    """The inputs of a graph, its outputs, and all tensors between whose shape is written there."""
    return list(graph.input) + list(graph.value_info) + list(graph.output)


def shapes(graph: GraphProto) -> Dict[str, Shape]:
    """The shapes of ``values``."""
    return {value.name: shape_of(value) for value in values(graph)}


def all_shapes(model: ModelProto) -> Dict[str, Shape]:
    """The shapes of all tensors of a model that depend on its inputs."""
    return shapes(infer_shapes(copy(model)).graph)


def set_shapes(model: ModelProto, shape_of_name: Dict[str, Shape]) -> None:
    """Give a model's inputs the shapes that are known for them; in place."""
    for value in model.graph.input:
        if value.name in shape_of_name:
            value.CopyFrom(
                helper.make_tensor_value_info(
                    value.name, TensorProto.FLOAT, shape_of_name[value.name]
                )
            )


def infer_shapes(model: ModelProto) -> ModelProto:
    """A copy with the shape of every tensor; the outputs are float32.

    Raises:
        BadNetwork: a tensor would take more memory than any tracker's.
        onnx.shape_inference.InferenceError: the operators' shapes contradict each other.
    """
    for value in model.graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    inferred: ModelProto = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for name, shape in shapes(inferred.graph).items():
        count = float(np.prod(shape, dtype=np.float64))
        if count > MOST_NUMBERS:
            raise BadNetwork(
                f"the tensor {name} of {'x'.join(map(str, shape))} would take {count * 4e-9:.0f} "
                "GB; fetch the network's files again",
                what="too large",
            )
    return inferred


def check_sizes(path: Union[str, pathlib.Path]) -> None:
    """Refuse a file with a tensor that would take more memory than any tracker's.

    Shapes that do not follow from the file are not judged.

    Raises:
        BadNetwork: such a tensor, or the file is over the budget.
    """
    onnx_budget.check(path)
    try:
        infer_shapes(onnx.load(str(path)))
    except BadNetwork:
        raise
    except Exception:  # what the installed onnx does not know, an engine may
        return


def prune(model: ModelProto) -> ModelProto:
    """Remove the nodes and constants that no output needs; in place. Returns the model."""
    graph = model.graph
    needed = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(names_read(node))
            nodes.append(node)
    replace(graph.node, reversed(nodes))
    replace(graph.initializer, [t for t in graph.initializer if t.name in needed])
    return model


def rename(model: ModelProto, names: Dict[str, str]) -> None:
    """Rename tensors, in place; names that are not in ``names`` stay."""
    graph = model.graph
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in values(graph):
        value.name = names.get(value.name, value.name)


def branches(node: NodeProto) -> List[GraphProto]:
    """The graphs inside a node (If, Loop, Scan)."""
    graphs: List[GraphProto] = []
    for attribute in node.attribute:
        graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return graphs


def names_read(node: NodeProto) -> Set[str]:
    """Names of the tensors that a node reads, with those that its branches read."""
    names = {name for name in node.input if name}
    for graph in branches(node):
        own = {name for inner in graph.node for name in inner.output}
        own.update(tensor.name for tensor in graph.initializer)
        own.update(value.name for value in graph.input)
        inside = {name for inner in graph.node for name in names_read(inner)}
        inside.update(value.name for value in graph.output)
        names.update(inside - own)
    return names


def add_prefix(model: ModelProto, prefix: str) -> ModelProto:
    """A copy of a model in which every name begins with ``prefix``.

    This also renames what branches read of the graph around them. onnx before 1.12, the last one
    for Python 3.6, leaves those names unchanged.
    """
    model = compose.add_prefix(model, prefix)
    graph = model.graph
    produced = [value.name for value in graph.input] + [tensor.name for tensor in graph.initializer]
    produced += [name for node in graph.node for name in node.output]
    names = {name[len(prefix) :]: name for name in produced if name.startswith(prefix)}
    names.update((name, name) for name in produced)  # renamed already
    for node in graph.node:
        _rename_inside(node, names)
    return model


def _rename_inside(node: NodeProto, names: Dict[str, str]) -> None:
    """Rename what a node's branches read. A name that a branch makes itself stays."""
    for branch in branches(node):
        own = {name for inner in branch.node for name in inner.output}
        own.update(value.name for value in branch.input)
        own.update(tensor.name for tensor in branch.initializer)
        visible = {old: new for old, new in names.items() if old not in own}
        for inner in branch.node:
            inner.input[:] = [visible.get(name, name) for name in inner.input]
            _rename_inside(inner, visible)
        for value in branch.output:
            value.name = visible.get(value.name, value.name)


def has_float_layer(graph: GraphProto) -> bool:
    """Whether a layer with float weights is between dequantised values and quantised ones."""
    operator_of = {name: node.op_type for node in graph.node for name in node.output}
    constant = {tensor.name for tensor in graph.initializer}
    users: Dict[str, List[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for node in graph.node:
        weighs = node.op_type in WEIGHED and operator_of.get(node.input[0]) == "DequantizeLinear"
        if weighs and (node.input[1] in constant or operator_of.get(node.input[1]) == "Constant"):
            after = users.get(node.output[0], [])
            while len(after) == 1 and after[0].op_type != "QuantizeLinear":
                after = users.get(after[0].output[0], [])
            if len(after) == 1:
                return True
    return False
