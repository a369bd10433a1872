"""Choose the scales of an INT8 network so that no sum lies halfway between two levels.

A convolution's sum of whole numbers is rounded to a level of the next layer. Some engines compute
the sum in floating point, whose last bits depend on the order of the terms. Where a sum lies close
to the border between two levels, they would choose different ones.

Here one level of the result is an odd number of units of the sum. Then no sum is closer to a border
than half a unit. A level usually has 50 to 1000 units, so half a unit is far above the error of
floats, and every engine and every processor gets the same levels. (Above some 5000 units in a level
it is not far above.) Only the weights' scales change, by less than two units in a level.
"""

import numpy as np
from onnx import numpy_helper

LEAST = 15  # units in a level; with fewer, weights would become an eighth coarser or more
LEVELS = 127
RESULTS = ("Relu", "Clip")  # may stand between a sum and its rounding
MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")  # keep values and levels


def without_ties(quantised, model):
    """Change the scales in place.

    Args:
        quantised: the Q/DQ ``ModelProto``, uint8 activations and int32 biases.
        model: the float model that it was made from.

    Returns:
        Names of the nodes that now round without ties.
    """
    graph = _Graph(quantised, model)
    changed = []
    for node in quantised.graph.node:
        if node.op_type == "MatMul" and graph.change_product(node):
            changed.append(node.name)
    for node in quantised.graph.node:
        if node.op_type in ("Conv", "Gemm") and graph.change_weights(node):
            changed.append(node.name)
    return changed


def odd_units(ratio):
    """The greatest odd whole number that is not above a ratio.

    Args:
        ratio: float array: units in a level.
    """
    whole = np.floor(ratio).astype(np.int64)
    return whole - (whole % 2 == 0)


class _Graph:
    """Finds and replaces scales in a Q/DQ graph."""

    def __init__(self, quantised, model):
        self._made = {name: node for node in quantised.graph.node for name in node.output}
        self._takers = {}
        for node in quantised.graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)
        self._values = {tensor.name: tensor for tensor in quantised.graph.initializer}
        self._floats = {tensor.name: tensor for tensor in model.graph.initializer}

    def change_weights(self, node):
        """Quantise the weights of a convolution again; whether that was possible."""
        image, weight = (self._dequantised(name) for name in node.input[:2])
        level = self._level_of(node.output[0])
        if image is None or weight is None or level is None or not self._is_whole(node):
            return False
        name = weight.input[0][: -len("_quantized")]
        if image.input[0] in self._values or name not in self._floats:
            return False
        axis = _axis(weight)
        unit = np.float64(self._array(image.input[1]))
        scale = self._array(weight.input[1]).astype(np.float64)
        ratio = level / (unit * scale)
        if ratio.min() < LEAST or len(self._takers[weight.output[0]]) > 1:
            return False
        scale = (level / (unit * odd_units(ratio))).astype(np.float32)
        values = numpy_helper.to_array(self._floats[name]).astype(np.float64)
        shape = [-1 if number == axis else 1 for number in range(values.ndim)]
        whole = np.rint(values / scale.astype(np.float64).reshape(shape if scale.ndim else ()))
        self._set(weight.input[0], np.clip(whole, -LEVELS, LEVELS).astype(np.int8))
        self._set(weight.input[1], scale)
        if len(node.input) > 2:
            self._change_bias(self._dequantised(node.input[2]), unit * scale.astype(np.float64))
        return True

    def change_product(self, node):
        """Change the level of a product of two activations; whether that was possible."""
        sides = [self._dequantised(name) for name in node.input]
        level = self._level_of(node.output[0])
        if level is None or None in sides or any(n.input[0] in self._values for n in sides):
            return False
        unit = np.prod([np.float64(self._array(side.input[1])) for side in sides])
        if level / unit < LEAST:
            return False
        old = np.float32(level)
        self._set_levels(node.output[0], old, np.float32(unit * (odd_units(level / unit) + 2)))
        return True

    def _set_levels(self, name, old, new):
        """Replace the level of a tensor, and of those that only move its values."""
        for node in self._takers.get(name, ()):
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                if self._array(node.input[1]) in (old, new):
                    self._set(node.input[1], np.array(new, np.float32))
                    self._set_levels(node.output[0], old, new)
            elif node.op_type in MOVES:
                self._set_levels(node.output[0], old, new)

    def _change_bias(self, bias, units):
        values = self._array(bias.input[0]) * self._array(bias.input[1]).astype(np.float64)
        name = bias.input[0][: -len("_quantized")]
        if name in self._floats:
            values = numpy_helper.to_array(self._floats[name]).astype(np.float64)
        self._set(bias.input[0], np.rint(values / units).astype(np.int32))
        self._set(bias.input[1], units.astype(np.float32))

    def _is_whole(self, node):
        """Whether a node's bias, if it has one, is an int32 that only it uses."""
        if len(node.input) < 3:
            return True
        bias = self._dequantised(node.input[2])
        return bias is not None and len(self._takers[bias.output[0]]) == 1

    def _dequantised(self, name):
        """The node that makes a tensor, when it is a DequantizeLinear."""
        node = self._made.get(name)
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def _level_of(self, name):
        """Size of the level that a tensor is rounded to next; None where it is used otherwise."""
        takers = self._takers.get(name, ())
        if len(takers) != 1:
            return None
        if takers[0].op_type in RESULTS:
            return self._level_of(takers[0].output[0])
        if takers[0].op_type != "QuantizeLinear":
            return None
        return np.float64(self._array(takers[0].input[1]))

    def _array(self, name):
        return numpy_helper.to_array(self._values[name])

    def _set(self, name, array):
        shape = tuple(self._values[name].dims)
        tensor = numpy_helper.from_array(np.asarray(array).reshape(shape), name)
        self._values[name].CopyFrom(tensor)


def _axis(node):
    """Number of a DequantizeLinear's channels' axis."""
    return next((a.i for a in node.attribute if a.name == "axis"), 1)
