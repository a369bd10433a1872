"""What a picture's colours tell of a target, as Python calls: ``colour.h``."""

import ctypes
from typing import Any, Tuple

import numpy as np

from kernels.cpu.online import address
from kernels.settings import ColourSettings

_POINTER, _INT64 = ctypes.c_void_p, ctypes.c_int64


class Record(ctypes.Structure):
    """``hp_colours``."""

    _fields_ = [
        ("total", _INT64),
        ("grey", _INT64),
        ("hues", _POINTER),
        ("levels", _POINTER),
        ("greys", _POINTER),
    ]


class Colours:
    """Maps and histograms of colours. ``runtime.colour`` defines the results.

    Args:
        library: the loaded kernels.
        settings: the bins.
    """

    def __init__(self, library: Any, settings: ColourSettings) -> None:
        self._count = settings.total
        self._tables = tables(settings)
        addresses = [table.ctypes.data for table in self._tables]
        self._record = Record(settings.total, settings.grey, *addresses)
        self._at = ctypes.addressof(self._record)
        self._weights: Any = None
        self._weights_at = 0
        self._strides = np.zeros(3, np.int64)
        self._strides_at = self._strides.ctypes.data
        self._bins = np.zeros(0, np.uint8)
        self._project, self._histogram = library.hp_colour_project, library.hp_colour_histogram
        self._project.argtypes = [_POINTER] * 3 + [_INT64] * 2 + [_POINTER] * 3
        self._histogram.argtypes = [_POINTER] * 3 + [_INT64] * 2 + [_POINTER] * 2
        self._project.restype = self._histogram.restype = None

    def project(self, picture: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How much of the target each pixel tells: float32 (H, W).

        Args:
            picture: BGR uint8 (H, W, 3), any strides.
            target: float64 (count,), its histogram.
        """
        height, width = self._checked(picture)
        if target.dtype != np.float64 or target.shape != (self._count,):
            raise ValueError(f"target: {target.dtype} {target.shape}")
        target = np.ascontiguousarray(target)
        if self._bins.size < height * width:
            self._bins = np.zeros(height * width, np.uint8)
        out = np.empty((height, width), np.float32)
        self._project(
            self._at,
            address(picture),
            self._strides_at,
            height,
            width,
            address(target),
            address(self._bins),
            address(out),
        )
        return out

    def histogram(self, picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The weights of the pixels in each bin: float64 (count,), sum 1.

        Args:
            picture: as in ``project``.
            weights: float64 (H * W,), C-contiguous.
        """
        height, width = self._checked(picture)
        if weights is not self._weights or weights.size != height * width:
            if weights.dtype != np.float64 or weights.shape != (height * width,):
                raise ValueError(f"weights: {weights.dtype} {weights.shape}")
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
            raise ValueError(f"picture: {picture.dtype} {picture.shape}")
        self._strides[:] = picture.strides
        return picture.shape[:2]


def tables(settings: ColourSettings) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hues, levels, greys) of ``hp_colours``; no pixel is divided for its bin."""
    values = np.arange(256)
    hues = np.minimum(values // settings.hue_width, settings.hues - 1) * settings.levels
    levels = values // settings.level_width
    greys = settings.hues * settings.levels + values // settings.grey_width
    return hues.astype(np.int32), levels.astype(np.int32), greys.astype(np.int32)
