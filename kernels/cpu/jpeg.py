"""Decodes parts of JPEG files to planes: ``jpeg.h`` as Python calls; ``../jpeg.py`` defines it."""

import ctypes
import struct
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from kernels.cpu.online import address
from kernels.jpeg import SCALES, STANDARD_TABLES, NotBaseline, kind_of, planes_from
from kernels.planes import Planes

HEAD = struct.Struct("=8q")  # hp_jpeg up to `interval`
JOB = struct.Struct("=15q")  # hp_jpeg_job
PAD = 2048  # bytes after the coded data, as in jpeg.h

Region = Tuple[int, int, int, int]  # units: left, top, right, bottom


class _Memory(NamedTuple):
    """Of a picture at one scale."""

    picture: Planes
    job: Tuple[int, ...]  # the last fields of hp_jpeg_job: sides of blocks, addresses, strides


class JpegDecoder:
    """One file at a time. The memory of a file is used for the next one of its size.

    Args:
        handle: the library's functions; they release the interpreter's lock.

    Attributes:
        shape: (height, width, 3) of the picture that was opened last.
    """

    def __init__(self, handle: Any) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        handle.hp_jpeg_bytes.restype = number
        self._open, self._unstuff = handle.hp_jpeg_open, handle.hp_jpeg_unstuff
        self._open.argtypes, self._open.restype = (
            [pointer, pointer, number, pointer, number],
            number,
        )
        self._unstuff.argtypes = [pointer, pointer, number, pointer, pointer, number]
        self._unstuff.restype = None
        self._window = handle.hp_jpeg_window
        self._window.argtypes, self._window.restype = [pointer, pointer], number
        self._state = np.zeros(handle.hp_jpeg_bytes(), np.uint8)
        self._state_at = address(self._state)
        self._clean = np.empty(0, np.uint8)
        self._segments = np.empty(0, np.int64)
        self._clean_at = self._segments_at = 0
        self._head: Tuple[int, ...] = ()
        self._kind = ""
        self._memory: Dict[int, _Memory] = {}  # of each scale
        self._done: Dict[int, List[Region]] = {}  # scale -> what was decoded
        self.shape = (0, 0, 3)

    def open(self, data: np.ndarray) -> bool:
        """Take a file, uint8 (n,); returns False where it can't be decoded here.

        The file is copied. It may still turn out to be damaged: see ``planes``.
        """
        data = np.ascontiguousarray(data)
        state, data_at, standard = self._state_at, address(data), len(STANDARD_TABLES)
        if not self._open(state, STANDARD_TABLES, standard, data_at, len(data)):
            return False
        head = HEAD.unpack_from(self._state.data)
        if head != self._head:
            self._allocate(head)
        if self._clean.size < len(data) + PAD:
            self._clean = np.empty(len(data) + len(data) // 4 + PAD, np.uint8)
            self._clean_at = address(self._clean)
        room = len(self._segments)
        self._unstuff(state, data_at, len(data), self._clean_at, self._segments_at, room)
        self._done = {scale: [] for scale in SCALES}
        return True

    def planes(self, window: Tuple[float, float, float, float], scale: int) -> Planes:
        """Decode what lies in a window.

        Args:
            window: left, top, right, bottom in pixels of the picture; may lie partly outside.
            scale: one of ``kernels.jpeg.SCALES``.

        Returns:
            the whole picture's planes at that scale. Only the pixels of windows that were asked for
            have values. They are overwritten when the next file is opened.

        Raises:
            NotBaseline: the file is damaged.
        """
        region = self._region(window)
        memory = self._memory.get(scale)
        if memory is None:
            memory = self._memory[scale] = self._allocated(scale)
        if region is None or self._has(region, scale):
            return memory.picture
        job = JOB.pack(self._clean_at, self._segments_at, *region, *memory.job)
        if not self._window(self._state_at, job):
            raise NotBaseline("the picture is damaged")
        self._done[scale].append(region)
        return memory.picture

    def has(self, window: Tuple[float, float, float, float], scale: int) -> bool:
        """Whether ``planes`` would have nothing to decode; arguments as there."""
        region = self._region(window)
        return region is None or self._has(region, scale)

    def _has(self, region: Region, scale: int) -> bool:
        return any(_holds(done, region) for done in self._done[scale])

    def _allocate(self, head: Tuple[int, ...]) -> None:
        """Prepare for pictures of another size or kind."""
        width, height, parts, across, down, columns, rows, interval = head
        self._head, self.shape, self._memory = head, (height, width, 3), {}
        self._kind = kind_of([(across, down)] + [(1, 1)] * (parts - 1))
        self._segments = np.empty(columns * rows // interval + 2 if interval else 1, np.int64)
        self._segments_at = address(self._segments)

    def _scales(self, scale: int) -> List[int]:
        """The scale of every plane: colours of half the resolution are not halved once more."""
        colour = scale // 2 if self._kind == "I420" and scale > 1 else scale
        return [scale] + [colour] * (self._head[2] - 1)

    def _allocated(self, scale: int) -> "_Memory":
        width, height, _, across, down, columns, rows = self._head[:7]
        blocks = [(down, across), (1, 1), (1, 1)]
        sides = [8 // own for own in self._scales(scale)]
        padded = [
            np.empty((rows * block[0] * side, columns * block[1] * side), np.uint8)
            for block, side in zip(blocks, sides)
        ]
        none = [0] * (3 - len(padded))
        job = sides + none + [address(plane) for plane in padded] + none
        job += [plane.strides[0] for plane in padded] + none
        return _Memory(planes_from(self._kind, padded, width, height, scale), tuple(job))

    def _region(self, window: Tuple[float, float, float, float]) -> Optional[Region]:
        """The units that a window covers; None where it lies outside."""
        width, height, _, across, down = self._head[:5]
        left, right = (min(max(int(value), 0), width) for value in window[0::2])
        top, bottom = (min(max(int(value), 0), height) for value in window[1::2])
        if left >= right or top >= bottom:
            return None
        unit_x, unit_y = 8 * across, 8 * down
        return left // unit_x, top // unit_y, -(-right // unit_x), -(-bottom // unit_y)


def _holds(outer: Region, inner: Region) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and min(outer[2] - inner[2], outer[3] - inner[3]) >= 0
    )
