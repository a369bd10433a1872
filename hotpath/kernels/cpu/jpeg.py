"""Decodes parts of JPEG files to planes: ``jpeg.h`` as Python calls.

Pixels equal those of libjpeg (accurate inverse transform, colours repeated), bit for bit. For a
window of 150 to 500 px in 1280x720 or 1920x1080, libjpeg-turbo 2.1 with ``jpeg_crop_scanline`` and
``jpeg_skip_scanlines`` takes 1.34 to 1.95 times as long (median 1.7, one thread of an x86).
"""

import ctypes
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from hotpath.kernels.cpu import structures
from hotpath.kernels.cpu.arguments import address, declare
from hotpath.kernels.planes import Planes

SCALES = (1, 2, 4, 8)  # at which a picture can be decoded

# The codes of the standard's annex K as its segments DHT have them: cameras of Motion JPEG leave
# them out. Every AC code is followed by the bits of run and size.
STANDARD_TABLES = bytes.fromhex(
    "0000010501010101010100000000000000"
    "000102030405060708090a0b"
    "100002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a16"
    "1718191a25262728292a3435363738393a434445464748494a535455565758595a63646566676869"
    "6a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6"
    "b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8"
    "f9fa"
    "0100030101010101010101010000000000"
    "000102030405060708090a0b"
    "1100020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434"
    "e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768"
    "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4"
    "b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8"
    "f9fa"
)

HEAD = "width height parts across down columns rows interval"
PAD = 2048  # bytes after the coded data, as in jpeg.h

Region = Tuple[int, int, int, int]  # units: left, top, right, bottom


class JpegHead(ctypes.Structure):
    """The first fields of ``hp_jpeg`` of jpeg_tables.h; a picture's memory is larger."""

    _fields_ = [(name, ctypes.c_int64) for name in HEAD.split()]


class DamagedJpeg(Exception):
    """A damaged file."""


class _Memory(NamedTuple):
    """The memory of a picture at one scale."""

    picture: Planes
    job: Any  # ``JpegJob`` with the sides of blocks, addresses, strides


class JpegDecoder:
    """One file at a time. The memory of a file is used for the next one of its size.

    Args:
        library: the loaded kernels.

    Attributes:
        shape: (height, width, 3) of the picture that was opened last.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        # releases the interpreter's lock: a picture takes milliseconds
        handle = declare(ctypes.CDLL(library._name, handle=library._handle))
        self._open, self._unstuff = handle.hp_jpeg_open, handle.hp_jpeg_unstuff
        self._window = handle.hp_jpeg_window
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
        """Take a file, uint8 (n,); returns False if it can't be decoded here.

        The file is copied. It may still turn out to be damaged: see ``planes``.
        """
        data = np.ascontiguousarray(data)
        state = self._state_at
        data_at = address(data)
        standard = len(STANDARD_TABLES)
        if not self._open(state, STANDARD_TABLES, standard, data_at, len(data)):
            return False
        values = JpegHead.from_buffer(self._state.data)
        head = tuple(getattr(values, name) for name in HEAD.split())
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
        """Decode the pixels of a window.

        Args:
            window: left, top, right, bottom in pixels of the picture; may be partly outside.
            scale: one of ``SCALES``.

        Returns:
            The whole picture's planes at that scale, BT.601 in full range. Only the requested
            windows have values. Opening the next file overwrites them. If the scale is above 1,
            colours with half the resolution in both directions (I420) are decoded at twice its
            size, and the kind is I444.

        Raises:
            DamagedJpeg: the file is damaged.
        """
        memory = self._memory.get(scale)
        if memory is None:
            memory = self._memory[scale] = self._allocated(scale)
        if self.has(window, scale):
            return memory.picture
        region = self._region(window)
        job = memory.job
        job.data, job.segments = self._clean_at, self._segments_at
        job.left, job.top, job.right, job.bottom = region
        if not self._window(self._state_at, ctypes.addressof(job)):
            raise DamagedJpeg("the picture is damaged")
        self._done[scale].append(region)
        return memory.picture

    def has(self, window: Tuple[float, float, float, float], scale: int) -> bool:
        """Whether ``planes`` would have nothing to decode; arguments as there."""
        left, top, right, bottom = self._region(window)
        return (
            left >= right
            or top >= bottom
            or any(
                done[0] <= left and done[1] <= top and right <= done[2] and bottom <= done[3]
                for done in self._done[scale]
            )
        )

    def _allocate(self, head: Tuple[int, ...]) -> None:
        """Prepare for pictures of another size or kind."""
        width, height, parts, across, down, columns, rows, interval = head
        self._head = head
        self.shape = (height, width, 3)
        self._memory = {}
        self._kind = "GREY" if parts == 1 else ("I444", "I422", "I420")[across * down // 2]
        self._segments = np.empty(columns * rows // interval + 2 if interval else 1, np.int64)
        self._segments_at = address(self._segments)

    def _allocated(self, scale: int) -> _Memory:
        """Memory for planes with whole units, and the picture without what lies beyond its edge."""
        width, height, parts, across, down, columns, rows = self._head[:7]
        kind, colour = self._kind, scale
        if kind == "I420" and scale > 1:
            kind, colour = "I444", scale // 2
        sides = [8 // scale] + [8 // colour] * (parts - 1)
        blocks = [(down, across), (1, 1), (1, 1)]
        padded = [
            np.empty((rows * block[0] * side, columns * block[1] * side), np.uint8)
            for block, side in zip(blocks, sides)
        ]
        none = [0] * (3 - parts)
        job = structures.JpegJob()
        strides = [plane.strides[0] for plane in padded]
        job.side[:], job.stride[:] = sides + none, strides + none
        job.plane[:] = [address(plane) for plane in padded] + none
        width, height = -(-width // scale), -(-height // scale)
        shape = (
            -(-height // 2) if kind == "I420" else height,
            -(-width // 2) if kind in ("I420", "I422") else width,
        )
        cut = [padded[0][:height, :width]] + [own[: shape[0], : shape[1]] for own in padded[1:]]
        return _Memory(Planes(kind, cut, width, height, "601", full_range=True), job)

    def _region(self, window: Tuple[float, float, float, float]) -> Region:
        """The units that a window covers; left is not below right if it lies outside."""
        width, height, _, across, down = self._head[:5]
        left, right = (min(max(int(value), 0), width) for value in window[0::2])
        top, bottom = (min(max(int(value), 0), height) for value in window[1::2])
        unit_x, unit_y = 8 * across, 8 * down
        if left >= right or top >= bottom:
            return 0, 0, 0, 0
        return left // unit_x, top // unit_y, -(-right // unit_x), -(-bottom // unit_y)
