"""The interface of a processor's kernels; ``kernels.cpu.load`` gives an object that has it."""

from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple

import numpy as np

from kernels.cpu.arguments import Frame
from kernels.cpu.jpeg import JpegDecoder
from kernels.cpu.online import Colours, Pooling, Regression, Samples
from kernels.cpu.select import Response, Select
from kernels.planes import Border, Planes
from kernels.settings import ColourSettings, ResponseSettings, SelectSettings, WindowSettings

if TYPE_CHECKING:
    from typing import Protocol

    from kernels.cpu.binding import Around
else:
    Protocol = object  # Python 3.6 and 3.7 have no protocols


class Kernels(Protocol):
    """Crop and what else a processor computes, for one thread at a time.

    What ``around``, and ``select`` to ``jpeg``, give is None where there is no C++ compiler: then
    the definitions in ``runtime`` are used.

    Attributes:
        name: "c++" or "numpy".
        handle: the compiled functions, for ``kernels.fpga``; None without a compiler.
    """

    name: str
    handle: Any

    def clone(self) -> "Kernels":
        """The same kernels for another tracker: they keep the addresses of its arrays."""

    def crop(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """Cut a window out of a frame, resize it, and write it as a network's input.

        Args:
            frame: (H, W, 3) uint8, BGR, any strides; or ``Planes``.
            window: ``(x, y, w, h)`` ints in frame pixels; may lie partly or wholly outside.
            border: 3 ints of 0..255, BGR, for the pixels outside the frame.
            out: (1, 3, h, w) or (3, h, w), float32 or uint8, C-contiguous; overwritten. Bytes may
                be a view of a C-contiguous (..., h, w, 3) too.
            mean, scale: per channel of the result; float32 becomes ``(value - mean) * scale``.
            swap: whether the result is RGB.

        Raises:
            ValueError: the frame or ``out`` has another type or shape, or the window no pixel.
        """

    def warp(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """As ``crop``, of a window with fractions of pixels; ``golden.warp`` is the definition."""

    def around(
        self,
        settings: WindowSettings,
        out: np.ndarray,
        mean: Sequence[float],
        scale: Sequence[float],
        swap: bool,
    ) -> "Optional[Around]":
        """Crop windows around a target: window and ``crop`` in one call."""

    def to_bgr(self, picture: Planes) -> np.ndarray:
        """Convert a whole picture: (H, W, 3) uint8, as ``golden.bgr_from_planes``."""

    def cosine_similarity(
        self,
        features: np.ndarray,
        rows: Tuple[int, int],
        columns: Tuple[int, int],
        reference: Optional[np.ndarray] = None,
        pooled: Optional[np.ndarray] = None,
    ) -> float:
        """Compare features with a reference, as ``golden.cosine_similarity``."""

    def select(self, settings: SelectSettings) -> Optional[Select]:
        """Select for the family of trackers that the settings are of."""

    def response(self, settings: ResponseSettings) -> Optional[Response]:
        """Select for heads that respond to the target at several sizes."""

    def colours(self, settings: ColourSettings) -> Optional[Colours]:
        """Bins of colours."""

    def samples(
        self, moves: np.ndarray, positive: float, negative: float, step: float, most: int
    ) -> Optional[Samples]:
        """Boxes that a classifier learns from."""

    def pooling(
        self, mean: np.ndarray, side: int, stride: float, parts: int, least: float
    ) -> Optional[Pooling]:
        """Features under boxes."""

    def regression(self, size: int, ridge: float, tiny: float) -> Optional[Regression]:
        """The regression of a classifier that learns online."""

    def jpeg(self) -> Optional[JpegDecoder]:
        """A decoder for parts of JPEG files."""
