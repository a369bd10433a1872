"""The static timer is right for netlists with known paths; the committed table keeps its budget."""

import pytest

from kernels.fpga import design
from kernels.fpga.design import static_timing, synthesis, timing

RESULTS = synthesis.results("timing")
BOARDS = sorted(RESULTS)
AGAIN = "; run `python -m kernels.fpga.design.timing`"

TABLE = {
    "net": {"bases": [0.5], "usual": 0.5, "fan_out": 0.1},
    "scale": {"xc7": 1.0, "xcup": 0.5},
    "flip_flop": {"out": 0.4, "d": 0.05, "ce": 0.2, "r": 0.3},
    "lut": {"through": 0.1, "mux": 0.2},
    "carry": {
        "s_first": 0.25,
        "s_next": 0.4,
        "stage": 0.06,
        "ci_o": 0.2,
        "ci_o_stage": 0.03,
        "ci_co": 0.11,
        "cyinit": 0.5,
    },
    "lut_ram": {"out": 1.3, "through": 0.15, "d": 0.4},
    "block_ram": {
        "out": 2.4,
        "out_register": 0.9,
        "address": 0.6,
        "data": 0.7,
        "write": 0.5,
        "enable": 0.4,
    },
}


def cell(kind, inputs, outputs, **parameters):
    """A cell as yosys writes it: dicts of port -> nets."""
    directions = dict(dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output"))
    return {
        "type": kind,
        "parameters": parameters,
        "attributes": {},
        "port_directions": directions,
        "connections": dict(inputs, **outputs),
    }


def register(d, q, clock=1, **more):
    pins = {name: [net] for name, net in more.items()}
    return cell("FDRE", dict({"D": [d], "C": [clock]}, **pins), {"Q": [q]})


def netlist_of(cells, ports=None):
    names = {f"net{bit}": {"bits": [bit]} for bit in range(2, 60)}
    return {"cells": cells, "ports": ports or {}, "netnames": names}


def timed(cells, ports=None):
    return static_timing.Timing(netlist_of(cells, ports), 0.5, TABLE).paths()


def test_a_path_is_the_sum_of_its_cells_nets_and_setup():
    cells = {
        "from": register(9, 2),
        "first": cell("LUT2", {"I0": [2], "I1": ["0"]}, {"O": [3]}),
        "second": cell("LUT2", {"I0": [3], "I1": ["1"]}, {"O": [4]}),
        "to": register(4, 5),
    }
    worst = timed(cells)[0]
    # the net between the last LUT and its only flip-flop is in the slice
    assert worst.ns == pytest.approx(0.4 + 0.5 + 0.1 + 0.5 + 0.1 + 0.05)
    assert (worst.start, worst.end) == ("net2", "net5")
    assert worst.levels == ["FDRE", "LUT2", "LUT2"]


def test_more_loads_make_a_net_slower_and_an_enable_has_its_own_setup():
    cells = {"from": register(9, 2), "invert": cell("INV", {"I": [2]}, {"O": [3]})}
    for index in range(8):
        cells[f"to{index}"] = register(20 + index, 30 + index, CE=3)
    worst = timed(cells)[0]
    # an inverter costs nothing; log2(8) = 3
    assert worst.ns == pytest.approx(0.4 + 0.5 + 0.1 * 3 + 0.2)
    assert worst.end.endswith(".CE")


def test_a_carry_chain_has_no_nets_between_its_cells():
    cells = {"from": register(9, 2)}
    chain = [["0"], [13], [17], [21]]
    for index in range(3):
        outputs = {
            "O": [40 + 4 * index + i for i in range(4)],
            "CO": [10 + 4 * index + i for i in range(4)],
        }
        inputs = {"S": [2 if index == 0 else "0"] * 4, "DI": ["0"] * 4, "CI": chain[index]}
        cells[f"carry{index}"] = cell("CARRY4", inputs, outputs)
    cells["to"] = register(51, 5)
    worst = timed(cells)[0]
    first = 0.5 + 0.1 * 2 + 0.4 + 0.06 * 3  # four loads; from S of the first stage to the last CO
    assert worst.ns == pytest.approx(0.4 + first + 0.11 + 0.2 + 0.03 * 3 + 0.05)


def test_memories_start_and_end_paths():
    cells = {
        "ram": cell(
            "RAMB36E1",
            {"ADDRARDADDR": [2], "CLKARDCLK": [1]},
            {"DOADO": [3]},
            DOA_REG="00000000000000000000000000000000",
        ),
        "from": register(9, 2),
        "to": register(3, 4),
        "small": cell(
            "RAM32M",
            {"ADDRA": [2], "ADDRD": ["0"], "DIA": [3], "WE": ["1"], "WCLK": [1]},
            {"DOA": [5]},
        ),
        "other": register(5, 6),
    }
    found = {path.end: path.ns for path in timed(cells)}
    slow = 0.5 + 0.1  # two loads
    assert found["net4"] == pytest.approx(2.4 + slow + 0.05)
    assert found["small.DIA"] == pytest.approx(2.4 + slow + 0.4)
    assert found["ram.ADDRARDADDR"] == pytest.approx(0.4 + slow + 0.6)
    assert found["net6"] == pytest.approx(max(1.3, 0.4 + slow + 0.15) + 0.5 + 0.05)


def test_ports_count_as_registers_outside():
    ports = {
        "a": {"direction": "input", "bits": [2]},
        "b": {"direction": "output", "bits": [3]},
    }
    cells = {"lut": cell("LUT1", {"I0": [2]}, {"O": [3]})}
    (worst,) = timed(cells, ports)
    assert worst.ns == pytest.approx(0.4 + 0.5 + 0.1 + 0.5 + 0.05) and worst.end == "b"


def test_paths_to_and_from_the_fast_clock_have_half_of_a_period():
    cells = {
        "slow": register(9, 2),
        "both": cell("LUT2", {"I0": [2], "I1": [4]}, {"O": [3]}),
        "fast": register(3, 4, clock=8),
        "far": cell("LUT1", {"I0": [2]}, {"O": [5]}),
        "mixed": cell("LUT2", {"I0": [5], "I1": [4]}, {"O": [6]}),
        "back": register(6, 7),
    }
    ports = {"clk_fast": {"direction": "input", "bits": [8]}}
    whole, half = timing.split(netlist_of(cells, ports), 0.5, TABLE)
    # two loads of each register; from the slow one to "back" a path has the whole period
    near, end = 0.4 + 0.5 + 0.1 + 0.1, 0.05
    assert {(path.start, path.end): path.ns for path in whole} == {
        ("net2", "net7"): pytest.approx(near + 0.5 + 0.1 + end)
    }
    assert {(path.start, path.end): path.ns for path in half} == {
        ("net2", "net4"): pytest.approx(near + end),
        ("net4", "net7"): pytest.approx(near + end),
    }
    del cells["fast"]
    assert timing.split(netlist_of(cells, ports), 0.5, TABLE)[1] == []


def test_a_clock_is_as_slow_as_twice_the_longest_half():
    slow = {"worst_ns": [5.0, 5.4, 7.0], "path": [{"start": "a", "end": "b"}]}
    assert timing.clock_mhz(slow) == pytest.approx(850 / 5.4)
    pumped = dict(slow, half_worst_ns=[2.0, 2.6, 3.0], half_path=[{"start": "c", "end": "d"}])
    assert timing.clock_mhz(pumped) == pytest.approx(850 / 5.4)
    assert timing.over_budget("pynq_z2", pumped) == []
    pumped["half_worst_ns"] = [2.0, 2.9, 3.0]
    assert timing.clock_mhz(pumped) == pytest.approx(850 / 5.8)
    (said,) = timing.over_budget("pynq_z2", pumped)
    assert "2.9 ns of 2.8" in said and "c to d" in said


def test_a_cell_without_delays_is_refused():
    cells = {"odd": cell("MYSTERY", {}, {"O": [2]}), "to": register(2, 3)}
    with pytest.raises(static_timing.UnknownCell, match="MYSTERY"):
        timed(cells)


# -- the committed table


def test_the_smallest_board_was_timed_on_this_rtl():
    assert synthesis.is_fresh("pynq_z2", RESULTS["pynq_z2"]), AGAIN


@pytest.mark.parametrize("board", BOARDS)
def test_the_longest_path_is_within_the_budget(board):
    assert timing.over_budget(board, RESULTS[board]) == []


@pytest.mark.parametrize("board", BOARDS)
def test_the_assumed_clock_is_one_that_the_model_holds_with_its_margin(board):
    assert design.sizes()[board]["assumed_clock_mhz"] <= timing.clock_mhz(RESULTS[board])


def test_the_document_says_what_the_table_says():
    text = (design.PAGES / "fpga-timing.md").read_text(encoding="utf-8")
    assert text == timing.document(RESULTS), "fpga-timing.md" + AGAIN


def test_a_path_that_is_too_long_is_named():
    slow = {"worst_ns": [5.0, 6.0, 7.0], "path": [{"start": "a", "end": "b"}]}
    (said,) = timing.over_budget("pynq_z2", slow)
    assert "6.0 ns of 5.6" in said and "a to b" in said
    assert timing.over_budget("pynq_z2", dict(slow, worst_ns=[4.0, 5.6, 7.0])) == []
