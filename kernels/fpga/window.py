"""Brings the pixels of a window into the fabric's memory, with the tables of its crop.

The fabric crops. It reads the rows of the window from memory, so only they are copied there. A
frame that lies in the fabric's memory already is read in place, unless the window is small.
"""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.fpga import native, resize
from kernels.fpga.fabric import Buffer, Fabric

CHANNELS = 3
BEAT = 16  # bytes of a line that its alignment may cost
MOST_ROWS = (1 << 15) - 1  # what an entry of ROWS can number
COPIED = 4  # a window is copied when the frame has so many times its pixels


class Slot:
    """Memory for the tables and the pixels of one window.

    Args:
        fabric: ``kernels.fpga.fabric.Fabric``.
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
        fabric: ``kernels.fpga.fabric.Fabric``.
        side: of the largest crop, pixels.
        line_bytes: bytes of a place of the fabric's line buffer.
        kernels: the processor's crop, for windows whose rows are longer.

    Attributes:
        registers: dict of register -> value that a program needs to crop the window prepared last.
    """

    def __init__(self, fabric: Fabric, side: int, line_bytes: int, kernels: Kernels) -> None:
        self.fabric, self.kernels, self.line_bytes = fabric, kernels, line_bytes - BEAT
        self._native = native.Window(kernels, self.line_bytes) if kernels.handle else None
        self.slots = [Slot(fabric, side) for _ in range(2)]
        self.registers: Dict[str, int] = {}
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
        held = self._is_read_in_place(frame, window)
        done, fetch = self._prepare(slot, frame, window, side, held)
        if done == native.PIXELS_TOO_MANY:
            slot.pixels = self.memory_for(fetch.columns, fetch.rows)
            done, fetch = self._prepare(slot, frame, window, side, held)
        if done == native.LINE_TOO_LONG:
            held, fetch = False, self._cropped(slot, frame, window, border, side)
        slot.resize.flush()
        address, stride = self._synchronised(slot, frame, fetch, held)
        self.registers = {
            "REGION2": slot.resize.address,
            "FRAME": address,
            "STRIDE": stride,
            "LINE": fetch.columns * CHANNELS,
            "BORDER": int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16,
        }

    def memory_for(self, columns: int, rows: int) -> Buffer:
        """Memory for so many pixels, and for some more, so that it is not asked for often."""
        return self.fabric.allocate(1 << (columns * rows * CHANNELS - 1).bit_length())

    def _is_read_in_place(self, frame: np.ndarray, window: Sequence[int]) -> bool:
        """Whether the fabric reads the frame where it is; else its window is copied.

        PYNQ synchronises a whole buffer, so that a small window is copied at less cost.
        """
        if getattr(frame, "device_address", None) is None:
            return False
        small = window[2] * window[3] * COPIED < frame.shape[0] * frame.shape[1]
        return not small and self.fabric.reaches(frame) and _is_plain(frame)

    def _synchronised(
        self, slot: Slot, frame: Any, fetch: resize.Fetch, held: bool
    ) -> Tuple[int, int]:
        """Bring the window's pixels into memory; (address of the first, bytes of a row)."""
        count = fetch.columns * fetch.rows * CHANNELS
        if held:
            if count:  # no more rows than the window has
                frame[fetch.y0 : fetch.y0 + fetch.rows].flush()
            place = fetch.y0 * frame.strides[0] + fetch.x0 * CHANNELS
            return frame.device_address + place, frame.strides[0]
        if count:
            slot.pixels.flush()
        return slot.pixels.address, fetch.columns * CHANNELS

    def _prepare(
        self, slot: Slot, frame: np.ndarray, window: Sequence[int], side: int, held: bool
    ) -> Tuple[int, Any]:
        """Tables and pixels of a window, compiled or not: (outcome, ``resize.Fetch`` or None)."""
        if min(frame.shape[0], window[3]) > MOST_ROWS:
            return native.LINE_TOO_LONG, None
        if self._native:
            place = (0, 0) if held else (slot.pixels.host, slot.pixels.array.size)
            return self._native.take(frame, window, side, slot.resize.host, place)
        height, width = frame.shape[:2]
        fetch = resize.tables_for(width, height, window, side, slot.resize.array)
        x0, y0, columns, rows = fetch
        if columns * CHANNELS > self.line_bytes:
            return native.LINE_TOO_LONG, fetch
        count = columns * rows * CHANNELS
        if count > slot.pixels.array.size and not held:
            return native.PIXELS_TOO_MANY, fetch
        if count and not held:
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


def _is_plain(frame: np.ndarray) -> bool:
    """Whether a row's pixels follow each other as the fabric reads them."""
    return frame.strides[2] == 1 and frame.strides[1] == CHANNELS and frame.strides[0] > 0
