"""Frames that are not BGR arrays yet: as a camera or a decoder gives them.

A tracker reads the part of such a frame that it needs. Whoever looks at the whole frame calls
``bgr_of``, which converts it once.
"""

import time
from functools import lru_cache
from typing import Any, Dict, Optional, Tuple, Union

import cv2
import numpy as np

from kernels import cpu
from kernels.planes import Planes

try:
    import simplejpeg
except ImportError:  # OpenCV decodes in twice the time
    simplejpeg = None

SCALES = (1, 2, 4, 8)  # at which a JPEG can be decoded
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class Picture:
    """A frame that can be converted to BGR.

    Attributes:
        shape: (height, width, 3), as a BGR array of the frame has.
    """

    shape: Tuple[int, int, int]

    def __init__(self) -> None:
        self._bgr: Optional[np.ndarray] = None

    def bgr(self) -> np.ndarray:
        """The whole frame: BGR uint8 (H, W, 3). Converted once; do not change it."""
        if self._bgr is None:
            self._bgr = self._converted()
        return self._bgr

    @property
    def nbytes(self) -> int:
        """Bytes that the frame takes when it was converted."""
        height, width, channels = self.shape
        return height * width * channels

    def _converted(self) -> np.ndarray:
        raise NotImplementedError


class PlanarFrame(Picture):
    """A frame in planes.

    Args:
        planes: the ``Planes``; their memory must not change.
    """

    def __init__(self, planes: Planes) -> None:
        super().__init__()
        self.planes, self.shape = planes, planes.shape

    @property
    def nbytes(self) -> int:
        """As ``Picture``'s, with the planes."""
        return self.planes.nbytes + super().nbytes

    def _converted(self) -> np.ndarray:
        if self.planes.kind == "BGRx":
            bgr: np.ndarray = cv2.cvtColor(self.planes.planes[0], cv2.COLOR_BGRA2BGR)
            return bgr
        converted: np.ndarray = _kernels().to_bgr(self.planes)
        return converted


class JpegFrame(Picture):
    """A frame of Motion JPEG. It is decoded when it is read, at the scale that is needed.

    Args:
        data: uint8 (n,), the JPEG file. It must not change.

    Raises:
        ValueError: it is cut off, or no JPEG.

    Attributes:
        decode_ms: how long it was decoded, at all scales.
    """

    def __init__(self, data: np.ndarray) -> None:
        super().__init__()
        self.decode_ms = 0.0
        self._data = data
        self.shape = jpeg_shape(data.tobytes())
        self._reduced: Dict[int, np.ndarray] = {}

    def reduced(self, ratio: float) -> Tuple[np.ndarray, int]:
        """The frame at the smallest scale that still has ``1 / ratio`` of its resolution.

        Args:
            ratio: frame pixels per pixel that is wanted.

        Returns:
            (BGR uint8, n): its sides are those of the frame divided by n, 1, 2, 4 or 8, rounded up.
        """
        scale = max(n for n in SCALES if n == 1 or n <= ratio)
        if scale == 1 or self._bgr is not None:
            return self.bgr(), 1
        if scale not in self._reduced:
            self._reduced[scale] = self._decoded(scale)
        return self._reduced[scale], scale

    def _converted(self) -> np.ndarray:
        return self._decoded(1)

    def _decoded(self, scale: int) -> np.ndarray:
        started = time.perf_counter()
        pixels = _decoded(self._data, self.shape, scale)
        self.decode_ms += (time.perf_counter() - started) * 1e3
        return pixels


AnyFrame = Union[np.ndarray, Picture]


def bgr_of(frame: AnyFrame) -> np.ndarray:
    """The BGR array (H, W, 3) of any frame."""
    return frame.bgr() if isinstance(frame, Picture) else frame


def pixels_of(frame: AnyFrame) -> Union[np.ndarray, Planes]:
    """A frame as ``kernels.crop`` reads it: its planes where it has some, else BGR."""
    return frame.planes if isinstance(frame, PlanarFrame) else bgr_of(frame)


def can_read_planes() -> bool:
    """Whether planes pay: without compiled kernels OpenCV converts whole frames faster."""
    return bool(_kernels().name == "c++")


def jpeg_shape(data: bytes) -> Tuple[int, int, int]:
    """(height, width, 3) of a JPEG file.

    Raises:
        ValueError: it is cut off, or no JPEG.
    """
    if data[:2] != b"\xff\xd8" or data.rfind(b"\xff\xd9") < 0:
        raise ValueError("no whole JPEG")
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            if height and width:
                return height, width, 3
            break
        at += 2 + length
    raise ValueError("a JPEG without a size")


def _decoded(data: np.ndarray, shape: Tuple[int, int, int], scale: int) -> np.ndarray:
    """A JPEG as BGR, at 1 / ``scale`` of its size; grey where it can't be decoded."""
    height, width = -(-shape[0] // scale), -(-shape[1] // scale)
    picture: Any = None
    if simplejpeg is not None:
        try:
            picture = simplejpeg.decode_jpeg(
                data,
                "BGR",
                fastdct=True,
                fastupsample=True,
                min_height=height,
                min_width=width,
                min_factor=scale,
                strict=False,
            )
        except ValueError:  # a kind of JPEG that it does not know
            picture = None
    if picture is None:
        picture = cv2.imdecode(data, REDUCED[scale])
    if picture is None or picture.shape != (height, width, 3):
        picture = np.full((height, width, 3), 128, np.uint8)
    bgr: np.ndarray = picture
    return bgr


@lru_cache(maxsize=1)
def _kernels() -> Any:
    return cpu.load()
