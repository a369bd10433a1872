"""Each FPGA board tracks through the PYNQ library that its image has."""

import os
import pathlib
import sys

import pytest

pytest.importorskip("pynq")

from tests.support import ROOT, run

ELSEWHERE = pathlib.Path(__file__).resolve().parents[2]

VERSIONS = {"pynq_z2": "3.1.2", "kv260": "4.0.0"}  # of the simulated board's library
PROGRAM = """
import pathlib, sys
import pynq
from hotpath.kernels import cpu
from hotpath.runtime import loading
from fpga_tests import fpga_bundle as bright

_, engine = bright.opened(pathlib.Path(sys.argv[1]), sys.argv[2])
frames, boxes = bright.film(5)
tracker = loading.tracker_on(loading.create_device(engine.network, engine, cpu.load()))
tracker.init(frames[0], boxes[0])
tracks = [tracker.update(frame) for frame in frames[1:]]
far = max(abs(a - b) for track, box in zip(tracks, boxes[1:]) for a, b in zip(track.box, box))
print(pynq.__version__, engine.describe()["version"], engine.answers(3), far < 4)
"""


@pytest.mark.parametrize("board", VERSIONS)
def test_a_board_tracks_through_its_own_pynq(tmp_path, board):
    version = VERSIONS[board]
    folder = ROOT / ".cache" / f"pynq-{version}"
    if version != "4.0.0" and not folder.is_dir():
        pytest.skip(f"no PYNQ {version}: make fpga")
    path = os.pathsep.join([str(ROOT), str(ELSEWHERE)] + [str(folder)] * folder.is_dir())
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, tmp_path, board]
    done = run(command, env=dict(os.environ, PYTHONPATH=path), timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [version, version, "3", "True"]
