"""fpga-rate.md: frames a second of whole trackers on FPGA boards, from other commands' results."""

import pytest

from calib.fpga import rate
from kernels.fpga import design

COUNTS = {
    "one": {"idle": 100_000, "beside": 5_000},
    "overlapped": {"idle": 130_000, "beside": 650_000},
}


def test_the_document_is_what_the_command_writes():
    assert rate.DOCUMENT.read_text(encoding="utf-8") == rate.document(), (
        "run `python -m calib.fpga.rate`"
    )


def test_the_arithmetic_of_a_board():
    """A Z2's processor has 650 MHz, so 650,000 instructions of two cycles take 2 ms."""
    fabric = rate.cycles_of("pynq_z2") / 1e5
    alone, processor, in_turn, one, several = rate.milliseconds("pynq_z2", 100.0, COUNTS)
    assert alone == pytest.approx(fabric) and processor == pytest.approx(2.4)
    assert in_turn == pytest.approx(fabric + 105_000 * 2 / 650e3)
    assert one == pytest.approx(max(fabric, 2.0) + 0.4)
    assert several == max(alone, processor)


@pytest.mark.parametrize("board", sorted(design.sizes()))
def test_every_board_has_cycles_and_a_clock(board):
    assert rate.cycles_of(board) > 50_000 and 50 < rate.clock_of(board)[0] < 1000


def test_counts_that_are_not_there_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(rate, "COUNTS", tmp_path / "processor.toml")
    with pytest.raises(rate.Missing, match="count_fpga"):
        rate.document()
