"""Frames on their way to the GPU: what a frame is, and its part as bytes behind a ``PICTURE``.

A frame is a BGR array (H, W, 3), any strides; ``Nv12``, two arrays as cameras give them; or
``OnDevice``, pixels that are on the GPU already.
"""

import struct
from collections import namedtuple

import numpy as np

from kernels.cuda import layout

PIXELS_AT = 256  # bytes from the picture to its pixels, so that both are aligned
RECORD = struct.Struct("=2Q12i")  # layout.PICTURE


class Nv12(namedtuple("Nv12", "luma chroma")):
    """A camera's frame in host memory.

    Attributes:
        luma: (H, W) uint8; H and W are even.
        chroma: (H/2, W) uint8, U and V in turn.
    """

    __slots__ = ()


class OnDevice(
    namedtuple("OnDevice", "width height plane row_stride pixel_stride chroma chroma_stride")
):
    """A frame that is on the GPU already; it must stay there until its result is read.

    Attributes:
        width, height: pixels.
        plane: address of the BGR or BGRx pixels, or of NV12's luma.
        row_stride, pixel_stride: bytes; 3, 4, or 1 for NV12.
        chroma, chroma_stride: of NV12, else 0.
    """

    __slots__ = ()


def shape_of(frame):
    """(width, height) in pixels.

    Raises:
        ValueError: no frame that the GPU's crop takes.
    """
    if isinstance(frame, OnDevice):
        return frame.width, frame.height
    if isinstance(frame, Nv12):
        height, width = frame.luma.shape
        if height % 2 or width % 2 or frame.chroma.shape != (height // 2, width):
            raise ValueError("NV12 of {} and {}".format(frame.luma.shape, frame.chroma.shape))
        return width, height
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError("frame: {} {}".format(frame.dtype, frame.shape))
    return frame.shape[1], frame.shape[0]


def capacity(frame):
    """Most bytes that a part of a frame of this kind and size takes, its picture included."""
    width, height = shape_of(frame)
    if isinstance(frame, OnDevice):
        return PIXELS_AT
    each = width * height
    return PIXELS_AT + (each + each // 2 if isinstance(frame, Nv12) else each * 3)


def part_of(window, width, height):
    """The part (x, y, w, h) of a frame that a window covers, with even edges; may be empty."""
    x, y, side = window
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    right, bottom = min(max(x + side, left), width), min(max(y + side, top), height)
    left, top = left - left % 2, top - top % 2
    right, bottom = min(right + right % 2, width), min(bottom + bottom % 2, height)
    return left, top, right - left, bottom - top


def pack(frame, part, staging, address, sequence):
    """Write a part of a frame as it is uploaded.

    Args:
        frame: see above.
        part: (x, y, w, h), as ``part_of`` gives it.
        staging: uint8 array to write to, ``capacity`` bytes.
        address: where it will lie on the GPU.
        sequence: number that the result will bear.

    Returns:
        How many bytes to upload.
    """
    width, height = shape_of(frame)
    x, y, w, h = part
    pixels = address + PIXELS_AT
    used = 0
    if isinstance(frame, OnDevice):
        x, y, w, h = 0, 0, width, height
        kind = layout.NV12 if frame.chroma else layout.BGR
        strides = frame.row_stride, frame.chroma_stride, frame.pixel_stride
        planes = (frame.plane, frame.chroma) + strides + (kind,)
    elif isinstance(frame, Nv12):
        _copy(staging, 0, frame.luma[y : y + h, x : x + w])
        _copy(staging, w * h, frame.chroma[y // 2 : (y + h) // 2, x : x + w])
        used = w * h + w * h // 2
        planes = pixels, pixels + w * h, w, w, 1, layout.NV12
    else:
        _copy(staging, 0, frame[y : y + h, x : x + w])
        used = w * h * 3
        planes = pixels, 0, w * 3, 0, 3, layout.BGR
    RECORD.pack_into(staging, 0, *(planes + (x, y, w, h, width, height, sequence, 0)))
    return PIXELS_AT + used


def _copy(staging, at, pixels):
    at += PIXELS_AT
    np.copyto(staging[at : at + pixels.size].reshape(pixels.shape), pixels)
