"""The hot path on a processor: C++ where a compiler is found, NumPy and OpenCV where none is.

``load`` gives an object with ``name`` ("c++" or "numpy"), ``crop`` and ``points``; see
``binding.Kernels``. ``python -m kernels.cpu`` compiles and says what came of it.
"""

from kernels.cpu import build


def load(log=None):
    """Compile (once a machine) and load the kernels; without a compiler, their slow stand-in.

    Args:
        log: called with one sentence if the stand-in is used.

    Returns:
        ``binding.Kernels`` or ``fallback.Kernels``: for one thread at a time.
    """
    try:
        library = build.library()
    except build.CannotBuild as error:
        from kernels.cpu import fallback

        if log:
            log("{}; crop and select run in the slower NumPy and OpenCV".format(error))
        return fallback.Kernels()
    from kernels.cpu import binding

    return binding.Kernels(library)
