"""The committed cycles of a frame are those of this RTL and this compiler."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler needs Python 3.10", allow_module_level=True)

pytest.importorskip("onnxruntime")

from calib.fpga import cycles
from kernels.fpga import design
from kernels.fpga.design.sim import build
from kernels.fpga.design.sim.rtl import Command
from tests.support.examples import few_of
from tests.support.fpga_sizes import WHY

needs_verilator = pytest.mark.skipif(
    build.missing() is not None, reason=f"no simulation here: {build.missing()}"
)

MOST = {"pynq_z2": 220000, "kv260": 125000}  # cycles of a frame that the engine is designed for
LEAST_BUSY = 0.6  # of the convolutions' cycles


@needs_verilator
@pytest.mark.timeout(900)
@pytest.mark.parametrize("board", few_of(sorted(MOST), [], WHY))
def test_a_frame_takes_no_more_cycles_than_the_engine_is_made_for(board):
    """It also compares the RTL's results with the model's, bit for bit."""
    size = design.sizes()[board]
    frame = cycles.measure(size, cycles.compiled(board), cycles.WINDOWS["typical"])
    assert frame.cycles <= MOST[board]
    assert sum(row.steps for row in frame.rows) >= LEAST_BUSY * frame.span


@needs_verilator
@pytest.mark.slow("every board's frame in the RTL")
@pytest.mark.timeout(900)
def test_the_document_says_what_the_rtl_takes():
    text = cycles.document()
    assert cycles.DOCUMENT.read_text(encoding="utf-8") == text, (
        "fpga-cycles.md is of another RTL or compiler; run `python -m calib.fpga.cycles`"
    )


def test_the_layers_cycles_add_up_to_the_frames():
    trace = [
        Command("CONV", 4, 100, 150, 40, 10),
        Command("CONV", 5, 152, 200, 48, 0),
        Command("CONV", 7, 195, 300, 80, 20),  # taken while the one before it drains
    ]
    layers = [
        {"name": "x//a/a.0/Conv", "macs": 7, "commands": [4, 7]},
        {"name": "x//b/Conv+x/c/Conv", "macs": 9, "commands": [5]},
    ]
    rows = cycles.rows(trace, layers, 333)
    assert rows == [
        cycles.Row("a.0", 2, 120, 30, 100, 7),
        cycles.Row("b + c", 1, 48, 0, 2, 9),
        cycles.Row("results to memory", 0, 0, 0, 33, 0),
    ]
    assert sum(row.steps + row.filling + row.waits for row in rows) == 333
