"""The compiled ridge regression of DCFNet, as Python calls: ``ridge.h``."""

import ctypes
from typing import Any, NamedTuple, Tuple

import numpy as np

from kernels.settings import RidgeSettings

LANES = 16  # columns, or frequencies y, that are transformed at once


class Record(ctypes.Structure):
    """``hp_ridge``."""

    _fields_ = [
        ("side", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("regularisation", ctypes.c_double),
        ("waves", ctypes.c_void_p),
        ("window", ctypes.c_void_p),
        ("label", ctypes.c_void_p),
        ("sums", ctypes.c_void_p),
        ("space", ctypes.c_void_p),
    ]


class Model(NamedTuple):
    """What the regression knows of a target.

    Attributes:
        exemplar: float32, spectra of its features, in the order that ridge.h describes.
        filter: float64, the solution as such a spectrum.
    """

    exemplar: np.ndarray
    filter: np.ndarray


class Ridge:
    """The regression in C++. ``runtime.decode.shared.ridge.Ridge`` defines its results.

    Args:
        library: the loaded kernels.
        settings: the network's numbers.
    """

    def __init__(self, library: Any, settings: RidgeSettings) -> None:
        side, channels = settings.side, settings.channels
        blocks, padded = -(-(side // 2 + 1) // LANES), -(-side // LANES) * LANES
        turns = -2 * np.pi * np.arange(side) / side
        window = np.zeros((side, padded), np.float32)
        window[:, :side] = settings.window
        label = np.fft.rfft2(np.fft.irfft2(settings.label, s=(side, side)).T)  # (x, y)
        self._shape = (channels, blocks, side, 2, LANES)
        self._cells = channels * side * side
        self._held = (
            np.stack((np.cos(turns), np.sin(turns)), axis=1).astype(np.float32),
            window,
            _in_blocks(label, blocks),
            _aligned(self._shape[1:], np.float32),
            _aligned(((blocks + 1) * 2 * padded, 2, LANES), np.float32),
        )
        addresses = [array.ctypes.data for array in self._held]
        self._record = Record(side, channels, settings.regularisation, *addresses)
        self._at = ctypes.addressof(self._record)
        pointer = ctypes.c_void_p
        self._respond, self._follow = library.hp_ridge_respond, library.hp_ridge_follow
        self._respond.argtypes, self._respond.restype = [pointer] * 5, None
        self._follow.argtypes = [pointer, pointer, ctypes.c_double, pointer, pointer]
        self._follow.restype = None

    def model(self) -> Model:
        """Memory for what is known of one target."""
        return Model(_aligned(self._shape, np.float32), _aligned(self._shape[1:], np.float64))

    def respond(self, features: np.ndarray, model: Model, response: np.ndarray) -> None:
        """Compute the response of features; ``response`` is float64 (side, side), overwritten."""
        features = self._checked(features)
        self._respond(
            self._at,
            features.ctypes.data,
            model.exemplar.ctypes.data,
            model.filter.ctypes.data,
            response.ctypes.data,
        )

    def follow(self, features: np.ndarray, model: Model, rate: float) -> None:
        """Move the model towards features by ``rate``; 1 takes them as they are."""
        features = self._checked(features)
        self._follow(
            self._at,
            features.ctypes.data,
            rate,
            model.exemplar.ctypes.data,
            model.filter.ctypes.data,
        )

    def _checked(self, features: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(features, np.float32)
        if values.size != self._cells:
            raise ValueError(f"features: {features.shape}")
        return values


def _aligned(shape: Tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros whose cells do not cross lines of the processor's cache."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(count + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + count].view(dtype).reshape(shape)


def _in_blocks(spectrum: np.ndarray, blocks: int) -> np.ndarray:
    """A spectrum (x, y) in ridge.h's order: float64 (blocks, x, 2, LANES)."""
    side, columns = spectrum.shape
    padded = np.zeros((side, blocks * LANES), np.complex128)
    padded[:, :columns] = spectrum
    split = np.stack((padded.real, padded.imag), axis=1).reshape(side, 2, blocks, LANES)
    return np.ascontiguousarray(split.transpose(2, 0, 1, 3))
