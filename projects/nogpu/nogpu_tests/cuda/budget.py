"""What the kernels cost, by NVRTC's PTX and by ptxas; budget.toml has the limits."""

import pathlib
import re
from typing import NamedTuple

from hotpath.kernels.cuda import compile as compiler
from hotpath_nogpu.cuda import nvrtc

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

TABLE = tomllib.loads(pathlib.Path(__file__).with_name("budget.toml").read_text())
SOURCES = compiler.SOURCES
# CUDA, as in nvrtc.py, and the compute capabilities that its NVRTC makes PTX for
MATRIX = {
    nvrtc.OLDEST: (52,),
    "-11.8": (53, 72),
    "": (53, 62, 72, 75, 86, 87, 89, 90),
    "-13.2": (87, 110, 120),
}
ENTRY = re.compile(r"\.entry (\w+)\((.*?)\n}", re.S)
INSTRUCTION = re.compile(r"^\s+(?:@!?%p\d+ )?([a-z][\w.:]*)\s.*;", re.M)
ON_DOUBLES = re.compile(r"^(add|sub|mul|fma|div|sqrt|rcp|setp|cvt|neg|abs|min|max)\b.*\.f64")
PTXAS = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
    r"(\d+) bytes spill loads.*?Used (\d+) registers(?:[^\n]* (\d+) bytes smem)?",
    re.S,
)


class Counts(NamedTuple):
    """Instructions in the PTX of a kernel."""

    instructions: int
    doubles: int  # those on doubles; a division or a root counts 1
    loads: int  # from global memory


class Resources(NamedTuple):
    """What ptxas gives a thread of a kernel."""

    registers: int  # 32 bits each
    memory: int  # bytes of local memory for a stack and for spilled registers
    shared: int  # bytes of a block's shared memory


def count_ptx(ptx):
    """Count the instructions of every kernel in a PTX file: dict of name -> ``Counts``."""
    counts = {}
    for name, body in ENTRY.findall(ptx):
        names = INSTRUCTION.findall(body)
        doubles = sum(1 for instruction in names if ON_DOUBLES.match(instruction))
        loads = sum(1 for instruction in names if instruction.startswith("ld.global"))
        counts[name] = Counts(len(names), doubles, loads)
    return counts


def resources_of(cuda, name, capability):
    """Compile a .cu file by a CUDA and assemble it: dict of kernel -> ``Resources``."""
    target = 53 if cuda == nvrtc.OLDEST else capability  # a Nano assembles what is made for 5.2
    printed = nvrtc.assemble(nvrtc.ptx(cuda, name, capability), target, cuda)
    return {
        kernel: Resources(int(registers), int(stack) + int(stores) + int(loads), int(shared or 0))
        for kernel, stack, stores, loads, registers, shared in PTXAS.findall(printed)
    }
