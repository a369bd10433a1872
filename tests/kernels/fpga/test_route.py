"""The placer and router on a made-up chip of a few columns, with wires of one tile's length."""

import json
import shutil
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("figures are made on a computer, from Python 3.10", allow_module_level=True)

from kernels.fpga.design.layout import design, fabric, netlist
from tests.kernels.fpga.route import __main__ as command

LETTERS = "ABCD"
TRACKS = range(6)
# out of a tile, and the end of a wire from the neighbour on that side
OUT = [f"{way}_OUT{track}" for way in "NSEW" for track in TRACKS]
IN = [f"{way}_IN{track}" for way in "NSEW" for track in TRACKS]
INPUTS = [letter + pin for letter in LETTERS for pin in "123456XI"] + ["CE", "SR", "WE"]
OUTPUTS = [letter + pin for letter in LETTERS for pin in ("", "Q", "MUX")]
SWITCH_NS, PIN_NS = 0.1, 0.05
CHIP = fabric.Chip(columns="cccccc", rows=6, clock_rows=(3,))
SLOW, FAST = 1, 2  # the two clocks' nets

pytestmark = pytest.mark.timeout(900)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def pips(pairs):
    way = {"delay": [str(SWITCH_NS)] * 4, "res": "0", "in_cap": "0"}
    return {
        f"{a}>{b}": {"src_wire": a, "dst_wire": b, "is_directional": "1", "src_to_dst": way}
        for a, b in pairs
    }


def tile_types(cut=()):
    """Tiles' wires, switches and sites; wires of ``cut`` have no switch."""
    inputs = [f"{pin}_{half}" for half in (0, 1) for pin in INPUTS]
    outputs = [f"{pin}_{half}" for half in (0, 1) for pin in OUTPUTS]
    pairs = [(a, b) for a in outputs + IN for b in OUT]
    pairs += [(a, b) for a in IN for b in inputs]
    pairs = [pair for pair in pairs if not set(pair) & set(cut)]
    inner = {"wires": dict.fromkeys(inputs + outputs + IN + OUT), "pips": pips(pairs), "sites": []}
    ends = [(f"CLB_{pin}", f"SITE_{pin}") for pin in inputs]
    ends += [(f"SITE_{pin}", f"CLB_{pin}") for pin in outputs]
    sites = [
        {
            "name": f"X{half}Y0",
            "type": "SLICEM",
            "site_pins": {
                pin: {"wire": f"SITE_{pin}_{half}", "delay": [str(PIN_NS)] * 4}
                for pin in INPUTS + OUTPUTS
            },
        }
        for half in (0, 1)
    ]
    outer = {"wires": {}, "pips": pips(ends), "sites": sites}
    empty = {"wires": {}, "pips": {}, "sites": []}
    found = dict.fromkeys(fabric.INTERCONNECT, inner)
    found.update(dict.fromkeys(fabric.SLICES, outer))
    blocks = [f"{name}_{side}" for name in ("BRAM", "DSP") for side in "LR"]
    blocks += [f"{name}INT_INTERFACE_{side}" for name in ("BRAM_", "") for side in "LR"]
    return {**found, **dict.fromkeys([*blocks, "HCLK_L", "CMT_FIFO_L"], empty)}


def joints():
    across = [(f"E_OUT{track}", f"E_IN{track}") for track in TRACKS]
    across += [(f"W_IN{track}", f"W_OUT{track}") for track in TRACKS]
    up = [(f"N_IN{track}", f"N_OUT{track}") for track in TRACKS]
    up += [(f"S_OUT{track}", f"S_IN{track}") for track in TRACKS]
    pins = [f"{pin}_{half}" for half in (0, 1) for pin in INPUTS + OUTPUTS]
    through = [(name, name) for pair in across for name in pair]
    into = [(f"CLB_{pin}", pin) for pin in pins]
    known = {("INT_L", "INT_R"): across, ("CLBLL_R", "CLBLL_L"): across}
    for kind in ("CLBLL", "CLBLM"):
        known[kind + "_L", "INT_L"] = into + through
        known["INT_R", kind + "_R"] = [(b, a) for a, b in into] + through
    sides = [([0, 1], (side, side), up) for side in fabric.INTERCONNECT]
    sides += [([1, 0], tiles, pairs) for tiles, pairs in known.items()]
    return [
        dict(grid_deltas=step, tile_types=tiles, wire_pairs=pairs) for step, tiles, pairs in sides
    ]


def made_up(folder, cut=()):
    """A database of the made-up tiles."""
    (folder / "zynq7" / "xc7z020").mkdir(parents=True)
    for name, tile in tile_types(cut).items():
        (folder / "zynq7" / f"tile_type_{name}.json").write_text(json.dumps(tile))
    command.tileconn(folder).write_text(json.dumps(joints()))
    return fabric.Database(folder, command.tileconn(folder))


