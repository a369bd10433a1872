"""What the compiled functions take, and checks of a crop's arguments."""

import ctypes
from typing import TYPE_CHECKING, Union

import numpy as np

if TYPE_CHECKING:
    from hotpath.kernels.planes import Planes

Frame = Union[np.ndarray, "Planes"]
MAX_SIDE = 1 << 24  # pixels of a window: up to here float32 tells neighbouring pixels apart

# Result and arguments of each function: p an address, q 64 bits, i an int, d a double, v nothing.
FUNCTIONS = {
    "hp_size_of": "q p",
    "hp_crop_workspace": "q qq",
    "hp_crop": "v p",
    "hp_warp": "v pp",
    "hp_crop_around": "i pppdp",
    "hp_planes_to_bgr": "v pqqpp",
    "hp_points_select": "i p",
    "hp_centre_select": "i p",
    "hp_propose": "i pppppp",
    "hp_pooling_describe": "v pppqpp",
    "hp_moments_add": "v pppqdpp",
    "hp_regression_weigh": "v pppqpp",
    "hp_regression_solve": "v pq",
    "hp_regression_judge": "v ppqp",
    "hp_samples_of_frame": "q ppppppddppppp",
}
TYPES = {
    "p": ctypes.c_void_p,
    "q": ctypes.c_int64,
    "i": ctypes.c_int,
    "d": ctypes.c_double,
    "v": None,
}


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the functions of a loaded library take; returns it."""
    for name, types in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = TYPES[types[0]]
        function.argtypes = [TYPES[letter] for letter in types[2:]]
    return library


def address(array: np.ndarray) -> int:
    """The address of an array, in a fifth of the time of ``array.ctypes.data``."""
    at: int = array.__array_interface__["data"][0]
    return at


def check_frame(frame: Frame, width: float, height: float) -> None:
    """Raise ``ValueError`` unless ``frame`` is BGR uint8 or planes, and the window has pixels."""
    if isinstance(frame, np.ndarray) and (
        frame.dtype.char != "B" or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size
    ):
        raise ValueError(f"frame: {frame.dtype} {frame.shape}")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"a window of {width}x{height} pixels")


def check_state(state: np.ndarray) -> None:
    """Raise ``ValueError`` unless it is [cx, cy, w, h] as compiled functions take it."""
    if state.dtype != np.float64 or state.shape != (4,) or not state.flags.c_contiguous:
        raise ValueError(f"state: {state.dtype} {state.shape}")


def planes_of(out: np.ndarray) -> np.ndarray:
    """A view (3, h, w) of ``out``. Raises ``ValueError`` if no crop can be written to it."""
    view = out[0] if out.ndim == 4 and out.shape[0] == 1 else out
    if view.ndim != 3 or view.shape[0] != 3 or not out.size or out.dtype.char not in "fB":
        raise ValueError(f"out: {out.dtype} {out.shape}")
    is_dense = out.flags.c_contiguous or (
        out.dtype.char == "B" and np.moveaxis(view, 0, -1).flags.c_contiguous
    )
    if not (is_dense and out.flags.writeable):
        raise ValueError("out must be C-contiguous, or bytes side by side, and writeable")
    return view
