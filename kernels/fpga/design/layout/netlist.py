"""Packs the netlist of yosys for a 7-series FPGA: which cells share a slice, and on which pins."""

import collections
import dataclasses
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple, Union

from kernels.errors import HotpathError

Bit = Union[int, str]  # a net's number in yosys's JSON, or a constant "0", "1", "x"
Control = Tuple[Bit, ...]  # clock, enable, reset, write enable: one of each in a slice

LETTERS = "ABCD"  # of the four lookup tables of a slice, from the bottom
OWN = "@"  # the letter that the placer chooses
FLIP_FLOPS = ("FDRE", "FDSE")
MEMORIES = ("RAM32M", "RAM64M")
LOOKUPS = tuple(f"LUT{inputs}" for inputs in range(1, 7))
SLICE, MEMORY_SLICE, DSP, BLOCK_RAM = range(4)  # types of blocks
QUARTER, WHOLE = 1, 4  # widths of blocks in slices: a lookup table with its flip-flop, or all four
HARD = {"DSP48E1": DSP, "RAMB36E1": BLOCK_RAM}
FREE = "0"  # the control of a slice without one


class Unpackable(HotpathError):
    """The netlist has something that this packer knows no place for."""


class Pin(NamedTuple):
    """One bit of a port of a cell."""

    cell: str
    port: str
    number: int


@dataclasses.dataclass
class Cell:
    """A primitive of the FPGA."""

    kind: str
    ports: Dict[str, List[Bit]]
    outputs: FrozenSet[str]
    parameters: Dict[str, str] = dataclasses.field(default_factory=dict)

    def bit(self, *ports: str) -> Bit:
        """The only bit of the first of these ports that the cell has, or ``FREE``."""
        return next((self.ports[port][0] for port in ports if self.ports.get(port)), FREE)

    def nets(self, ports: Any) -> List[int]:
        """The nets of ports, each once."""
        bits = (bit for port in ports for bit in self.ports.get(port, []))
        return list(dict.fromkeys(bit for bit in bits if isinstance(bit, int)))

    def register(self, name: str) -> bool:
        """Whether a DSP or a block RAM uses one of its registers."""
        return int(self.parameters.get(name, "1"), 2) != 0


@dataclasses.dataclass
class Block:
    """What the placer places: a quarter of a slice, a whole one, a DSP or a block RAM."""

    type: int
    width: int
    control: Optional[Control] = None


class Place(NamedTuple):
    """Where a cell lies: its block and the letter of its lookup table."""

    block: int
    letter: str
    inside: bool = False  # a flip-flop with its input from within the slice
    second: bool = False  # a quarter's other flip-flop, whose output is the pin MUX


