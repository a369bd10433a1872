"""Simulated FPGA boards track: whole frames through PYNQ, whole programs, the command line."""

import csv
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pynq")
pytest.importorskip("onnx")

import cv2

from hotpath.deploy.bundles import __main__ as build
from hotpath.kernels import cpu
from hotpath.runtime import load_tracker, loading
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.identity import identity
from hotpath.runtime.networks import bundle
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath_fpga.sim import build as rtl
from hotpath_fpga.sim import device as simulation
from tests.conftest import ROOT
from tests.support import blobs, run, tiny
from tests.support.clips import clip_at
from tests.support.proposed import chosen

BOARDS = ("pynq_z2", "kv260")
ELSEWHERE = pathlib.Path(__file__).resolve().parents[2]
RTL_FRAMES = 20


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Folder of all bundles: each board's own network, as ``make engine`` makes it."""
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


def engine_on(bundles, board="pynq_z2", kind="model", chooses=True):
    """kestrel_small on a simulated board; it takes the best cell unless it ``chooses``."""
    device, overlay = simulation.open_board(board, kind)
    made = bundle.Bundle(bundles / board / "kestrel_small-int8")
    engine = loading.open_setup(loading.Setup(bundle=made, device=device, overlay=overlay))
    if not chooses:
        vars(engine.network).update(peak_share=0.0)
    return engine


def opened(bundles, board="pynq_z2", kind="model", chooses=True):
    engine = engine_on(bundles, board, kind, chooses)
    return loading.tracker_on(loading.create_device(engine.network, engine, cpu.load()))


def work_of(tracker):
    """All results that the fabric has stored for a target."""
    return tracker._exemplar.features[0].array[: tracker.engine.bundle.run["work_bytes"]].tobytes()


def test_whole_frames_are_found_as_in_floating_point(bundles, clip):
    frames, box = clip
    tracker = opened(bundles)
    reference = load_tracker(tracker.network.name, precision="fp32")
    tracker.init(frames[0], box)
    reference.init(frames[0], box)
    overlaps = []
    for frame in frames[1:9]:
        track, wanted = tracker.update(frame), reference.update(frame)
        overlaps.append(overlap(track.box, wanted.box))
        assert 0 < track.score <= 1 and not track.lost
    assert np.mean(overlaps) > 0.85, overlaps
    assert tracker.identity.value is None  # by default such a board is not asked for a loss
    seen, wanted = tracker.engine.search_features, reference.engine.search_features
    assert seen.shape == wanted.shape and np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.95


def test_every_size_of_the_engine_finds_the_same(bundles, clip):
    frames, box = clip
    found = []
    for board in BOARDS:
        tracker = opened(bundles, board, chooses=False)
        tracker.init(frames[0], box)
        # what is followed: only one of the boards searches, and so gives boxes in the drawn style
        places = [(tracker.update(frame).score, *tracker._state) for frame in frames[1:3]]
        found.append((places, tracker.engine.search_features.tobytes()))
    assert found[0] == found[1]


@pytest.mark.slow("whole frames of kestrel in the RTL")
def test_the_rtl_finds_what_the_model_finds_bit_for_bit(bundles, clip):
    if rtl.missing():
        pytest.skip(rtl.missing())
    frames, box = clip
    model, fabric = (opened(bundles, kind=kind) for kind in ("model", "rtl"))
    for each in (model, fabric):
        each.init(frames[0], box)
        each._exemplar.features[0].invalidate()
    assert work_of(model) == work_of(fabric)
    for frame in frames[1 : RTL_FRAMES + 1]:
        assert fabric.update(frame) == model.update(frame)
        assert work_of(fabric) == work_of(model)
        busy = [each.engine.fabric.read("BUSY") for each in (model, fabric)]
        assert busy[0] == busy[1] and fabric.engine.fabric.read("CYCLES") <= 600000
    assert fabric.engine.fabric.device.downloads == 1


CROSSED = 15


def crossing(count):
    """(frames, boxes): a soft pattern and one that is nearly the same cross."""
    rng = np.random.default_rng(6)
    ground = soft(rng, 480, 360, 24) // 3 + 60
    target, other = soft(rng, 48, 64, 12), soft(rng, 48, 64, 12)
    other = cv2.addWeighted(target, 0.7, other, 0.3, 0)
    frames, boxes = [], []
    for index in range(count):
        frame = ground.copy()
        x, other_x = 60 + 6 * index, 80 + 6 * (CROSSED + 1 - index)
        frame[150:214, x : x + 48] = target
        frame[170:234, other_x : other_x + 48] = other
        frames.append(frame)
        boxes.append((x, 150, 48, 64))
    return frames, boxes


