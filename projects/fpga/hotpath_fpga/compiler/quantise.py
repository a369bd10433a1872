"""Integers for every layer, from a table of ranges: exponents, int8 weights, int32 biases.

The rules are those of ``exponents``, and these:

- the picture keeps its grey levels: the whole number is value - mean, the network's scale goes into
  the first layer's weights, so nothing is lost but what is brighter than 127 above the mean;
- an output's whole number 0 is the middle of its range (the processor's table adds it again), which
  doubles its precision where the range is one-sided;
- maps that a layer reads side by side need no common exponent: it goes into the weights.
"""

from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from hotpath_fpga.compiler import exponents
from hotpath_fpga.compiler.graph import CompiledGraph
from hotpath_fpga.compiler.layers import CannotCompile, Function, Layer, Map, StoredFeatures

Ranges = Dict[str, Tuple[float, float]]  # tensor -> (low, high)
LIMIT = 2**31 - 1
MOST_SHIFT = 31
# Of a range; what is beyond is cut off. Finer steps are worth it: on the clips that kestrel's
# ranges were measured on, pairs lose .0054 of one-step overlap instead of .0072.
REACH = 0.75
# Of the range of an output that goes through an exponential or a sigmoid: a score far below the
# best and a distance near zero tell nothing. With it, kestrel's distances have steps of 1.6 %.
CUT = 0.15


class Numbers(NamedTuple):
    """The numbers of one layer for the engine.

    Attributes:
        weight: (outputs, inputs, height, width) int8; None for correlations.
        bias: (outputs,) int32.
        shift: (outputs,) uint8.
        table: (256,) int8 or None.
    """

    weight: Optional[np.ndarray]
    bias: np.ndarray
    shift: np.ndarray
    table: Optional[np.ndarray] = None


def exponent_of(low: float, high: float) -> int:
    """The least exponent with which 127 steps reach ``REACH`` of both ends."""
    return exponents.activation_exponent(REACH * max(-low, high))


def end_of(low: float, high: float, cut: float) -> Tuple[int, float]:
    """(exponent, centre) of an output: the least with which 255 steps reach from high to low.

    Args:
        cut: share of the range that may be left out, at its low end.
    """
    exponent = int(np.ceil(np.log2(max((high - low) * (1 - cut), 1e-9) / 255)))
    exponent = int(np.clip(exponent, exponents.LEAST, exponents.MOST))
    return exponent, high - 127 * 2.0**exponent


class Quantiser:
    """Gives a part's maps their exponents and its layers their numbers.

    Args:
        ranges: dict of tensor -> (low, high).
        network: uses ``mean``, ``scale``, ``channels``.
        ends: dict of map that only the processor reads -> share of its range, at the low end, that
            may be cut off (``CUT``, where it tells nothing, or 0).
    """

    def __init__(
        self,
        part: CompiledGraph,
        ranges: Ranges,
        network: Any,
        ends: Optional[Dict[Map, float]] = None,
    ) -> None:
        self._ranges, self._network, self._ends = ranges, network, ends or {}
        part.picture.exponent = 0
        self._picture = part.picture

    def layer(self, layer: Layer) -> Numbers:
        """The ``Numbers`` of a layer; its inputs have theirs already."""
        source = np.concatenate([np.full(item.channels, item.exponent) for item in layer.inputs])
        output = layer.output
        self._choose(output, layer)
        sums = np.full(output.channels, output.sums_exponent)
        if layer.features is None:
            numbers = self._constant(layer, source, sums)
        else:
            numbers = _moving(layer, layer.features, source, sums)
        if layer.function is not None:
            table = _table(layer.function, int(sums[0]), output.exponent, layer.relu)
            return numbers._replace(table=table)
        return numbers

    def _choose(self, target: Map, layer: Layer) -> None:
        """Set a map's exponents and centre."""
        low, high = self._range(target.name)
        if target in self._ends and not layer.relu and layer.function is None:
            target.exponent, target.centre = end_of(low, high, self._ends[target])
        else:
            target.exponent = exponent_of(low, high)
        target.sums_exponent = target.exponent
        if layer.function is not None:
            target.sums_exponent = exponent_of(*self._range(target.sums))

    def _range(self, name: str) -> Tuple[float, float]:
        if name not in self._ranges:
            raise CannotCompile(
                f"the table of ranges has none for {name}; calibrate this network again",
                what="no range",
            )
        return self._ranges[name]

    def _constant(self, layer: Layer, source: np.ndarray, sums: np.ndarray) -> Numbers:
        weight = layer.weight
        least = int(source.min())
        if layer.inputs == [self._picture]:
            scale = np.asarray(self._network.scale, np.float64)
            weight = weight * scale[:, None, None]
            if self._network.channels == "RGB":  # the frame's order is blue, green, red
                weight = weight[:, ::-1]
        weight = weight * 2.0 ** (source - least)[None, :, None, None]
        own = exponents.weight_exponents(weight).astype(np.int64)
        bias = layer.bias - layer.output.centre

        # a step of the sum is neither coarser than the result's nor beyond what can be shifted
        own = np.maximum(np.minimum(own, sums - least), sums - least - MOST_SHIFT)
        while True:
            whole = exponents.rounded(weight, own)
            rounded = np.rint(bias / 2.0 ** (own + least))
            most = np.abs(rounded) + 128.0 * np.abs(whole.astype(np.int64)).sum(axis=(1, 2, 3))
            if (most <= LIMIT).all():
                break
            own = own + (most > LIMIT)
            if (sums - least - own < 0).any():
                raise CannotCompile(
                    f"{layer.name} needs sums of more than 32 bits; its bias is too great"
                )
        shift = (sums - least - own).astype(np.uint8)
        return Numbers(whole, rounded.astype(np.int32), shift)


def _moving(
    layer: Layer, features: StoredFeatures, source: np.ndarray, sums: np.ndarray
) -> Numbers:
    """A correlation: the weights are the exemplar's features, at their own exponent."""
    if source.min() != source.max():
        raise CannotCompile(f"{layer.name} correlates maps of several exponents at once")
    shift = sums - (source[0] + features.exponent)
    low = int(shift.min())
    if low < 0 or shift.max() > MOST_SHIFT:
        raise CannotCompile(f"{layer.name} needs a shift of {low} bits; the engine has 0 to 31")
    return Numbers(None, np.zeros(len(sums), np.int32), shift.astype(np.uint8))


def _table(function: Function, before: int, after: int, relu: bool) -> np.ndarray:
    """(256,) int8: the function's result of each byte."""
    values = np.arange(256, dtype=np.uint8).view(np.int8) * 2.0**before
    if relu:
        values = np.maximum(values, 0)
    return np.clip(np.rint(function(values) / 2.0**after), -128, 127).astype(np.int8)


def pixels(network: Any) -> np.ndarray:
    """The table PIXELS: int8 (3, 256), of each blue, green and red value."""
    mean = np.asarray(network.mean, np.float64)[:: -1 if network.channels == "RGB" else 1]
    levels = np.rint(np.arange(256) - mean[:, None])
    return np.clip(levels, -128, 127).astype(np.int8)


def values(item: Map, function: Optional[Function]) -> np.ndarray:
    """(256,) float32: what a byte of an output means, behind the functions the engine leaves."""
    whole = np.arange(256, dtype=np.uint8).view(np.int8)
    result = whole * 2.0**item.exponent + item.centre
    if function is not None:
        with np.errstate(over="ignore"):
            result = function(result)
    most = np.finfo(np.float32).max
    return np.clip(result, -most, most).astype(np.float32)
