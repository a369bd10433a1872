"""As much of CuPy as kernels/cuda/cupy_launch.py may use, on whichever libcuda.so.1 is there.

The real CuPy needs the real driver. Every public name here is checked to be in the real one.
"""

from cupy import cuda
from cupy._raw import RawModule

__all__ = ["RawModule", "cuda"]
