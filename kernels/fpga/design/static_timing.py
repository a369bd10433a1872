"""Static timing of a netlist from yosys: the longest path to every register, in nanoseconds.

A path starts at the output of a register or memory, or at an input port, and ends at the input of
one, or at an output port. Its time is the sum of the cells' delays (``delays.toml``), of a model of
the nets between them, and of the setup time at its end. No tool placed or routed anything, and the
clock net is ideal: a time here is an estimate, good for comparing and for finding slow logic.

The net model: ``base + fan_out * log2(loads)``. Free are a carry chain's own net, the net from a
LUT to the carry chain beside it and to the one flip-flop that takes it (they are in one slice), and
inverters (a LUT or a pin absorbs them).
"""

import collections
import math
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from kernels.fpga import design, tables

FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6")
MUXES = ("MUXF7", "MUXF8", "MUXF9")
SHIFTS = ("SRL16E", "SRLC32E")
CARRIES = ("CARRY4", "CARRY8")
NONE = -math.inf  # arrival of a constant, or of a clock that is left out: no path
CLOCKS = ("CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")  # pins of all cells but flip-flops

Cell = Dict[str, Any]  # as yosys's ``write_json`` has it
Arrival = Tuple[float, Optional[int]]  # ns, and the net before
Inputs = List[Tuple[int, float]]  # nets, each with the ns from its driver on


class Path(NamedTuple):
    """The longest path to one pin.

    Attributes:
        ns: setup included.
        start: name of the net where it starts.
        end: name of what it ends in.
        clock: net of the clock of the cell that it ends in; None for an output port.
        levels: list of the types of the cells that it goes through.
    """

    ns: float
    start: str
    end: str
    clock: Optional[int]
    levels: List[str]


class UnknownCell(ValueError):
    """A kind of cell that has no delays here."""


def delays() -> Dict[str, Any]:
    """``delays.toml`` as a dict."""
    return tables.read_toml(design.FOLDER / "delays.toml")


