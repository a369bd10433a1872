"""Calls the compiled part of the processor's work on an FPGA board: ``kernels/cpu/fabric.h``.

A line of Python takes some 10 us on an ARM core of 650 MHz. So the work on hundreds of columns,
rows and cells is done in C++, for compiled kernels. Without a compiler the same is done in NumPy
(``resize``, ``features``, ``runtime.engines.overlay``), which is the definition.
"""

import ctypes
import struct
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.fpga import resize, tables

WINDOW_JOB = struct.Struct("=20q")  # hp_window_job in fabric.h
WORDS = struct.Struct("=6q")  # hp_words
REGISTERS = struct.Struct("=8I")  # PROGRAM to BORDER
DONE, LINE_TOO_LONG, PIXELS_TOO_MANY, OTHER_FRAME = range(4)  # of a window
NOT_PREPARED, PREPARED, STARTED = range(3)  # of hp_fabric_hand_on


class Window:
    """Writes a window's tables and pixels.

    Args:
        line_bytes: most that the fabric takes of a row.
    """

    def __init__(self, kernels: Kernels, line_bytes: int) -> None:
        self._call = function(kernels, "hp_fabric_window", 1)
        self._line = line_bytes
        self._job = ctypes.create_string_buffer(WINDOW_JOB.size)
        self._at = ctypes.addressof(self._job)

    def take(
        self,
        frame: np.ndarray,
        window: Sequence[int],
        side: int,
        tables: int,
        pixels: Tuple[int, int],
    ) -> Tuple[int, resize.Fetch]:
        """Prepare a window: write its tables and copy its pixels.

        Args:
            frame: (H, W, 3) uint8, any strides.
            window: (x, y, w, h) ints in frame pixels.
            side: of the crop.
            tables: address of the tables.
            pixels: (address, bytes) of memory for the pixels.

        Returns:
            (DONE, ``resize.Fetch``), or (LINE_TOO_LONG or PIXELS_TOO_MANY, it with the columns and
            rows alone).
        """
        x, y, window_width, window_height = window
        if window_width < 1 or window_height < 1:
            raise ValueError(f"a window of {window_width}x{window_height}")
        height, width, _ = frame.shape
        shape = width, height, x, y, window_width, window_height
        memory = side, tables, resize.bytes_of(side)[0], pixels[0], pixels[1], self._line
        first = frame.ctypes.data
        WINDOW_JOB.pack_into(self._job, 0, first, *frame.strides, *shape, *memory, 0, 0, 0, 0)
        done = self._call(self._at)
        return done, resize.Fetch(*WINDOW_JOB.unpack_from(self._job)[-4:])


class Maps:
    """Reads maps from a target's memory.

    Attributes:
        at, count: address of the ``hp_words`` that say where they are, and how many there are.

    Args:
        entries: of ``run["maps"]`` in a bundle.
        values: list of float32 (256,), one a map.
        maps: list of float32 arrays to be written, C-contiguous.
    """

    def __init__(
        self,
        kernels: Kernels,
        entries: Sequence[Dict[str, Any]],
        values: Sequence[np.ndarray],
        maps: Sequence[np.ndarray],
    ) -> None:
        self._call = function(kernels, "hp_fabric_maps", 2, ctypes.c_int)
        self._held, self.count = (values, maps), len(maps)
        self._jobs = ctypes.create_string_buffer(WORDS.size * len(maps))
        self.at = ctypes.addressof(self._jobs)
        for index, (entry, table, out) in enumerate(zip(entries, values, maps)):
            WORDS.pack_into(
                self._jobs,
                index * WORDS.size,
                entry["offset"],
                entry["height"] * entry["width"],
                entry.get("lane", 0),
                entry["channels"],
                table.ctypes.data,
                out.ctypes.data,
            )

    def read(self, memory: int) -> None:
        """Read all maps; ``memory``: address of the target's memory."""
        self._call(memory, self.at, self.count)


class FrameCopies:
    """Copies frames into memory that is used again."""

    def __init__(self, kernels: Kernels) -> None:
        self._copy, self._pointer = function(kernels, "hp_fabric_copy", 2), capsule_pointer()
        self._spare: List[np.ndarray] = []

    def take(self, frame: np.ndarray) -> np.ndarray:
        """A copy of a BGR uint8 frame, until it is given to ``give_back``."""
        copy = self._spare.pop() if self._spare else np.empty(frame.shape, np.uint8)
        if copy.shape != frame.shape:
            copy = np.empty(frame.shape, np.uint8)
        capsule = frame.__array_struct__  # what it points at lives as long as it
        if not self._copy(self._pointer(capsule, None), copy.ctypes.data):
            np.copyto(copy, frame)
        return copy

    def give_back(self, copy: np.ndarray) -> None:
        """Let the memory be used again; nobody may read ``copy`` afterwards."""
        self._spare.append(copy)


def function(kernels: Kernels, name: str, pointers: int, *more: type) -> Callable[..., int]:
    """A compiled function of some pointers and other arguments that returns an int or nothing."""
    found = getattr(kernels.handle, name)
    found.argtypes, found.restype = [ctypes.c_void_p] * pointers + list(more), ctypes.c_int
    return found


def capsule_pointer() -> Callable[[object, None], int]:
    """Python's function (capsule, None) that gives its address; of ``array.__array_struct__``."""
    found = ctypes.pythonapi.PyCapsule_GetPointer
    found.argtypes, found.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    return found


class Registers:
    """Starts programs with one call, where the registers are memory of this process.

    Args:
        array: uint32, the registers.

    Attributes:
        at: address of the registers.
    """

    def __init__(self, kernels: Kernels, array: np.ndarray) -> None:
        self._call = function(kernels, "hp_fabric_start", 2, ctypes.c_uint32)
        self._array, self.at = array, array.ctypes.data
        self._values = ctypes.create_string_buffer(REGISTERS.size)
        self._values_at = ctypes.addressof(self._values)

        status_at = self.at + tables.REGISTERS["STATUS"]
        self._status = ctypes.c_uint32.from_address(status_at)

    @property
    def status(self) -> int:
        """What STATUS says now."""
        return self._status.value

    def start(self, values: Sequence[int]) -> None:
        """Write the registers PROGRAM to BORDER and start the program."""
        REGISTERS.pack_into(self._values, 0, *values)
        self.start_at(self._values_at)

    def start_at(self, address: int) -> None:
        """As ``start``, with the values at an address: 8 uint32."""
        self._call(self.at, address, tables.START)


class Cosine:
    """``kernels.fpga.features.cosine_of_words``, compiled."""

    def __init__(self, kernels: Kernels) -> None:
        self._call = kernels.handle.hp_fabric_cosine
        self._call.argtypes = [ctypes.c_void_p] + [ctypes.c_int] * 6 + [ctypes.c_void_p] * 2
        self._call.restype = ctypes.c_double

    def __call__(
        self,
        seen: Any,
        rows: Sequence[int],
        columns: Sequence[int],
        reference: Optional[np.ndarray] = None,
        pooled: Optional[np.ndarray] = None,
    ) -> float:
        return self._call(
            seen.address,
            seen.shape[1],
            seen.side,
            *rows,
            *columns,
            None if reference is None else reference.ctypes.data,
            None if pooled is None else pooled.ctypes.data,
        )
