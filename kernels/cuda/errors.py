"""What can go wrong on a GPU that a user can act on; all are ``HotpathError``."""

from kernels.errors import HotpathError


class NoGpu(HotpathError):
    """No NVIDIA GPU, no driver, or neither CuPy nor PyCUDA to reach it."""


class NoCompiler(HotpathError):
    """The kernels can't be compiled here: no NVRTC and no nvcc, or one that fails."""


class NotOnGpu(HotpathError):
    """A network whose crop or select the GPU's kernels don't have."""


class GpuFailed(HotpathError):
    """The GPU refused or broke off: out of memory, a kernel that failed."""
