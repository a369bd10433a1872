"""The compiled select of every family, as Python calls: ``select.h``.

The structures have the fields of ``../families.h`` and ``../geometry.h`` in the same order.
"""

import ctypes
import struct
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from kernels.golden import argmax, hanning_window, inner_hanning_window
from kernels.settings import (
    BOX_PIXELS,
    CLIPS,
    OUTPUTS,
    QUALITIES,
    RELATIVES,
    ROUNDINGS,
    SCORES,
    SHAPES,
    BoxLimits,
    CentreSettings,
    CornersSettings,
    PointsSettings,
    SelectSettings,
    WindowSettings,
)

JOB = struct.Struct("@9P0d")  # the addresses of hp_select_job; then aligned for doubles
VIEW = struct.Struct("=4d")  # hp_frame_view, which follows them
NOTHING = np.full(1, np.nan)

_DOUBLE, _INT = ctypes.c_double, ctypes.c_int


class Bounds(ctypes.Structure):
    """``hp_bounds``."""

    _fields_ = [("min_size", _DOUBLE), ("clip", _INT), ("pixels", _INT)]


class Geometry(ctypes.Structure):
    """``hp_geometry``."""

    _fields_ = [
        ("context", _DOUBLE),
        ("exemplar_margin", _DOUBLE),
        ("search_margin", _DOUBLE),
        ("exemplar_factor", _DOUBLE),
        ("search_factor", _DOUBLE),
        ("exemplar", _INT),
        ("search", _INT),
        ("crop", _INT),
        ("corner", _INT),
        ("rounding", _INT),
        ("warp", _INT),
    ]


class PointsHead(ctypes.Structure):
    """``hp_points``."""

    _fields_ = [
        ("stride", _DOUBLE),
        ("penalty", _DOUBLE),
        ("influence", _DOUBLE),
        ("rate", _DOUBLE),
        ("quality_share", _DOUBLE),
        ("bounds", Bounds),
        ("size", _INT),
        ("score", _INT),
        ("power", _INT),
        ("quality", _INT),
        ("inclusive", _INT),
        ("anchors", _INT),
    ]


class CentreHead(ctypes.Structure):
    """``hp_centre``."""

    _fields_ = [
        ("min_score", _DOUBLE),
        ("bounds", Bounds),
        ("geometry", Geometry),
        ("size", _INT),
        ("score", _INT),
        ("relative", _INT),
        ("unused", _INT),
    ]


class CornersHead(ctypes.Structure):
    """``hp_corners``."""

    _fields_ = [
        ("cell_centre", _DOUBLE),
        ("bounds", Bounds),
        ("size", _INT),
        ("search", _INT),
        ("output", _INT),
        ("unused", _INT),
    ]


class Head:
    """What ``Select`` needs of a network.

    Attributes:
        function: name in the library.
        record: the structure with the numbers.
        planes: how many float32 values each of the library's maps has.
        window: float64, the weight of each cell; empty where there is none.
        anchors: float64 (k, 2), width and height of each; empty where there are none.
    """

    def __init__(
        self,
        function: str,
        record: ctypes.Structure,
        planes: Sequence[int],
        window: Any = (),
        anchors: Any = (),
    ) -> None:
        self.function = function
        self.record = record
        self.planes = tuple(planes)
        self.window = np.ascontiguousarray(window, np.float64)
        self.anchors = np.ascontiguousarray(anchors, np.float64)


def bounds(limits: BoxLimits) -> Bounds:
    """The limits of a box as the library takes them."""
    return Bounds(limits.min_size, CLIPS[limits.clip], BOX_PIXELS[limits.pixels])


def geometry(settings: WindowSettings) -> Geometry:
    """Where a tracker looks, as the library takes it."""
    return Geometry(
        settings.context,
        settings.exemplar_margin,
        settings.search_margin,
        settings.exemplar_factor,
        settings.search_factor,
        settings.exemplar,
        settings.search,
        SHAPES[settings.shape],
        settings.corner,
        ROUNDINGS[settings.rounding],
        settings.warp,
    )


