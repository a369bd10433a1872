"""Frames in formats other than BGR arrays, and functions that read any frame.

A tracker reads only the part of a frame that it needs. ``bgr_of`` converts the whole frame once,
for callers that need all of it. The frames of cameras are in
``hotpath.runtime.frames.camera_frames`` and ``jpeg_frames``.
"""

import zlib
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Tuple, Union

import cv2
import numpy as np

from hotpath.runtime.errors import BadFrame

if TYPE_CHECKING:
    from hotpath.kernels.planes import Planes

MARKED = 48  # rows and columns of a frame that ``picture_mark`` looks at
Window = Tuple[float, float, float, float]  # x, y, w, h


class Picture:
    """A frame that can be converted to BGR.

    Attributes:
        shape: (height, width, 3), as a BGR array of the frame has.
        decode_ms: time of decoding what was read of it, milliseconds.
    """

    shape: Tuple[int, int, int]
    decode_ms = 0.0

    def __init__(self) -> None:
        self._bgr: Optional[np.ndarray] = None

    def __repr__(self) -> str:
        size = "{1}x{0}".format(*self.shape)
        return f"<{type(self).__name__} {size}: frame.bgr() is its array>"

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

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        """The same for NumPy: ``np.asarray(frame)``."""
        return np.array(self.bgr(), dtype) if copy else np.asarray(self.bgr(), dtype)

    def __reduce__(self) -> NoReturn:
        """Refuse ``pickle`` and queues of processes by a ``TypeError`` that says what to do."""
        raise TypeError(
            "a frame lies in the memory of its source, so it can't be copied or pickled; give "
            "frame.bgr().copy() to another process"
        )

    def _converted(self) -> np.ndarray:
        raise NotImplementedError

    def pixels(self) -> "Union[np.ndarray, Planes]":
        """The whole frame as the kernels read it: its planes if it has some, else BGR."""
        return self.bgr()

    def part(self, window: Window, ratio: float) -> "Tuple[Union[np.ndarray, Planes], int]":
        """Return the pixels of at least a window, at the smallest scale that still serves.

        Args:
            window: x, y, w, h in frame pixels; may be partly or wholly outside.
            ratio: frame pixels per pixel that is wanted.

        Returns:
            (BGR uint8 or ``Planes`` of the whole frame, n): its sides are the frame's divided by n,
            rounded up. Outside the windows that were asked for, pixels of planes have any value.
            They are valid as long as the frame is there.
        """
        return self.pixels(), 1

    def mean(self) -> np.ndarray:
        """Mean colour, float64 (3,): blue, green, red."""
        return np.array(cv2.mean(self.bgr())[:3])

    def every_pixel(self, step: int) -> np.ndarray:
        """See ``every_pixel``."""
        return every_pixel(self.bgr(), step)

    def brightness(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """See ``brightness``."""
        return brightness(self.bgr(), rows, columns)

    def mark(self) -> int:
        """See ``picture_mark``."""
        rows, columns = (np.linspace(0, n - 1, MARKED).astype(np.intp) for n in self.shape[:2])
        return zlib.crc32(self.brightness(rows, columns).tobytes())


AnyFrame = Union[np.ndarray, Picture]


class BgrPicture(Picture):
    """A frame that is a BGR array already, for callers that want a ``Picture`` of any source."""

    def __init__(self, frame: np.ndarray) -> None:
        super().__init__()
        self._bgr, self.shape = frame, frame.shape


def as_picture(frame: AnyFrame) -> Picture:
    """Return any frame as a ``Picture``."""
    return frame if isinstance(frame, Picture) else BgrPicture(frame)


def is_deep(picture: object) -> bool:
    """Whether a picture has 16 bits, or floats, which have no range of their own."""
    return isinstance(picture, np.ndarray) and picture.dtype in (np.uint16, np.float32)


def checked_frame(frame: Any) -> AnyFrame:
    """Return ``frame`` when it is BGR ``uint8`` of shape (H, W, 3), or a ``Picture``.

    Raises:
        BadFrame: it is neither.
    """
    if isinstance(frame, Picture):
        return frame
    if frame is None:  # of cv2.imread or cv2.VideoCapture.read
        raise BadFrame(
            "the frame is None: the picture or video could not be opened, or has ended; "
            "check its path",
            what="no frame",
        )
    if not isinstance(frame, np.ndarray):
        from hotpath.kernels.cuda import arrays  # only for what is no array of NumPy

        if arrays.is_frame(frame):
            raise BadFrame(
                "the frame lies in a GPU's memory, which this device does not read; copy it by "
                "cupy.asnumpy(frame), or with PyTorch by frame.cpu().numpy()",
                what="on a GPU",
            )
        kind = type(frame).__name__
        advice = {"str": "read it with cv2.imread", "tuple": "video.read() gives (good, frame)"}
        advice["UMat"] = "call its method get()"
        how = advice.get(kind, "make one with np.asarray")
        raise BadFrame(f"a frame must be a uint8 array, not {kind}; {how}", what="not an array")
    if frame.dtype != np.uint8:
        raise BadFrame(
            f"a frame must be a uint8 array, not {frame.dtype}; scale it to 0..255 and call "
            ".astype(np.uint8)",
            what="wrong type",
        )
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.shape[0] or not frame.shape[1]:
        code = {1: "GRAY", 4: "BGRA"}.get((frame.shape + (1,))[2]) if frame.ndim in (2, 3) else None
        convert = f"; call cv2.cvtColor(frame, cv2.COLOR_{code}2BGR)" if code else ""
        raise BadFrame(
            f"a frame must have the shape (height, width, 3), not {frame.shape}{convert}",
            what="wrong shape",
        )
    return frame


def bgr_of(frame: AnyFrame) -> np.ndarray:
    """Return the BGR array, uint8 (H, W, 3), of any frame."""
    return frame.bgr() if isinstance(frame, Picture) else frame


def every_pixel(frame: AnyFrame, step: int) -> np.ndarray:
    """Return every ``step``-th pixel, from ``step // 2`` on: BGR uint8 (rows, columns, 3).

    Only these pixels are converted. A JPEG is decoded at the smallest scale that has as many
    pixels, so its pixels are means of blocks.
    """
    if isinstance(frame, Picture):
        return frame.every_pixel(step)
    return np.asarray(frame[step // 2 :: step, step // 2 :: step])


def brightness(frame: AnyFrame, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the grey levels of a frame where rows and columns cross: uint8 (rows, columns).

    Only these pixels are converted. A JPEG is decoded around them at the scale of their spacing,
    unless that part is already decoded. For pixels without luma the green channel is used.

    Args:
        rows, columns: whole numbers in growing order, inside the frame.
    """
    if isinstance(frame, Picture):
        return frame.brightness(rows, columns)
    return np.asarray(frame[rows[:, None], columns, 1])


def picture_mark(frame: AnyFrame) -> int:
    """Return a number that is equal for frames with the same picture, and rarely for others.

    For a JPEG it comes from the compressed picture without the headers, which may hold a time. For
    other frames it comes from ``MARKED`` rows and columns.
    """
    if isinstance(frame, Picture):
        return frame.mark()
    rows, columns = (np.linspace(0, side - 1, MARKED).astype(np.intp) for side in frame.shape[:2])
    return zlib.crc32(brightness(frame, rows, columns).tobytes())
