"""The committed cycles of a frame are those of this RTL and this compiler."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler needs Python 3.10", allow_module_level=True)

pytest.importorskip("onnxruntime")

import hotpath_fpga as design
from fpga_tests.fpga_sizes import WHY
from hotpath_fpga import cycles
from hotpath_fpga.sim import build
from tests.support.examples import few_of

needs_verilator = pytest.mark.skipif(build.missing() is not None, reason=str(build.missing()))

MOST = {"pynq_z2": 415000, "kv260": 125000}  # cycles of a frame that the engine is designed for
LEAST_BUSY = {"pynq_z2": 0.97, "kv260": 0.83}  # of them, the array works


@needs_verilator
@pytest.mark.timeout(900)
@pytest.mark.parametrize("board", few_of(sorted(MOST), [], WHY))
def test_a_frame_takes_no_more_cycles_than_the_engine_promises(board):
    """It also compares the RTL's results with the model's, bit for bit."""
    size = design.sizes()[board]
    frame = cycles.measure(size, cycles.compiled(board), cycles.WINDOWS["typical"])
    assert frame.cycles <= MOST[board]
    assert frame.steps >= LEAST_BUSY[board] * frame.cycles


@needs_verilator
@pytest.mark.slow("every board's frame in the RTL")
@pytest.mark.timeout(900)
def test_the_page_says_what_the_rtl_takes():
    told = (design.ROOT / "docs" / "results" / "fpga.md").read_text(encoding="utf-8")
    assert cycles.table() in told, "put what `python -m hotpath_fpga.cycles` prints there"
