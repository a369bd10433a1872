"""Writes the interconnect of an xc7z020 as text, from Project X-Ray's files of its tile types.

X-Ray (https://github.com/openXC7/prjxray-db) has the wires, switches and delays of the family's
tiles, and in ``tileconn.json`` how tiles are joined; an Artix-7's will do, since it has the same
tiles. The chip's columns stand here. ``tests/kernels/fpga/route/main.cpp`` says the format.
"""

import collections
import json
import pathlib
import re
import statistics
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from kernels.errors import HotpathError

Pairs = List[Tuple[str, str]]  # wires of two neighbouring tiles that are one wire

SLOWEST = 3  # index of the slow corner's longest delay, ns, in X-Ray's lists of four
INTERCONNECT = ("INT_L", "INT_R")
SLICES = ("CLBLL_L", "CLBLM_L", "CLBLL_R", "CLBLM_R")
# sites in hard blocks' tiles, and the tile that passes the block's outputs on to the interconnect
BLOCKS = {"BRAM": ("RAMBFIFO36E1", "BRAM_INT_INTERFACE"), "DSP": ("DSP48E1", "INT_INTERFACE")}
# ways from an INT_R to the INT_L on its right
BETWEEN = (
    ("INT_R", "CLBLL_R", "CLBLL_L", "INT_L"),
    ("INT_R", "CLBLM_R", "CLBLL_L", "INT_L"),
    ("INT_R", "CLBLM_R", "VBRK", "CLBLL_L", "INT_L"),
    ("INT_R", "CLBLM_R", "VBRK", "CLBLM_L", "INT_L"),
)
# wires of hard blocks' tiles that continue into the interconnect, with the row within the tile
INTO = re.compile(r"(?:BRAM|DSP)_(IMUX|LOGIC_OUTS_B|BYP|FAN|CTRL|CLK)(\d+)_(\d)$")
# wires that pass through a tile from left to right: the long ones, and the others
LONG = re.compile(r"_LH\d+(_\d+)?$")
SHORT = re.compile(r"_(EE|WW|EL|ER|WL|WR|NE|NW|SE|SW)\d\w*$")
# the tile beside the interconnect whose wires load what passes, by kind of column
LOADING = {"clb": "CLBLL_L", "dsp": "DSP_L", "bram": "BRAM_L", "none": "CMT_FIFO_L"}


class Chip(NamedTuple):
    """Columns and rows of interconnect tiles. The odd columns, counted from 0, are INT_L."""

    columns: str  # a letter each, from the left: c slices, b block RAMs, d DSPs, - nothing
    rows: int
    clock_rows: Tuple[int, ...]  # a wire into these rows from below crosses a clock row
    centre: Optional[int] = None  # column with the configuration logic on its right
    cut: int = 0  # so many columns on the left have the processor system above
    cut_rows: int = 0  # their rows; the next column has wires in all rows, and sites in these


# It gives 13,300 slices, 220 DSPs and 140 block RAMs, as UG585, table 21-1. Of its 4,350 slices
# with memory only 3,450 are taken for such ones: those in INT_R's columns.
XC7Z020 = Chip(
    columns="-ccccbccdccccbccdccccbccdccccccc-ccbccccccccc-cccccbccdccccdccbcccc--",
    rows=150,
    clock_rows=(25, 75, 125),
    centre=44,
    cut=17,
    cut_rows=50,
)
KINDS = {"c": "clb", "b": "bram", "d": "dsp", "-": "none"}


class NoDatabase(HotpathError):
    """Project X-Ray's files are not where they were said to be, or lack a tile."""


