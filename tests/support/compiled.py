"""The C++ kernels, compiled once for each set of flags in ``.cache`` and shared by all tests."""

import fcntl
import hashlib
import os

from hotpath.kernels.cpu import binding, build
from tests.support import ROOT
from tests.support.needs import COMPILER, skip

FOLDER = ROOT / ".cache" / "kernels"
ALSO = tuple(os.environ.get("TEST_KERNELS", "").split())  # flags of all, as those of a sanitizer


def kernels(*flags):
    """The kernels of these extra flags; skips the test where there is no compiler."""
    found = variants({"": flags})
    if not found:
        skip(*COMPILER)
    return found[""]


def variants(flags):
    """dict of name -> kernels of these extra flags; empty where there is no compiler."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        return {name: _one(extra) for name, extra in flags.items()}
    except build.NoCompiledKernels as error:
        if "no C++ compiler" not in str(error):
            raise
        return {}


def _one(flags):
    name = hashlib.sha256(repr(flags).encode()).hexdigest()[:8] + ".lock"
    with open(str(FOLDER / name), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may compile the same
        return binding.CompiledKernels(library(flags))


def library(flags):
    """The library of these extra flags; without any, that which the product has compiled."""
    flags = (*flags, *ALSO)
    return build.library(flags, (str(FOLDER),) if flags else None)
