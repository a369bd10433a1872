"""The hot path on a processor: its interface.

``hotpath.kernels.cpu.load`` gives it in C++, and by OpenCV and the definitions (``plain``) if there
is no compiler.
"""

from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Tuple, TypeVar

import numpy as np

from hotpath.kernels.cpu.arguments import Frame
from hotpath.kernels.settings import Border, InputSettings, WindowSettings

if TYPE_CHECKING:
    from hotpath.kernels.planes import Planes

PLAIN = InputSettings((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)  # the pixels as they are

Part = TypeVar("Part")

# (frame, state, factor, border) -> scale, as ``hotpath.runtime.frames.geometry.Crops`` takes and
# gives them
Around = Callable[[np.ndarray, np.ndarray, float, np.ndarray], Tuple[float, float]]


class Kernels:
    """The crop and other computations of a processor, for one thread at a time.

    Attributes:
        name: "c++" or "numpy".
        slower: why frames take longer than they could, in a sentence; empty if they do not.
        handle: the compiled functions, for ``hotpath.kernels.fpga``; None without a compiler.
    """

    name = slower = ""
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
        raise NotImplementedError

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
        raise NotImplementedError

    def around(
        self, settings: WindowSettings, out: np.ndarray, packing: InputSettings
    ) -> Optional[Around]:
        """Crop windows around a target: window and ``crop`` in one call; None as for ``new``."""
        return None

    def to_bgr(self, picture: "Planes") -> np.ndarray:
        """Convert a whole picture: (H, W, 3) uint8, as ``golden.bgr_from_planes``."""
        raise NotImplementedError
