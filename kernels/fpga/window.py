"""What the fabric is given of a frame: the pixels of one window, and where they are.

The fabric crops for itself. It reads the window's rows from memory, so only they are brought there;
a frame that lies in the fabric's memory already is read where it is.
"""

import numpy as np

from kernels.fpga import resize

CHANNELS = 3
BEAT = 16  # bytes of a line that its alignment may cost


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
        height, width = frame.shape[:2]
        fetch = resize.tables_for(width, height, window, side, self.resize.array)
        if fetch.columns * CHANNELS > self.line_bytes:
            fetch = self._cropped(frame, window, border, side)
        else:
            self._place(frame, fetch)
        self.resize.flush()
        self.fabric.write("LINE", fetch.columns * CHANNELS)
        colour = [int(value) for value in border]
        self.fabric.write("BORDER", colour[0] | colour[1] << 8 | colour[2] << 16)

    def _place(self, frame, fetch):
        """Bring the window's pixels into memory, unless they are there."""
        columns, rows = fetch.columns, fetch.rows
        address = getattr(frame, "device_address", None)
        if address is not None and self.fabric.reaches(frame) and _is_plain(frame):
            if rows:
                frame[fetch.y0 : fetch.y0 + rows].flush()  # as far as the processor wrote it
            self._read_at(
                address + fetch.y0 * frame.strides[0] + fetch.x0 * CHANNELS, frame.strides[0]
            )
            return
        taken = np.asarray(frame)[fetch.y0 : fetch.y0 + rows, fetch.x0 : fetch.x0 + columns]
        self._copy(taken)

    def _cropped(self, frame, window, border, side):
        """Crop here; the fabric then crops the whole of that picture, pixel by pixel."""
        if side not in self._planes:
            self._planes[side] = np.zeros((1, CHANNELS, side, side), np.uint8)
        planes = self._planes[side]
        self.kernels.crop(np.asarray(frame), window, border, planes)
        self._copy(planes[0].transpose(1, 2, 0))
        return resize.tables_for(side, side, (0, 0, side, side), side, self.resize.array)

    def _copy(self, pixels):
        """Copy (rows, columns, 3) uint8 into memory, row behind row."""
        count = pixels.size
        if count > self._pixels.array.size:
            self._pixels = self.fabric.allocate(1 << (count - 1).bit_length())
        if count:
            np.copyto(self._pixels.array[:count].reshape(pixels.shape), pixels)
            self._pixels.flush(count)
        self._read_at(self._pixels.address, pixels.shape[1] * CHANNELS)

    def _read_at(self, address, stride):
        self.fabric.write("FRAME", address)
        self.fabric.write("STRIDE", stride)


class Crop:
    """One input of the network: where ``runtime.engines`` has an array, the fabric has this.

    Args:
        pictures: the ``Pictures``.
        side: pixels.
    """

    def __init__(self, pictures, side):
        self._pictures, self.side = pictures, side

    def take(self, frame, window, border):
        """See ``Pictures.take``."""
        self._pictures.take(frame, window, border, self.side)


def _is_plain(frame):
    """Whether a row's pixels follow each other as the fabric reads them."""
    return frame.strides[2] == 1 and frame.strides[1] == CHANNELS and frame.strides[0] > 0
