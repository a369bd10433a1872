"""The structures of frame.h, and a check that the kernels have the same."""

import ctypes
from typing import Any, List, Sequence, Type

import numpy as np

from hotpath.base.errors import GpuFailed
from hotpath.kernels import header_structures

BGR, NV12 = 0, 1  # formats of a frame
MOST_FEATURES = 8  # tensors that the exemplar leaves for the frames
MOST_CELLS = 64  # of the features, a side, as HP_MOST_CELLS in frame.h
PARTS = 2  # of a box along each side, as HP_PARTS
MOST_SIDE = 1024  # of a network's input, as HP_MOST_OUTPUTS in hotpath.h


STRUCTURES = header_structures.read("cuda/frame.h")
Frame = STRUCTURES["hp_frame"]  # a frame, or the part of it that was uploaded
Input = STRUCTURES["hp_input"]  # how the network takes a picture
WindowRequest = STRUCTURES["hp_window_request"]  # a window of a frame, and whose it is
WindowResult = STRUCTURES["hp_window_result"]  # the places of a window

PROPOSALS = np.dtype(WindowResult)


def row_of(channels: int) -> np.dtype:
    """The features under one place: means of the channels in each part, as whole numbers."""
    return np.dtype([("scale", "f4"), ("values", "i2", PARTS**2 * channels)])


ALL: Sequence[Type[ctypes.Structure]] = (Frame, Input, WindowRequest, WindowResult)
SIZE_OF_INPUT, SIZE_OF_REQUEST, SIZE_OF_RESULT = map(ctypes.sizeof, ALL[1:])


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
