"""The compiled select of every family, as Python calls: ``select.h`` and ``response.h``."""

import ctypes
from typing import Any, List, Sequence, Tuple

import numpy as np

from hotpath.kernels import records
from hotpath.kernels.cpu import structures
from hotpath.kernels.cpu.arguments import address, check_state
from hotpath.kernels.settings import (
    CentreSettings,
    PointsSettings,
    ResponseSettings,
    SelectSettings,
)
from hotpath.kernels.votes import argmax, hanning_window, inner_hanning_window

NOTHING = np.full(1, np.nan)


class Select:
    """Select of one network in C++. The family's file in ``runtime/decode`` is the definition.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.
    """

    def __init__(self, library: Any, settings: SelectSettings) -> None:
        cells = settings.size**2
        window = anchors = np.zeros(0)  # the weight of each cell; width and height of each anchor
        if isinstance(settings, PointsSettings):
            boxes = cells * max(1, len(settings.anchors))
            count = len(settings.anchors)
            kind = "anchors" if count else "points"
            record = records.record(records.POINTS, settings, anchors=count)
            sizes: Tuple[int, ...] = (boxes * (2 if settings.score == "softmax" else 1), 4 * boxes)
            sizes += (cells,) * (settings.quality != "none")
            window = np.ascontiguousarray(hanning_window(settings.size) ** settings.window_power)
            anchors = np.ascontiguousarray(settings.anchors, np.float64)
        elif isinstance(settings, CentreSettings):
            kind, record = "centre", records.record(records.CENTRE, settings)
            sizes = cells, 2 * cells, 2 * cells
            window = inner_hanning_window(settings.size)
        else:
            kind, record = "corners", records.record(records.CORNERS, settings)
            sizes = {"box": (4,), "scored_box": (4, 1)}.get(settings.output, (cells, cells))
        self._function = getattr(library, f"hp_{kind}_select")
        self._record, self._sizes = record, sizes  # float32 values that each map has
        space = np.zeros(window.size * max(1, len(anchors)) + 1, np.float32)
        self._tables = window, anchors, space
        self._score = ctypes.c_double()
        self._job = structures.SelectJob()
        self._job_at = ctypes.addressof(self._job)
        view = self._job.view
        self._scale, self._frame = view.scale, view.frame  # of the job's own memory
        self._given: Tuple[Any, ...] = (None,) * 4

    def select(
        self,
        maps: Sequence[np.ndarray],
        state: np.ndarray,
        scale: Tuple[float, float],
        frame_width: float,
        frame_height: float,
    ) -> Tuple[int, float]:
        """Pick the best cell and move the target there.

        Args:
            maps: float32, in the order and of the shapes that the family's ``shapes`` says.
            state: float64 [cx, cy, w, h], frame pixels; updated in place.
            scale: (x, y), search pixels per frame pixel.
            frame_width, frame_height: frame pixels.

        Returns:
            (index of the winning cell, row-major; its score).

        Raises:
            NetworkFailed: nothing is finite.
            ValueError: the arrays have other types or sizes.
        """
        first, second, third, held_state = self._given
        count = len(maps)  # 1 to 3
        if (
            state is not held_state
            or maps[0] is not first
            or maps[count >> 1] is not second
            or maps[-1] is not third
        ):
            self._bind(maps, state)
        self._scale[:] = scale
        self._frame[:] = frame_width, frame_height
        best = self._function(self._job_at)
        if best < 0:
            argmax(NOTHING)  # raises the definition's error
        return best, self._score.value

    def bound(self, maps: Sequence[np.ndarray], state: np.ndarray) -> Tuple[int, int]:
        """(address of the function, address of its job), for a call from C++.

        Args:
            maps, state: as in ``select``; float32 and C-contiguous, and they stay where they are.
        """
        self._bind(maps, state)
        at = ctypes.cast(self._function, ctypes.c_void_p).value
        assert at is not None, "a function has an address"
        return at, self._job_at

    def _bind(self, maps: Sequence[np.ndarray], state: np.ndarray) -> None:
        """Keep the arrays' addresses, so that engines that reuse their outputs cost this once."""
        check_state(state)
        held = [np.ascontiguousarray(values, np.float32) for values in maps]
        addresses: List[int] = [values.ctypes.data for values in held]
        sizes: List[int] = [values.size for values in held]
        lengths = self._sizes
        if len(held) == 1 and len(lengths) == 2:  # one map with two channels
            sizes = [sizes[0] - lengths[1], lengths[1]]
            addresses.append(addresses[0] + 4 * lengths[0])
        if tuple(sizes) != lengths:
            raise ValueError(f"maps: {[values.shape for values in maps]}")
        addresses += [0] * (3 - len(addresses))
        job = self._job
        tables = structures.addresses(self._tables)
        job.head, job.maps[:] = self._record.ctypes.data, addresses
        job.window, job.anchors, job.space = tables
        job.state, job.score = state.ctypes.data, ctypes.addressof(self._score)
        self._held = held
        same = all(a is b for a, b in zip(held, maps))  # else convert in every frame
        watched = (maps[0], maps[len(maps) >> 1], maps[-1], state)
        self._given = watched if same else (None,) * 4


class Peaks:
    """Peaks of a score map. ``hotpath.runtime.search.proposals`` has the definition.

    Args:
        library: the loaded kernels.
        kind: "softmax", "sigmoid" or "none".
        side: cells a side.
        share: of the highest score, that a peak has at least.
    """

    def __init__(self, library: Any, kind: str, side: int, share: float) -> None:
        self._function, self._side, self._share = library.hp_peaks, side, share
        self._kind = ("softmax", "sigmoid", "none").index(kind)
        self._scores, self._cells = np.zeros(side * side), np.zeros(side * side, np.int32)
        self._out = self._scores.ctypes.data, self._cells.ctypes.data
        self._map: Any = None
        self._map_at = 0

    def __call__(self, score_map: np.ndarray) -> List[int]:
        """Return the cells, the highest first."""
        if score_map is not self._map:  # an engine reuses its outputs
            values = np.ascontiguousarray(score_map, np.float32)
            if values.size != self._side**2 * (2 if self._kind == 0 else 1):
                raise ValueError(f"score map: {score_map.shape}")
            self._map, self._map_at = (score_map if values is score_map else None), address(values)
            self._held = values
        count = self._function(self._kind, self._map_at, self._side, self._share, *self._out)
        cells: List[int] = self._cells[:count].tolist()
        return cells


class Response:
    """Select in C++. ``hotpath.runtime.decode.response.Siamese`` defines the place and the box.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.

    Attributes:
        peaks: float64 (scales,), the highest response of each size that ``look`` took in, damped.
        responses: float32 (scales, side, side), the enlarged responses.
    """

    def __init__(self, library: Any, settings: ResponseSettings) -> None:
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
            argmax(NOTHING)  # raises the definition's error
        return best, float(self._found[0]), float(self._found[1])
