"""The bins of a picture's colours, as Python calls: ``colour.h``."""

import ctypes
from typing import Any

import numpy as np

from kernels.cpu.online import address
from kernels.settings import ColourSettings

_POINTER, _INT64 = ctypes.c_void_p, ctypes.c_int64


class Record(ctypes.Structure):
    """``hp_colours``."""

    _fields_ = [(name, _INT64) for name in ColourSettings._fields]


class Colours:
    """Bins and histograms. ``runtime.recovery.colour`` defines the results.

    Args:
        library: the loaded kernels.
        settings: the bins.
    """

    def __init__(self, library: Any, settings: ColourSettings) -> None:
        self._count = settings.total
        self._record = Record(*settings)
        self._at = ctypes.addressof(self._record)
        self._weights: Any = None
        self._weights_at = 0
        self._strides = np.zeros(3, np.int64)
        self._strides_at = self._strides.ctypes.data
        self._bins, self._histogram = library.hp_colour_bins, library.hp_colour_histogram
        self._bins.argtypes = [_POINTER] * 3 + [_INT64] * 2 + [_POINTER]
        self._histogram.argtypes = [_POINTER] * 3 + [_INT64] * 2 + [_POINTER] * 2
        self._bins.restype = self._histogram.restype = None

    def bins(self, picture: np.ndarray) -> np.ndarray:
        """The bin of each pixel: uint8 (H, W) from BGR uint8 (H, W, 3), any strides."""
        out = np.empty(self._checked(picture), np.uint8)
        self._bins(self._at, picture.ctypes.data, self._strides_at, *out.shape, out.ctypes.data)
        return out

    def histogram(self, picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The weights of the pixels in each bin: float64 (count,), sum 1.

        Args:
            picture: as in ``bins``.
            weights: float64 (H * W,), C-contiguous.
        """
        height, width = self._checked(picture)
        if weights is not self._weights or weights.size != height * width:
            if weights.dtype != np.float64 or weights.shape != (height * width,):
                raise ValueError("weights: {} {}".format(weights.dtype, weights.shape))
            self._weights, self._weights_at = weights, address(weights)
        out = np.empty(self._count)
        self._histogram(
            self._at,
            address(picture),
            self._strides_at,
            height,
            width,
            self._weights_at,
            address(out),
        )
        return out

    def _checked(self, picture: np.ndarray) -> Any:
        """Height and width; its strides are kept for the call."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError("picture: {} {}".format(picture.dtype, picture.shape))
        self._strides[:] = picture.strides
        return picture.shape[:2]
