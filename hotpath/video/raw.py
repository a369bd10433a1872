"""A camera's buffers as they come, without OpenCV's conversion to BGR."""

import contextlib
import sys
from typing import Any, List, Optional, Tuple

import numpy as np

from hotpath.kernels.planes import Planes, row_bytes_of
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame

# the camera's format -> kind of planes
KINDS = {"YUYV": "YUYV", "UYVY": "UYVY", "NV12": "NV12", "YU12": "I420", "GREY": "GREY"}
MOTION_JPEG = ("MJPG", "JPEG")
MOST_BUFFERS = 4  # that are kept to be written again
MOST_DAMAGED = 8  # frames one after another that are skipped
UNUSED = 2  # references: the list's, and that of the function that counts them


class RawCapture:
    """Has the methods of ``cv2.VideoCapture`` that live sources use.

    Args:
        capture: an open ``cv2.VideoCapture`` that gives pixels as they come.
        kind: the four letters of their format, a key of ``KINDS`` or one of ``MOTION_JPEG``.
        size: (width, height), pixels.
    """

    def __init__(self, capture: Any, kind: str, size: Tuple[int, int]) -> None:
        self._capture, self._kind, self._size = capture, kind, size
        self._buffers: List[np.ndarray] = []

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) where none came or all are damaged."""
        for _ in range(MOST_DAMAGED):
            good, buffer = self._capture.read(self._unused())
            if not good or buffer is None:
                return False, None
            if not any(buffer is own for own in self._buffers):
                self._buffers = self._buffers[-MOST_BUFFERS + 1 :] + [buffer]
            with contextlib.suppress(ValueError):  # a picture that is cut off
                return True, self._frame(buffer.reshape(-1))
        return False, None

    def isOpened(self) -> bool:
        """Whether the camera is open."""
        return bool(self._capture.isOpened())

    def get(self, what: int) -> float:
        """A property, as ``cv2.VideoCapture`` gives it."""
        return float(self._capture.get(what))

    def release(self) -> None:
        """Release the camera."""
        self._capture.release()

    def _frame(self, pixels: np.ndarray) -> Any:
        if self._kind in MOTION_JPEG:
            return JpegFrame(pixels)
        return PlanarFrame(planes_in(pixels, KINDS[self._kind], self._size))

    def _unused(self) -> Optional[np.ndarray]:
        """A buffer that no frame uses any more: to write there is faster than into new memory."""
        for number in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[number]) == UNUSED:
                return self._buffers[number]
        return None


def planes_in(
    pixels: np.ndarray,
    kind: str,
    size: Tuple[int, int],
    row_bytes: int = 0,
    matrix: str = "601",
    full_range: bool = False,
) -> Planes:
    """The successive planes in a camera's buffer.

    Args:
        pixels: uint8 (n,).
        kind: a value of ``KINDS``.
        size: (width, height), pixels.
        row_bytes: from row to row of the first plane; rows of I420's colours are half as long. 0:
            there are no gaps, and nothing follows.
        matrix, full_range: as in ``Planes``; grey has the full range always.

    Raises:
        ValueError: the buffer has another length.
    """
    width, height = size
    used = row_bytes_of(kind, width)
    planes = []
    at = 0
    for number, row in enumerate(used):
        shared = 2 if number and len(used) == 3 else 1
        step = -(-row_bytes // shared) or row
        lines = (height + 1) // 2 if number else height
        end = at + lines * step
        planes.append(pixels[at:end].reshape(lines, step)[:, :row])
        at = end
    if not row_bytes and at != pixels.size:  # not of this kind
        raise ValueError(f"{pixels.size} bytes where {kind} has {at}")
    return Planes(kind, planes, width, height, matrix, full_range or kind == "GREY")