class Timing:
    """The paths of one flat module.

    Args:
        module: of yosys's ``write_json``: its "cells", "ports" and "netnames".
        base: of a net, ns.
        table: as ``delays`` gives it.
        starts: net of the clock whose registers start paths; None: all registers and ports do.
    """

    def __init__(
        self,
        module: Dict[str, Any],
        base: float,
        table: Optional[Dict[str, Any]] = None,
        starts: Optional[int] = None,
    ) -> None:
        self.table = table or delays()
        self.base, self.starts = base, starts
        self.cells, self.ports = module["cells"], module["ports"]
        self.names = _names(module["netnames"])
        self.fan_out: collections.Counter[int] = collections.Counter()
        self.drivers: Dict[int, Tuple[Optional[str], str, int]] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                driven = cell["port_directions"][port] == "output"
                for index, bit in enumerate(bits):
                    if not isinstance(bit, int):
                        continue
                    if driven:
                        self.drivers[bit] = name, port, index
                    else:
                        self.fan_out[bit] += 1
        for name, port in self.ports.items():
            for index, bit in enumerate(port["bits"]):
                if isinstance(bit, int) and port["direction"] == "output":
                    self.fan_out[bit] += 1
                elif isinstance(bit, int):
                    self.drivers[bit] = None, name, index
        self._known: Dict[int, Arrival] = {}

    def net(self, bit: int) -> float:
        """Delay of a net."""
        return self.base + self.table["net"]["fan_out"] * math.log(max(self.fan_out[bit], 1), 2)

    # -- arrivals

    def arrival(self, bit: int) -> Arrival:
        """(ns at the driver of a net, the net before it on the longest path or None)."""
        stack = [bit]
        while stack:
            one = stack[-1]
            if one in self._known:
                stack.pop()
                continue
            start, inputs = self._sources(one)
            missing = [source for source, _ in inputs if source not in self._known]
            if missing:
                self._check_loop(stack, missing)
                stack += missing
                continue
            best: Arrival = (start, None)
            for source, delay in inputs:
                best = max(best, (self._known[source][0] + delay, source), key=lambda b: b[0])
            self._known[one] = best
            stack.pop()
        return self._known[bit]

    def _check_loop(self, stack: Sequence[int], missing: Sequence[int]) -> None:
        loop = set(stack).intersection(missing)
        if loop and len(stack) > len(self.drivers):
            raise ValueError(f"a combinational loop through {self.name(loop.pop())}")

    def _sources(self, bit: int) -> Tuple[float, Inputs]:
        """(ns at which a register makes a net, or NONE; list of (net that it depends on, ns))."""
        if bit not in self.drivers:
            return NONE, []
        name, port, index = self.drivers[bit]
        if name is None:
            return (NONE if self.starts else self.table["flip_flop"]["out"]), []
        cell = self.cells[name]
        start, inputs = self._through(cell, port, index)
        if self.starts not in (None, clock_of(cell)):
            start = NONE
        return start, inputs

    def _through(self, cell: Cell, port: str, index: int) -> Tuple[float, Inputs]:
        """``_sources`` of an output of a cell, whatever its clock is."""
        kind, table = cell["type"], self.table
        if kind in FLIP_FLOPS:
            return table["flip_flop"]["out"], []
        if kind in SHIFTS:
            return table["shift_register"]["out"], self._all(cell, ("A",), table["lut"]["through"])
        if kind.startswith("RAMB"):
            register = _number(cell, "DOB_REG" if port.startswith("DOB") else "DOA_REG", 0)
            return table["block_ram"]["out_register" if register else "out"], []
        if kind.startswith("URAM"):
            register = _number(cell, "OREG_" + port[-1], 0)
            return table["ultra_ram"]["out_register" if register else "out"], []
        if kind.startswith("DSP"):
            return self._dsp(cell)
        if kind in LUTS:
            return NONE, self._all(cell, ("I",), table["lut"]["through"])
        if kind == "INV":
            return NONE, [(b, 0.0) for b in cell["connections"]["I"] if isinstance(b, int)]
        if kind in MUXES:
            return NONE, self._mux(cell)
        if kind in CARRIES:
            return NONE, self._carry(cell, port, index)
        if kind.startswith("RAM"):
            return table["lut_ram"]["out"], self._lut_ram(cell, port)
        raise UnknownCell(f"no delays for a cell {kind}")

    def _all(self, cell: Cell, prefixes: Tuple[str, ...], delay: float) -> Inputs:
        """Every input whose port starts with one of the prefixes, each through its net."""
        return [
            (bit, self.net(bit) + delay)
            for port, bits in cell["connections"].items()
            if port.startswith(prefixes) and cell["port_directions"][port] == "input"
            for bit in bits
            if isinstance(bit, int)
        ]

    def _mux(self, cell: Cell) -> Inputs:
        found, delay = [], self.table["lut"]["mux"]
        for port, bits in cell["connections"].items():
            if port == "O":
                continue
            for bit in bits:
                if isinstance(bit, int):
                    near = port != "S" and self._kind(bit) in LUTS + MUXES
                    found.append((bit, delay + (0.0 if near else self.net(bit))))
        return found

    def _lut_ram(self, cell: Cell, port: str) -> Inputs:
        """The read address of an output; the last address of a cell is that of writes."""
        letter = port[-1] if port.startswith("DO") and len(port) == 3 else None
        prefixes: Tuple[str, ...] = ("A", "DPRA")
        if letter:
            prefixes = ("ADDR" + letter,)
        elif port == "DPO":
            prefixes = ("DPRA",)
        return self._all(cell, prefixes, self.table["lut_ram"]["through"])

    def _carry(self, cell: Cell, port: str, index: int) -> Inputs:
        table, connections = self.table["carry"], cell["connections"]
        found = []
        for stage in range(index + 1):
            far = table["s_next"] + table["stage"] * (index - stage)
            for pin in ("S", "DI"):
                bit = connections[pin][stage]
                if not isinstance(bit, int):
                    continue
                if pin == "S" and stage == index and port == "O":
                    delay = table["s_first"]
                elif port == "O" and stage == index:
                    continue
                else:
                    delay = far
                near = pin == "S" and self._kind(bit) in LUTS  # S takes only the LUT beside it
                found.append((bit, delay + (0.0 if near else self.net(bit))))
        through = table["ci_o"] + table["ci_o_stage"] * index if port == "O" else table["ci_co"]
        for bit in connections.get("CI", []):
            if isinstance(bit, int):
                chained = self._kind(bit) in CARRIES
                found.append((bit, through + (0.0 if chained else self.net(bit))))
        for bit in connections.get("CYINIT", []):
            if isinstance(bit, int):
                found.append((bit, table["cyinit"] + self.net(bit)))
        return found

    def _dsp(self, cell: Cell) -> Tuple[float, Inputs]:
        table = self.table["dsp"]
        if _number(cell, "PREG", 1):
            return table["out_p"], []
        inputs: Inputs = []
        if not _number(cell, "MREG", 1):
            pins = [pin for pin in "AB" if not _number(cell, pin + "REG", 1)]
            inputs += self._all(cell, tuple(pins), table["out_ab"]) if pins else []
        if not _number(cell, "CREG", 1):
            inputs += self._all(cell, ("C[", "C"), table["c_to_p"]) if _uses_c(cell) else []
        return table["out_m" if _number(cell, "MREG", 1) else "out_ab"], inputs

    def _kind(self, bit: int) -> Optional[str]:
        name = self.drivers.get(bit, (None,))[0]
        return None if name is None else self.cells[name]["type"]

    # -- ends

    def paths(self) -> List[Path]:
        """Every ``Path``, the longest first; none where no register starts it."""
        found: List[Tuple[float, int, Optional[str], str]] = []
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] != "input":
                    continue
                setup = self._setup(cell, port)
                if setup is None:
                    continue
                for bit in bits:
                    if isinstance(bit, int) and bit in self.drivers:
                        near = cell["type"] in FLIP_FLOPS and port == "D" and self._is_near(bit)
                        net = 0.0 if near else self.net(bit)
                        found.append((self.arrival(bit)[0] + net + setup, bit, name, port))
        for name, port in self.ports.items():
            if port["direction"] == "output":
                for bit in port["bits"]:
                    if isinstance(bit, int) and bit in self.drivers:
                        setup = self.net(bit) + self.table["flip_flop"]["d"]
                        found.append((self.arrival(bit)[0] + setup, bit, None, name))
        found = [end for end in found if end[0] != NONE]
        found.sort(key=lambda end: (-end[0], str(end[2]), end[3], end[1]))
        return [self._path(*end) for end in found]

    def _is_near(self, bit: int) -> bool:
        return self.fan_out[bit] == 1 and self._kind(bit) in LUTS + MUXES + CARRIES

    def _setup(self, cell: Cell, port: str) -> Optional[float]:
        """ns before the clock at which an input must be there; None where no path ends."""
        kind, table = cell["type"], self.table
        if kind in FLIP_FLOPS:
            times = table["flip_flop"]
            names = {"D": "d", "CE": "ce", "R": "r", "S": "r", "CLR": "r", "PRE": "r"}
            return times[names[port]] if port in names else None
        if kind in SHIFTS:
            times = table["shift_register"]
            return {"D": times["d"], "CE": times["ce"]}.get(port)
        if kind.startswith("RAMB"):
            return _block_ram_setup(port, table["block_ram"])
        if kind.startswith("URAM"):
            return None if "CLK" in port else table["ultra_ram"]["input"]
        if kind.startswith("DSP"):
            return _dsp_setup(cell, port, table["dsp"])
        if kind.startswith("RAM"):
            reads = port.startswith("ADDR") and port[-1] not in "DH" or port.startswith("DPRA")
            return None if "CLK" in port or reads else table["lut_ram"]["d"]
        return None

    def _path(self, ns: float, bit: int, name: Optional[str], port: str) -> Path:
        levels, one = [], bit
        while True:
            before = self.arrival(one)[1]
            driver = self.drivers[one][0]
            levels.append(self.cells[driver]["type"] if driver else "port")
            if before is None:
                break
            one = before
        cell = self.cells[name] if name else None
        clock = clock_of(cell) if cell else None
        return Path(ns, self.name(one), self._end(cell, name, port), clock, levels[::-1])

    def _end(self, cell: Optional[Cell], name: Optional[str], port: str) -> str:
        """A register by the net that it drives; else a cell's name and pin, or a port."""
        if cell is None:
            return port
        if cell["type"] in FLIP_FLOPS:
            bit = cell["connections"]["Q"][0]
            pin = "" if port == "D" else "." + port
            return self.name(bit) + pin
        return f"{name}.{port}"

    def name(self, bit: int) -> str:
        """The shortest name of a net."""
        return self.names.get(bit, f"net {bit}")


