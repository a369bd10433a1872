"""Simulated FPGA boards track: whole frames through PYNQ, whole programs, the command line."""

import csv
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pynq")
pytest.importorskip("onnx")

from hotpath.deploy.bundles import engine_command as build
from hotpath.kernels import cpu
from hotpath.runtime import load_tracker, loading
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import bundle
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath_fpga.sim import build as rtl
from hotpath_fpga.sim import device as simulation
from hotpath_fpga.track import parser
from tests.conftest import ROOT
from tests.support import blobs, run, tiny
from tests.support.clips import clip_at

ELSEWHERE = pathlib.Path(__file__).resolve().parents[2]
BOARDS = ("pynq_z2", "kv260")
RTL_FRAMES = 20


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Folder of bundles, with those of each board's own network, as ``make engine`` makes them."""
    folder = tmp_path_factory.mktemp("fpga") / "engines"
    for board in BOARDS:
        assert build.main([board, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def clip():
    """(frames, first box): the start of a real clip, or of a drawn clip if there is none."""
    folder = ROOT.parent / "shared" / "clips" / "otb-Crossing"
    if not folder.is_dir():
        frames, boxes = blobs.film(RTL_FRAMES + 1)
        return frames, boxes[0]
    found = clip_at(folder)
    return [found[index] for index in range(RTL_FRAMES + 1)], tuple(found.boxes[0])


def device_on(bundles, kind="model", board="pynq_z2"):
    """kestrel_small on a simulated board."""
    device, overlay = simulation.open_board(board, kind)
    made = bundle.Bundle(bundles / board / "kestrel_small-int8")
    engine = loading.open_setup(loading.Setup(bundle=made, device=device, overlay=overlay))
    return loading.create_device(engine.network, engine, cpu.load())


def work_of(tracker):
    """All results that the fabric has stored for a target."""
    return (
        tracker.target.exemplar.features[0]
        .array[: tracker.engine.bundle.run["work_bytes"]]
        .tobytes()
    )


@pytest.mark.parametrize("board", BOARDS)
def test_whole_frames_are_found_as_in_floating_point(bundles, clip, board):
    frames, box = clip
    tracker = loading.tracker_on(device_on(bundles, board=board))
    reference = load_tracker(tracker.network.name, precision="fp32")
    tracker.init(frames[0], box)
    reference.init(frames[0], box)
    overlaps = []
    for frame in frames[1:9]:
        track, wanted = tracker.update(frame), reference.update(frame)
        overlaps.append(overlap(track.box, wanted.box))
        assert 0 < track.score <= 1 and not track.lost
    assert np.mean(overlaps) > 0.85, overlaps
    # by default a PYNQ-Z2 is not asked for a loss
    assert (tracker.target.identity.value is None) == (board == "pynq_z2")
    seen, wanted = tracker.engine.search_features, reference.engine.search_features
    assert seen.shape == wanted.shape and np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.95


def test_each_of_two_targets_keeps_its_own_features(bundles, clip):
    frames, (x, y, w, h) = clip
    boxes = [(x, y, w, h), (x + w / 2, y + h / 3, w, h)]
    device = device_on(bundles)
    targets = Targets(device, Options(recover=False))
    names = [targets.add(frames[0], box) for box in boxes]
    together = [targets.update(frame) for frame in frames[1:3]]
    for name, box in zip(names, boxes):
        alone = loading.tracker_on(device, Options(recover=False))
        alone.init(frames[0], box)
        assert [alone.update(frame).score for frame in frames[1:3]] == [
            tracks[name].score for tracks in together
        ]


@pytest.mark.slow("whole frames of kestrel in the RTL")
def test_the_rtl_finds_what_the_model_finds_bit_for_bit(bundles, clip):
    if rtl.missing():
        pytest.skip(rtl.missing())
    frames, box = clip
    model, fabric = (loading.tracker_on(device_on(bundles, kind)) for kind in ("model", "rtl"))
    for each in (model, fabric):
        each.init(frames[0], box)
        each.target.exemplar.features[0].invalidate()
    assert work_of(model) == work_of(fabric)
    for frame in frames[1 : RTL_FRAMES + 1]:
        assert fabric.update(frame) == model.update(frame)
        assert work_of(fabric) == work_of(model)
        busy = [each.engine.fabric.read("BUSY") for each in (model, fabric)]
        assert busy[0] == busy[1] and fabric.engine.fabric.read("CYCLES") <= 600000
    assert fabric.engine.fabric.device.downloads == 1


def track(tmp_path, *arguments, **more):
    """Track on a simulated board in a folder of bundles: (exit code, its output)."""
    command = [sys.executable, "-m", "hotpath_fpga.track", *arguments]
    environment = {
        "PYTHONPATH": ":".join(map(str, (ROOT, ELSEWHERE))),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        **more,
    }
    done = run(command, cwd=str(tmp_path), stderr=subprocess.STDOUT, timeout=240, env=environment)
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def video(clip, tmp_path_factory):
    """Options that name the clip, as a folder of pictures, and its box."""
    folder = tiny.write_pictures(tmp_path_factory.mktemp("video"), clip[0])
    return "--video", str(folder), "--box", ",".join(str(value) for value in clip[1])


def test_the_command_line_tracks_on_a_simulated_board(bundles, video, clip, tmp_path):
    results = tmp_path / "results.csv"
    options = ["pynq_z2", "--frames", "5", "--results", str(results)]
    code, told = track(bundles.parent, *options, *video)
    assert code == 0, told
    tracker = loading.tracker_on(device_on(bundles))
    tracker.init(clip[0][0], clip[1])
    wanted = [tracker.update(frame).box for frame in clip[0][1:5]]
    rows = list(csv.DictReader(results.read_text().splitlines()))[1:]
    assert np.allclose([[float(row[key]) for key in "xywh"] for row in rows], wanted, atol=1e-3)


def test_a_missing_bundle_is_named_before_the_rtl_is_compiled(tmp_path, video):
    environment = {"VERILATOR_ROOT": "none"}
    code, told = track(tmp_path, "kv260", "--rtl", *video, **environment)
    assert code == 2
    assert "engine BOARD=kv260`" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("box", ["40%,30%,20%,30%", "40,30,20"])
def test_a_box_that_is_not_four_numbers_is_one_sentence(box, capsys):
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["kv260", "--video", "film.mp4", "--box", box])
    assert end.value.code == 2
    assert f"--box: '{box}' is not four numbers; give X,Y,W,H" in capsys.readouterr().err


def test_what_is_not_simulated_is_refused_before_the_bundle(tmp_path, video):
    code, told = track(tmp_path, "jetson_nano", *video)
    assert code == 2 and "can be simulated; name one of" in told, told
    assert "pynq_z2" in told and "make engine" not in told


def test_without_a_search_the_reason_is_told(bundles):
    device, messages = device_on(bundles), []
    for recover in (None, False):
        tracker = loading.tracker_on(device, Options(log=messages.append, recover=recover))
        assert not tracker.searches
    (first,) = messages
    assert first.endswith("lost target: the profile of PYNQ-Z2 leaves it to the option recover")
