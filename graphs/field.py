"""The receptive field of a network's maps: which pixels of the search region reach a cell.

It follows from the kernels, strides, dilations and pads of the graph. An operator that mixes all
cells, such as a global mean or attention, lets every cell see something of the whole region. That
is told beside the field.
"""

import math
from typing import Any, Dict, List, NamedTuple, Tuple

from onnx import ModelProto, NodeProto

from hotpath.graphs import models

Pair = Tuple[float, float]  # of rows and of columns

AXES = (0, 1)  # rows, columns
WINDOWED = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")
MIXING = {"GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "GroupNormalization"}
SMOOTH = {"nearest": 1, "linear": 2, "cubic": 4}  # cells that Resize reads for one


class Field(NamedTuple):
    """What a tensor's cells see: cell i sees ``start + i * step`` to ``… + size``, in pixels.

    Attributes:
        start, size, step: of rows and of columns.
        axes: those of the tensor that hold the cells: rows and columns, or both in one; none if
            it has no cells.
        mixed: the operator by which every cell sees something of the whole region, too; or "".
    """

    start: Pair
    size: Pair
    step: Pair
    axes: Tuple[int, ...] = (2, 3)
    mixed: str = ""


def fields(model: ModelProto) -> Dict[str, Field]:
    """The field of each output of a graph that depends on the picture.

    Args:
        model: a graph with one picture among its inputs, such as ``assemble.build(…).search``.
    """
    shapes = models.all_shapes(model)
    weights = models.constants(model.graph)
    shapes.update({name: value.shape for name, value in weights.items()})
    field_of: Dict[str, Field] = {}
    for value in model.graph.input:
        if models.is_picture(value):
            field_of[value.name] = Field((0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    for node in model.graph.node:
        if any(name in field_of for name in node.input):
            field = _seen(node, field_of, shapes, weights)
            field_of.update(dict.fromkeys(node.output, field))
    return {v.name: field_of[v.name] for v in model.graph.output if v.name in field_of}


def _seen(
    node: NodeProto, field_of: Dict[str, Field], shapes: Dict[str, Any], weights: Dict[str, Any]
) -> Field:
    """The field of a node's results."""
    attributes = models.attributes(node)
    kind = node.op_type
    parts = [(field_of[name], shapes[name]) for name in node.input if name in field_of]
    (first, source), out = parts[0], shapes.get(node.output[0], ())
    if kind in MIXING:
        return _mixed(first, kind)
    if kind in WINDOWED:
        if first.axes != (2, 3) or len(parts) > 1:
            return _mixed(first, kind) if first.axes else first
        kernel = attributes.get("kernel_shape") or shapes[node.input[1]][2:]
        return _windowed(first, kind, kernel, attributes)
    if kind in ("MatMul", "Gemm"):
        return _product(node, field_of, shapes, attributes, out)
    if kind == "Resize" and first.axes == (2, 3):
        mode = attributes.get("mode", b"nearest").decode()
        return _resized(first, source[2:], out[2:], SMOOTH.get(mode, 2))
    if set(first.axes).intersection(_summed_axes(node, attributes, source, weights)):
        return _mixed(first, kind)
    if kind == "Transpose":
        return first._replace(
            axes=tuple(sorted(list(attributes["perm"]).index(a) for a in first.axes))
        )
    if kind == "Pad" and first.axes == (2, 3) and node.input[1] in weights:
        before = weights[node.input[1]][2:4]
        return first._replace(start=_pair(first.start[i] - before[i] * first.step[i] for i in AXES))
    return _joined(parts, out, kind)


def _windowed(field: Field, kind: str, kernel: Any, attributes: Dict[str, Any]) -> Field:
    """Behind a convolution or a pooling."""
    strides, pads = attributes.get("strides") or (1, 1), attributes.get("pads") or (0, 0, 0, 0)
    dilations = attributes.get("dilations") or (1, 1)
    start, size, step = list(field.start), list(field.size), list(field.step)
    for axis in AXES:
        reach = (kernel[axis] - 1) * dilations[axis]
        pad = pads[axis]
        if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            pad = reach // 2
        if kind == "ConvTranspose":  # not wider than it is by more than a cell of its input
            step[axis] /= strides[axis]
            start[axis] += (pad - reach) * step[axis]
            size[axis] += reach * step[axis]
        else:
            start[axis] -= pad * step[axis]
            size[axis] += reach * step[axis]
            step[axis] *= strides[axis]
    return field._replace(start=_pair(start), size=_pair(size), step=_pair(step))


def _resized(field: Field, before: Any, after: Any, cells: int) -> Field:
    extra = [(cells - 1) * field.step[i] for i in AXES]
    return field._replace(
        start=_pair(field.start[i] - extra[i] / 2 for i in AXES),
        size=_pair(field.size[i] + extra[i] for i in AXES),
        step=_pair(field.step[i] * before[i] / after[i] for i in AXES),
    )


def _product(
    node: NodeProto, field_of: Dict[str, Field], shapes: Any, attributes: Dict[str, Any], out: Any
) -> Field:
    """A product of matrices mixes the cells if it sums over them, or if both sides have cells."""
    which = 0 if node.input[0] in field_of else 1
    field = field_of[node.input[which]]
    rank = len(shapes[node.input[which]])
    turned = bool(attributes.get("transB" if which else "transA"))
    summed = rank - 1 if (which == 0) != turned else rank - 2
    if summed in field.axes:
        return _mixed(field, node.op_type)
    both = node.input[0] in field_of and node.input[1] in field_of
    axes = tuple(axis + len(out) - rank for axis in field.axes)
    return field._replace(axes=axes, mixed=field.mixed or (node.op_type if both else ""))


def _summed_axes(
    node: NodeProto, attributes: Dict[str, Any], shape: Any, weights: Any
) -> List[int]:
    """The axes that a node mixes, for operators that name them."""
    rank = len(shape)
    kind = node.op_type
    axes: Any = ()
    if kind in ("Softmax", "LogSoftmax"):
        axes = [attributes.get("axis", -1)]
    elif kind == "LayerNormalization":
        axes = range(attributes.get("axis", -1) % max(rank, 1), rank)
    elif kind == "Einsum":
        axes = range(rank)
    elif kind.startswith(("Reduce", "Arg", "CumSum", "TopK")):
        axes = attributes.get("axes", [attributes["axis"]] if "axis" in attributes else range(rank))
        if len(node.input) > 1 and node.input[1] in weights and kind != "TopK":
            axes = weights[node.input[1]].reshape(-1)
    return [int(axis) % rank for axis in axes]


def _joined(parts: List[Tuple[Field, Any]], out: Any, kind: str) -> Field:
    """Of a node that takes its inputs cell by cell, or gives them another shape."""
    mixed = next((field.mixed for field, _ in parts if field.mixed), "")
    with_cells = [(field, shape) for field, shape in parts if field.axes]
    if not with_cells:
        return parts[0][0]._replace(mixed=mixed)
    axes = next((a for a in (_axes_in(f, shape, out) for f, shape in with_cells) if a), ())
    begins = [field.start for field, _ in with_cells]
    ends = [[f.start[i] + f.size[i] for i in AXES] for f, _ in with_cells]
    start = _pair(min(corner[i] for corner in begins) for i in AXES)
    size = _pair(max(corner[i] for corner in ends) - start[i] for i in AXES)
    step = _pair(max(field.step[i] for field, _ in with_cells) for i in AXES)
    return Field(start, size, step, axes, mixed or ("" if axes else kind))


def _axes_in(field: Field, shape: Any, out: Any) -> Tuple[int, ...]:
    """Where the cells of a tensor are in a result of this shape; none if they can't be told."""
    ahead = len(out) - len(shape)
    moved = tuple(axis + ahead for axis in field.axes)
    cells = [shape[axis] for axis in field.axes]
    if ahead >= 0 and all(out[m] == side for m, side in zip(moved, cells)):
        return moved
    before, count = math.prod(shape[: field.axes[0]]), math.prod(cells)
    ranges = [(a, b) for a in range(len(out)) for b in range(a + 1, len(out) + 1)]
    for first, end in sorted(ranges, key=lambda limits: limits[1] - limits[0]):
        if math.prod(out[:first]) == before and math.prod(out[first:end]) == count:
            return tuple(range(first, end))
    return ()


def _mixed(field: Field, kind: str) -> Field:
    """The field of a tensor that has no cells any more."""
    return field._replace(axes=(), mixed=field.mixed or kind)


def _pair(values: Any) -> Pair:
    first, second = map(float, values)
    return first, second
