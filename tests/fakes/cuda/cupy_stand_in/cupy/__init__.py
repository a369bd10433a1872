"""The part of CuPy that kernels/cuda/cupy_launch.py may use, on the libcuda.so.1 that is found.

The real CuPy needs the real driver. A test checks that the real CuPy has every public name here.
"""

from cupy import cuda
from cupy._raw import RawModule

__all__ = ["RawModule", "cuda"]
