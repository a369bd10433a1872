"""The kinds of frames that the GPU takes, and how a part of one is uploaded.

A frame is one of

- an array (H, W, 3) or (H, W, 4), uint8, BGR or BGRx, any strides;
- ``Nv12``: two arrays, as cameras give them;
- ``arrays.OnDevice``: in the GPU's memory already, so that nothing is uploaded.
"""

from typing import Any, NamedTuple, Tuple, Union

import numpy as np

from hotpath.kernels.cuda import frame_structures
from hotpath.kernels.cuda.arrays import OnDevice


class Nv12(NamedTuple):
    """A camera's frame in host memory.

    Attributes:
        luma: (H, W) uint8; H and W are even.
        chroma: (H/2, W) uint8, U and V alternate.
    """

    luma: np.ndarray
    chroma: np.ndarray

    @property
    def shape(self) -> Tuple[int, int, int]:
        """(height, width, 3), as of the same frame in BGR."""
        return self.luma.shape[0], self.luma.shape[1], 3


AnyFrame = Union[np.ndarray, Nv12, OnDevice]


def size_of(frame: AnyFrame) -> Tuple[int, int]:
    """(width, height) in pixels.

    Raises:
        ValueError: the GPU's crop can't read this frame.
    """
    if isinstance(frame, OnDevice):
        return frame.size
    if isinstance(frame, Nv12):
        luma, chroma = frame
        if luma.dtype != np.uint8 or chroma.dtype != np.uint8 or luma.ndim != 2:
            raise ValueError(f"NV12 of {luma.dtype} and {chroma.dtype}")
        height, width = luma.shape
        if height % 2 or width % 2 or chroma.shape != (height // 2, width):
            raise ValueError(f"NV12 of {luma.shape} and {chroma.shape}")
        return width, height
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (3, 4) or not frame.size:
        raise ValueError(f"frame: {frame.dtype} {frame.shape}")
    return frame.shape[1], frame.shape[0]


def capacity(frame: AnyFrame) -> int:
    """Bytes of the pixels of a frame of this kind and size.

    Raises:
        ValueError: see ``size_of``.
    """
    size_of(frame)
    if isinstance(frame, OnDevice):
        return 0
    return sum(plane.size for plane in _planes(frame))


def _planes(frame: Union[np.ndarray, Nv12]) -> Tuple[np.ndarray, ...]:
    return tuple(frame) if isinstance(frame, Nv12) else (frame,)


def part_of(
    edges: Tuple[int, int, int, int], width: int, height: int, even: bool = False
) -> Tuple[int, int, int, int]:
    """The part of a frame that a window covers.

    Args:
        edges: (left, top, right, bottom) in frame pixels; may be partly or wholly outside.
        width, height: width and height of the frame.
        even: whether its edges become even, as NV12 needs them.

    Returns:
        (x, y, w, h); may be empty.
    """
    left, top, right, bottom = edges
    left, top = min(max(left, 0), width), min(max(top, 0), height)
    right, bottom = max(left, min(right, width)), max(top, min(bottom, height))
    if even:
        left, top = left - left % 2, top - top % 2
        right, bottom = min(right + right % 2, width), min(bottom + bottom % 2, height)
    return left, top, right - left, bottom - top


class Record:
    """The record of a frame for the GPU, which is written in place.

    Args:
        memory: uint8, as many as a ``frame_structures.Frame`` has.
    """

    def __init__(self, memory: np.ndarray) -> None:
        self._places = memory[:16].view(np.uint64)  # plane, chroma
        self._numbers = memory[16:].view(np.int32)  # the others, in their order
        self._kind: Any = None
        self._address = self._depth = self._width = self._height = 0

    def holds(self, frame: AnyFrame) -> bool:
        """Whether the frame has the kind and the size of the one that ``begin`` got."""
        return frame.shape == self._kind if type(frame) is np.ndarray else False

    def forget(self) -> None:
        """Take the next frame for one of another kind."""
        self._kind = None

    def begin(self, frame: AnyFrame, address: int) -> None:
        """Take the kind and the size of a frame, and the address of its pixels on the GPU."""
        self._width, self._height = size_of(frame)
        self._address = address
        self._depth, self._kind = 1, None
        if not isinstance(frame, (Nv12, OnDevice)):
            self._depth, self._kind = frame.shape[2], frame.shape
        self._places[:] = address, 0

    def pack(self, frame: AnyFrame, edges: Tuple[int, int, int, int], staging: np.ndarray) -> int:
        """Write a part of a frame in the form of an upload, and the record that describes it.

        Args:
            frame: see above; of the kind and the size that ``begin`` got.
            edges: of the pixels that are read; see ``part_of``.
            staging: uint8 array of at least ``capacity`` bytes; overwritten.

        Returns:
            How many bytes to upload.
        """
        if isinstance(frame, OnDevice):
            return self._point_to(frame)
        width, height, depth = self._width, self._height, self._depth
        if isinstance(frame, Nv12):
            x, y, w, h = part_of(edges, width, height, True)
            used, stride, form = (
                self._pack_planes(frame, x, y, w, h, staging),
                w,
                frame_structures.NV12,
            )
        else:
            x, y, w, h = part_of(edges, width, height)
            used, stride, form = w * h * depth, 0, frame_structures.BGR
            np.copyto(staging[:used].reshape(h, w, depth), frame[y : y + h, x : x + w])
        self._numbers[:] = w * depth, stride, depth, form, x, y, w, h, width, height
        return used

    def _point_to(self, frame: OnDevice) -> int:
        """Describe a whole frame where it lies."""
        first, last = frame.planes[0], frame.planes[-1]
        size = frame.size
        is_nv12 = first is not last
        self._places[:] = first.address, last.address if is_nv12 else 0
        chroma_stride = last.strides[0] if is_nv12 else 0
        form = frame_structures.NV12 if is_nv12 else frame_structures.BGR
        strides = first.strides[0], chroma_stride, first.strides[1]
        self._numbers[:] = (*strides, form, 0, 0, *size, *size)
        return 0

    def _pack_planes(self, frame: Nv12, x: int, y: int, w: int, h: int, staging: np.ndarray) -> int:
        luma = w * h
        used = luma + luma // 2
        np.copyto(staging[:luma].reshape(h, w), frame.luma[y : y + h, x : x + w])
        chroma = frame.chroma[y // 2 : (y + h) // 2, x : x + w]
        np.copyto(staging[luma:used].reshape(h // 2, w), chroma)
        self._places[:] = self._address, self._address + luma
        return used
