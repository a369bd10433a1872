"""The kinds of frames that the GPU takes, and how a part of one is laid out for its upload.

A frame is one of

- an array (H, W, 3) or (H, W, 4), uint8, BGR or BGRx, any strides;
- ``Nv12``: two arrays, as cameras give them;
- ``OnDevice``: pixels that are on the GPU already.

An upload is one ``layout.FRAME``, which describes the pixels, and then the pixels.
"""

import struct
from typing import NamedTuple, Tuple, Union

import numpy as np

from kernels.cuda import layout

PIXELS_AT = 256  # bytes from the record to the pixels, so that both are aligned
RECORD = struct.Struct("=2Q12i")  # layout.FRAME


class Nv12(NamedTuple):
    """A camera's frame in host memory.

    Attributes:
        luma: (H, W) uint8; H and W are even.
        chroma: (H/2, W) uint8, U and V in turn.
    """

    luma: np.ndarray
    chroma: np.ndarray


class OnDevice(NamedTuple):
    """A frame that is on the GPU already. It must stay there until its result was read.

    Attributes:
        width, height: pixels.
        plane: address of the BGR or BGRx pixels, or of NV12's luma.
        row_stride, pixel_stride: bytes; the second is 3, 4, or 1 for NV12.
        chroma, chroma_stride: address and bytes of NV12's second plane, else 0.
    """

    width: int
    height: int
    plane: int
    row_stride: int
    pixel_stride: int
    chroma: int
    chroma_stride: int


AnyFrame = Union[np.ndarray, Nv12, OnDevice]


def size_of(frame: AnyFrame) -> Tuple[int, int]:
    """(width, height) in pixels.

    Raises:
        ValueError: the GPU's crop can't read this frame.
    """
    if isinstance(frame, OnDevice):
        return frame.width, frame.height
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
    """Bytes that the largest part of a frame of this kind and size takes, record included."""
    size_of(frame)
    if isinstance(frame, OnDevice):
        return PIXELS_AT
    return PIXELS_AT + sum(plane.size for plane in _planes(frame))


def _planes(frame: Union[np.ndarray, Nv12]) -> Tuple[np.ndarray, ...]:
    return tuple(frame) if isinstance(frame, Nv12) else (frame,)


def part_of(
    window: Tuple[int, int, int, int], width: int, height: int
) -> Tuple[int, int, int, int]:
    """The part of a frame that a window covers.

    Args:
        window: (x, y, w, h) in frame pixels; may lie partly or wholly outside.
        width, height: of the frame.

    Returns:
        (x, y, w, h) with even edges, as NV12 needs them; may be empty.
    """
    x, y, across, down = window
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    right, bottom = min(max(x + across, left), width), min(max(y + down, top), height)
    left, top = left - left % 2, top - top % 2
    right, bottom = min(right + right % 2, width), min(bottom + bottom % 2, height)
    return left, top, right - left, bottom - top


def pack(
    frame: AnyFrame,
    part: Tuple[int, int, int, int],
    staging: np.ndarray,
    address: int,
    sequence: int,
) -> int:
    """Write a part of a frame as it is uploaded.

    Args:
        frame: see above.
        part: (x, y, w, h), from ``part_of``.
        staging: uint8 array of at least ``capacity`` bytes; overwritten.
        address: where the upload will lie on the GPU.
        sequence: number of the frame; its result carries it too.

    Returns:
        How many bytes to upload.
    """
    width, height = size_of(frame)
    x, y, w, h = part
    used, is_nv12 = PIXELS_AT, isinstance(frame, Nv12)
    if isinstance(frame, OnDevice):
        x, y, w, h = 0, 0, width, height
        is_nv12 = frame.chroma != 0
        layout_of = frame.plane, frame.chroma, frame.row_stride, frame.chroma_stride
        depth = frame.pixel_stride
    else:
        places, depth = [0, 0], 1 if isinstance(frame, Nv12) else frame.shape[2]
        for number, plane in enumerate(_planes(frame)):
            rows = 1 + number  # of the frame, that one of the plane covers
            pixels = plane[y // rows : (y + h) // rows, x : x + w]
            np.copyto(staging[used : used + pixels.size].reshape(pixels.shape), pixels)
            places[number] = address + used
            used += pixels.size
        layout_of = places[0], places[1], w * depth, w if is_nv12 else 0
    kind = layout.NV12 if is_nv12 else layout.BGR
    values = layout_of + (depth, kind, x, y, w, h, width, height, sequence, 0)
    RECORD.pack_into(staging.data, 0, *values)
    return used
