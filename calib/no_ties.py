"""Choose the scales of an INT8 network so that no value lies halfway between two levels.

A sum of whole numbers is rounded to a level of the next layer. Some engines compute the sum in
floating point, whose last bits depend on the order of the terms. Where a sum lies close to the
border between two levels, they would choose different ones.

Here one level of the result is an odd number of units of the sum. Then no sum is closer to a border
than half a unit. A level usually has 50 to 1000 units, so half a unit is far above the error of
floats, and engines and processors get the same levels. (Above some 5000 units in a level it is not
far above.) Of convolutions only the weights' scales change, by less than two units in a level. Of
products, sums and averages of activations the result's level changes by at most as much. Of a
function of one value, it is chosen so that none of the 256 results is near a border.

Not covered: several operations in floating point before a value is rounded.
"""

import numpy as np
from onnx import numpy_helper

LEAST = 15  # units in a level of activations; with fewer, it would change by an eighth or more
LEVELS = 127
PARTS = 255  # an odd number: levels of terms are so many parts of the level of their sum
WEIGHT_BITS = 11  # with 8 of a pixel and 5 of 27 terms, as many as a float32 holds
RESULTS = ("Relu", "Clip")  # may stand between a sum and its rounding
MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")  # keep values and levels


def _hard_sigmoid(values, node):
    given = {entry.name: entry.f for entry in node.attribute}
    return np.clip(values * given.get("alpha", 0.2) + given.get("beta", 0.5), 0, 1)


FUNCTIONS = {
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda values, node: values * np.clip(values / 6 + 0.5, 0, 1),
    "Sigmoid": lambda values, node: 1 / (1 + np.exp(-values)),
}


def without_ties(quantised, model):
    """Change the scales in place.

    Args:
        quantised: the Q/DQ ``ModelProto``, uint8 activations and int32 biases.
        model: the float model that it was made from.

    Returns:
        Names of the nodes that now round without ties.
    """
    graph = _Graph(quantised, model)
    graph.round_first_weights({value.name for value in quantised.graph.input})
    levels = {  # in the order of the graph: a level depends on those before
        "MatMul": graph.change_product,
        "Mul": graph.change_product,
        "Add": graph.change_sum,
        "GlobalAveragePool": graph.change_average,
        **dict.fromkeys(FUNCTIONS, graph.change_function),
    }
    weights = {"Conv": graph.change_weights, "Gemm": graph.change_weights}
    return [
        node.name
        for changes in (levels, weights)  # weights depend on all levels
        for node in quantised.graph.node
        if node.op_type in changes and changes[node.op_type](node)
    ]


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
        self._shapes = {value.name: value for value in model.graph.value_info}
        self._fixed = set()  # tensors whose levels a sum was fitted to

    def change_weights(self, node):
        """Quantise the weights of a convolution again; whether that was possible."""
        image, weight = (self._dequantised(name) for name in node.input[:2])
        level = self._level_of(node.output[0])
        if image is None or weight is None or not self._is_whole(node):
            return False
        name = weight.input[0][: -len("_quantized")]
        if image.input[0] in self._values or name not in self._floats:
            return False
        if len(self._takers[weight.output[0]]) > 1:
            return False
        axis = _axis(weight)
        unit = np.float64(self._array(image.input[1]))
        scale = self._array(weight.input[1])
        if level is not None:
            ratio = level / (unit * scale.astype(np.float64))
            units = np.where(ratio >= 1, odd_units(ratio), ratio)  # no odd number is below 1
            scale = (level / (unit * units)).astype(np.float32)
        values = numpy_helper.to_array(self._floats[name]).astype(np.float64)
        shape = [-1 if number == axis else 1 for number in range(values.ndim)]
        whole = np.rint(values / scale.astype(np.float64).reshape(shape if scale.ndim else ()))
        self._set(weight.input[0], np.clip(whole, -LEVELS, LEVELS).astype(np.int8))
        self._set(weight.input[1], scale)
        if len(node.input) > 2:
            self._change_bias(self._dequantised(node.input[2]), unit * scale.astype(np.float64))
        return level is not None

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

    def round_first_weights(self, inputs):
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

    def change_sum(self, node):
        """Change the levels of a sum of two activations, and of one that a layer makes."""
        sides = [self._dequantised(name) for name in node.input]
        level = self._level_of(node.output[0])
        if level is None or None in sides or any(n.input[0] in self._values for n in sides):
            return False
        free = [side for side in sides if self._is_free(side)]
        if not free:
            return False
        other = free[-1]
        fixed = sides[0] if other is sides[1] else sides[1]
        first, second = (np.float64(self._array(side.input[1])) for side in (fixed, other))
        share = np.floor(PARTS * first / level)
        if share < LEAST or PARTS * second / level < LEAST:
            return False
        whole = first * PARTS / share
        part = whole / PARTS * np.ceil(PARTS * second / whole)
        source = self._made[other.input[0]].input[0]
        self._set_levels(source, np.float32(second), np.float32(part))
        self._set_levels(node.output[0], np.float32(level), np.float32(whole))
        self._fixed.update((node.output[0], source, self._made[fixed.input[0]].input[0]))
        return True

    def _is_free(self, side):
        """Whether a layer with weights makes a value for one taker: its level may change."""
        if len(self._takers[side.output[0]]) > 1:
            return False
        source = self._made[side.input[0]].input[0]
        node = self._made.get(source)
        while node is not None and node.op_type in RESULTS:
            node = self._made.get(node.input[0])
        return node is not None and node.op_type in ("Conv", "Gemm") and source not in self._fixed

    def change_average(self, node):
        """Change the level of an average: its sum then has an odd number of units in a level."""
        side = self._dequantised(node.input[0])
        name, level = self._moved(node.output[0])
        value = self._shapes.get(self._plain(node.input[0]))
        if side is None or level is None or value is None or name in self._fixed:
            return False
        count = np.prod([size.dim_value for size in value.type.tensor_type.shape.dim[2:]])
        unit = np.float64(self._array(side.input[1])) / count
        if level / unit < LEAST:
            return False
        self._set_levels(name, np.float32(level), np.float32(unit * (odd_units(level / unit) + 2)))
        return True

    def change_function(self, node):
        """Change the level of a function of one value so that none of its 256 values is a tie."""
        side, level = self._dequantised(node.input[0]), self._level_of(node.output[0])
        if side is None or level is None or side.input[0] in self._values:
            return False
        numbers = np.arange(256) - np.float64(self._array(side.input[2]))
        values = FUNCTIONS[node.op_type](numbers * np.float64(self._array(side.input[1])), node)
        tried = level * np.linspace(1, 1.02, 201)
        parts = values[None] / tried[:, None]
        margins = np.abs(parts - np.floor(parts) - 0.5).min(axis=1)
        best = np.float32(tried[int(np.argmax(margins))])
        self._set_levels(node.output[0], np.float32(level), best)
        return True

    def _moved(self, name):
        """(name, size of its level) of the tensor that a value is moved into before rounding."""
        takers = self._takers.get(name, ())
        if len(takers) == 1 and takers[0].op_type in MOVES:
            return self._moved(takers[0].output[0])
        return name, self._level_of(name)

    def _plain(self, name):
        """Name of a dequantised tensor in the float model."""
        node = self._dequantised(name)
        return name if node is None else self._made[node.input[0]].input[0]

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
