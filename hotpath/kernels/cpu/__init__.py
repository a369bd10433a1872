"""The hot path on a processor: in C++ if there is a compiler, else in NumPy and OpenCV.

``load`` returns an ``interface.CpuKernels``. ``python -m hotpath.kernels.cpu`` compiles it and
prints where it is.
"""

from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels

NUMPY = "numpy"  # name of the kernels without a compiler


class SlowKernels(UserWarning):
    """Frames take two to three times as long, because there is no C++ compiler."""


def load(log: Optional[Callable[[str], None]] = None) -> "CpuKernels":
    """Load the kernels; compile them first, once on each machine.

    Args:
        log: called with one sentence if they cannot be compiled.

    Returns:
        ``binding.CompiledKernels``, or those of ``interface`` without a compiler. Use it in one
        thread at a time.
    """
    from hotpath.kernels.cpu import build

    try:
        library = build.library()
    except build.NoCompiledKernels as error:
        from hotpath.kernels.cpu.interface import CpuKernels

        kernels = CpuKernels()
        kernels.slower = slower(error)
        if log:
            log(kernels.slower)
        return kernels
    from hotpath.kernels.cpu import binding, cpu_structures

    compiled = binding.CompiledKernels(library)
    cpu_structures.check(compiled.handle)
    return compiled


def slower(error: Exception) -> str:
    """The sentence for a computer where the kernels cannot be compiled: why, and what it costs."""
    return f"{error}; until then a frame takes 2 to 3 times as long, in NumPy and OpenCV"
