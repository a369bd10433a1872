"""What kestrel_small loses on the FPGA engine; the compiler takes its own table alone."""

import sys

import numpy as np
import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler is for Python 3.10 or newer", allow_module_level=True)
pytest.importorskip("onnxruntime")

from hotpath.deploy.bundles import engine_command as build
from hotpath.graphs import table
from hotpath.graphs.errors import BadRangeTable
from hotpath.runtime.networks import bundle, load_network
from hotpath.runtime.networks.bundle import Bundle
from hotpath.runtime.options import Options
from hotpath.video.clips import find_clips
from hotpath_fpga.compile import beside, compile_network
from hotpath_fpga.compiler.layers import CannotCompile
from hotpath_lab import metrics, trackers
from hotpath_lab.clip_run import run_clip
from tests.support import tiny
from tests.support.errors import refusal

FRAMES = 60  # of a clip; later, a target that only one of both still follows would decide alone


@pytest.fixture
def both(tmp_path, monkeypatch):
    """kestrel_small in floating point, and as the FPGA engine computes it: two trackers."""
    pytest.importorskip("pynq")
    assert build.main(["pynq_z2", "--out", str(tmp_path)]) == 0
    made = Bundle(next(tmp_path.glob("*/*-int8")))
    monkeypatch.setattr(bundle, "find", lambda board, network, precision: made)
    names = ["kestrel_small:norecover", "kestrel_small:fpga:norecover"]
    specs = trackers.specs(names, Options(engine="onnxruntime"))
    assert [spec.name for spec in specs] == names and specs[0].identity != specs[1].identity
    found = [trackers.build(spec) for spec in specs]
    yield found
    for one in found:
        one.close()


def test_the_engine_follows_a_film_as_floating_point_does(both):
    frames, boxes = tiny.film(8)
    ends = []
    for tracker in both:
        tracker.init(frames[0], boxes[0])
        ends.append([tracker.update(frame).box for frame in frames[1:]])
    plain, ours = np.array(ends)
    assert not np.array_equal(plain, ours)
    assert metrics.figures(ours, plain)["ao"] > 0.9


def test_the_table_of_kestrel_small_has_the_chosen_ranges_alone():
    path = beside(load_network("kestrel_small"))
    ranges = table.read(path)
    assert table.trim_table(ranges) == ranges


@pytest.mark.slow("whole clips")
def test_clips_are_followed_as_well_as_in_floating_point(both, clips_dir):
    names = ("otb-Crossing", "otb-Couple", "otb-Football1", "vot2015-ball1")
    rows = []
    for clip in find_clips([str(clips_dir / name) for name in names], log=str):
        found = [run_clip(one, clip, FRAMES)["boxes"] for one in both]
        rows.append([metrics.figures(np.array(b), clip.boxes[:FRAMES])["ao"] for b in found])
    assert len(rows) == len(names)
    means = np.mean(rows, axis=0)
    assert abs(means[0] - means[1]) < 0.02, rows


def test_a_tensor_without_range_or_of_another_network_is_refused():
    network = load_network("kestrel_small")
    ranges = table.read(beside(network))
    del ranges["tensors"]["search"]["x//trunk/trunk.1/trunk.1.1/Relu_output_0"]
    with refusal(CannotCompile, "no range"):
        compile_network(network, None, ranges)
    ranges["files"]["search"] = "0" * 64
    with refusal(BadRangeTable, "other files", command="hotpath int8"):
        compile_network(network, None, ranges)
