"""A V4L2 camera's buffers as they come, without OpenCV's conversion to BGR."""

import sys
from typing import Any, List, Optional, Tuple

import cv2
import numpy as np

from kernels.planes import Planes
from runtime.frames import JpegDecoders, JpegFrame, PlanarFrame

# the camera's format -> kind of planes
KINDS = {"YUYV": "YUYV", "UYVY": "UYVY", "NV12": "NV12", "YU12": "I420", "GREY": "GREY"}
MOTION_JPEG = ("MJPG", "JPEG")
MOST_BUFFERS = 4  # that are kept to be written again
UNUSED = 2  # references: the list's, and that of the function that counts them


def with_raw_buffers(capture: Any) -> Any:
    """Make an open ``cv2.VideoCapture`` of a camera give raw buffers, where they can be read.

    Returns:
        a ``RawCapture``; ``capture`` itself where its format must be converted.
    """
    kind = fourcc(capture)
    if kind not in KINDS and kind not in MOTION_JPEG:
        return capture
    if not capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
        return capture
    return RawCapture(capture, kind)


def fourcc(capture: Any) -> str:
    """The four letters of the format that a camera sends."""
    number = int(capture.get(cv2.CAP_PROP_FOURCC))
    return "".join(chr(number >> shift & 0xFF) for shift in (0, 8, 16, 24))


class RawCapture:
    """Has the methods of ``cv2.VideoCapture`` that live sources use.

    Args:
        capture: an open ``cv2.VideoCapture`` that does not convert.
        kind: the four letters of its format.
        size: (width, height); None for what the capture states.
    """

    def __init__(self, capture: Any, kind: str, size: Optional[Tuple[int, int]] = None) -> None:
        self._capture, self._kind = capture, kind
        self._buffers: List[np.ndarray] = []
        self._decoders = JpegDecoders()
        stated = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        self._width, self._height = size or tuple(int(capture.get(what)) for what in stated)

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) where none came or it is damaged."""
        good, buffer = self._capture.read(self._unused())
        if not good or buffer is None:
            return False, None
        if self._kind not in MOTION_JPEG and not any(buffer is own for own in self._buffers):
            self._buffers = self._buffers[-MOST_BUFFERS + 1 :] + [buffer]
        try:
            if self._kind in MOTION_JPEG:
                return True, JpegFrame(buffer.reshape(-1), self._decoders)
            return True, PlanarFrame(self._planes(buffer))
        except ValueError:  # a picture that is cut off
            return False, None

    def get(self, what: int) -> float:
        """A property, as ``cv2.VideoCapture`` gives it."""
        return float(self._capture.get(what))

    def release(self) -> None:
        """Release the camera."""
        self._capture.release()

    def _unused(self) -> Optional[np.ndarray]:
        """A buffer that no frame uses any more: to write there is faster than into new memory."""
        for number in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[number]) == UNUSED:
                return self._buffers[number]
        return None

    def _planes(self, buffer: np.ndarray) -> Planes:
        """A buffer without gaps between its rows as ``Planes``; OpenCV left the gaps out."""
        width, height, flat = self._width, self._height, buffer.reshape(-1)
        columns, rows = (width + 1) // 2, (height + 1) // 2
        kind = KINDS[self._kind]
        if kind in ("YUYV", "UYVY"):
            planes = [flat.reshape(height, -1)]
        elif kind == "GREY":
            return Planes(kind, [flat.reshape(height, width)], width, height, full_range=True)
        else:
            area, colour = width * height, columns * rows
            planes = [flat[:area].reshape(height, width)]
            if kind == "NV12":
                planes.append(flat[area:].reshape(rows, 2 * columns))
            else:
                planes.append(flat[area : area + colour].reshape(rows, columns))
                planes.append(flat[area + colour :].reshape(rows, columns))
        return Planes(kind, planes, width, height)
