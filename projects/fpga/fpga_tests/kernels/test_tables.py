"""The table of registers and commands: packing, and the files written from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels.fpga import tables
from hotpath_fpga import contract
from tests.support.errors import refusal


def test_the_file_of_the_rtl_is_that_of_the_table():
    text = contract.WRITTEN.read_text(encoding="utf-8")
    assert text == contract.verilog(), "run `python -m hotpath_fpga.contract`"


@given(st.data())
def test_a_command_unpacks_to_what_was_packed(data):
    command = data.draw(st.sampled_from(list(tables.FIELDS)))
    fields = {
        name: data.draw(st.integers(0, 2**bits - 1))
        for name, (_, _, bits) in tables.FIELDS[command].items()
        if name != "opcode"
    }
    packed = tables.pack(command, **fields)
    assert len(packed) == tables.COMMAND_BYTES
    assert tables.unpack(packed) == (command, fields)


@pytest.mark.parametrize(
    "command, fields, what",
    [
        ("JUMP", {}, "unknown command"),
        ("CONV", {"colour": 1}, "unknown field"),
        ("CONV", {"relu": 2}, "wrong value"),
        ("LOAD", {"offset": -1}, "wrong value"),
    ],
)
def test_what_a_command_does_not_have_is_refused(command, fields, what):
    with refusal(tables.BadCommandTable, what):
        tables.pack(command, **fields)


def test_bytes_that_are_no_command_are_refused():
    with refusal(tables.BadCommandTable, "wrong size"):
        tables.unpack(b"1234")
    with refusal(tables.BadCommandTable, "no command"):
        tables.unpack(bytes(64))
