"""What the kernels cost, by NVRTC's PTX and by ptxas; budget.toml has the limits.

``python -m tests.kernels.cuda.budget`` prints registers.txt.
"""

import pathlib
import re
from typing import NamedTuple

from hotpath.kernels.cuda import compile as compiler
from tests.fakes.cuda import nvrtc

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
HEAD = """# How many registers and how much shared memory do the GPU kernels use?

No kernel has a stack or spills a register, and the table has the registers of a thread.

Each column is a CUDA version and a compute capability. The compiler and the assembler of each CUDA
run on a computer without a GPU. The code of CUDA 10.2 for 5.2 is assembled for a Nano. Shared
memory is that of a block, the largest of all columns.

"""
FOOT = "\nMade by `python -m tests.kernels.cuda.budget`"

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


def main():
    """Print the page."""
    columns = [(cuda, number) for cuda, numbers in MATRIX.items() for number in numbers]
    titles = [f"{cuda[1:] or '12.6'}, {number / 10:.1f}" for cuda, number in columns]
    print(HEAD + "| kernel | " + " | ".join(titles) + " | shared memory, bytes |")
    print("|---|" + "--:|" * (len(titles) + 1))
    for name in SOURCES:
        made = [resources_of(cuda, name, number) for cuda, number in columns]
        for kernel in made[0]:
            own = [resources[kernel] for resources in made]
            assert not any(each.memory for each in own), f"{kernel} spills"
            registers = " | ".join(str(each.registers) for each in own)
            print(f"| `{kernel}` | {registers} | {max(each.shared for each in own)} |")
    print(FOOT)


if __name__ == "__main__":
    main()