def clock_of(cell: Cell) -> Optional[int]:
    """Net of the clock of a register, memory or DSP; None for other cells."""
    for port in ("C",) if cell["type"] in FLIP_FLOPS else CLOCKS:
        for bit in cell["connections"].get(port, []):
            if isinstance(bit, int):
                return bit
    return None


def _names(netnames: Dict[str, Any]) -> Dict[int, str]:
    """dict of net -> its plainest name."""
    found: Dict[int, Tuple[Tuple[int, int], str]] = {}
    for name, entry in netnames.items():
        for index, bit in enumerate(entry["bits"]):
            if isinstance(bit, int):
                whole = name + (f"[{index}]" if len(entry["bits"]) > 1 else "")
                rank = name.count("$"), len(name)
                if bit not in found or rank < found[bit][0]:
                    found[bit] = rank, whole
    return {bit: name for bit, (_, name) in found.items()}


def _number(cell: Cell, name: str, default: int) -> int:
    value = cell["parameters"].get(name)
    if value is None:
        return default
    if isinstance(value, str):
        return int(value, 2) if re.match("[01]+$", value) else default
    return value


def _uses_c(cell: Cell) -> bool:
    return any(isinstance(bit, int) for bit in cell["connections"].get("C", []))


def _block_ram_setup(port: str, times: Dict[str, float]) -> Optional[float]:
    if "CLK" in port:
        return None
    for prefix, name in (("ADDR", "address"), ("DI", "data"), ("WE", "write")):
        if port.startswith(prefix):
            return times[name]
    return times["enable"]


def _dsp_setup(cell: Cell, port: str, times: Dict[str, float]) -> Optional[float]:
    if port == "CLK":
        return None
    if port.startswith(("CE", "RST")):
        return times["control"]
    if port in ("A", "B"):
        if _number(cell, port + "REG", 1):
            return times["register"]
        if _number(cell, "MREG", 1):
            return times["to_m"]
        return times["to_p"] if _number(cell, "PREG", 1) else None
    if port == "C":
        if _number(cell, "CREG", 1):
            return times["register"]
        return times["c_to_p"] if _number(cell, "PREG", 1) else None
    return times["register"] if port == "D" else None
