"""The kinds of frames that the GPU takes, and how a part of one is uploaded.

A frame is one of

- an array (H, W, 3) or (H, W, 4), uint8, BGR or BGRx, any strides;
- ``Nv12``: two arrays, as cameras give them.
"""

from typing import NamedTuple, Tuple, Union

import numpy as np

from hotpath.kernels.cuda import records


class Nv12(NamedTuple):
    """A camera's frame in host memory.

    Attributes:
        luma: (H, W) uint8; H and W are even.
        chroma: (H/2, W) uint8, U and V alternate.
    """

    luma: np.ndarray
    chroma: np.ndarray


AnyFrame = Union[np.ndarray, Nv12]


def size_of(frame: AnyFrame) -> Tuple[int, int]:
    """(width, height) in pixels.

    Raises:
        ValueError: the GPU's crop can't read this frame.
    """
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
    return sum(plane.size for plane in _planes(frame))


def _planes(frame: AnyFrame) -> Tuple[np.ndarray, ...]:
    return tuple(frame) if isinstance(frame, Nv12) else (frame,)


def part_of(
    window: Tuple[int, int, int, int], width: int, height: int
) -> Tuple[int, int, int, int]:
    """The part of a frame that a window covers.

    Args:
        window: (x, y, w, h) in frame pixels; may be partly or wholly outside.
        width, height: width and height of the frame.

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
    record: records.Frame,
) -> int:
    """Write a part of a frame in the form of an upload, and the record that describes it.

    Args:
        frame: see above.
        part: (x, y, w, h), from ``part_of``.
        staging: uint8 array of at least ``capacity`` bytes; overwritten.
        address: the address of the upload on the GPU.
        record: overwritten.

    Returns:
        How many bytes to upload.
    """
    record.frame_width, record.frame_height = size_of(frame)
    x, y, w, h = part
    used = 0
    places = [0, 0]
    for number, plane in enumerate(_planes(frame)):
        rows = 1 + number  # of the frame, that one of the plane covers
        pixels = plane[y // rows : (y + h) // rows, x : x + w]
        np.copyto(staging[used : used + pixels.size].reshape(pixels.shape), pixels)
        places[number] = address + used
        used += pixels.size
    is_nv12 = isinstance(frame, Nv12)
    depth = 1 if isinstance(frame, Nv12) else frame.shape[2]
    record.x, record.y, record.width, record.height = x, y, w, h
    record.plane, record.chroma = places
    record.row_stride, record.chroma_stride = w * depth, w if is_nv12 else 0
    record.pixel_stride, record.format = depth, records.NV12 if is_nv12 else records.BGR
    return used
