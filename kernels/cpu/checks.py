"""Checks of a crop's arguments, for the compiled kernels and for those in NumPy."""

from typing import Union

import numpy as np

from kernels.planes import Planes

MAX_SIDE = 1 << 24  # pixels of a window: up to here float32 tells neighbouring pixels apart


def check_frame(frame: Union[np.ndarray, Planes], width: float, height: float) -> None:
    """Raise ``ValueError`` unless ``frame`` is BGR uint8 or planes, and the window has pixels."""
    if not isinstance(frame, Planes) and (
        frame.dtype.char != "B" or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size
    ):
        raise ValueError(f"frame: {frame.dtype} {frame.shape}")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"a window of {width}x{height} pixels")


def planes(out: np.ndarray) -> np.ndarray:
    """A view (3, h, w) of ``out``. Raises ``ValueError`` if no crop can be written to it."""
    view = out[0] if out.ndim == 4 and out.shape[0] == 1 else out
    if view.ndim != 3 or view.shape[0] != 3 or not out.size or out.dtype.char not in "fB":
        raise ValueError(f"out: {out.dtype} {out.shape}")
    if not (_can_hold(view) and out.flags.writeable):
        raise ValueError("out must be C-contiguous, or bytes side by side, and writeable")
    return view


def _can_hold(out: np.ndarray) -> bool:
    """Whether the channels of ``out`` (..., 3, h, w) lie in planes, or, of bytes, side by side."""
    if out.flags.c_contiguous:
        return True
    return out.dtype.char == "B" and np.moveaxis(out, -3, -1).flags.c_contiguous


def check_windows(windows: np.ndarray, out: np.ndarray) -> None:
    """Raise ``ValueError`` unless ``out`` has a place for each window, and all have pixels."""
    if windows.ndim != 2 or windows.shape[1] != 4 or not len(windows):
        raise ValueError(f"windows: {windows.shape}")
    if out.ndim != 4 or len(out) != len(windows) or not _can_hold(out):
        raise ValueError(f"out: {out.shape} for {len(windows)} windows")
    if not np.isfinite(windows).all() or windows[:, 2:].min() <= 0:
        raise ValueError("a window without pixels")
