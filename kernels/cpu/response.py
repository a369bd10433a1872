"""The compiled select of the family ``response``, as Python calls: ``response.h``."""

import ctypes
from typing import Tuple

import numpy as np

from hotpath.kernels import records
from hotpath.kernels.cpu import structures
from hotpath.kernels.cpu.arguments import check_state
from hotpath.kernels.settings import (
    ResponseSettings,
)
from hotpath.kernels.votes import argmax, hanning_window


class Response:
    """Select in C++. ``hotpath.runtime.decode.response.Siamese`` defines the place and the box.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.

    Attributes:
        peaks: float64 (scales,), the highest response of each size that ``look`` took in, damped.
        responses: float32 (scales, side, side), the enlarged responses.
    """

    def __init__(self, library: ctypes.CDLL, settings: ResponseSettings) -> None:
        scales = len(settings.factors)
        side = settings.size * settings.upsample
        self._look, self._select = library.hp_response_look, library.hp_response_select
        self.responses = np.zeros((scales, side, side), np.float32)
        self.peaks = np.zeros(scales)
        window = hanning_window(side)
        self._held = (  # in the order of hp_response_arrays
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
        self._head = records.record(records.RESPONSE, settings, scales=scales)
        self._arrays = structures.ResponseArrays(*structures.addresses(self._held))
        self._at = self._head.ctypes.data, ctypes.addressof(self._arrays)
        library.hp_response_prepare(*self._at)
        self._cells = settings.size**2
        self._view = structures.FrameView()
        self._view_at = ctypes.addressof(self._view)
        self._found = np.zeros(2)
        self._found_at = self._found.ctypes.data

    def look(self, index: int, response: np.ndarray) -> None:
        """Take in the response of one size, float32 of size x size cells."""
        small = np.ascontiguousarray(response, np.float32)
        if small.size != self._cells or not 0 <= index < len(self.peaks):
            raise ValueError(f"response {index}: {response.shape}")
        self._look(*self._at, index, small.ctypes.data)

    def select(
        self,
        state: np.ndarray,
        scale: Tuple[float, float],
        frame_width: float,
        frame_height: float,
    ) -> Tuple[int, float, float]:
        """Pick the size and the place with the highest response, and move the target there.

        Args:
            state, scale, frame_width, frame_height: as in ``Select.select``.

        Returns:
            (index of the place in the enlarged response, the peak's sigmoid, the peak).

        Raises:
            NetworkFailed: no response is finite.
        """
        check_state(state)
        self._view.scale[:], self._view.frame[:] = scale, (frame_width, frame_height)
        best = self._select(*self._at, self._view_at, state.ctypes.data, self._found_at)
        if best < 0:
            argmax(np.full(1, np.nan))  # raises the definition's error
        return best, float(self._found[0]), float(self._found[1])
