"""The hot path on a processor, by OpenCV and the definitions (``golden``, which only these load).

If there is a compiler, ``hotpath.kernels.cpu.load`` gives the same interface in C++ (``binding``).
"""

import platform
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Tuple, TypeVar

import cv2
import numpy as np

from hotpath.kernels.cpu.arguments import Frame, check_frame, planes_of
from hotpath.kernels.settings import Border, InputSettings, WindowSettings

if TYPE_CHECKING:
    from hotpath.kernels.planes import Planes

PLAIN = InputSettings((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)  # the pixels as they are

MAX_PADDED_PIXELS = 4000000  # larger windows are not copied with their border: it may be gigabytes

# OpenCV's builds for ARM resize with other libraries (Carotene, KleidiCV). Their pixels differ from
# the definition by up to two levels where a picture shrinks, so the definition itself runs there.
RESIZE_IS_EXACT = platform.machine() in ("x86_64", "AMD64", "i686")

Part = TypeVar("Part")

# (frame, state, factor, border) -> scale, as ``hotpath.runtime.frames.geometry.Crops`` takes and
# gives them
Around = Callable[[np.ndarray, np.ndarray, float, np.ndarray], Tuple[float, float]]


class CpuKernels:
    """The crop and other computations of a processor, for one thread at a time.

    Attributes:
        name: "c++" or "numpy".
        slower: why frames take longer than they could, in a sentence; empty if they do not.
        handle: the compiled functions, for ``hotpath.kernels.fpga``; None without a compiler.
    """

    name, slower = "numpy", ""
    handle: Any = None

    def new(self, part: Callable[..., Part], *arguments: object) -> Optional[Part]:
        """Make a class of this package that takes the compiled functions and then ``arguments``.

        None without a compiler: then the definitions in ``runtime`` are used.
        """
        return None

    def crop(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings = PLAIN,
    ) -> None:
        """Cut a window out of a frame, resize it, and write it as a network's input.

        The result is that of ``golden.pack(golden.crop(...))``, bit for bit.

        Args:
            frame: (H, W, 3) uint8, BGR, any strides; or ``Planes``.
            window: ``(x, y, w, h)`` ints in frame pixels; may be partly or wholly outside.
            border: 3 ints of 0..255, BGR, for the pixels outside the frame.
            out: (1, 3, h, w) or (3, h, w), float32 or uint8, C-contiguous; overwritten. Bytes may
                be a view of a C-contiguous (..., h, w, 3) too.
            packing: format of the pixels; mean and scale have no effect on bytes.

        Raises:
            ValueError: the frame or ``out`` has another type or shape, or the window no pixel.
        """
        from hotpath.kernels import golden

        x, y, width, height = (int(value) for value in window)
        check_frame(frame, width, height)
        planes = planes_of(out)
        is_small = width * height <= MAX_PADDED_PIXELS
        if RESIZE_IS_EXACT and is_small and isinstance(frame, np.ndarray):
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
        """As ``crop``, of a window with fractions of pixels; ``golden.warp`` is the definition.

        Without a compiler the pixels are within one grey level of it.
        """
        from hotpath.kernels import golden

        x, y, width, height = window
        check_frame(frame, width, height)
        planes = planes_of(out)
        rows, columns = planes.shape[1:]
        steps = width / max(columns - 1, 1), height / max(rows - 1, 1)
        image = cv2.warpAffine(
            frame if isinstance(frame, np.ndarray) else self.to_bgr(frame),
            np.array([[steps[0], 0, x], [0, steps[1], y]]),
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=tuple(int(value) for value in border),
        )
        np.copyto(planes, golden.pack(image, *packing, dtype=planes.dtype)[0])

    def around(
        self, settings: WindowSettings, out: np.ndarray, packing: InputSettings
    ) -> Optional[Around]:
        """Crop windows around a target: window and ``crop`` in one call; None as for ``new``."""
        return None

    def to_bgr(self, picture: "Planes") -> np.ndarray:
        """Convert a whole picture: (H, W, 3) uint8, as ``golden.bgr_from_planes``."""
        from hotpath.kernels import golden

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