class Netlist:
    """Cells of a flat module; inverters are part of the lookup tables behind them."""

    def __init__(self, module: Dict[str, Any], fast_clock: str = "clk_fast") -> None:
        self.cells: Dict[str, Cell] = {}
        for name, cell in module["cells"].items():
            ways = cell["port_directions"]
            outputs = frozenset(port for port in cell["connections"] if ways[port] == "output")
            ports = {port: list(bits) for port, bits in cell["connections"].items()}
            self.cells[name] = Cell(cell["type"], ports, outputs, cell.get("parameters", {}))
        self.fast = module["ports"].get(fast_clock, {"bits": [None]})["bits"][0]
        self.names = names(module["netnames"])
        self.invented = 0
        self.connect()
        self.absorb_inverters()
        self.split_carries()

    def connect(self) -> None:
        """Find the driver and the loads of every net."""
        self.drivers: Dict[Bit, Pin] = {}
        self.loads: Dict[Bit, List[Pin]] = collections.defaultdict(list)
        for name, cell in self.cells.items():
            for port, bits in cell.ports.items():
                for index, bit in enumerate(bits):
                    if isinstance(bit, int) and port in cell.outputs:
                        self.drivers[bit] = Pin(name, port, index)
                    elif isinstance(bit, int):
                        self.loads[bit].append(Pin(name, port, index))

    def driver(self, bit: Bit, *kinds: str) -> Optional[str]:
        """The cell that drives a net, if it is of one of these kinds."""
        pin = self.drivers.get(bit)
        return pin.cell if pin and self.cells[pin.cell].kind in kinds else None

    def absorb_inverters(self) -> None:
        """A lookup table inverts its inputs for nothing; before other cells it takes a table."""
        for name, cell in list(self.cells.items()):
            if cell.kind != "INV":
                continue
            loads = self.loads[cell.ports["O"][0]]
            if all(self.cells[load.cell].kind in LOOKUPS for load in loads):
                for load in loads:
                    self.cells[load.cell].ports[load.port][load.number] = cell.ports["I"][0]
                    self.loads[cell.ports["I"][0]].append(load)
                del self.cells[name]
            else:
                self.cells[name] = Cell(
                    "LUT1", {"I0": cell.ports["I"], "O": cell.ports["O"]}, frozenset("O")
                )
        self.connect()

    def split_carries(self) -> None:
        """Where sum and carry of a bit both leave the slice, a second slice makes the carries."""
        for name, cell in list(self.cells.items()):
            if cell.kind != "CARRY4":
                continue
            sums, carries = cell.ports["O"], cell.ports["CO"]
            out = [any(load.port != "CI" for load in self.loads[bit]) for bit in carries]
            if not any(both and self.loads[bit] for both, bit in zip(out, sums)):
                continue
            if isinstance(cell.bit("CI"), int):
                raise Unpackable(f"{name}: a carry that continues another leaves its slice")
            ports = {port: list(bits) for port, bits in cell.ports.items() if port != "O"}
            ports["CO"] = [bit if both else "x" for both, bit in zip(out, carries)]
            self.cells[name + ".carries"] = dataclasses.replace(cell, ports=ports)
            cell.ports["CO"] = ["x" if both else bit for both, bit in zip(out, carries)]
        self.connect()

    def pass_through(self, load: Pin) -> str:
        """Put a lookup table that changes nothing before a pin; returns its name."""
        self.invented += 1
        name, made = f"pass_through[{self.invented}]", -self.invented
        bit = self.cells[load.cell].ports[load.port][load.number]
        self.cells[name] = Cell("LUT1", {"I0": [bit], "O": [made]}, frozenset("O"))
        self.names[made] = name
        self.drivers[made], self.loads[made] = Pin(name, "O", 0), [load]
        self.loads[bit] = [pin for pin in self.loads[bit] if pin != load] + [Pin(name, "I0", 0)]
        self.cells[load.cell].ports[load.port][load.number] = made
        return name

    def control(self, name: str) -> Control:
        """Clock, enable, reset and write enable that a cell wants of its slice."""
        cell = self.cells[name]
        if cell.kind in FLIP_FLOPS:
            return (cell.bit("C"), cell.bit("CE"), cell.bit("R", "S"), FREE)
        return (cell.bit("CLK", "WCLK"), FREE, FREE, cell.bit("CE", "WE"))


def names(netnames: Dict[str, Any]) -> Dict[Bit, str]:
    """A name for each net: one of the source's, and the shortest."""
    found: Dict[Bit, str] = {}
    for name, net in netnames.items():
        for index, bit in enumerate(net["bits"]):
            own = (name if len(net["bits"]) == 1 else f"{name}[{index}]").replace(" ", "_")
            if bit not in found or ("$" in own, len(own)) < ("$" in found[bit], len(found[bit])):
                found[bit] = own
    return found


