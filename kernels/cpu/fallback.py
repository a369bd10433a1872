"""The kernels for computers without a compiler: OpenCV's resize, and the definitions."""

import platform
from typing import Any, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from kernels import golden
from kernels.cpu import checks
from kernels.planes import Planes
from kernels.settings import ColourSettings, ResponseSettings, SelectSettings

MAX_PADDED_PIXELS = 4000000  # larger windows are not copied with their border: it may be gigabytes

# OpenCV's builds for ARM resize with other libraries (Carotene, KleidiCV). Their pixels differ from
# the definition by up to two levels where a picture shrinks, so the definition itself runs there.
RESIZE_IS_EXACT = platform.machine() in ("x86_64", "AMD64", "i686")


class Kernels:
    """The same methods and results as ``binding.Kernels``, slower."""

    name = "numpy"
    handle = None

    def clone(self) -> "Kernels":
        """The same kernels for another thread; they keep nothing between calls."""
        return self

    def crop(
        self,
        frame: Union[np.ndarray, Planes],
        window: Tuple[int, int, int, int],
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """Cut a window out of a frame, resize it, and write it; see ``binding.Kernels.crop``."""
        x, y, width, height = (int(value) for value in window)
        checks.check_frame(frame, width, height)
        planes = checks.planes(out)
        is_small = width * height <= MAX_PADDED_PIXELS
        if RESIZE_IS_EXACT and is_small and not isinstance(frame, Planes):
            image = _padded(frame, x, y, width, height, border)
            if image.shape[:2] != planes.shape[1:]:
                image = cv2.resize(image, planes.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
        else:
            image = golden.crop(frame, (x, y, width, height), planes.shape[1:], border)
        _pack(image, planes, mean, scale, swap)

    def crop_several(
        self,
        frame: Union[np.ndarray, Planes],
        windows: np.ndarray,
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
        warp: bool = False,
    ) -> None:
        """Crop several windows of a frame; see ``binding.Kernels.crop_several``."""
        windows = np.asarray(windows, np.float64)
        checks.check_windows(windows, out)
        crop: Any = self.warp if warp else self.crop
        for window, place in zip(windows.tolist(), out):
            crop(frame, window, border, place, mean, scale, swap)

    def warp(
        self,
        frame: Union[np.ndarray, Planes],
        window: Sequence[float],
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """Resample a window with fractions of pixels, within one grey level of ``golden.warp``."""
        x, y, width, height = window
        checks.check_frame(frame, width, height)
        planes = checks.planes(out)
        rows, columns = planes.shape[1:]
        steps = width / max(columns - 1, 1), height / max(rows - 1, 1)
        image = cv2.warpAffine(
            self.to_bgr(frame) if isinstance(frame, Planes) else frame,
            np.array([[steps[0], 0, x], [0, steps[1], y]]),
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=tuple(int(value) for value in border),
        )
        _pack(image, planes, mean, scale, swap)

    def to_bgr(self, picture: Planes) -> np.ndarray:
        """Convert a whole picture; see ``golden.bgr_from_planes``."""
        return golden.bgr_from_planes(picture)

    def select(self, settings: SelectSettings) -> None:
        """None: there is no faster select than its definition."""

    def response(self, settings: ResponseSettings) -> None:
        """None, as ``select``."""

    def colours(self, settings: ColourSettings) -> None:
        """None, as ``select``."""

    def samples(
        self, moves: np.ndarray, positive: float, negative: float, step: float, most: int
    ) -> None:
        """None, as ``select``."""

    def pooling(self, mean: np.ndarray, side: int, stride: float, parts: int, least: float) -> None:
        """None, as ``select``."""

    def regression(self, size: int, ridge: float, tiny: float) -> None:
        """None, as ``select``."""

    def jpeg(self) -> None:
        """None: OpenCV decodes whole pictures faster than the definition."""

    def likeness(
        self,
        features: np.ndarray,
        rows: Tuple[int, int],
        columns: Tuple[int, int],
        reference: Optional[np.ndarray] = None,
        pooled: Optional[np.ndarray] = None,
    ) -> float:
        """See ``kernels.golden.likeness``."""
        return golden.likeness(features, rows, columns, reference, pooled)


def _padded(
    frame: np.ndarray, x: int, y: int, width: int, height: int, border: Sequence[int]
) -> np.ndarray:
    """The window with its border, (height, width, 3) uint8."""
    rows, columns = frame.shape[:2]
    left, top = min(max(x, 0), columns), min(max(y, 0), rows)
    right, bottom = max(min(x + width, columns), 0), max(min(y + height, rows), 0)
    if right <= left or bottom <= top:
        return np.full((height, width, 3), np.asarray(border, np.uint8), np.uint8)
    inside = np.ascontiguousarray(frame[top:bottom, left:right])
    margins = (top - y, y + height - bottom, left - x, x + width - right)
    if not any(margins):
        return inside
    value = [int(c) for c in border]
    return cv2.copyMakeBorder(inside, *margins, borderType=cv2.BORDER_CONSTANT, value=value)


def _pack(
    image: np.ndarray,
    planes: np.ndarray,
    mean: Sequence[float],
    scale: Sequence[float],
    swap: bool,
) -> None:
    """Write a crop (h, w, 3) to its three planes, as ``golden.pack``."""
    channels = image[:, :, ::-1] if swap else image
    np.copyto(planes, channels.transpose(2, 0, 1))
    if planes.dtype == np.uint8:
        return
    if any(mean):
        planes -= np.asarray(mean, np.float32)[:, None, None]
    if tuple(scale) != (1, 1, 1):
        planes *= np.asarray(scale, np.float32)[:, None, None]
