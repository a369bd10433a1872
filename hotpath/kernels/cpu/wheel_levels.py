"""Compiles the kernels that a wheel brings: one library for each level of a kind of processor."""

import os
import platform
import sys
from typing import Sequence

from hotpath.kernels.cpu.build import FLAGS, LEVELS, compile_library, find_compiler

# So that a wheel needs no newer C library than manylinux2014's. Python's lock guards all statics.
STATIC = ("-static-libstdc++",) if sys.platform.startswith("linux") else ()
WHEEL = STATIC + ("-fno-exceptions", "-fno-threadsafe-statics", "-DHP_WHEEL")


def build_levels(
    folder: str, machine: str = platform.machine(), extra_flags: Sequence[str] = ()
) -> None:
    """Compile all levels of a kind of machine, for a wheel; for another kind by a cross compiler.

    64-bit ARM has one level: its processors all have NEON.
    """
    os.makedirs(folder, exist_ok=True)
    command = find_compiler() if machine == platform.machine() else f"{machine}-linux-gnu-g++"
    for name, flags, _ in LEVELS if machine == "x86_64" else LEVELS[-1:]:
        flags = FLAGS + WHEEL + flags + tuple(extra_flags)
        compile_library(command, flags, os.path.join(folder, name + ".so"))
