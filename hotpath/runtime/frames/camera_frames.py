"""Frames in planes (NV12, I420), as cameras and decoders deliver them."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from hotpath.kernels import cpu
from hotpath.kernels.planes import Planes
from hotpath.runtime.frames.pictures import Picture


class CameraFrame(Picture):
    """A frame whose parts are read without a conversion of the whole."""

    def every_pixel(self, step: int) -> np.ndarray:
        height, width = self.shape[:2]
        picture: Any
        picture, scale = self.part((0, 0, width, height), step)
        if isinstance(picture, Planes) and picture.samples is None:
            picture = picture.planes[0][..., :3]  # BGRx
        if scale == 1 and not isinstance(picture, Planes):
            return np.asarray(picture[step // 2 :: step, step // 2 :: step])
        rows, columns = (np.arange(step // 2, side, step) // scale for side in (height, width))
        if not isinstance(picture, Planes):
            return np.asarray(picture)[rows[:, None], columns]
        samples: Any = picture.samples
        taken = [samples.luma[rows[:, None], columns]]
        if samples.u is not None:
            rows, columns = rows >> samples.shift_y, columns >> samples.shift_x
            taken += [plane[rows[:, None], columns] for plane in (samples.u, samples.v)]
        kind = "GREY" if samples.u is None else "I444"
        height, width = taken[0].shape
        planes = Planes(kind, taken, width, height, picture.matrix, picture.full_range)
        return np.asarray(kernels().to_bgr(planes))

    def brightness(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        x, y, right, bottom = columns[0], rows[0], columns[-1], rows[-1]
        window = float(x), float(y), float(right - x + 1), float(bottom - y + 1)
        picture: Any
        picture, scale = self.part(window, window[2] / len(columns))
        places = rows[:, None] // scale, columns // scale
        if isinstance(picture, Planes):
            if picture.samples is not None:
                luma: Any = picture.samples.luma
                return np.asarray(luma[places])
            picture = picture.planes[0]  # BGRx
        return np.asarray(picture[places[0], places[1], 1])


class PlanarFrame(CameraFrame):
    """A frame in planes.

    Args:
        planes: the ``Planes``. Their memory must not change.
    """

    def __init__(self, planes: Planes) -> None:
        super().__init__()
        self.planes, self.shape = planes, planes.shape

    @property
    def nbytes(self) -> int:
        """As ``Picture``'s, with the planes."""
        return self.planes.nbytes + super().nbytes

    def pixels(self) -> Planes:
        return self.planes

    def mean(self) -> np.ndarray:
        """Mean colour, of the mean Y, U and V: see ``Planes.mean``."""
        return self.planes.mean()

    def _converted(self) -> np.ndarray:
        if self.planes.kind == "BGRx":
            return np.asarray(cv2.cvtColor(self.planes.planes[0], cv2.COLOR_BGRA2BGR))
        return np.asarray(kernels().to_bgr(self.planes))


def can_read_planes() -> bool:
    """Whether to read planes. Without compiled kernels OpenCV converts whole frames faster."""
    return bool(kernels().name == "c++")


@lru_cache(maxsize=1)
def kernels() -> Any:
    """The kernels of this process, loaded once."""
    return cpu.load()
