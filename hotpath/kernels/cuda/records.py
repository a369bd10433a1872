"""The structures of frame.h as ``ctypes`` classes, and the check that both are the same."""

import ctypes
from ctypes import c_double, c_float, c_int, c_uint64
from typing import Any, List, Sequence, Type

import numpy as np

from hotpath.base.errors import GpuFailed
from hotpath.kernels.settings import MOST_PLACES

BGR, NV12 = 0, 1  # formats of a frame
MOST_FEATURES = 8  # tensors that the exemplar leaves for the frames
MOST_CELLS = 64  # of the features, a side, as HP_MOST_CELLS in frame.h
PARTS = 2  # of a box along each side, as HP_PARTS
MOST_SIDE = 1024  # of a network's input, as HP_MOST_OUTPUTS in hotpath.h


def _fields(kind: Any, words: str) -> Any:
    return [(word, kind) for word in words.split()]


class Frame(ctypes.Structure):
    """A frame, or the part of it that was uploaded: hp_frame."""

    _fields_ = (
        _fields(c_uint64, "plane chroma")
        + _fields(c_int, "row_stride chroma_stride pixel_stride format x y width height")
        + _fields(c_int, "frame_width frame_height")
    )


class Input(ctypes.Structure):
    """How the network takes a picture: hp_input."""

    _fields_ = _fields(c_float * 3, "mean scale") + _fields(c_int, "side half swap warp")


class Look(ctypes.Structure):
    """A window of a frame, and whose it is: hp_look."""

    _fields_ = (
        _fields(c_double * 4, "around window")
        + [("scale", c_double * 2)]
        + _fields(c_double, "learning_rate influence share")
        + [("features", c_uint64 * MOST_FEATURES), ("border", c_int * 3)]
        + _fields(c_int, "most apart unused")
    )


class Seen(ctypes.Structure):
    """The places of a window: hp_seen."""

    _fields_ = [
        ("state", c_double * 4 * MOST_PLACES),
        ("score", c_double * MOST_PLACES),
        ("cell", c_int * MOST_PLACES),
        ("count", c_int),
    ]


PLACES = np.dtype(Seen)


def row_of(channels: int) -> np.dtype:
    """The features under one place: means of the channels in each part, as whole numbers."""
    return np.dtype([("scale", "f4"), ("values", "i2", PARTS**2 * channels)])


ALL: Sequence[Type[ctypes.Structure]] = (Frame, Input, Look, Seen)
SIZE_OF_INPUT, SIZE_OF_LOOK, SIZE_OF_SEEN = map(ctypes.sizeof, ALL[1:])


def layout() -> List[int]:
    """The size of each structure, then where each of its fields begins, in bytes."""
    numbers = []
    for kind in ALL:
        numbers.append(ctypes.sizeof(kind))
        numbers += [getattr(kind, field[0]).offset for field in kind._fields_]
    return numbers


def check(layout_seen: Sequence[int]) -> None:
    """Compare the numbers that hp_layout wrote with ``layout``.

    Raises:
        GpuFailed: the kernels were compiled from another frame.h.
    """
    if list(layout_seen) != layout():
        raise GpuFailed(
            "the compiled kernels are of another version; remove kernels/cuda/build and the folder "
            "~/.cache/hotpath, and start again",
            what="other version",
        )


def in_memory(kind: Type[ctypes.Structure], memory: np.ndarray, count: int) -> Any:
    """An array of ``count`` structures in a uint8 array."""
    return (kind * count).from_buffer(memory.data)


def array_of(record: ctypes.Structure) -> np.ndarray:
    """The bytes of a structure, (size,) uint8; the same memory."""
    structure: Any = record
    return np.frombuffer(structure, np.uint8)
