"""Calls the compiled part of the processor's work on an FPGA board: ``kernels/cpu/fabric.h``.

A line of Python takes some 10 us on an ARM core of 650 MHz, so the work on hundreds of columns,
rows and cells is done in C++. ``resize``, ``window`` and ``words`` have its definition in NumPy,
which is used if there is no compiler.
"""

import ctypes
from typing import Any, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.cpu_structures import WindowJob
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.fpga import resize

DONE, LINE_TOO_LONG, PIXELS_TOO_MANY = range(3)  # of a window


class Native:
    """The compiled functions; ``handle``: of ``CpuKernels``."""

    def __init__(self, handle: ctypes.CDLL) -> None:
        self._window, self._floats = handle.hp_fabric_window, handle.hp_fabric_floats
        self._window.argtypes = [ctypes.c_void_p]
        self._floats.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]

    def window(
        self,
        frame: np.ndarray,
        window: Sequence[int],
        side: int,
        tables: int,
        pixels: Tuple[int, int],
        line: int,
    ) -> Tuple[int, resize.Fetch]:
        """Write a window's tables and copy its pixels.

        Args:
            frame: (H, W, 3) uint8, any strides.
            window: (x, y, w, h) ints in frame pixels.
            side: side of the crop.
            tables: address of the tables.
            pixels: (address, bytes) of memory for the pixels.
            line: most bytes that the fabric takes of a row.

        Returns:
            (DONE, ``resize.Fetch``), or (LINE_TOO_LONG or PIXELS_TOO_MANY, a ``resize.Fetch`` with
            only columns and rows).
        """
        if window[2] < 1 or window[3] < 1:
            raise ValueError(f"a window of {window[2]}x{window[3]}")
        shape = frame.shape[1], frame.shape[0]
        memory = tables, resize.bytes_of(side)[0], pixels[0], pixels[1], line
        job = WindowJob(frame.ctypes.data, *frame.strides, *shape, *window, side, *memory)
        done: int = self._window(ctypes.addressof(job))
        return done, resize.Fetch(job.x0, job.y0, job.columns, job.rows)

    def floats(self, memory: int, jobs: Any) -> None:
        """Convert maps; ``memory``: address of a target's, ``jobs``: array of ``WordsJob``."""
        self._floats(memory, ctypes.addressof(jobs), len(jobs))


def native(kernels: CpuKernels) -> Any:
    """``Native``, or None without a compiler."""
    return Native(kernels.handle) if kernels.handle else None
