"""RATE.md: frames a second of the whole tracker on FPGA boards, from what other commands found."""

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


def test_the_compiled_calls_take_a_third_of_the_instructions():
    counts = rate.read_counts()
    before, now = (sum(counts[name]["one"].values()) for name in (rate.BEFORE, rate.NOW))
    assert 3 * now <= before


def test_the_arithmetic_of_a_board():
    """A Z2's processor has 650 MHz, so 650,000 instructions of two cycles take 2 ms."""
    found = rate.rate("pynq_z2", 100.0, COUNTS)
    fabric = rate.cycles_of("pynq_z2") / 1e5
    assert found.idle == pytest.approx(0.4) and found.beside == pytest.approx(2.0)
    alone, processor, in_turn, one, several = found.milliseconds()
    assert alone == pytest.approx(fabric) and processor == pytest.approx(2.4)
    assert in_turn == pytest.approx(fabric + 105_000 * 2 / 650e3)
    assert one == pytest.approx(max(fabric, 2.0) + 0.4)
    assert several == max(alone, processor)


@pytest.mark.parametrize(
    "board, limit, clock",
    [("pynq_z2", 156, 1000 / 7), ("kv260", 207.8, 187.5), ("kv260", 250, 250)],
)
def test_a_clock_is_one_that_the_pll_makes(board, limit, clock):
    assert rate.pll_clock(board, limit) == pytest.approx(clock)


@pytest.mark.parametrize("board", sorted(design.sizes()))
def test_every_board_has_cycles_and_a_clock(board):
    assert rate.cycles_of(board) > 50_000 and 50 < rate.clock_of(board)[0] < 1000


def test_counts_are_written_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(rate, "COUNTS", tmp_path / "processor.toml")
    with pytest.raises(rate.Missing, match="count_fpga"):
        rate.document()
    rate.write_counts("now", "cortex-a9", COUNTS)
    rate.write_counts("before", "cortex-a9", COUNTS)
    assert (
        rate.read_counts()["now"] == dict(COUNTS, core="cortex-a9") == rate.read_counts()["before"]
    )
