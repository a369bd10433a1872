"""The layers of a network as the engine runs them, and the maps between them."""

from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import HotpathError

Function = Callable[[np.ndarray], np.ndarray]


class CannotCompile(HotpathError):
    """A network that the engine or this size of it can't run; names the node and what it needs."""


class Map:
    """Channels of a picture's size.

    Attributes:
        name: the ONNX tensor that it holds; if a function follows a layer, its result.
        channels, height, width: shape.
        sums: name of the tensor before a table's function, else the same.
        layer: the ``Layer`` that makes it; None for the picture and for stored features.
        buffer, block: where it lies, set by ``layout``; channel c of the map is lane c % 16 of
            block + c // 16.
        exponent: exponent of its integers, set by ``quantise``; sums_exponent: before the table.
        centre: value of the integer 0, set by ``quantise``. Only in outputs it may differ from 0.
    """

    def __init__(
        self, name: str, channels: int, height: int, width: int, layer: "Optional[Layer]" = None
    ) -> None:
        self.name = self.sums = name
        self.channels, self.height, self.width = channels, height, width
        self.layer = layer
        self.buffer: Any = None
        self.exponent: Any = None
        self.sums_exponent: Any = None
        self.block = 0
        self.centre = 0.0


class StoredFeatures(Map):
    """The exemplar's features as the search's part sees them: a map that is there already.

    Attributes:
        source: the exemplar's ``Map``.
    """

    def __init__(self, source: Map) -> None:
        super().__init__(source.name, source.channels, source.height, source.width)
        self.source = source


class Layer:
    """A convolution with what follows it.

    Attributes:
        name: name of its ONNX node.
        kind: "conv", or "pixelwise", whose weights are ``features``.
        inputs: maps, whose channels follow each other.
        output: the map that it makes, set by ``graph``.
        weight: (outputs, inputs, height, width) float64; None for correlations.
        bias: (outputs,) float64.
        stride, pad: (y, x); pad is that of top and left. dilation: of both.
        relu: whether one follows.
        function: function of float arrays that a table computes after it; or None.
        features: the exemplar's, a ``StoredFeatures``; None for "conv".
    """

    output: Map

    def __init__(
        self,
        name: str,
        kind: str,
        inputs: Sequence[Map],
        weight: Optional[np.ndarray],
        bias: np.ndarray,
        stride: Tuple[int, ...] = (1, 1),
        pad: Tuple[int, ...] = (0, 0),
        dilation: int = 1,
    ) -> None:
        self.name = name
        self.kind = kind
        self.inputs = list(inputs)
        self.weight: Any = weight
        self.bias = bias
        self.stride, self.pad, self.dilation = stride, pad, dilation
        self.relu = False
        self.function: Optional[Function] = None
        self.features: Optional[StoredFeatures] = None

    @property
    def kernel(self) -> Tuple[int, ...]:
        """(height, width)."""
        return (1, 1) if self.weight is None else self.weight.shape[2:]


class TensorView:
    """A tensor: some maps in one order of their values.

    Layouts: "map" (1, C, H, W), "flat" (1, C, H*W), "turned" (1, H*W, C).
    """

    def __init__(self, layout: str, maps: List[Map]) -> None:
        self.layout, self.maps = layout, maps

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of a tensor."""
        channels = sum(part.channels for part in self.maps)
        height, width = self.maps[0].height, self.maps[0].width
        return {
            "map": (1, channels, height, width),
            "flat": (1, channels, height * width),
            "turned": (1, height * width, channels),
        }[self.layout]