def among_similar(bundles, kind, share):
    """(places, tracks) of the film of two patterns, with a search and this ``peak_share``."""
    engine = engine_on(bundles, kind=kind)
    engine.network.peak_share = share
    device = loading.create_device(engine.network, engine, cpu.load())
    tracker = loading.tracker_on(device, Options(recover=True))
    places = chosen(tracker)
    frames, boxes = crossing(CROSSED)
    tracker.init(frames[0], boxes[0])
    return places, [tracker.update(frame) for frame in frames[1:]]


def test_among_similar_objects_the_choice_brings_the_target_back(bundles):
    places, tracks = among_similar(bundles, "model", 0.2)
    _, plain = among_similar(bundles, "model", 0.0)
    last = crossing(CROSSED)[1][-1]
    assert any(places) and overlap(tracks[-1].box, last) > 0.7 > 0.3 > overlap(plain[-1].box, last)


@pytest.mark.slow("whole frames of kestrel_small in the RTL")
def test_the_rtl_chooses_as_the_model_among_similar_objects(bundles):
    if rtl.missing():
        pytest.skip(rtl.missing())
    model, fabric = (among_similar(bundles, kind, 0.2) for kind in ("model", "rtl"))
    assert any(model[0]) and fabric == model


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
    tracker = opened(bundles)
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


def test_what_is_not_simulated_is_refused_before_the_bundle(tmp_path, video):
    code, told = track(tmp_path, "jetson_nano", *video)
    assert code == 2 and "can be simulated; name one of" in told, told
    assert "pynq_z2" in told and "make engine" not in told


AWAY, BACK = 5, 15


def soft(rng, width, height, cell):
    """A soft pattern in colour, whose spots are about ``cell`` pixels large."""
    cells = rng.integers(0, 256, (height // cell, width // cell, 3), dtype=np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)


def hiding(count):
    """(frames, boxes, box at rest): a soft pattern goes away and comes back; another one stays."""
    rng = np.random.default_rng(4)
    ground = soft(rng, 480, 360, 24) // 3 + 60
    target, other = soft(rng, 48, 64, 12), soft(rng, 48, 64, 12)
    target[..., 2], target[..., 0] = target[..., 2] // 2 + 128, target[..., 0] // 3
    other[..., 0], other[..., 2] = other[..., 0] // 2 + 128, other[..., 2] // 3
    frames, boxes = [], []
    for index in range(count):
        frame = ground.copy()
        box = None
        frame[40:104, 380:428] = other
        if not AWAY <= index < BACK:
            x, y = (40 + 2 * index, 50) if index < AWAY else (350 - index, 240)
            frame[y : y + 64, x : x + 48] = target
            box = (x, y, 48, 64)
        frames.append(frame)
        boxes.append(box)
    return frames, boxes, (380, 40, 48, 64)


def targets_of(bundles, frames, boxes, recover):
    """What is said of each target in each frame after the first one, without the choice."""
    engine = engine_on(bundles, chooses=False)
    targets = Targets(
        loading.create_device(engine.network, engine, cpu.load()), Options(recover=recover)
    )
    names = [targets.add(frames[0], box) for box in boxes]
    told = [targets.update(frame) for frame in frames[1:]]
    return [[tracks[name] for tracks in told] for name in names]


def test_the_fabric_searches_a_lost_target_beside_another_one(bundles, monkeypatch):
    monkeypatch.setattr(identity, "BEFORE_SEARCH", 4)  # each simulated frame takes a while
    frames, boxes, resting = hiding(22)
    lost, other = targets_of(bundles, frames, [boxes[0], resting], True)
    states = [track.state for track in lost]
    assert "lost" not in states[: AWAY - 1] and set(states[AWAY + 3 : BACK - 1]) == {"lost"}
    # at most a round of three windows, a check, and the frames of a verification after its return
    found = [track.found for track in lost]
    assert found.count(True) == 1 and BACK <= found.index(True) + 1 < BACK + 3 + 1 + identity.FRAMES
    for index in range(found.index(True) + 1, len(frames)):
        assert overlap(lost[index - 1].box, boxes[index]) > 0.7
    # what is tracked is followed as without the search; its boxes have the style of the drawn one
    plain, alone = targets_of(bundles, frames[:AWAY], [boxes[0], resting], False)
    assert [track.score for track in plain] == [track.score for track in lost[: AWAY - 1]]
    assert [track.score for track in alone] == [track.score for track in other[: AWAY - 1]]
    assert {track.state for track in other} == {"tracked"}


def test_without_a_search_the_reason_is_told(bundles):
    engine = engine_on(bundles)
    messages = []
    device = loading.create_device(engine.network, engine, cpu.load())
    for recover in (None, False):
        tracker = loading.tracker_on(device, Options(log=messages.append, recover=recover))
        assert not tracker.searches
    (first,) = messages
    assert first.endswith("searched for: the profile of PYNQ-Z2 leaves it to the option recover")
