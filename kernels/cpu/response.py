"""The compiled select of SiamFC and its relatives, as Python calls: ``response.h``."""

import ctypes
from typing import Any, Tuple

import numpy as np

from kernels.cpu.select import NOTHING, VIEW
from kernels.golden import argmax, hanning_window
from kernels.settings import ResponseSettings

_DOUBLE, _INT = ctypes.c_double, ctypes.c_int


class ResponseHead(ctypes.Structure):
    """``hp_response``."""

    _fields_ = [
        ("influence", _DOUBLE),
        ("stride", _DOUBLE),
        ("scale_lr", _DOUBLE),
        ("min_size", _DOUBLE),
        ("size", _INT),
        ("upsample", _INT),
        ("scales", _INT),
        ("unused", _INT),
    ]


class Response:
    """Select in C++. ``runtime.decode.response.Siamese`` defines the place and the box.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.

    Attributes:
        peaks: float64 (scales,), the highest response of each size that ``look`` took in, damped.
        responses: float32 (scales, side, side), the enlarged responses.
    """

    def __init__(self, library: Any, settings: ResponseSettings) -> None:
        scales, side = len(settings.factors), settings.size * settings.upsample
        self._head = ResponseHead(
            settings.influence,
            settings.stride,
            settings.scale_lr,
            settings.min_size,
            settings.size,
            settings.upsample,
            scales,
        )
        self._head_at = ctypes.addressof(self._head)
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        self._look, self._select = library.hp_response_look, library.hp_response_select
        self._look.argtypes, self._look.restype = [pointer, pointer, whole, pointer], None
        self._select.argtypes, self._select.restype = [pointer] * 5, whole
        prepare = library.hp_response_prepare
        prepare.argtypes, prepare.restype = [pointer] * 2, None

        self.responses = np.zeros((scales, side, side), np.float32)
        self.peaks = np.zeros(scales)
        window = hanning_window(side)
        arrays = (
            self.responses,
            self.peaks,
            np.array(settings.damping, np.float64),
            np.array(settings.factors, np.float64),
            np.ascontiguousarray(window / window.sum()),
            np.zeros((settings.size, side), np.float32),
            np.zeros((4, side), np.float32),
            np.zeros((4, side), np.int32),
            np.zeros(side, np.float32),
            np.zeros(side, np.float32),
            np.zeros(side),
        )
        self._held = arrays
        self._arrays = np.array([array.ctypes.data for array in arrays], np.uintp)
        self._arrays_at = self._arrays.ctypes.data
        prepare(self._head_at, self._arrays_at)
        self._cells = settings.size**2
        self._view = ctypes.create_string_buffer(VIEW.size)
        self._view_at = ctypes.addressof(self._view)
        self._found = np.zeros(2)
        self._found_at = self._found.ctypes.data

    def look(self, index: int, response: np.ndarray) -> None:
        """Take in the response of one size, float32 of size x size cells."""
        small = np.ascontiguousarray(response, np.float32)
        if small.size != self._cells or not 0 <= index < len(self.peaks):
            raise ValueError(f"response {index}: {response.shape}")
        self._look(self._head_at, self._arrays_at, index, small.ctypes.data)

    def select(
        self,
        state: np.ndarray,
        scale: Tuple[float, float],
        frame_width: float,
        frame_height: float,
    ) -> Tuple[int, float, float]:
        """Pick the size and the place with the highest response, and move the target there.

        Args:
            state, scale, frame_width, frame_height: as in ``select.Select.select``.

        Returns:
            (index of the place in the enlarged response, the peak's sigmoid, the peak).

        Raises:
            NetworkFailed: no response is finite.
        """
        if state.dtype != np.float64 or state.shape != (4,) or not state.flags.c_contiguous:
            raise ValueError(f"state: {state.dtype} {state.shape}")
        VIEW.pack_into(self._view, 0, scale[0], scale[1], frame_width, frame_height)
        best = self._select(
            self._head_at, self._arrays_at, self._view_at, state.ctypes.data, self._found_at
        )
        if best < 0:
            argmax(NOTHING)  # raises the definition's error
        return best, float(self._found[0]), float(self._found[1])
