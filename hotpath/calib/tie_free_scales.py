"""Choose the scales of an INT8 network so that no value is halfway between two levels.

A sum of whole numbers is rounded to a level of the next layer. Some engines compute the sum in
floating point, whose last bits depend on the order of the terms. Where a sum lies close to the
border between two levels, they would choose different ones.

Here one level of the result is an odd number of units of the sum. Then no sum is closer to a border
than half a unit. A level usually has 50 to 1000 units, so half a unit is far above the error of
floats, and engines and processors get the same levels. (Above some 5000 units in a level it is not
far above.)

- Of convolutions only the weights' scales change: see ``best_scale``.
- Of products of activations the result's level changes, by less than two units.
- The terms of a sum of activations and their sum share the greatest of their levels. The sum is
  then exact. OpenVINO on x86 does not round a term that a convolution makes; now that changes
  nothing.

Not covered: averages and functions of a value; several operations in floating point before a value
is rounded; sums with a term that no layer with weights makes.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from hotpath.graphs.quantisable import SHAPING

LEAST = 15  # units in a level of activations; with fewer, it would change by an eighth or more
LEVELS = 127
NEAR = np.arange(940, 1011, 2) / 1000  # shares of the units in a level that are tried
MOST_BIAS = 2.0**30  # units: half of what int32 holds; the rest is for the sum
WEIGHT_BITS = 11  # with 8 of a pixel and 5 of 27 terms, as many as a float32 holds
RESULTS = ("Relu", "Clip")  # may stand between a sum and its rounding


def avoid_ties(quantised: onnx.ModelProto, model: onnx.ModelProto) -> None:
    """Change the scales in place.

    Args:
        quantised: the Q/DQ ``ModelProto``, uint8 activations and int32 biases.
        model: the float model that it was made from.
    """
    graph = _Graph(quantised, model)
    graph.round_first_weights({value.name for value in quantised.graph.input})
    graph.share_levels_of_sums()
    for kinds, change in (
        (("MatMul", "Mul"), graph.change_product),
        (("Conv", "Gemm"), graph.change_weights),  # weights depend on all levels
    ):
        for node in quantised.graph.node:
            if node.op_type in kinds:
                change(node)


def odd_units(ratio: np.ndarray) -> np.ndarray:
    """The greatest odd whole numbers that are not above the units in a level."""
    whole = np.floor(ratio).astype(np.int64)
    return whole - (whole % 2 == 0)


def best_scale(values: np.ndarray, axis: int, scale: np.ndarray, level: Any) -> np.ndarray:
    """Return the scales with odd numbers of units in a level that round the weights best.

    Args:
        values: float64 weights.
        axis: axis of their channels.
        scale: float32 () or (channels,), the scales to stay near.
        level: size of a level of the result, in units of the input.

    Returns:
        float32 like ``scale``: of those tried, the ones with the least sum of squared errors.
        Where a level has less than one unit, the scale that was given.
    """
    scale = scale.astype(np.float64)
    ratio = level / scale
    axes = tuple(number for number in range(values.ndim) if number != axis or not scale.ndim)
    least = np.full(scale.shape, np.inf)
    best = scale.astype(np.float32)
    for share in NEAR:
        tried = (level / np.maximum(odd_units(ratio * share), 1)).astype(np.float32)
        rounded = _whole(values, axis, tried) * _along(values, axis, tried)
        errors = np.square(rounded - values).sum(axis=axes)
        better = (errors < least) & (ratio >= 1)  # no odd number is below 1
        best, least = np.where(better, tried, best), np.where(better, errors, least)
    return best


def _along(values: np.ndarray, axis: int, scale: np.ndarray) -> np.ndarray:
    """Scales as float64 that NumPy multiplies weights by."""
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    return scale.astype(np.float64).reshape(shape if scale.ndim else ())


def _whole(values: np.ndarray, axis: int, scale: np.ndarray) -> np.ndarray:
    """Weights in whole numbers of their scales."""
    return np.clip(np.rint(values / _along(values, axis, scale)), -LEVELS, LEVELS)


class _Graph:
    """Finds and replaces scales in a Q/DQ graph."""

    def __init__(self, quantised: onnx.ModelProto, model: onnx.ModelProto) -> None:
        self._made = {name: node for node in quantised.graph.node for name in node.output}
        self._takers: dict[str, list[onnx.NodeProto]] = {}
        for node in quantised.graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)
        self._values = {tensor.name: tensor for tensor in quantised.graph.initializer}
        self._floats = {tensor.name: tensor for tensor in model.graph.initializer}

    def change_weights(self, node: onnx.NodeProto) -> None:
        """Quantise the weights of a convolution again if possible."""
        image, weight = (self._dequantised(name) for name in node.input[:2])
        level = self._level_of(node.output[0])
        if image is None or weight is None or not self._is_whole(node):
            return
        name = weight.input[0][: -len("_quantized")]
        if image.input[0] in self._values or name not in self._floats:
            return
        if len(self._takers[weight.output[0]]) > 1:
            return
        axis = next((a.i for a in weight.attribute if a.name == "axis"), 1)  # of the channels
        unit = np.float64(self._array(image.input[1]))
        scale = self._array(weight.input[1])
        if len(node.input) > 2:
            scale = np.maximum(scale, self._least_scale(node.input[2], unit, scale.ndim))
        values = numpy_helper.to_array(self._floats[name]).astype(np.float64)
        if level is not None:
            scale = best_scale(values, axis, scale, level / unit)
        self._set(weight.input[0], _whole(values, axis, scale).astype(np.int8))
        self._set(weight.input[1], scale)
        if len(node.input) > 2:
            bias = self._dequantised(node.input[2])
            units = unit * scale.astype(np.float64)
            self._set(bias.input[0], np.rint(self._bias(bias) / units).astype(np.int32))
            self._set(bias.input[1], units.astype(np.float32))

    def change_product(self, node: onnx.NodeProto) -> None:
        """Change the level of a product of two activations if possible."""
        sides = [self._dequantised(name) for name in node.input]
        level = self._level_of(node.output[0])
        if level is None or any(n is None or n.input[0] in self._values for n in sides):
            return
        unit = np.prod([np.float64(self._array(side.input[1])) for side in sides])
        if level / unit >= LEAST:
            new = np.float32(unit * (odd_units(level / unit) + 2))
            self._set_levels(node.output[0], np.float32(level), new)

    def round_first_weights(self, inputs: Iterable[str]) -> None:
        """Round weights that stay in floating point and multiply the picture.

        A picture of whole numbers then gives the same sums in every order of their terms.
        """
        for name in inputs:
            for node in self._takers.get(name, ()):
                if node.op_type != "Conv" or any(n not in self._values for n in node.input[1:]):
                    continue
                values = [self._array(weights) for weights in node.input[1:]]
                largest = np.abs(values[0]).max()
                grid = 2.0 ** (np.ceil(np.log2(largest)) - WEIGHT_BITS) if largest > 0 else 1.0
                for weights, array in zip(node.input[1:], values):
                    self._set(weights, (np.rint(array / grid) * grid).astype(np.float32))

    def share_levels_of_sums(self) -> None:
        """Give the terms of a sum, and the sum, one level.

        Only where layers with weights, or other such sums, make the terms.
        """
        sums = [node for node in self._made.values() if self._is_sum_of_layers(node)]
        for _ in sums:  # a level that a sum takes over may be that of a term of another sum
            for node in sums:
                self._share_level(node)

    def _is_sum_of_layers(self, node: onnx.NodeProto) -> bool:
        """Whether both terms of an addition, and its result, are rounded."""
        if node.op_type != "Add" or self._level_of(node.output[0]) is None:
            return False
        return all(self._made_by(name) in ("Conv", "Gemm", "Add") for name in node.input)

    def _made_by(self, name: str) -> str | None:
        """Type of the operation whose result is rounded to a tensor; None for any other tensor."""
        side = self._dequantised(name)
        if side is None or side.input[0] not in self._made:
            return None
        source = self._made[side.input[0]].input[0]
        if self._level_of(source) is None:
            return None
        node = self._made.get(source)
        while node is not None and node.op_type in RESULTS:
            node = self._made.get(node.input[0])
        return None if node is None else node.op_type

    def _share_level(self, node: onnx.NodeProto) -> None:
        sides = [self._dequantised(name) for name in node.input]
        names = [self._made[side.input[0]].input[0] for side in sides]
        names.append(self._rounded(node.output[0]))
        levels = [np.float32(self._level_of(name)) for name in names]
        for name, level in zip(names, levels):
            self._set_levels(name, level, max(levels), move_zero=True)

    def _rounded(self, name: str) -> str:
        """Name of the tensor that is rounded where a result is: itself, or that after a ReLU."""
        taker = self._takers[name][0]
        return self._rounded(taker.output[0]) if taker.op_type in RESULTS else name

    def _set_levels(self, name: str, old: Any, new: Any, move_zero: bool = False) -> None:
        """Replace the level of a tensor, and of those that only move its values.

        Args:
            move_zero: keep the lowest value, which takes another zero point.
        """
        for node in self._takers.get(name, ()):
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                if self._array(node.input[1]) == old:
                    self._set(node.input[1], np.array(new, np.float32))
                    if move_zero:
                        zero = np.rint(self._array(node.input[2]) * (np.float64(old) / new))
                        self._set(node.input[2], zero.astype(np.uint8))
                if self._array(node.input[1]) == new:
                    self._set_levels(node.output[0], old, new, move_zero)
            elif node.op_type in SHAPING:
                self._set_levels(node.output[0], old, new, move_zero)

    def _least_scale(self, name: str, unit: Any, axes: int) -> np.ndarray:
        """The least scales of weights with which a bias fits: one a channel, or one for 0 axes."""
        needed = np.abs(self._bias(self._dequantised(name))) / (unit * MOST_BIAS)
        return (needed if axes else needed.max()).astype(np.float32)

    def _bias(self, bias: onnx.NodeProto) -> np.ndarray:
        """The float values of a dequantised bias."""
        name = bias.input[0][: -len("_quantized")]
        if name in self._floats:
            return numpy_helper.to_array(self._floats[name]).astype(np.float64)
        return self._array(bias.input[0]) * self._array(bias.input[1]).astype(np.float64)

    def _is_whole(self, node: onnx.NodeProto) -> bool:
        """Whether a node's bias, if it has one, is an int32 that only it uses."""
        if len(node.input) < 3:
            return True
        bias = self._dequantised(node.input[2])
        return bias is not None and len(self._takers[bias.output[0]]) == 1

    def _dequantised(self, name: str) -> Any:
        """The node that makes a tensor, when it is a DequantizeLinear."""
        node = self._made.get(name)
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def _level_of(self, name: str) -> Any:
        """Size of the level that a tensor is rounded to next; None if it is used otherwise."""
        takers = self._takers.get(name, ())
        if len(takers) != 1:
            return None
        if takers[0].op_type in RESULTS:
            return self._level_of(takers[0].output[0])
        if takers[0].op_type != "QuantizeLinear":
            return None
        return np.float64(self._array(takers[0].input[1]))

    def _array(self, name: str) -> np.ndarray:
        return numpy_helper.to_array(self._values[name])

    def _set(self, name: str, array: Any) -> None:
        shape = tuple(self._values[name].dims)
        tensor = numpy_helper.from_array(np.asarray(array).reshape(shape), name)
        self._values[name].CopyFrom(tensor)
