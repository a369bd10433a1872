"""Brings the pixels of a window into the fabric's memory, with the tables of its crop.

The fabric crops. It reads the rows of the window from memory, so only they are copied there.
"""

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.fpga import native, resize
from hotpath.kernels.fpga.fabric import Fabric

CHANNELS = 3
BEAT = 16  # bytes of a line that its alignment may cost
MOST_ROWS = (1 << 15) - 1  # what an entry of ROWS can number
PAGE = 4096


class WindowPictures:
    """One window's pixels and tables in the fabric's memory.

    Args:
        side: side of the largest crop, pixels.
        line_bytes: bytes of a place of the fabric's line buffer.
        kernels: the processor's crop, for windows whose rows are longer.
    """

    def __init__(self, fabric: Fabric, side: int, line_bytes: int, kernels: CpuKernels) -> None:
        self.fabric = fabric
        self.kernels = kernels
        self._line = line_bytes - BEAT
        self._native = native.native(kernels)
        self._first = -(-resize.bytes_of(side)[1] // PAGE) * PAGE  # of the pixels
        self._memory = fabric.allocate(self._first + side * side * CHANNELS)
        self._planes: Dict[int, np.ndarray] = {}  # side -> uint8 (1, 3, side, side)

    def take(
        self,
        frame: np.ndarray,
        window: Sequence[int],
        border: Sequence[int],
        side: int,
        flush: bool = True,
    ) -> Tuple[int, ...]:
        """Prepare a window.

        Args:
            frame: BGR uint8 (H, W, 3).
            window: (x, y, w, h), ints in frame pixels.
            border: 3 uint8 values for the pixels outside the frame.
            side: side of the crop.
            flush: False leaves all of it in the processor's cache, to see what comes of it.

        Returns:
            Registers REGION2 to BORDER, with which a program crops this window.
        """
        done, fetch = self._prepare(frame, window, side)
        if done == native.PIXELS_TOO_MANY:  # take some more, so that it is not asked for often
            count = fetch.columns * fetch.rows * CHANNELS
            self._memory = self.fabric.allocate(self._first + (1 << (count - 1).bit_length()))
            done, fetch = self._prepare(frame, window, side)
        if done == native.LINE_TOO_LONG:
            fetch = self._cropped(frame, window, border, side)
        if flush:
            self._memory.flush()
        length = fetch.columns * CHANNELS
        address = self._memory.address
        colour = int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16
        return address, address + self._first, length, length, colour

    def _prepare(self, frame: np.ndarray, window: Sequence[int], side: int) -> Tuple[int, Any]:
        """Tables and pixels of a window, compiled or not: (outcome, ``resize.Fetch`` or None)."""
        if min(frame.shape[0], window[3]) > MOST_ROWS:
            return native.LINE_TOO_LONG, None
        memory, first = self._memory, self._first
        if self._native is not None:
            place = memory.host + first, memory.size - first
            return self._native.window(frame, window, side, memory.host, place, self._line)
        height, width = frame.shape[:2]
        fetch = resize.tables_for(width, height, window, side, memory.array)
        x0, y0, columns, rows = fetch
        if columns * CHANNELS > self._line:
            return native.LINE_TOO_LONG, fetch
        count = columns * rows * CHANNELS
        if count > memory.size - first:
            return native.PIXELS_TOO_MANY, fetch
        there = memory.array[first : first + count].reshape(rows, columns, CHANNELS)
        np.copyto(there, frame[y0 : y0 + rows, x0 : x0 + columns])
        return native.DONE, fetch

    def _cropped(
        self, frame: np.ndarray, window: Sequence[int], border: Sequence[int], side: int
    ) -> resize.Fetch:
        """Crop on the processor; the fabric then crops the whole of that picture."""
        if side not in self._planes:
            self._planes[side] = np.zeros((1, CHANNELS, side, side), np.uint8)
        planes = self._planes[side]
        self.kernels.crop(np.asarray(frame), window, border, planes)
        pixels = self._memory.array[self._first :][: planes.size].reshape(side, side, CHANNELS)
        np.copyto(pixels, planes[0].transpose(1, 2, 0))
        return resize.tables_for(side, side, (0, 0, side, side), side, self._memory.array)


class Crop:
    """One input of the network; the engines of other hardware have an array in its place.

    Args:
        pictures: shared by both inputs.
        side: side of the crop, pixels.

    Attributes:
        registers: what ``WindowPictures.take`` returned last.
    """

    def __init__(self, pictures: WindowPictures, side: int) -> None:
        self.pictures, self.side = pictures, side
        self.registers: Tuple[int, ...] = ()

    def take(
        self, frame: np.ndarray, window: Sequence[int], border: Sequence[int], flush: bool = True
    ) -> None:
        """Prepare a window for the next program; see ``WindowPictures.take``."""
        self.registers = self.pictures.take(frame, window, border, self.side, flush)
