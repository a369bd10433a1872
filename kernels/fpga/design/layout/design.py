"""Writes a packed netlist as text, with the delays of its cells.

``tests/kernels/fpga/route/main.cpp`` says the format.

Delays are those of the slow corner in speed grade -1: of slices, Project X-Ray's
``zynq7/timings/slicem.sdf``, and DS187's or Vivado's where they are longer; of block RAMs and
DSPs, DS187, tables 30 to 35. Those of a slice with memory stand for all slices.
"""

from typing import Any, Dict, Iterator, List, Sequence, Tuple

from kernels.fpga.design.layout.netlist import (
    FLIP_FLOPS,
    LETTERS,
    LOOKUPS,
    MEMORIES,
    QUARTER,
    Bit,
    Cell,
    Control,
    Packing,
    Unpackable,
)

INSIDE = -1  # the connection of an arc that does not leave its block

# ns
LOOKUP_NS = 0.124
FLIP_FLOP_NS = {"out": 0.518, "D": 0.05, "CE": 0.20, "R": 0.524, "S": 0.524}
SHIFT_NS = {"out": 1.60, "D": 0.20, "CE": 0.40}
MEMORY_NS = {"out": 1.35, "in": 0.45, "WE": 0.654, "through": 0.15}
# CARRY4: from an input to the four carries and the four sums; 0: no way
CARRY_NS = {
    "CI": (0.254, 0.157, 0.229, 0.117, 0.219, 0.323, 0.239, 0.315),
    "CYINIT": (0.561, 0.511, 0.608, 0.595, 0.510, 0.630, 0.602, 0.662),
    "S0": (0.340, 0.434, 0.514, 0.489, 0.228, 0.403, 0.520, 0.584),
    "S1": (0, 0.472, 0.554, 0.513, 0, 0.210, 0.558, 0.623),
    "S2": (0, 0, 0.296, 0.358, 0, 0, 0.228, 0.330),
    "S3": (0, 0, 0, 0.354, 0, 0, 0, 0.233),
    "DI0": (0.393, 0.488, 0.564, 0.550, 0, 0.422, 0.579, 0.642),  # by the pins AX to DX
    "DI1": (0, 0.456, 0.533, 0.520, 0, 0, 0.547, 0.610),
    "DI2": (0, 0, 0.366, 0.404, 0, 0, 0, 0.447),
    "DI3": (0, 0, 0, 0.396, 0, 0, 0, 0),
    "O50": (0.327, 0.403, 0.482, 0.445, 0, 0.325, 0.488, 0.550),  # by the tables' second outputs
    "O51": (0, 0.382, 0.463, 0.427, 0, 0, 0.470, 0.532),
    "O52": (0, 0, 0.292, 0.299, 0, 0, 0, 0.367),
    "O53": (0, 0, 0, 0.305, 0, 0, 0, 0),
}
BLOCK_RAM_NS = {
    "out": 2.454,
    "out registered": 0.882,
    "address": 0.566,
    "data": 0.60,
    "write": 0.53,
    "control": 0.44,
}
DSP_NS = {
    "registered": 0.45,
    "A before M": 1.95,
    "A": 3.7,
    "C": 1.70,
    "control": 0.52,
    "out P": 0.434,
    "out M": 2.305,
    "cascade": 1.70,
}

# block RAM: the ports whose pins come twice, for the lower and the upper half
HALVES = "WEA WEBWE ENARDEN ENBWREN REGCEAREGCE REGCEB RSTRAMB RSTREGARSTREG RSTREGB".split()


