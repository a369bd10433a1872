"""What the kernels cost, by NVRTC's PTX and by ptxas; budget.toml has the limits."""

import pathlib
import re
from typing import Any, Dict, NamedTuple

from kernels.cuda import compile as compiler

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

TABLE = pathlib.Path(__file__).with_name("budget.toml")
SOURCES = compiler.SOURCES

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
    table: Dict[str, Any] = tomllib.loads(TABLE.read_text())
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
