"""Each size is counted against the FPGA of its own board."""

import boards
from kernels.fpga import design


def test_every_size_has_its_fpga():
    assert list(design.parts()) == list(design.sizes())


def test_a_sizes_fpga_has_the_name_of_its_board():
    for name, part in design.parts().items():
        assert part["title"] == boards.load_board(name).title