class Packing:
    """Blocks of a netlist, the chains of blocks that stay together, and the places of the cells."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.blocks: List[Block] = []
        self.chains: List[List[int]] = []
        self.places: Dict[str, Place] = {}
        kinds = collections.defaultdict(list)
        for name, cell in netlist.cells.items():
            kinds[cell.kind].append(name)
        for chain in self.cascades(kinds.pop("CARRY4", []), "CI", "CO", 3):
            self.chains.append([self.pack_carry(name) for name in chain])
        for kind in MEMORIES:
            for name in kinds.pop(kind, []):
                self.pack_memory(name)
        for kind in LOOKUPS + ("SRL16E",):
            for name in kinds.pop(kind, []):
                self.pack_quarter(name)
        for kind in FLIP_FLOPS:
            for name in kinds.pop(kind, []):
                if name not in self.places:
                    block = self.add(SLICE, QUARTER, netlist.control(name))
                    self.places[name] = Place(block, OWN)
        for chain in self.cascades(kinds.pop("DSP48E1", []), "PCIN", "PCOUT", 0):
            blocks = [self.pack_hard(name) for name in chain]
            if len(blocks) > 1:
                self.chains.append(blocks)
        for name in kinds.pop("RAMB36E1", []):
            self.pack_hard(name)
        if kinds:
            raise Unpackable(f"no place for cells of these kinds: {', '.join(sorted(kinds))}")

    def add(self, type: int, width: int, control: Optional[Control] = None) -> int:
        """Add a block; returns its number."""
        self.blocks.append(Block(type, width, control))
        return len(self.blocks) - 1

    def cascades(self, names: List[str], into: str, out: str, index: int) -> Iterator[List[str]]:
        """Cells in the order in which each feeds the next through a wire of its own."""
        onward = {}
        for name in names:
            pin = self.netlist.drivers.get(self.netlist.cells[name].bit(into))
            if pin and pin[1:] == (out, index):
                if pin.cell in onward:
                    raise Unpackable(f"{pin.cell} feeds two cells by its {out}")
                onward[pin.cell] = name
        fed = set(onward.values())
        for name in names:
            if name not in fed:
                chain = [name]
                while chain[-1] in onward:
                    chain.append(onward[chain[-1]])
                yield chain

    def pack_hard(self, name: str) -> int:
        """A DSP or a block RAM; returns its block."""
        block = self.add(HARD[self.netlist.cells[name].kind], 0)
        self.places[name] = Place(block, "")
        return block

    def pack_carry(self, name: str) -> int:
        """A slice of a carry chain, with the lookup tables before it and flip-flops behind it."""
        cell, block = self.netlist.cells[name], self.add(SLICE, WHOLE)
        self.places[name] = Place(block, "")
        for index, letter in enumerate(LETTERS):
            chosen, output = cell.ports["S"][index], cell.ports.get("O", [])[index : index + 1]
            table = None
            if isinstance(chosen, int):
                table = self.netlist.driver(chosen, *LOOKUPS)
                if not table or table in self.places or self.blocked(name, table, index):
                    table = self.netlist.pass_through(Pin(name, "S", index))
                self.places[table] = Place(block, letter)
            behind = output + (self.netlist.cells[table].ports["O"] if table else [])
            for bit in behind:
                if self.pack_flip_flop(bit, block, letter):
                    break
        return block

    def blocked(self, name: str, table: str, index: int) -> bool:
        """Whether a table leaves no way for the bit's other input, as the carry's takes the pin."""
        cell = self.netlist.cells[name]
        other, initial = cell.ports["DI"][index], self.carry_in(name)
        return (
            index == 0 and isinstance(other, int) and bool(initial) and not self.fits(table, other)
        )

    def carry_in(self, name: str) -> List[int]:
        """Nets that enter a carry chain by the pin AX."""
        cell = self.netlist.cells[name]
        pin = self.netlist.drivers.get(cell.bit("CI"))
        cascaded = bool(pin and pin[1:] == ("CO", 3))
        return cell.nets(["CYINIT"] if cascaded else ["CI", "CYINIT"])

    def fits(self, table: str, other: int) -> bool:
        """Whether a table has room for a second function: one of at most five inputs together."""
        cell = self.netlist.cells[table]
        return len(set(cell.nets(set(cell.ports) - cell.outputs)) | {other}) <= 5

    def pack_flip_flop(self, bit: Bit, block: int, letter: str, second: bool = False) -> bool:
        """Put a flip-flop that a net feeds behind a lookup table or a carry; whether one fits."""
        for load in self.netlist.loads[bit] if isinstance(bit, int) else ():
            if load.cell in self.places or load.port != "D":
                continue
            if self.netlist.cells[load.cell].kind not in FLIP_FLOPS:
                continue
            wanted, has = self.netlist.control(load.cell), self.blocks[block].control
            if has is None or has == wanted or (has[1:3] == (FREE, FREE) and has[0] == wanted[0]):
                self.blocks[block].control = wanted[:3] + (has[3] if has else FREE,)
                self.places[load.cell] = Place(block, letter, True, second)
                return True
        return False

    def pack_memory(self, name: str) -> None:
        """A slice of distributed memory, with the flip-flops behind it."""
        cell = self.netlist.cells[name]
        block = self.add(MEMORY_SLICE, WHOLE, self.netlist.control(name))
        self.places[name] = Place(block, "")
        for letter in LETTERS:
            for index, bit in enumerate(cell.ports.get("DO" + letter, [])):
                if index == 0 or self.netlist.loads[bit][1:] == []:
                    self.pack_flip_flop(bit, block, letter, index == 1)

    def pack_quarter(self, name: str) -> None:
        """A lookup table or shift register with a flip-flop behind it."""
        if name in self.places:
            return
        cell = self.netlist.cells[name]
        if cell.kind == "SRL16E":
            block = self.add(MEMORY_SLICE, QUARTER, self.netlist.control(name))
        else:
            block = self.add(SLICE, QUARTER)
        self.places[name] = Place(block, OWN)
        self.pack_flip_flop(cell.bit("O", "Q"), block, OWN)
