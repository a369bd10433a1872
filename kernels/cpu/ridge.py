"""The compiled ridge regression of DCFNet, as Python calls: ``ridge.h``."""

import ctypes
from typing import Any, NamedTuple

import numpy as np

from kernels.settings import RidgeSettings

LANES = 16  # channels that are transformed at once


class Record(ctypes.Structure):
    """``hp_ridge``."""

    _fields_ = [
        ("side", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("blocks", ctypes.c_int64),
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
        exemplar: float32, spectra of its features.
        filter: complex128 (columns, side), the solution.
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
        columns, blocks = side // 2 + 1, -(-channels // LANES)
        turns = -2 * np.pi * np.arange(side) / side
        self._shape = (blocks, columns, side, 2, LANES)
        self._cells = channels * side * side
        self._held = (
            np.stack((np.cos(turns), np.sin(turns)), axis=1).astype(np.float32),
            np.ascontiguousarray(settings.window, np.float32),
            np.ascontiguousarray(settings.label.T, np.complex128),
            np.zeros((columns, side, 2)),
            np.zeros((columns * side + 2 * side) * 2 * LANES, np.float32),
        )
        addresses = [array.ctypes.data for array in self._held]
        self._record = Record(side, channels, blocks, settings.regularisation, *addresses)
        self._at = ctypes.addressof(self._record)
        pointer = ctypes.c_void_p
        self._respond, self._follow = library.hp_ridge_respond, library.hp_ridge_follow
        self._respond.argtypes, self._respond.restype = [pointer] * 5, None
        self._follow.argtypes = [pointer, pointer, ctypes.c_double, pointer, pointer]
        self._follow.restype = None

    def model(self) -> Model:
        """Memory for what is known of one target."""
        columns, side = self._shape[1:3]
        return Model(np.zeros(self._shape, np.float32), np.zeros((columns, side), np.complex128))

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
            raise ValueError("features: {}".format(features.shape))
        return values
