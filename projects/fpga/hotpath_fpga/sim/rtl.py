"""The engine's RTL as a machine: the same interface as ``model.NumpyMachine``, in cycles.

The memory is a model of a DDR behind one port (``harness.cpp``): it answers a burst's first beat
after ``latency`` cycles, delivers ``share`` of the bus's beats, and may stall at random. Both come
from ``sizes.toml``, where they are assumptions.
"""

import ctypes
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from hotpath.kernels.fpga import tables
from hotpath_fpga.sim import build

UNITS = ("LOAD", "CROP", "CONV", "STORE")
FAULTS = {None: 0, "read": 1, "write": 2, "hang": 3}
FOREVER = 1 << 62


class Command(NamedTuple):
    """What became of a command.

    Attributes:
        unit: name of its opcode.
        number: in the program, from 0.
        start, end: cycles after the program's start; end is None if it did not.
        busy: cycles in which the array took a step.
    """

    unit: str
    number: int
    start: int
    end: Optional[int]
    busy: int


class AxiViolation(RuntimeError):
    """The engine broke a rule of AXI; the message says which and when."""


class Rtl:
    """One engine under simulation and the memory it sees.

    Args:
        latency: cycles from a burst's address to its first beat; default: the size's.
        share: share of the bus's beats that memory delivers, 0 to 1; default: the size's.
        stalls: percent of cycles in which a channel of the memory or of the driver stalls on top.
        bursts: most bursts that the memory accepts in each direction before it answers one.
        seed: seed of the stalls, and of what the engine's registers hold before its reset.
        memory_bytes: size of the simulated DRAM.

    Attributes:
        memory: uint8, the DRAM; memory[0] has the physical address ``BASE``.
        size: as given.

    Raises:
        hotpath_fpga.sim.build.NoSimulator: Verilator or the compiler is missing or
        fails.
    """

    def __init__(
        self,
        size: Dict[str, Any],
        latency: Optional[int] = None,
        share: Optional[float] = None,
        stalls: int = 0,
        seed: int = 0,
        memory_bytes: int = 1 << 26,
        bursts: int = 16,
    ) -> None:
        self._handle: Any = None
        self._library = _opened(build.library(size))
        self.size = size
        self.memory = np.zeros(memory_bytes, np.uint8)
        latency = size["ddr_latency"] if latency is None else latency
        share = size["ddr_share"] if share is None else share
        self._handle = self._library.rtl_new(
            self.memory.ctypes.data, memory_bytes, latency, share, stalls, bursts, seed
        )
        self._started = 0

    def __del__(self) -> None:
        if self._handle:
            self._library.rtl_free(self._handle)
            self._handle = None

    def write(self, offset: int, value: int, strobes: int = 15) -> None:
        """Write a register, or the bytes of ``strobes``; takes a few cycles, as on the bus."""
        starts = offset == tables.REGISTERS["CONTROL"] and value & tables.START
        if starts and not self.read(tables.REGISTERS["STATUS"]) & tables.IS_BUSY:
            self._library.rtl_forget(self._handle)
            self._started = self.cycles
        self._library.rtl_write(self._handle, offset, value & 0xFFFFFFFF, strobes)
        self._check()

    def read(self, offset: int) -> int:
        """Read a register; takes a few cycles, as on the bus."""
        value = self._library.rtl_read(self._handle, offset)
        self._check()
        return value

    def run(self, limit: Optional[int] = None) -> bool:
        """Let the clock run until the engine is idle.

        Args:
            limit: at most so many cycles; default: no limit.

        Returns:
            whether the engine is idle.

        Raises:
            AxiViolation: the engine broke a rule of AXI.
        """
        idle = self._library.rtl_run(self._handle, FOREVER if limit is None else limit)
        self._check()
        return bool(idle)

    def fault(self, kind: Optional[str], address: Optional[int] = None) -> None:
        """Set the fault of the memory from now on.

        Args:
            kind: None (nothing any more), "read" or "write" (answers SLVERR), "hang" (answers
                nothing; what waits is answered when the fault is taken away).
            address: physical address whose beat answers SLVERR; default: every beat.
        """
        self._library.rtl_fault(self._handle, FAULTS[kind], address or 0, address is None)

    def reset(self) -> None:
        """As loading the overlay again: the engine forgets all, memory stays."""
        self._library.rtl_reset(self._handle)

    @property
    def cycles(self) -> int:
        """Clock cycles since it was made, with those of the register accesses."""
        return self._library.rtl_cycles(self._handle)

    @property
    def trace(self) -> List[Command]:
        """The last program's commands in the order in which they started: list of ``Command``."""
        steps = ctypes.POINTER(ctypes.c_uint64)()
        count = self._library.rtl_trace(self._handle, ctypes.byref(steps))
        commands = []
        for i in range(count):
            unit, number, start, end, busy = steps[5 * i : 5 * i + 5]
            ended = end - self._started if end else None
            start -= self._started
            commands.append(Command(UNITS[unit], number, start, ended, busy))
        return commands

    def _check(self) -> None:
        problem = self._library.rtl_problem(self._handle)
        if problem:
            raise AxiViolation(problem.decode())


def _opened(path: str) -> ctypes.CDLL:
    """The library with its functions' types."""
    library = ctypes.CDLL(path)
    handle, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    number, real = ctypes.c_int, ctypes.c_double
    steps = ctypes.POINTER(ctypes.POINTER(u64))
    for name, result, arguments in (
        ("rtl_new", handle, [handle, u64, number, real, number, number, u64]),
        ("rtl_free", None, [handle]),
        ("rtl_reset", None, [handle]),
        ("rtl_write", None, [handle, u32, u32, u32]),
        ("rtl_read", u32, [handle, u32]),
        ("rtl_run", number, [handle, u64]),
        ("rtl_cycles", u64, [handle]),
        ("rtl_problem", ctypes.c_char_p, [handle]),
        ("rtl_fault", None, [handle, number, u64, number]),
        ("rtl_trace", u64, [handle, steps]),
        ("rtl_forget", None, [handle]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
