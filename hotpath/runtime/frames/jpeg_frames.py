"""Frames of Motion JPEG, which are decoded only when somebody reads them."""

import contextlib
import time
import zlib
from typing import Any, Dict, Tuple

import cv2
import numpy as np

from hotpath.runtime.frames.camera_frames import CameraFrame
from hotpath.runtime.frames.pictures import Window

try:
    import simplejpeg
except ImportError:  # OpenCV decodes in twice the time
    simplejpeg = None

EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
SIDEWAYS = 5  # the first of EXIF's orientations with width and height exchanged
SCAN, END = b"\xff\xda", b"\xff\xd9"  # the markers
HEAD_BYTES, TAIL_BYTES = 2048, 4096  # where size and end of a JPEG usually are
WHOLE = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class JpegFrame(CameraFrame):
    """A frame of Motion JPEG, which is decoded when it is read, at the scale that is needed.

    If the EXIF data turn or mirror the frame, it is set upright.

    Args:
        data: uint8 (n,), the JPEG file. It must not change.

    Raises:
        ValueError: the data are cut off, or are no JPEG.

    Attributes:
        decode_ms: time of decoding, the sum over all scales, milliseconds.
        is_damaged: whether what was read is damaged, as far as simplejpeg tells it.
    """

    def __init__(self, data: np.ndarray) -> None:
        super().__init__()
        self.decode_ms = 0.0
        self.is_damaged = False
        self._data = data
        height, width, orientation = _head(data)
        self._is_turned = orientation > 1
        self.shape = (width, height, 3) if orientation >= SIDEWAYS else (height, width, 3)
        self._reduced: Dict[int, np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        """As ``Picture``'s, with the file."""
        return self._data.nbytes + super().nbytes

    def mark(self) -> int:
        """Return the mark of the data after the last start of a scan; see ``picture_mark``."""
        data = self._data.tobytes()
        return zlib.crc32(data[max(0, data.rfind(SCAN)) :])

    def part(self, window: Window, ratio: float) -> Tuple[np.ndarray, int]:
        """Decode the frame at 1, 1/2, 1/4 or 1/8 of its size; see ``Picture.part``."""
        if self._bgr is not None:
            return self._bgr, 1
        scale = max(n for n in REDUCED if n == 1 or n <= ratio)
        return (self.bgr() if scale == 1 else self._decoded(scale)), scale

    def ends_early(self) -> bool:
        """Whether the data of the picture end before the picture, by decoding it."""
        self.bgr()
        return self.is_damaged

    def _converted(self) -> np.ndarray:
        return self._decoded(1)

    def _decoded(self, scale: int) -> np.ndarray:
        """The whole frame as BGR, at 1 / ``scale`` of its size; grey where it can't be decoded."""
        if scale in self._reduced:
            return self._reduced[scale]
        started = time.perf_counter()
        height, width = -(-self.shape[0] // scale), -(-self.shape[1] // scale)
        picture: Any = None
        if simplejpeg is not None and not self._is_turned:
            least = {"min_height": height, "min_width": width, "min_factor": scale}
            for strict in (True, False):
                with contextlib.suppress(ValueError):  # damaged, or of a kind that it does not know
                    picture = simplejpeg.decode_jpeg(
                        self._data, "BGR", fastdct=True, fastupsample=True, strict=strict, **least
                    )
                    self.is_damaged |= not strict
                    break
        if picture is None:
            picture = cv2.imdecode(self._data, REDUCED[scale])
        if picture is None or picture.shape != (height, width, 3):
            picture = np.full((height, width, 3), 128, np.uint8)
        self.decode_ms += (time.perf_counter() - started) * 1e3
        self._reduced[scale] = picture
        return np.asarray(picture)


def jpeg_shape(data: np.ndarray) -> Tuple[int, int, int]:
    """(height, width, 3) of a JPEG file, uint8 (n,), as its EXIF turns it.

    Raises:
        ValueError: it is cut off, or no JPEG.
    """
    height, width, orientation = _head(data)
    return (width, height, 3) if orientation >= SIDEWAYS else (height, width, 3)


def _head(data: np.ndarray) -> Tuple[int, int, int]:
    """(height, width, EXIF's orientation, 1 without one) of a JPEG; see ``jpeg_shape``."""
    head = data[:HEAD_BYTES].tobytes()
    orientation = 1
    is_whole = data[-TAIL_BYTES:].tobytes().rfind(END) >= 0 or data.tobytes().rfind(END) >= 0
    if head[:2] != b"\xff\xd8" or not is_whole:
        raise ValueError("no whole JPEG")
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], head[at + 2] << 8 | head[at + 3]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = head[at + 5] << 8 | head[at + 6], head[at + 7] << 8 | head[at + 8]
            if height and width:
                return height, width, orientation
            break
        if marker == 0xE1:  # APP1
            orientation = _orientation(data[at + 4 : at + 2 + length].tobytes())
        at += 2 + length
        if at + 9 > len(head) and len(head) < len(data):
            head = data.tobytes()
    raise ValueError("a JPEG without a size")


def _orientation(segment: bytes) -> int:
    """EXIF's orientation, 1 to 8; 1 if the segment states none."""
    tiff = segment[len(EXIF) :] if segment.startswith(EXIF) else b""
    order: Any = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    first = number(4, 4) + 2
    for at in range(first, min(first + 12 * number(first - 2, 2), len(tiff)), 12):
        if number(at, 2) == ORIENTATION:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
