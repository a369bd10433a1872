"""What the 8-bit instructions of this processor can do; no other file decides it.

| processor                                | INT8                                                  |
|------------------------------------------|-------------------------------------------------------|
| x86 with VNNI or AMX; ARM's dot products | faster than float32                                   |
| other x86 (AVX2; AVX-512 alone)          | sums of two products saturate at 16 bits, so that the |
|                                          | fast way is wrong: each engine here takes another one |
| other ARM                                | right, and slower than float32                        |
"""

import os
import pathlib
import platform
from typing import FrozenSet

from hotpath.runtime.options import usable_cores

# AVX-512 VNNI, AVX-VNNI and AMX of x86, and the dot products of ARM: as Linux names them
INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}
CPUINFO = pathlib.Path("/proc/cpuinfo")
ARM, X86 = ("aarch64", "arm"), ("x86", "amd64", "i386", "i686")  # what their names begin with
# The user's limit of OpenVINO's instructions, by its newer and its older name, and the values of it
# that leave out VNNI. It counts for all engines, so that tests see a processor that has no VNNI.
LIMIT, OLD_LIMIT = "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"
WITHOUT_VNNI = ("SSE41", "AVX", "AVX2", "AVX512_CORE")
MOST_THREADS = 4


def flags() -> FrozenSet[str]:
    """The words of Linux's file on the processor; none where there is no such file."""
    try:
        return frozenset(CPUINFO.read_text().split())
    except OSError:
        return frozenset()


def instructions() -> FrozenSet[str]:
    """The processor's instructions for INT8, as Linux names them; none where it says nothing."""
    limit = os.environ.get(LIMIT, os.environ.get(OLD_LIMIT, ""))
    return frozenset() if limit.upper() in WITHOUT_VNNI else flags() & INSTRUCTIONS


def is_arm() -> bool:
    """Whether this is an ARM processor."""
    return platform.machine().lower().startswith(ARM)


def default_threads() -> int:
    """How many threads run a network where nobody asks for a number.

    Without VNNI a network takes two to three times as long or more, and half of the cores share it.
    Elsewhere it is one: a second thread takes a tenth off these small networks on a free core, and
    multiplies their time on a busy one.
    """
    return max(1, min(MOST_THREADS, usable_cores() // 2)) if saturates() else 1


def saturates() -> bool:
    """Whether 8-bit products saturate, so that the fast way to compute INT8 is wrong."""
    return platform.machine().lower().startswith(X86) and not instructions()
