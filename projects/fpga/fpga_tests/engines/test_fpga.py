"""An FPGA's windows, in the model and in the RTL, show what the processor's show, bit for bit."""

import gc

import numpy as np
import pytest

pytest.importorskip("pynq")

from fpga_tests import fpga_bundle as bright
from hotpath.kernels import cpu
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.devices.fpga import FpgaDevice
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.identity import identity
from hotpath.runtime.loading import tracker_on
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_fpga.sim import build
from tests.support.pictures_in_planes import planes_of
from tests.support.proposed import chosen

SEEN = bright.SEEN
KINDS = [
    "model",
    pytest.param(
        "rtl", marks=pytest.mark.skipif(bool(build.missing()), reason=str(build.missing()))
    ),
]
BOXES = [(30, 40, 8, 8), (60.5, 20.25, 12, 9), (2, 1, 30, 9)]


def devices(folder, kind="model", **run):
    """(the FPGA, the processor) with the same network."""
    _, engine = bright.opened(folder, kind=kind, **dict({"seen": SEEN}, **run))
    kernels, network = cpu.load(), engine.network
    return FpgaDevice(network, engine, kernels), CpuDevice(
        network, bright.OnProcessor(network), kernels
    )


def state_of(box):
    x, y, w, h = box
    return np.array([x + (w - 1) / 2, y + (h - 1) / 2, w, h], float)


def seen_by(device, frame, requests, first=None):
    """What a device sees of (box, around, sides, selects), each of a target of its own box."""
    first, _ = device.take(frame if first is None else first)
    taken, _ = device.take(frame)
    targets = {box: device.exemplar(first, state_of(box)) for box, *_ in requests}
    asked = [
        WindowRequest(targets[box], state_of(around), *more) for box, around, *more in requests
    ]
    found, _ = device.run(taken, asked)
    assert [result.around is request.around for result, request in zip(found, asked)] == [
        True
    ] * len(found)
    return found


def assert_same(ours, wanted):
    assert len(ours) == len(wanted)
    for one, other in zip(ours, wanted):
        assert one.scale == other.scale and list(one.cells) == list(other.cells)
        np.testing.assert_equal(one.scores, other.scores)
        for name in ("features", "states"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert (one.maps is None) == (other.maps is None)
        for map_, reference in zip(one.maps or (), other.maps or ()):
            np.testing.assert_array_equal(map_, reference)


FOUR = [
    (BOXES[0], (x, y, 9, 8), sides, None)
    for x, y, sides in ((5, 60, 1.0), (80, 2, 1.5), (-9, 30, 2.0), (40, 33, 0.75))
]
LISTS = {
    "one target": [(BOXES[0], BOXES[0])],
    "three targets": [(box, box) for box in BOXES],
    "a search of four windows": FOUR,
    "two targets beside a search": [
        *FOUR[:2],
        (BOXES[1], BOXES[1]),
        *FOUR[2:],
        (BOXES[2], BOXES[2]),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_windows_shows_what_the_processor_sees(tmp_path, kind, name):
    ours, theirs = devices(tmp_path, kind)
    frames = bright.noisy(bright.film(5)[0], 3)
    for frame in (frames[0], frames[1][::-1, ::-1], np.asfortranarray(frames[3])):
        found = [seen_by(device, frame, LISTS[name], frames[0]) for device in (ours, theirs)]
        assert_same(*found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("searches", [False, True])
def test_targets_and_a_lost_one_have_the_processors_boxes(tmp_path, monkeypatch, kind, searches):
    monkeypatch.setattr(identity, "BEFORE_SEARCH", 2)
    frames, _ = bright.film(12)
    frames[3:9] = [np.full_like(frames[0], 30)] * 6  # nothing is there
    found = []
    for device in devices(tmp_path, kind):
        vars(device.network).update(search_lost_below=0.6, found_above=0.7)
        targets = Targets(device, Options(recover=searches))
        names = [targets.add(frames[0], box) for box in BOXES]
        found.append([[targets.update(frame)[name] for name in names] for frame in frames[1:]])
    assert found[0] == found[1]
    tracks = [track for tracks in found[0] for track in tracks]
    assert any(track.lost for track in tracks)
    assert any(track.found for track in tracks) == searches


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_among_similar_objects_has_the_processors_boxes(tmp_path, kind):
    frames = bright.noisy(bright.film(9)[0], 5)
    found = []
    places = []
    thresholds = {"search_lost_below": 0.1, "look_above": 0.3}
    for device in devices(tmp_path, kind):
        vars(device.network).update(thresholds, found_above=0.5, peak_share=0.02)
        tracker = Tracker(device, recover=True)
        places.append(chosen(tracker))
        tracker.init(frames[0], BOXES[0])
        found.append([tracker.update(frame) for frame in frames[1:]])
    assert found[0] == found[1] and places[0] == places[1]
    assert any(places[0])


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420", "BGRx"])
@pytest.mark.parametrize("box", [(2, 1, 30, 9), (40, 20, 12, 12), (90, 65, 30, 30), (200, 9, 9, 9)])
def test_of_a_frame_in_planes_only_the_window_is_converted(tmp_path, kind, box):
    frame = bright.noisy(bright.film(6)[0], 7)[0]
    ours, _ = devices(tmp_path)
    planes = PlanarFrame(planes_of(frame, kind))
    found = seen_by(ours, planes, [(BOXES[0], box)])
    is_inside = box[0] < 200
    assert (planes._bgr is None) == is_inside
    assert_same(found, seen_by(ours, planes.bgr().copy(), [(BOXES[0], box)]))


@pytest.mark.parametrize("box", [(10, 5, 2900, 30), (100, 9, 420, 20)])
def test_large_windows_are_cropped_first_or_take_more_memory(tmp_path, box):
    frame = np.random.default_rng(3).integers(0, 256, (40, 3000, 3), dtype=np.uint8)
    ours, theirs = devices(tmp_path)
    assert_same(*(seen_by(device, frame, [(box, box)]) for device in (ours, theirs)))


def test_a_window_without_a_finite_score_spoils_no_other(tmp_path):
    frame = np.zeros((72, 96, 3), np.uint8)
    frame[36:48, 26:42] = 200
    ours, _ = devices(tmp_path)
    # of three channels of -128, divided by 4; a bundle with it is refused
    ours.engine._maps._values[0][-96] = np.nan
    found = seen_by(ours, frame, [((80, 8, 4, 4),) * 2, (BOXES[0],) * 2])
    assert np.isnan(found[0].scores).all() and list(found[0].cells) == [-1]
    assert np.isfinite(found[1].scores).all()


def test_a_closed_target_gives_its_memory_back(tmp_path):
    ours, _ = devices(tmp_path)
    frames, _ = bright.film(2)
    places = set()
    for _ in range(4):
        tracker = tracker_on(ours)
        tracker.init(frames[0], BOXES[0])
        places.add(ours.engine.fabric.read("REGION1"))
        tracker.release()
        gc.collect()
    assert len(places) == 1