class Design:
    """Nets, connections, delays and limits of a packed netlist."""

    def __init__(self, packing: Packing) -> None:
        self.packing, self.netlist = packing, packing.netlist
        self.nets: Dict[int, int] = {}  # of the netlist's number: the text's
        self.connections: Dict[Tuple[int, int, str], int] = {}
        self.arcs: List[str] = []
        self.ends: List[str] = []
        self.starts: List[str] = []
        self.doubled = set(self.doubled_tables())
        kinds = {"CARRY4": self.carry, "DSP48E1": self.dsp, "RAMB36E1": self.block_ram}
        kinds.update(dict.fromkeys(FLIP_FLOPS, self.flip_flop))
        kinds.update(dict.fromkeys(MEMORIES, self.memory))
        for name, cell in self.netlist.cells.items():
            kinds.get(cell.kind, self.lookup)(name, cell)
        self.check_pins()

    # -- what the text is made of

    def driven(self, bits: Sequence[Bit]) -> Iterator[Tuple[int, int]]:
        """Index and net of the bits that a cell drives; ports of the engine drive nothing."""
        for index, bit in enumerate(bits):
            if isinstance(bit, int) and bit in self.netlist.drivers:
                yield index, bit

    def net(self, bit: int) -> int:
        """The text's number of a net."""
        return self.nets.setdefault(bit, len(self.nets))

    def connect(self, bit: int, name: str, pin: str) -> int:
        """The text's number of a connection from a net to a pin of a cell's block.

        Pins are "=PIN", or "L0" to "L3" and "L@" for any input of a lookup table, "F0" to "F3" for
        any of its first five.
        """
        key = (self.net(bit), self.packing.places[name].block, pin)
        return self.connections.setdefault(key, len(self.connections))

    def clock(self, bit: Bit) -> int:
        """1 for the fast clock, else 0."""
        return int(bit == self.netlist.fast)

    def arc(self, bit: int, connection: int, out: Bit, delay_ns: float) -> None:
        """Logic from a net to another, if anything uses that one."""
        if isinstance(out, int) and self.netlist.loads[out]:
            self.arcs.append(f"{self.net(bit)} {connection} {self.net(out)} {delay_ns:.3f}")

    def end(self, bit: int, connection: int, setup_ns: float, clock: Bit, name: str) -> None:
        """A path ends before a clock's edge; it is named by what the cell drives."""
        cell = self.netlist.cells[name]
        named = (self.netlist.names.get(out) for port in cell.outputs for out in cell.ports[port])
        label = min((one for one in named if one and "$" not in one), default=name)
        label = label.replace(" ", "_").replace("\\", "")
        self.ends.append(f"{self.net(bit)} {connection} {setup_ns:.3f} {self.clock(clock)} {label}")

    def start(self, bits: Sequence[Bit], delay_ns: float, clock: Bit) -> None:
        """Paths start at a clock's edge."""
        for _, bit in self.driven(bits):
            if self.netlist.loads[bit]:
                self.starts.append(f"{self.net(bit)} {delay_ns:.3f} {self.clock(clock)}")

    def ends_at(self, name: str, pins: Dict[str, str], setup_ns: Dict[str, float]) -> None:
        """Paths end at one-bit ports: dict of port -> pin."""
        cell = self.netlist.cells[name]
        for port, pin in pins.items():
            for _, bit in self.driven(cell.ports.get(port, [])):
                clock = cell.bit("C", "CLK", "WCLK")
                self.end(bit, self.connect(bit, name, "=" + pin), setup_ns[port], clock, name)

    # -- the kinds of cells

    def lookup(self, name: str, cell: Cell) -> None:
        """A lookup table or a shift register, whose address is the table's input."""
        shift, out = cell.kind == "SRL16E", cell.bit("O", "Q")
        inputs = ("A0", "A1", "A2", "A3") if shift else set(cell.ports) - cell.outputs
        letter = self.packing.places[name].letter
        kind = "F" if name in self.doubled else "L"
        pin = f"{kind}{LETTERS.index(letter) if letter in LETTERS else letter}"
        for _, bit in self.driven(cell.nets(sorted(inputs))):
            self.arc(bit, self.connect(bit, name, pin), out, LOOKUP_NS)
        if shift:
            self.start([out], SHIFT_NS["out"], cell.bit("CLK"))
            self.ends_at(name, {"D": letter + "I", "CE": "WE"}, SHIFT_NS)

    def flip_flop(self, name: str, cell: Cell) -> None:
        """A flip-flop behind its lookup table, or by a pin of its own."""
        place = self.packing.places[name]
        self.start([cell.bit("Q")], FLIP_FLOP_NS["out"], cell.bit("C"))
        pins = {"CE": "CE", "R": "SR", "S": "SR"}
        if place.inside:
            for _, bit in self.driven(cell.ports["D"]):
                self.end(bit, INSIDE, FLIP_FLOP_NS["D"], cell.bit("C"), name)
        else:
            pins["D"] = place.letter + "X"
        self.ends_at(name, pins, FLIP_FLOP_NS)

    def doubled_tables(self) -> Iterator[str]:
        """Lookup tables whose second output feeds a carry, so that their sixth input is fixed."""
        for cell in self.netlist.cells.values():
            if cell.kind != "CARRY4":
                continue
            for chosen, other in zip(cell.ports["S"], cell.ports["DI"]):
                table = self.netlist.driver(chosen, *LOOKUPS)
                if table and isinstance(other, int) and self.packing.fits(table, other):
                    yield table

    def carry(self, name: str, cell: Cell) -> None:
        """Four bits of a carry chain: from each input to the sums and carries above it."""
        entries: List[Tuple[int, int, str]] = []  # net, connection, row of CARRY_NS
        for index in range(4):
            for _, bit in self.driven(cell.ports["S"][index : index + 1]):
                entries.append((bit, INSIDE, f"S{index}"))
            for _, bit in self.driven(cell.ports["DI"][index : index + 1]):
                entries.append((bit, *self.carry_data(bit, name, index)))
        by_pin = self.packing.carry_in(name)
        for _, bit in self.driven([cell.bit("CI"), cell.bit("CYINIT")]):
            if bit in by_pin:
                entries.append((bit, self.connect(bit, name, "=AX"), "CYINIT"))
            else:
                entries.append((bit, INSIDE, "CI"))
        for first, port in ((0, "CO"), (4, "O")):
            for index, out in enumerate(cell.ports.get(port, [])):
                for bit, connection, row in entries:
                    if CARRY_NS[row][first + index]:
                        table_ns = LOOKUP_NS if row.startswith("O5") else 0
                        self.arc(bit, connection, out, table_ns + CARRY_NS[row][first + index])

    def carry_data(self, bit: int, name: str, index: int) -> Tuple[int, str]:
        """How a carry's other input comes: by the lookup table's second output, or by a pin."""
        chosen = self.netlist.cells[name].ports["S"][index]
        table = self.netlist.driver(chosen, *LOOKUPS) if isinstance(chosen, int) else None
        if table is None or table in self.doubled:
            return self.connect(bit, name, f"F{index}"), f"O5{index}"
        return self.connect(bit, name, f"={LETTERS[index]}X"), f"DI{index}"

    def memory(self, name: str, cell: Cell) -> None:
        """Distributed memory; the fourth lookup table's address is that of writing."""
        clock = cell.bit("WCLK")
        for letter in LETTERS:
            outputs = cell.ports.get("DO" + letter, [])
            self.start(outputs, MEMORY_NS["out"], clock)
            for index, bit in self.driven(cell.ports.get("ADDR" + letter, [])):
                connection = self.connect(bit, name, f"={letter}{index + 1}")
                for out in outputs:
                    self.arc(bit, connection, out, MEMORY_NS["through"])
                if letter == "D":
                    self.end(bit, connection, MEMORY_NS["in"], clock, name)
            for index, bit in self.driven(cell.ports.get("DI" + letter, [])):
                connection = self.connect(bit, name, "=" + letter + "IX"[index])
                self.end(bit, connection, MEMORY_NS["in"], clock, name)
        self.ends_at(name, {"WE": "WE"}, MEMORY_NS)

    def dsp(self, name: str, cell: Cell) -> None:
        """A multiplier with those of its registers that it uses."""
        clock, last = cell.bit("CLK"), cell.register("PREG")
        if not last and not cell.register("MREG"):
            raise Unpackable(f"{name} has no register behind its multiplier, which is not modelled")
        out = "out P" if last else "out M"
        for port in ("P", "PCOUT"):
            self.start(cell.ports.get(port, []), DSP_NS[out], clock)
        for port in sorted(set(cell.ports) - cell.outputs - {"CLK"}):
            setup = self.dsp_setup(port, cell)
            through = not last and (port == "PCIN" or port == "C" and not cell.register("CREG"))
            for index, bit in self.driven(cell.ports[port]):
                if port in ("ACIN", "BCIN"):
                    raise Unpackable(f"{name}: {port} is used, which is not modelled")
                pin = port if len(cell.ports[port]) == 1 else f"{port}{index}"
                connection = INSIDE if port == "PCIN" else self.connect(bit, name, "=" + pin)
                if not through:
                    self.end(bit, connection, setup, clock, name)
                for result in cell.ports["P"] if through else ():
                    self.arc(bit, connection, result, DSP_NS["cascade"])

    def dsp_setup(self, port: str, cell: Cell) -> float:
        """Setup of a port of a DSP, ns."""
        if port in "AB" and not cell.register(port + "REG"):
            return DSP_NS["A before M" if cell.register("MREG") else "A"]
        if port == "PCIN" or port == "C" and not cell.register("CREG"):
            return DSP_NS["C"]
        return DSP_NS["control" if port.startswith(("CE", "RST")) else "registered"]

    def block_ram(self, name: str, cell: Cell) -> None:
        """A block RAM; each of its two ports has a clock."""
        for half, clock_port in (("A", "CLKARDCLK"), ("B", "CLKBWRCLK")):
            out = "out registered" if cell.register(f"DO{half}_REG") else "out"
            for port in (f"DO{half}DO", f"DOP{half}DOP"):
                self.start(cell.ports.get(port, []), BLOCK_RAM_NS[out], cell.bit(clock_port))
        for port in sorted(set(cell.ports) - cell.outputs - {"CLKARDCLK", "CLKBWRCLK"}):
            second = port.startswith(("ADDRB", "DIB", "DIPB", "WEB", "ENB")) or port.endswith("B")
            clock = cell.bit("CLKBWRCLK" if second else "CLKARDCLK")
            what = {"AD": "address", "DI": "data", "WE": "write"}.get(port[:2], "control")
            for index, bit in self.driven(cell.ports[port]):
                for pin in block_ram_pins(port, index, len(cell.ports[port])):
                    connection = self.connect(bit, name, "=" + pin)
                    self.end(bit, connection, BLOCK_RAM_NS[what], clock, name)

    # -- the text

    def output(self, bit: int) -> Tuple[int, str]:
        """Block and pin that drive a net."""
        pin = self.netlist.drivers[bit]
        cell, place = self.netlist.cells[pin.cell], self.packing.places[pin.cell]
        if cell.kind in FLIP_FLOPS:
            name = place.letter + ("MUX" if place.second else "Q")
        elif cell.kind == "CARRY4":
            name = LETTERS[pin.number] + "MUX"
        elif cell.kind in MEMORIES:
            name = pin.port[-1] + ("MUX" if pin.number else "")
        elif place.letter:
            name = place.letter
        else:
            name = f"{pin.port}{pin.number}"
        return place.block, name

    def check_pins(self) -> None:
        """No pin gets two signals, and none gives two."""
        taken: Dict[Any, int] = {}
        names = {number: bit for bit, number in self.nets.items()}
        wanted = [((block, pin), net) for net, block, pin in self.connections if pin[0] == "="]
        outward = {net for net, _, _ in self.connections}
        wanted += [(self.output(names[net]), net) for net in sorted(outward)]
        for key, net in wanted:
            if taken.setdefault(key, net) != net:
                both = [self.netlist.names.get(names[one], "?") for one in (taken[key], net)]
                raise Unpackable(
                    f"two nets share pin {key[1]} of block {key[0]}: {' and '.join(both)}"
                )

    def text(self) -> str:
        """The design's text."""
        controls: Dict[Control, int] = {}
        blocks = []
        for block in self.packing.blocks:
            own = -1
            if block.width == QUARTER and block.control:
                own = controls.setdefault(block.control, len(controls))
            blocks.append(f"{block.type} {block.width} {own}")
        nets = []
        for bit in self.nets:
            number, pin = self.output(bit)
            nets.append(f"{number} {pin} {self.netlist.names.get(bit, f'net{bit}')}")
        chains = [" ".join(map(str, [len(chain), *chain])) for chain in self.packing.chains]
        connections = [" ".join(map(str, key)) for key in self.connections]
        sections = {"B": blocks, "M": chains, "N": nets, "C": connections}
        sections.update({"E": self.arcs, "X": self.ends, "S": self.starts})
        lines = (line for key, own in sections.items() for line in [f"{key} {len(own)}", *own])
        return "\n".join(lines) + "\n"


def block_ram_pins(port: str, index: int, width: int) -> List[str]:
    """Pins of one bit of a port of a block RAM; both halves get addresses and controls."""
    if port.startswith("ADDR"):
        return [f"{port}{half}{index}" for half in ("LU" if index < 15 else "L")]
    if port == "RSTRAMARSTRAM":
        return ["RSTRAMARSTRAMLRST", "RSTRAMARSTRAMU"]
    number = index if width > 1 else ""
    return [f"{port}{half}{number}" for half in ("LU" if port in HALVES else [""])]
