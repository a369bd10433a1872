"""The structures that the compiled functions take, and a check that the library has the same.

The settings of a network, which the GPU takes too, are those of
``hotpath.kernels.setting_structures``.
"""

import ctypes
from typing import List, Sequence

import numpy as np

from hotpath.kernels import header_structures, setting_structures

HEADERS = ("select", "plan", "planes", "online", "fabric")
STRUCTURES = header_structures.read(*(f"cpu/{name}.h" for name in HEADERS))
Two, Four = ctypes.c_double * 2, ctypes.c_double * 4

SelectJob = STRUCTURES["hp_select_job"]
Place = STRUCTURES["hp_place"]
Proposing = STRUCTURES["hp_proposing"]
CropJob = STRUCTURES["hp_crop_job"]
Planes = STRUCTURES["hp_planes"]
Pooling = STRUCTURES["hp_pooling"]
Samples = STRUCTURES["hp_samples"]
Regression = STRUCTURES["hp_regression"]
WindowJob = STRUCTURES["hp_window_job"]
WordsJob = STRUCTURES["hp_words_job"]


def check(library: ctypes.CDLL) -> None:
    """Compare all sizes with those of the compiled structures.

    Raises:
        RuntimeError: the library is of another header, or a header was not read as it is meant.
    """
    for name, kind in {**STRUCTURES, **setting_structures.STRUCTURES}.items():
        there, size = library.hp_size_of(name.encode()), ctypes.sizeof(kind)
        if there != size:
            raise RuntimeError(f"{name} has {there} bytes in the library, and {size} here")


def addresses(arrays: Sequence[np.ndarray]) -> List[int]:
    """The addresses of arrays, for the fields of a structure. Their owner keeps the arrays."""
    return [array.ctypes.data for array in arrays]
