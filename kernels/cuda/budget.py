"""``python -m kernels.cuda.budget``: what the kernels cost, and a time estimated from that.

No GPU is needed: NVRTC gives PTX, in which instructions are counted. The limits that tests hold the
kernels to, and the numbers of each GPU, are in budget.toml. The times are estimates, not
measurements: nothing here has run on a GPU.
"""

import os
import re
import sys
from typing import Any, Dict, NamedTuple

from kernels.cuda import compile as compiler
from kernels.errors import HotpathError

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

TABLE = os.path.join(compiler.HERE, "budget.toml")
SOURCES = compiler.SOURCES
WARP = 32
SCHEDULERS = 4  # of a multiprocessor; each issues one instruction a cycle
LATENCY = 5  # cycles until the result of an instruction can be used
ANY = 87  # a compute capability: select has the same instructions in the PTX of all of them

ENTRY = re.compile(r"\.entry (\w+)\((.*?)\n}", re.S)
INSTRUCTION = re.compile(r"^\s+(?:@!?%p\d+ )?([a-z][\w.:]*)\s.*;", re.M)
ON_DOUBLES = re.compile(r"^(add|sub|mul|fma|div|sqrt|rcp|setp|cvt|neg|abs|min|max)\b.*\.f64")
PTXAS = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
    r"(\d+) bytes spill loads.*?Used (\d+) registers",
    re.S,
)


class Counts(NamedTuple):
    """Instructions in the PTX of a kernel.

    Attributes:
        instructions: all of them.
        doubles: those on doubles; a division or a root counts 1.
        loads: from global memory.
    """

    instructions: int
    doubles: int
    loads: int


class Resources(NamedTuple):
    """What ptxas gives a thread of a kernel.

    Attributes:
        registers: 32 bits each.
        memory: bytes of local memory for a stack and for spilled registers.
    """

    registers: int
    memory: int


def read_table() -> Dict[str, Any]:
    """budget.toml as a dict."""
    with open(TABLE, "rb") as file:
        table: Dict[str, Any] = tomllib.load(file)
    return table


def count_ptx(ptx: str) -> Dict[str, Counts]:
    """Count the instructions of every kernel in a PTX file."""
    counts = {}
    for name, body in ENTRY.findall(ptx):
        names = INSTRUCTION.findall(body)
        doubles = sum(1 for instruction in names if ON_DOUBLES.match(instruction))
        loads = sum(1 for instruction in names if instruction.startswith("ld.global"))
        counts[name] = Counts(len(names), doubles, loads)
    return counts


def read_ptxas(printed: str) -> Dict[str, Resources]:
    """Read what ``ptxas -v`` printed."""
    return {
        name: Resources(int(registers), int(stack) + int(stores) + int(loads))
        for name, stack, stores, loads, registers in PTXAS.findall(printed)
    }


def crop_us(table: Dict[str, Any], gpu: Dict[str, Any], side: int) -> float:
    """Estimated time of a crop to side x side pixels: its instructions at full throughput."""
    warps = side * side / float(WARP)
    cycles: float = warps * table["frame"]["instructions_a_pixel"]
    return cycles / (gpu["multiprocessors"] * SCHEDULERS) / float(gpu["clock_mhz"])


def select_us(table: Dict[str, Any], gpu: Dict[str, Any], counts: Counts) -> float:
    """Estimated time of select.

    It runs as one block: its instructions one after the other, and the operations on doubles either
    one after the other in the slowest thread or all of them at the throughput of the units.
    """
    frame, units = table["frame"], float(gpu["double_units"])
    slowest = frame["doubles_of_a_thread"] * max(LATENCY, WARP / units)
    others = (counts.instructions - counts.doubles) * LATENCY
    cycles: float = others + max(slowest, frame["doubles"] / units)
    return cycles / float(gpu["clock_mhz"])


def main() -> int:
    table = read_table()
    try:
        nvrtc = next((each for each in compiler.available() if ANY in each.architectures), None)
        if nvrtc is None:
            print("no NVRTC found; run `pip install nvidia-cuda-nvrtc-cu12`", file=sys.stderr)
            return 2
        ptx = nvrtc.compile(compiler.source("points"), ANY, ptx=True)[0].decode()
    except HotpathError as error:
        print(error, file=sys.stderr)
        return 2
    counts = count_ptx(ptx)["hp_select_points"]
    print("Estimates in us; no GPU was measured\n")
    print("| GPU | crop to 255 x 255 | select and loss monitor |")
    print("|---|---|---|")
    for name, gpu in sorted(table["gpu"].items()):
        times = crop_us(table, gpu, 255), select_us(table, gpu, counts)
        print("| {} | {:.0f} | {:.0f} |".format(name, *times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
