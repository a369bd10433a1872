"""The board that gives recorded results, on which the processor's instructions are counted."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")

import pynq

from tests.arm import count_fpga
from tests.arm.machine import ROOT
from tests.support import fpga_bundle as bright


@pytest.mark.parametrize("pipeline", ["1", "2"])
def test_recorded_results_give_the_recorded_boxes(tmp_path, pipeline):
    frames, boxes = bright.film(6)
    bright.write_bundle(tmp_path)
    rows = count_fpga.record(tmp_path, np.stack(frames), boxes[0])
    out, library = tmp_path / "out.json", pathlib.Path(pynq.__file__).parent
    command = ["-m", "tests.arm.fpga_frames", tmp_path, library, out, pipeline]
    subprocess.run([sys.executable] + [str(word) for word in command], cwd=str(ROOT), check=True)
    assert np.array_equal(json.loads(out.read_text())["rows"], rows)


def test_the_parts_of_a_frame_are_told_apart_by_their_marks():
    start, run, wait, empty = 1, 2, 3, 4
    marks, count = [(empty, 100), (empty, 110)], 110
    for index in range(2 + count_fpga.WARM + 3):
        usual = index >= 2 + count_fpga.WARM
        for mark, more in ((wait, 50), (start, 1000 if usual else 9), (run, 70)):
            count += more
            marks.append((mark, count))
    assert count_fpga.parts(marks) == {"idle": 1000 - 10, "beside": 50 - 10}