class Database:
    """Project X-Ray's tile types of the Zynq-7000 and an Artix-7's joints of tiles."""

    def __init__(self, folder: pathlib.Path, tileconn: pathlib.Path) -> None:
        self.folder = folder
        self.known: Dict[str, Any] = {}
        self.tileconn = tileconn
        try:
            self.joints = {
                (tuple(joint["grid_deltas"]), *joint["tile_types"]): joint["wire_pairs"]
                for joint in self.read(tileconn)
            }
        except (KeyError, TypeError):
            raise NoDatabase(f"{tileconn} is no tileconn.json of Project X-Ray") from None

    def read(self, path: pathlib.Path) -> Any:
        """Contents of a JSON file."""
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except OSError as problem:
            raise NoDatabase(f"{path} can't be read ({problem.strerror})") from problem
        except ValueError as problem:
            raise NoDatabase(f"{path} is no JSON file ({problem}); get it again") from problem

    def tile(self, name: str) -> Dict[str, Any]:
        """Wires, switches and sites of a tile type."""
        if name not in self.known:
            path = self.folder / "zynq7" / f"tile_type_{name}.json"
            self.known[name] = self.read(path)
            if not {"wires", "pips", "sites"} <= set(self.known[name]):
                raise NoDatabase(f"{path} is no tile of Project X-Ray")
        return self.known[name]

    def wires(self, name: str) -> Dict[str, int]:
        """Numbers of the wires of an interconnect tile."""
        return {wire: number for number, wire in enumerate(sorted(self.tile(name)["wires"]))}

    def joined(self, *paths: Sequence[str], step: Tuple[int, int] = (1, 0)) -> Pairs:
        """Wires of the first and the last tile that are one wire, by ways through tiles between.

        One way does not have all wires: a joint lacks those that no chip of X-Ray's has there.
        """
        found: Dict[Tuple[str, str], None] = {}
        for path in paths:
            steps = [self.joints.get((step, *pair), []) for pair in zip(path, path[1:])]
            pairs = steps[0]
            for joint in steps[1:]:
                onward = collections.defaultdict(list)
                for near, far in joint:
                    onward[near].append(far)
                pairs = [(first, far) for first, near in pairs for far in onward[near]]
            found.update(dict.fromkeys((first, last) for first, last in pairs))
        if not found:
            raise NoDatabase(
                f"{self.tileconn} does not say how {' and '.join(paths[0])} are joined"
            )
        return list(found)


def write(database: Database, chip: Chip = XC7Z020) -> str:
    """The fabric's text."""
    lines: List[str] = []
    for tile in INTERCONNECT:
        lines += interconnect(database, tile)
    for name, tiles, pairs in (
        ("VL", ("INT_L", "INT_L"), vertical(database, "L")),
        ("VR", ("INT_R", "INT_R"), vertical(database, "R")),
        ("HLR", ("INT_L", "INT_R"), database.joined(("INT_L", "INT_R"))),
        ("HRL", ("INT_R", "INT_L"), database.joined(*BETWEEN)),
    ):
        first, second = (database.wires(tile) for tile in tiles)
        known = [(first[a], second[b]) for a, b in pairs if a in first and b in second]
        lines += [f"C {name} {len(known)}"] + [f"{a} {b}" for a, b in known]
    for tile in SLICES:
        lines += slices(database, tile)
    for block in BLOCKS:
        for side in "LR":
            lines += hard_blocks(database, block, side)
    lines += columns(database, chip)
    return "\n".join(lines) + "\n"


def vertical(database: Database, side: str) -> Pairs:
    """Wires of a tile and of the one below it; the way through a clock row has the long ones."""
    inner, clock_row = "INT_" + side, "HCLK_" + side
    return database.joined((inner, inner), (inner, clock_row, inner), step=(0, 1))


def interconnect(database: Database, name: str) -> Iterator[str]:
    """Wires and switches of an interconnect tile; clocks and constants are not routed."""
    wires = database.wires(name)
    yield f"T {name} {len(wires)}"
    yield from wires
    switches = []
    for switch in database.tile(name)["pips"].values():
        ends = (switch["src_wire"], switch["dst_wire"])
        if any("GCLK" in end for end in ends) or ends[0] in ("VCC_WIRE", "GND_WIRE"):
            continue
        one_way = switch["src_to_dst"]
        delay = f"{float(one_way['delay'][SLOWEST]):.4f} {one_way['res']}"
        source, destination = (wires[end] for end in ends)
        switches.append(f"{source} {destination} {delay}")
        if switch["is_directional"] == "0":
            switches.append(f"{destination} {source} {delay}")
    yield f"P {len(switches)}"
    yield from switches


def slices(database: Database, name: str) -> Iterator[str]:
    """Pins of the slices of a tile."""
    inner = "INT_" + name[-1]
    if name[-1] == "L":
        beside = dict(database.joined((name, inner)))
    else:
        beside = {b: a for a, b in database.joined((inner, name))}
    tile, wires = database.tile(name), database.wires(inner)
    reached: Dict[str, int] = {}
    for switch in tile["pips"].values():
        for near, far in (("src_wire", "dst_wire"), ("dst_wire", "src_wire")):
            if beside.get(switch[near]) in wires:
                reached.setdefault(switch[far], wires[beside[switch[near]]])
    for site in tile["sites"]:
        pins = [
            f"{pin} 0 {reached[at['wire']]} {float((at.get('delay') or [0] * 4)[SLOWEST]):.3f}"
            for pin, at in site["site_pins"].items()
            if at and at["wire"] in reached
        ]
        yield from [f"S {name} {site['name']} {len(pins)}"] + pins


