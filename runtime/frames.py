"""Frames that are not BGR arrays yet: as a camera or a decoder gives them.

A tracker reads the part of such a frame that it needs. Whoever looks at the whole frame calls
``bgr_of``, which converts it once.
"""

from functools import lru_cache
from typing import Any, Optional, Tuple, Union

import cv2
import numpy as np

from kernels import cpu
from kernels.planes import Planes


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


@lru_cache(maxsize=1)
def _kernels() -> Any:
    return cpu.load()
