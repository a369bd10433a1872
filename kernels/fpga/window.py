"""What the fabric is given of a frame: the pixels of one window, and where they are.

The fabric crops for itself. It reads the window's rows from memory, so only they are brought there;
a frame that lies in the fabric's memory already is read where it is.
"""

from typing import NamedTuple

import numpy as np

from kernels.fpga import native, resize

CHANNELS = 3
BEAT = 16  # bytes of a line that its alignment may cost
MOST_ROWS = (1 << 15) - 1  # what an entry of ROWS can number


class Pictures:
    """The frame's pixels in the fabric's memory, shared by the crops of all targets.

    Args:
        fabric: ``kernels.fpga.fabric.Fabric``.
        side: of the largest crop, pixels.
        line_bytes: of the fabric's buffer for a row.
        kernels: for windows whose rows are longer.
    """

    def __init__(self, fabric, side, line_bytes, kernels):
        self.fabric, self.kernels, self.line_bytes = fabric, kernels, line_bytes - BEAT
        self._native = native.Window(kernels, self.line_bytes) if kernels.handle else None
        self.resize = fabric.allocate(resize.bytes_of(side)[1])
        self._pixels = fabric.allocate(side * side * CHANNELS)
        self._planes = {}  # side -> uint8 (1, 3, side, side), made when first needed

    def take(self, frame, window, border, side):
        """Get a window ready to be cropped by the next program.

        Args:
            frame: BGR uint8 (H, W, 3).
            window: (x, y, w, h), ints in frame pixels.
            border: 3 uint8 values for the pixels outside the frame.
            side: of the crop.
        """
        held = self._held(frame)
        done, fetch = self._prepare(frame, window, side, held)
        if done == native.PIXELS_TOO_MANY:
            count = fetch.columns * fetch.rows * CHANNELS
            self._pixels = self.fabric.allocate(1 << (count - 1).bit_length())
            done, fetch = self._prepare(frame, window, side, held)
        if done == native.LINE_TOO_LONG:
            held, fetch = False, self._cropped(frame, window, border, side)
        self.resize.flush()
        self._show(frame, fetch, held)
        write = self.fabric.write
        write("LINE", fetch.columns * CHANNELS)
        write("BORDER", int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16)

    def _held(self, frame):
        """Whether the fabric can read the frame where it is."""
        if getattr(frame, "device_address", None) is None:
            return False
        return self.fabric.reaches(frame) and _is_plain(frame)

    def _show(self, frame, fetch, held):
        """Tell the fabric where the window's pixels are, and make sure that they are there."""
        write, count = self.fabric.write, fetch.columns * fetch.rows * CHANNELS
        if held:
            if count:  # as far as the processor wrote it
                frame[fetch.y0 : fetch.y0 + fetch.rows].flush()
            place = fetch.y0 * frame.strides[0] + fetch.x0 * CHANNELS
            write("FRAME", frame.device_address + place)
            write("STRIDE", frame.strides[0])
            return
        if count:
            self._pixels.flush()
        write("FRAME", self._pixels.address)
        write("STRIDE", fetch.columns * CHANNELS)

    def _prepare(self, frame, window, side, held):
        """Tables and pixels of a window, compiled or not: (outcome, ``resize.Fetch``)."""
        if min(frame.shape[0], window[3]) > MOST_ROWS:
            return native.LINE_TOO_LONG, None
        if self._native:
            place = (0, 0) if held else (self._pixels.host, self._pixels.array.size)
            return self._native.take(frame, window, side, self.resize.host, place)
        height, width = frame.shape[:2]
        fetch = resize.tables_for(width, height, window, side, self.resize.array)
        x0, y0, columns, rows = fetch
        if columns * CHANNELS > self.line_bytes:
            return native.LINE_TOO_LONG, fetch
        count = columns * rows * CHANNELS
        if count > self._pixels.array.size and not held:
            return native.PIXELS_TOO_MANY, fetch
        if count and not held:
            pixels = self._pixels.array[:count].reshape(rows, columns, CHANNELS)
            np.copyto(pixels, frame[y0 : y0 + rows, x0 : x0 + columns])
        return native.DONE, fetch

    def _cropped(self, frame, window, border, side):
        """Crop here; the fabric then crops the whole of that picture, pixel by pixel."""
        if side not in self._planes:
            self._planes[side] = np.zeros((1, CHANNELS, side, side), np.uint8)
        planes = self._planes[side]
        self.kernels.crop(np.asarray(frame), window, border, planes)
        pixels = self._pixels.array[: planes.size].reshape(side, side, CHANNELS)
        np.copyto(pixels, planes[0].transpose(1, 2, 0))
        return resize.tables_for(side, side, (0, 0, side, side), side, self.resize.array)


class Crop(NamedTuple):
    """One input of the network; the engines of other hardware have an array in its place."""

    pictures: Pictures
    side: int  # pixels


def _is_plain(frame):
    """Whether a row's pixels follow each other as the fabric reads them."""
    return frame.strides[2] == 1 and frame.strides[1] == CHANNELS and frame.strides[0] > 0