def _points(settings: PointsSettings) -> Head:
    cells, count = settings.size**2, max(1, len(settings.anchors))
    record = PointsHead(
        settings.stride,
        settings.penalty,
        settings.influence,
        settings.rate,
        settings.quality_share,
        bounds(settings.limits),
        settings.size,
        SCORES[settings.score],
        settings.power,
        QUALITIES[settings.quality],
        settings.inclusive,
        len(settings.anchors),
    )
    planes = [cells * count * (2 if settings.score == "softmax" else 1), 4 * cells * count]
    if settings.quality != "none":
        planes.append(cells)
    function = "hp_anchors_select" if settings.anchors else "hp_points_select"
    window = hanning_window(settings.size) ** settings.window_power
    return Head(function, record, planes, window, settings.anchors)


def _centre(settings: CentreSettings) -> Head:
    cells = settings.size**2
    record = CentreHead(
        settings.min_score,
        bounds(settings.limits),
        geometry(settings.window),
        settings.size,
        SCORES[settings.score],
        RELATIVES[settings.relative_to],
    )
    window = inner_hanning_window(settings.size)
    return Head("hp_centre_select", record, (cells, 2 * cells, 2 * cells), window)


def _corners(settings: CornersSettings) -> Head:
    cells = settings.size**2
    record = CornersHead(
        settings.cell_centre,
        bounds(settings.limits),
        settings.size,
        settings.search,
        OUTPUTS[settings.output],
    )
    return Head("hp_corners_select", record, (4,) if settings.output == "box" else (cells, cells))


_HEADS: Dict[Any, Any] = {
    PointsSettings: _points,
    CentreSettings: _centre,
    CornersSettings: _corners,
}


class Select:
    """Select of one network in C++. The family's file in ``runtime/decode`` is the definition.

    Args:
        library: the loaded kernels.
        settings: the numbers of the network.
    """

    def __init__(self, library: Any, settings: SelectSettings) -> None:
        head = self._head = _HEADS[type(settings)](settings)
        self._function = getattr(library, head.function)
        self._function.argtypes = [ctypes.c_void_p]
        self._function.restype = ctypes.c_int
        self._space = np.zeros(head.window.size * max(1, len(head.anchors)) + 1, np.float32)
        self._score = ctypes.c_double()
        self._job = ctypes.create_string_buffer(JOB.size + VIEW.size)
        self._job_at = ctypes.addressof(self._job)
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
        VIEW.pack_into(self._job, JOB.size, scale[0], scale[1], frame_width, frame_height)
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
        address = ctypes.cast(self._function, ctypes.c_void_p).value
        assert address is not None, "a function has an address"
        return address, self._job_at

    def _bind(self, maps: Sequence[np.ndarray], state: np.ndarray) -> None:
        """Keep the arrays' addresses, so that engines that reuse their outputs cost this once."""
        if state.dtype != np.float64 or state.shape != (4,) or not state.flags.c_contiguous:
            raise ValueError(f"state: {state.dtype} {state.shape}")
        held = [np.ascontiguousarray(values, np.float32) for values in maps]
        addresses: List[int] = []
        sizes: List[int] = []
        for values in held:
            sizes.append(values.size)
            addresses.append(values.ctypes.data)
        planes = self._head.planes
        if len(held) == 1 and len(planes) == 2:  # one map with two channels
            sizes = [sizes[0] - planes[1], planes[1]]
            addresses.append(addresses[0] + 4 * planes[0])
        if tuple(sizes) != planes:
            raise ValueError("maps: {}".format(", ".join(str(values.shape) for values in maps)))
        addresses += [0] * (3 - len(addresses))
        head = self._head
        JOB.pack_into(
            self._job,
            0,
            ctypes.addressof(head.record),
            *addresses,
            head.window.ctypes.data,
            head.anchors.ctypes.data,
            self._space.ctypes.data,
            state.ctypes.data,
            ctypes.addressof(self._score),
        )
        self._held = held
        same = all(a is b for a, b in zip(held, maps))  # else convert in every frame
        watched = (maps[0], maps[len(maps) >> 1], maps[-1], state)
        self._given = watched if same else (None,) * 4
