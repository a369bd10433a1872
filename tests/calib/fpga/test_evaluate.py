"""What kestrel_small loses on the FPGA engine, and the command that measures it."""

import re
import shutil
import sys

import cv2
import numpy as np
import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler is for Python 3.10 or newer", allow_module_level=True)
pytest.importorskip("onnxruntime", reason="the compiler needs onnx and ONNX Runtime")

from calib import metrics, table
from calib.clips import find_clips
from calib.follow import follow
from calib.fpga import evaluate, trim
from calib.fpga.compile import beside, compile_network
from runtime import engines, geometry, load_tracker
from runtime.networks import load_network
from tests.support import tiny

FRAMES = 60  # of a clip; later, a target that only one of both still follows would decide alone


def test_maps_are_near_those_of_floating_point():
    network = load_network("kestrel_small")
    runner = evaluate.on_model(compile_network(network))
    engine = engines.create("onnxruntime", network, network.locate(None))
    frames, boxes = tiny.film(4)
    tracker = load_tracker(network.path, engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    window = geometry.exemplar_window(network, tracker.state)
    runner.look("exemplar", frames[0], window, tracker.device.border)
    for frame in frames[1:]:
        window, _ = geometry.search_window(network, tracker.state)
        runner.look("search", frame, window, tracker.device.border)
        tracker.device.aim(frame, tracker.state, 1.0)
        score, distances = tracker.engine.search(tracker.device.features)
        found = runner.maps()
        near = score > score.max() - 3
        assert np.abs(found[0] - score)[near].mean() < 0.7
        votes = np.abs(np.log(found[1] / distances)).transpose(0, 2, 3, 1)[near[:, 0]]
        assert votes.mean() < 0.06
        assert score.ravel()[found[0].argmax()] > score.max() - 1
    engine.close()
    tracker.close()


def write_clip(folder, frames):
    """A clip of ``tiny.film`` as the evaluation reads one."""
    pictures, boxes = tiny.film(frames)
    (folder / "img").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "img" / f"{number:04}.png"), picture)
    lines = ["frame,x,y,w,h"] + ["{},{},{},{},{}".format(i, *b) for i, b in enumerate(boxes)]
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")


def copied(network, folder):
    """A network's TOML, files and table in another folder, beside an INT8 form that is damaged."""
    for path in [network.path, beside(network), *network.locate(None).values()]:
        shutil.copy(str(path), str(folder))
    (folder / (network.name + "-int8.toml")).write_text("whoever reads this form fails")
    return str(folder / network.path.name)


def test_the_evaluation_holds_the_fabric_to_the_network_in_fp32(tmp_path, capsys):
    write_clip(tmp_path / "clips" / "film", 8)
    toml = copied(load_network("kestrel_small"), tmp_path)
    assert evaluate.main(["--network", toml, "--clips", str(tmp_path / "clips")]) == 0
    told = capsys.readouterr().out
    found = re.search(r"film +8 +([.0-9]+) +([.0-9]+)", told)
    assert abs(float(found.group(1)) - float(found.group(2))) < 0.1
    assert "one-step overlap on 40 pairs" in told


def test_the_table_that_comes_with_kestrel_small_is_what_trim_writes():
    path = beside(load_network("kestrel_small"))
    ranges = table.read(path)
    assert trim.text(trim.trimmed(ranges)) == path.read_text()


@pytest.mark.slow("whole clips")
def test_clips_are_followed_as_well_as_in_floating_point(clips_dir):
    network = load_network("kestrel_small")
    follower = evaluate.Follower(network, evaluate.on_model(compile_network(network)))
    plain = load_tracker(network.path, engine="onnxruntime", precision="fp32", recover=False)
    names = ("otb-Crossing", "otb-Couple", "otb-Football1", "vot2015-ball1")
    rows = []
    for clip in find_clips([str(clips_dir / name) for name in names], log=str):
        found = [follow(one, clip, FRAMES)["boxes"] for one in (plain, follower)]
        rows.append([metrics.figures(np.array(b), clip.boxes[:FRAMES])["ao"] for b in found])
    assert len(rows) == len(names)
    means = np.mean(rows, axis=0)
    assert abs(means[0] - means[1]) < 0.02, rows
