"""Brings the pixels of a window into the fabric's memory, with the tables of its crop.

The fabric crops. It reads the rows of the window from memory, so only they are copied there.
"""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.fpga import native, resize
from kernels.fpga.fabric import Buffer, Fabric

CHANNELS = 3
BEAT = 16  # bytes of a line that its alignment may cost
MOST_ROWS = (1 << 15) - 1  # what an entry of ROWS can number


class Slot:
    """Memory for the tables and the pixels of one window.

    Args:
        side: of the largest crop, pixels.
    """

    def __init__(self, fabric: Fabric, side: int) -> None:
        self.resize = fabric.allocate(resize.bytes_of(side)[1])
        self.pixels = fabric.allocate(side * side * CHANNELS)


class Pictures:
    """The frame's pixels in the fabric's memory, shared by the crops of all targets.

    There are two slots, used in turn: while the fabric reads one window, the processor may prepare
    the next one. The first of ``slots`` was used last.

    Args:
        side: of the largest crop, pixels.
        line_bytes: bytes of a place of the fabric's line buffer.
        kernels: the processor's crop, for windows whose rows are longer.

    Attributes:
        registers: REGION2 to BORDER, with which a program crops the window prepared last.
    """

    def __init__(self, fabric: Fabric, side: int, line_bytes: int, kernels: Kernels) -> None:
        self.fabric, self.kernels, self.line_bytes = fabric, kernels, line_bytes - BEAT
        self._native = native.Window(kernels, self.line_bytes) if kernels.handle else None
        self.slots = [Slot(fabric, side) for _ in range(2)]
        self.registers: Tuple[int, ...] = ()
        self._planes: Dict[int, np.ndarray] = {}  # side -> uint8 (1, 3, side, side)

    def take(
        self, frame: np.ndarray, window: Sequence[int], border: Sequence[int], side: int
    ) -> None:
        """Prepare a window; the slot used before stays as it is.

        Args:
            frame: BGR uint8 (H, W, 3).
            window: (x, y, w, h), ints in frame pixels.
            border: 3 uint8 values for the pixels outside the frame.
            side: of the crop.
        """
        self.slots.reverse()
        slot = self.slots[0]
        done, fetch = self._prepare(slot, frame, window, side)
        if done == native.PIXELS_TOO_MANY:
            slot.pixels = self.memory_for(fetch.columns, fetch.rows)
            done, fetch = self._prepare(slot, frame, window, side)
        if done == native.LINE_TOO_LONG:
            fetch = self._cropped(slot, frame, window, border, side)
        slot.resize.flush()
        if fetch.columns:
            slot.pixels.flush()
        length = fetch.columns * CHANNELS
        colour = int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16
        self.registers = slot.resize.address, slot.pixels.address, length, length, colour

    def memory_for(self, columns: int, rows: int) -> Buffer:
        """Memory for so many pixels, and for some more, so that it is not asked for often."""
        return self.fabric.allocate(1 << (columns * rows * CHANNELS - 1).bit_length())

    def _prepare(
        self, slot: Slot, frame: np.ndarray, window: Sequence[int], side: int
    ) -> Tuple[int, Any]:
        """Tables and pixels of a window, compiled or not: (outcome, ``resize.Fetch`` or None)."""
        if min(frame.shape[0], window[3]) > MOST_ROWS:
            return native.LINE_TOO_LONG, None
        if self._native:
            place = slot.pixels.host, slot.pixels.size
            return self._native.take(frame, window, side, slot.resize.host, place)
        height, width = frame.shape[:2]
        fetch = resize.tables_for(width, height, window, side, slot.resize.array)
        x0, y0, columns, rows = fetch
        if columns * CHANNELS > self.line_bytes:
            return native.LINE_TOO_LONG, fetch
        count = columns * rows * CHANNELS
        if count > slot.pixels.size:
            return native.PIXELS_TOO_MANY, fetch
        pixels = slot.pixels.array[:count].reshape(rows, columns, CHANNELS)
        np.copyto(pixels, frame[y0 : y0 + rows, x0 : x0 + columns])
        return native.DONE, fetch

    def _cropped(
        self, slot: Slot, frame: np.ndarray, window: Sequence[int], border: Sequence[int], side: int
    ) -> resize.Fetch:
        """Crop on the processor; the fabric then crops the whole of that picture."""
        if side not in self._planes:
            self._planes[side] = np.zeros((1, CHANNELS, side, side), np.uint8)
        planes = self._planes[side]
        self.kernels.crop(np.asarray(frame), window, border, planes)
        pixels = slot.pixels.array[: planes.size].reshape(side, side, CHANNELS)
        np.copyto(pixels, planes[0].transpose(1, 2, 0))
        return resize.tables_for(side, side, (0, 0, side, side), side, slot.resize.array)


class Crop(NamedTuple):
    """One input of the network; the engines of other hardware have an array in its place."""

    pictures: Pictures
    side: int  # pixels
