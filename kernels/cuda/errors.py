"""What can go wrong on a GPU that a user can act on. All are ``HotpathError``."""

from kernels.errors import HotpathError


class NoGpu(HotpathError):
    """No NVIDIA GPU, no driver, or neither CuPy nor PyCUDA to reach it."""


class NoCompiler(HotpathError):
    """The kernels can't be compiled here: there is no NVRTC and no nvcc, or it fails."""


class NotOnGpu(HotpathError):
    """The GPU's kernels lack the crop or the select that this network needs."""


class GpuFailed(HotpathError):
    """The GPU refused or stopped: out of memory, or a kernel that failed."""
