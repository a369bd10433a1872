"""The compiled calls of an FPGA's tracker give the boxes of the steps in Python."""

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")

from kernels import cpu
from runtime import loading
from runtime.errors import BadFrame
from runtime.options import Options
from runtime.pictures import PlanarFrame
from tests.support import fpga_bundle as bright
from tests.support.pictures_in_planes import planes_of


def in_python(tracker):
    """The same tracker, with every step in Python."""
    tracker.device.frames = None
    return tracker


def about(tracker):
    """All that a frame leaves behind."""
    return tuple(tracker.state), tracker.presence.value


KEYS = (
    {},
    {"lost_below": 0.9, "unsure_below": 0.95},
)
# the score map stands for the features
SEEN = {"offset": bright.SCORE_AT, "channels": 7, "height": bright.SEARCH, "width": bright.SEARCH}


@pytest.mark.parametrize("seen", [None, SEEN])
@pytest.mark.parametrize("changes", KEYS)
@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_calls_give_the_boxes_of_the_steps_in_python(tmp_path, seed, changes, seen):
    film, boxes = bright.film(14)
    frames, results = bright.noisy(film, seed), []
    frames[9:] = [np.repeat(np.repeat(f, 2, 0), 2, 1) for f in frames[9:]]  # another resolution
    for prepare in (in_python, lambda tracker: tracker):
        _, engine = bright.opened(tmp_path, seen=seen)
        network = changed(engine.network, changes)
        tracker = prepare(loading.create_tracker(network, engine, cpu.load()))
        tracker.init(frames[0], boxes[0])
        results.append([(tracker.update(frame), about(tracker)) for frame in frames[1:]])
    assert tracker.device.frames is not None
    assert results[0] == results[1]
    if changes:
        assert any(track.lost for track, _ in results[0])


def changed(network, values):
    """The network with other thresholds."""
    for key, value in values.items():
        setattr(network, key, value)
    return network


@pytest.mark.parametrize("box", [(2, 1, 30, 9), (-20, 60, 40, 40), (90, 65, 30, 30)])
def test_compiled_windows_across_the_frames_edges(tmp_path, box):
    frames, results = bright.noisy(bright.film(8)[0], 5), []
    for prepare in (in_python, lambda tracker: tracker):
        _, engine = bright.opened(tmp_path)
        tracker = prepare(loading.create_tracker(engine.network, engine, cpu.load()))
        tracker.init(frames[0], box)
        views = [frames[1][:, ::-1], frames[2][::-1], np.asfortranarray(frames[3]), frames[4]]
        results.append([(tracker.update(frame), about(tracker)) for frame in views])
    assert results[0] == results[1]


def test_a_frame_that_is_none_is_refused_before_anything_is_done(tmp_path):
    frames, boxes = bright.film(4)
    _, engine = bright.opened(tmp_path)
    tracker = loading.create_tracker(engine.network, engine, cpu.load())
    tracker.init(frames[0], boxes[0])
    before = about(tracker)
    for wrong in (frames[1][..., :2], frames[1].astype(float), frames[1].astype(np.int8), None):
        with pytest.raises(BadFrame):
            tracker.update(wrong)
    assert about(tracker) == before
    assert tracker.update(frames[1]).score > 0


def test_a_window_that_the_fabric_cannot_take_is_cropped_first(tmp_path):
    wide = np.random.default_rng(3).integers(0, 256, (40, 3000, 3), dtype=np.uint8)
    results = []
    for prepare in (in_python, lambda tracker: tracker):
        _, engine = bright.opened(tmp_path)
        tracker = prepare(loading.create_tracker(engine.network, engine, cpu.load()))
        tracker.init(wide, (10, 5, 2900, 30))
        results.append([(tracker.update(wide), about(tracker)) for _ in range(2)])
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420", "BGRx"])
@pytest.mark.parametrize("box", [(2, 1, 30, 9), (40, 20, 12, 12), (90, 65, 30, 30)])
def test_of_a_frame_in_planes_the_window_alone_is_converted(tmp_path, kind, box):
    pictures = [PlanarFrame(planes_of(f, kind)) for f in bright.noisy(bright.film(6)[0], 7)]
    frames, results = [picture.bgr().copy() for picture in pictures], []
    for given, pipeline in ((frames, 1), (pictures, 1), (pictures, 2)):
        _, engine = bright.opened(tmp_path)
        tracker = loading.create_tracker(
            engine.network, engine, cpu.load(), Options(pipeline=pipeline)
        )
        tracker.init(frames[0], box)
        if pipeline == 1:
            results.append([tracker.update(frame) for frame in given[1:]])
            continue
        fresh = [PlanarFrame(planes_of(f, kind)) for f in bright.noisy(bright.film(6)[0], 7)]
        found = []
        tracker.submit(fresh[1])
        for frame in fresh[2:]:
            tracker.submit(frame)
            found.append(tracker.collect())
        results.append(found + [tracker.collect()])
        assert all(frame._bgr is None for frame in fresh[1:])
    assert results[0] == results[1] == results[2]
