"""The hot path on a processor by OpenCV and the definitions, where nothing could be compiled."""

import platform
from typing import Sequence

import cv2
import numpy as np

from hotpath.kernels import golden
from hotpath.kernels.cpu import interface
from hotpath.kernels.cpu.arguments import Frame, check_frame, planes_of
from hotpath.kernels.cpu.interface import PLAIN
from hotpath.kernels.planes import Planes
from hotpath.kernels.settings import Border, InputSettings

MAX_PADDED_PIXELS = 4000000  # larger windows are not copied with their border: it may be gigabytes

# OpenCV's builds for ARM resize with other libraries (Carotene, KleidiCV). Their pixels differ from
# the definition by up to two levels where a picture shrinks, so the definition itself runs there.
RESIZE_IS_EXACT = platform.machine() in ("x86_64", "AMD64", "i686")


class Kernels(interface.Kernels):
    """The interface in NumPy and OpenCV."""

    name = "numpy"

    def crop(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings = PLAIN,
    ) -> None:
        x, y, width, height = (int(value) for value in window)
        check_frame(frame, width, height)
        planes = planes_of(out)
        is_small = width * height <= MAX_PADDED_PIXELS
        if RESIZE_IS_EXACT and is_small and not isinstance(frame, Planes):
            image = _padded(frame, x, y, width, height, border)
            if image.shape[:2] != planes.shape[1:]:
                image = cv2.resize(image, planes.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
        else:
            image = golden.crop(frame, (x, y, width, height), planes.shape[1:], border)
        np.copyto(planes, golden.pack(image, *packing, dtype=planes.dtype)[0])

    def warp(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings = PLAIN,
    ) -> None:
        x, y, width, height = window
        check_frame(frame, width, height)
        planes = planes_of(out)
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
        np.copyto(planes, golden.pack(image, *packing, dtype=planes.dtype)[0])

    def to_bgr(self, picture: Planes) -> np.ndarray:
        return golden.bgr_from_planes(picture)


def _padded(
    frame: np.ndarray, x: int, y: int, width: int, height: int, border: Border
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
    return np.asarray(
        cv2.copyMakeBorder(inside, *margins, borderType=cv2.BORDER_CONSTANT, value=value)
    )
