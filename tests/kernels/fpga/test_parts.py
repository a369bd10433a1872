"""Each size is counted against the FPGA of its own board."""

import pytest

import boards
from kernels.fpga import design


def test_every_size_has_its_fpga():
    assert list(design.parts()) == list(design.sizes())


@pytest.mark.parametrize("name", sorted(design.sizes()))
def test_the_fpga_of_a_size_is_the_one_of_the_board(name):
    board, part = boards.load_board(name), design.parts()[name]
    assert part["title"] == board.title and part["part"] == board.fpga["part"]
    for kind in ("luts", "flip_flops", "dsp", "bram36", "uram"):
        assert part[kind] == (board.fpga.get(kind) or 0), kind