def hard_blocks(database: Database, block: str, side: str) -> Iterator[str]:
    """Pins of a tile of block RAMs or DSPs, reached through the tile's own switches."""
    site_type, interface = BLOCKS[block]
    tile, wires = database.tile(f"{block}_{side}"), database.wires("INT_" + side)
    passing = database.tile(f"{interface}_{side}")["pips"].values()
    passed = max(map(delay_of, passing), default=0.0)
    before, after = collections.defaultdict(list), collections.defaultdict(list)
    for switch in tile["pips"].values():
        after[switch["src_wire"]].append((switch["dst_wire"], delay_of(switch)))
        before[switch["dst_wire"]].append((switch["src_wire"], delay_of(switch)))
    for site in tile["sites"]:
        if site["type"] != site_type:
            continue
        pins = []
        for pin, at in site["site_pins"].items():
            for ways in (before, after) if at else ():
                found = nearest(at["wire"], ways, wires, side)
                if found:
                    row, wire, delay = found
                    pins.append(f"{pin} {row} {wire} {delay + passed * (ways is after):.3f}")
                    break
        yield from [f"S {block}_{side} {site_type}_{site['name']} {len(pins)}"] + pins


def nearest(start: str, ways: Dict[str, Any], wires: Dict[str, int], side: str) -> Any:
    """Row, number and delay of the interconnect's wire behind a pin, or None."""
    waiting, seen = collections.deque([(start, 0.0)]), {start}
    while waiting:
        name, delay = waiting.popleft()
        match = INTO.match(name)
        if match:
            kind, number, row = match.groups()
            inner = kind.replace("_B", "") + ("_L" if side == "L" else "") + number
            if inner in wires:
                return int(row), wires[inner], delay
        for onward, added in ways[name]:
            if onward not in seen and "CASC" not in onward:
                seen.add(onward)
                waiting.append((onward, delay + added))
    return None


def delay_of(switch: Dict[str, Any]) -> float:
    """Delay of a switch, ns; a pass-through has none."""
    return float((switch["src_to_dst"]["delay"] or [0] * 4)[SLOWEST])


def columns(database: Database, chip: Chip) -> Iterator[str]:
    """Columns of the chip, and what loads wires between them."""
    kinds = [KINDS[letter] for letter in chip.columns]
    yield f"G {len(kinds)} {chip.rows}"
    for x, kind in enumerate(kinds):
        left = x % 2  # an INT_L
        memory = kind == "clb" and not left
        wired = chip.cut_rows if x < chip.cut else chip.rows
        sited = chip.cut_rows if x <= chip.cut and chip.cut else chip.rows
        between = (
            [] if left or x + 1 == len(kinds) else [LOADING[each] for each in kinds[x : x + 2]]
        )
        if between and x == chip.centre:
            between.append("CFG_CENTER_MID")
        loads = " ".join(
            f"{sum(load(database, tile, which, unit) for tile in between):.2f}"
            for which in (SHORT, LONG)
            for unit in ("cap", "res")
        )
        yield f"{kind} {int(not left)} {int(memory)} {wired} {sited} {loads}"
    hclk = [
        load(database, "HCLK_L", re.compile("^HCLK_(?!LV)[NS]"), unit) for unit in ("cap", "res")
    ]
    yield f"H {len(chip.clock_rows)} {hclk[0]:.2f} {hclk[1]:.2f}"
    yield from map(str, chip.clock_rows)
    vertical = [load(database, "INT_L", re.compile("^LV"), unit) for unit in ("cap", "res")]
    yield f"V {vertical[0]:.2f} {vertical[1]:.2f}"


def load(database: Database, tile: str, which: "re.Pattern[str]", unit: str) -> float:
    """Mean capacitance ("cap", fF) or resistance ("res", ohm) of a tile's wires of a kind."""
    found = database.tile(tile)["wires"].items()
    values = [float((at or {}).get(unit, 0)) for wire, at in found if which.search(wire)]
    return statistics.fmean(values or [0.0])