class Toy:
    """A module as yosys writes it: registers, an adder with a carry, and a register."""

    def __init__(self, clock=SLOW):
        self.cells, self.last = {}, FAST
        carried = [self.register(SLOW) for _ in range(9)]
        tables = [self.cell("LUT2", I0=[a], I1=[b]) for a, b in zip(carried, carried[4:8])]
        sums = [self.cell("LUT2", I0=[a], I1=[b]) for a, b in zip(tables, carried)]
        outputs = list(range(self.last + 1, self.last + 9))
        self.last += 8
        ways = dict.fromkeys(("S", "DI", "CI", "CYINIT"), "input") | {"O": "output", "CO": "output"}
        wires = dict(S=sums, DI=carried[4:8], CI=["0"], CYINIT=[carried[8]])
        wires.update(O=outputs[:4], CO=outputs[4:])
        self.cells["adder"] = dict(type="CARRY4", connections=wires, port_directions=ways)
        self.register(clock, self.cell("LUT2", I0=[outputs[1]], I1=[outputs[5]]), name="end")

    def cell(self, kind, out="O", name=None, **inputs):
        self.last += 1
        ways = {**dict.fromkeys(inputs, "input"), out: "output"}
        wires = {**inputs, out: [self.last]}
        named = name or f"cell{self.last}"
        self.cells[named] = dict(type=kind, connections=wires, port_directions=ways)
        return self.last

    def register(self, clock, data=None, name=None):
        """A flip-flop; without data it is fed by itself."""
        own = self.last + 1
        return self.cell("FDRE", "Q", name, C=[clock], CE=["1"], R=["0"], D=[data or own])

    def text(self):
        ports = {"clk": {"bits": [SLOW]}, "clk_fast": {"bits": [FAST]}}
        module = dict(cells=self.cells, ports=ports, netnames={})
        return design.Design(netlist.Packing(netlist.Netlist(module))).text()


def routed(tmp_path, toy, cut=()):
    chip = fabric.write(made_up(tmp_path / "-".join(("database", *cut)), cut), CHIP)
    return command.route(chip, toy.text(), seed=1)


@needs_compiler
def test_a_toy_is_routed_and_its_longest_path_has_every_delay(tmp_path):
    found = routed(tmp_path, Toy())
    assert found["shared_wires"] == found["unrouted"] == found["half_ns"] == 0
    # clock to output, three tables, the carry's second bit, a table, setup
    cells_ns = 0.518 + 3 * 0.124 + 0.47 + 0.124 + 0.05
    ways = found["routed_ns"] - cells_ns
    assert 4 * (2 * SWITCH_NS + PIN_NS) < ways < 4 * (12 * SWITCH_NS + 2 * PIN_NS)


@needs_compiler
def test_a_path_to_the_fast_clock_has_half_a_period(tmp_path):
    found = routed(tmp_path, Toy(FAST))
    assert found["routed_ns"] == pytest.approx(2 * found["half_ns"], abs=0.002)
    assert found["paths"][0]["limit"] == "half"


@needs_compiler
def test_a_pin_without_a_switch_is_noticed(tmp_path):
    with pytest.raises(command.CannotRoute, match="no pin"):
        routed(tmp_path, Toy(), cut=("AX_0", "AX_1"))


@needs_compiler
def test_too_few_wires_are_noticed(tmp_path):
    found = routed(tmp_path, Toy(), cut=[name for name in OUT if name[-1] != "0"])
    assert found["shared_wires"] or found["unrouted"]
    assert not command.is_met(dict(found, routed_ns=1.0))


@pytest.mark.parametrize("routed_ns, met", [(7.99, True), (8.01, False)])
def test_the_wanted_clock_is_125_mhz_on_wires_of_its_own(routed_ns, met):
    found = dict(routed_ns=routed_ns, shared_wires=0, unrouted=0)
    assert command.is_met(found) is met
    assert not command.is_met(dict(found, shared_wires=1))
    assert not command.is_met(dict(found, unrouted=1))


def test_a_table_with_both_outputs_in_use_is_not_reached_by_its_sixth_input():
    pins = [line.split()[-1] for line in Toy().text().splitlines() if len(line.split()) == 3]
    assert {"F0", "F1", "F2", "F3", "L@"} < set(pins)
    assert not {"L0", "L1", "L2", "L3"} & set(pins)


def test_two_signals_on_one_pin_are_refused(monkeypatch):
    monkeypatch.setattr(netlist.Netlist, "split_carries", lambda self: None)
    with pytest.raises(netlist.Unpackable, match="BMUX"):
        Toy().text()


def test_without_a_database_it_says_so_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOTPATH_PRJXRAY", raising=False)
    assert command.main([]) == 2
    assert command.main(["--database", str(tmp_path)]) == 2
    command.tileconn(tmp_path).parent.mkdir(parents=True)
    for text in ("{", "[1]"):
        command.tileconn(tmp_path).write_text(text)
        assert command.main(["--database", str(tmp_path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4 and "HOTPATH_PRJXRAY" in told[0] and "tileconn.json" in told[1]
    assert "no JSON file" in told[2] and "no tileconn.json of Project X-Ray" in told[3]
