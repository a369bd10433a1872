"""Several frames in flight on an FPGA: the same boxes, in order, whatever happens between."""

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")

from kernels import cpu
from kernels.fpga import fabric, tables
from kernels.fpga.sim import device as simulation
from runtime import loading
from runtime.errors import BadFrame
from runtime.frames import PlanarFrame
from runtime.multi.pipeline import Pipeline, Taken
from runtime.multi.targets import Targets
from tests.support import fpga_bundle as bright
from tests.support.pictures_in_planes import planes_of


def opened(folder, **run):
    """(simulated board, engine) of the hand-written bundle; ``run``: entries of its run table."""
    made = bright.write_bundle(folder, run=dict(bright.run_table(), **run))
    device, overlay = simulation.open_board("pynq_z2", "model")
    return device, loading.open_bundle(made, device=device, board="pynq_z2", overlay=overlay)


def trackers_on(engine, count, pipeline):
    made = loading.create_tracker
    return [made(engine.network, engine, cpu.load(), pipeline=pipeline) for _ in range(count)]


def starts(boxes, count):
    """First boxes of that many targets: the same box, shifted a little."""
    x, y, w, h = boxes[0]
    return [(x + i, y - i, w, h) for i in range(count)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("pipeline", [2, 3])
def test_the_boxes_are_those_of_one_frame_at_a_time(tmp_path, count, pipeline):
    frames, boxes = bright.film(10)
    _, engine = opened(tmp_path)
    plain = trackers_on(engine, count, 1)
    for tracker, box in zip(plain, starts(boxes, count)):
        tracker.init(frames[0], box)
    wanted = [[tracker.update(frame) for tracker in plain] for frame in frames[1:]]
    piped = trackers_on(engine, count, pipeline)
    for tracker, box in zip(piped, starts(boxes, count)):
        tracker.init(frames[0], box)
    found, buffer = [], np.empty_like(frames[0])
    for frame in frames[1:]:
        buffer[:] = frame  # a source may use the same memory for every frame
        for tracker in piped:
            tracker.submit(buffer)
        if piped[0].in_flight == pipeline:
            found.append([tracker.collect() for tracker in piped])
    while piped[0].in_flight:
        found.append([tracker.collect() for tracker in piped])
    assert found == wanted


def test_the_next_program_runs_while_its_frame_is_reported(tmp_path, monkeypatch):
    """When a track is returned, the fabric already has the next frame."""
    frames, boxes = bright.film(4)
    device, engine = opened(tmp_path)
    (tracker,) = trackers_on(engine, 1, 2)
    tracker.init(frames[0], boxes[0])
    started = []
    real = device.machine.run
    monkeypatch.setattr(device.machine, "run", lambda *a: started.append(1) or real(*a))
    tracker.submit(frames[1])
    tracker.submit(frames[2])
    assert len(started) == 1  # the second frame's window is not known yet
    tracker.collect()
    assert len(started) == 2
    tracker.collect()


def test_another_targets_window_is_prepared_while_the_fabric_computes(tmp_path):
    frames, boxes = bright.film(3)
    _, engine = opened(tmp_path)
    first, second = trackers_on(engine, 2, 2)
    for tracker, box in zip((first, second), starts(boxes, 2)):
        tracker.init(frames[0], box)
    first.submit(frames[1])
    slots = engine.search_crop.pictures.slots
    used = slots[0]
    second.submit(frames[1])
    assert slots[0] is not used and second.frames.registers[3] == slots[0].resize.address
    prepared = slots[0]
    first.collect(), second.collect()
    assert slots[0] is prepared  # and not made again


def test_a_target_added_and_one_dropped_while_frames_are_in_flight(tmp_path):
    frames, boxes = bright.film(8)
    _, engine = opened(tmp_path)
    targets, told = Targets(engine.network, engine, cpu.load(), pipeline=2), []
    pipeline = Pipeline(targets, lambda taken, tracks, ms: told.append((taken.index, set(tracks))))
    one = targets.add(frames[0], boxes[0])
    for index, frame in enumerate(frames[1:], 1):
        pipeline.take(Taken(frame, index, None, 0.0))
        if index == 3:
            two = targets.add(frame, boxes[3])
        if index == 5:
            targets.drop(one)
    pipeline.empty()
    assert [index for index, _ in told] == list(range(1, len(frames)))
    assert told[0][1] == {one} and told[-1][1] == {two}


def test_a_failure_belongs_to_its_frame_and_the_next_one_is_found(tmp_path):
    frames, boxes = bright.film(5)
    device, engine = opened(tmp_path)
    (tracker,) = trackers_on(engine, 1, 2)
    tracker.init(frames[0], boxes[0])
    tracker.submit(frames[1])
    error = tables.IS_ERROR | tables.ERRORS["READ"] << 8
    device.machine._set("STATUS", error)
    tracker.submit(frames[2])
    with pytest.raises(fabric.FabricFailed):
        tracker.collect()
    assert tracker.collect().score > 0
    assert tracker.update(frames[3]).score > 0


def test_mistakes_are_said_and_leave_what_is_in_flight(tmp_path):
    frames, boxes = bright.film(5)
    _, engine = opened(tmp_path)
    (tracker,) = trackers_on(engine, 1, 2)
    tracker.init(frames[0], boxes[0])
    with pytest.raises(RuntimeError, match="no frame is in flight"):
        tracker.collect()
    tracker.submit(frames[1])
    with pytest.raises(BadFrame):
        tracker.submit(np.zeros((0, 0, 3), np.uint8))
    with pytest.raises(RuntimeError, match="in flight"):
        tracker.update(frames[2])
    tracker.submit(frames[2])
    with pytest.raises(RuntimeError, match="2 frames are in flight"):
        tracker.submit(frames[3])
    assert tracker.collect().score > 0 and tracker.collect().score > 0
    tracker.submit(frames[3])
    tracker.init(frames[3], boxes[3])  # drops the frame in flight
    assert tracker.in_flight == 0 and tracker.update(frames[4]).score > 0


# one compiled call before the fabric and one after it: the boxes of the steps in Python


def in_python(tracker):
    """The same tracker, with every step in Python."""
    tracker.frames = None
    return tracker


def noisy(film, seed):
    """A film with noise, and blank frames in which the target is lost."""
    rng = np.random.default_rng(seed)
    frames = [np.clip(f + rng.integers(-30, 31, f.shape), 0, 255).astype(np.uint8) for f in film]
    for index in rng.choice(np.arange(2, len(frames)), 3, replace=False):
        frames[index][:] = rng.integers(0, 256, 3)
    return frames


def about(tracker):
    """All that a frame leaves behind."""
    return tuple(tracker.state), tracker.certainty, tracker.widened


KEYS = (
    {},
    {"lost_below": 0.9, "unsure_below": 0.95},
    {"lost_below": 0.9, "hold_below": 0.95, "hold_widen": 1.3, "hold_limit": 2.5},
)
# the score map stands for the features
SEEN = {"offset": bright.SCORE_AT, "channels": 7, "height": bright.SEARCH, "width": bright.SEARCH}


@pytest.mark.parametrize("seen", [None, SEEN])
@pytest.mark.parametrize("changes", KEYS)
@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_calls_give_the_boxes_of_the_steps_in_python(tmp_path, seed, changes, seen):
    film, boxes = bright.film(14)
    frames, results = noisy(film, seed), []
    frames[9:] = [np.repeat(np.repeat(f, 2, 0), 2, 1) for f in frames[9:]]  # another resolution
    for prepare in (in_python, lambda tracker: tracker):
        _, engine = opened(tmp_path, seen=seen)
        network = changed(engine.network, changes)
        tracker = prepare(loading.create_tracker(network, engine, cpu.load()))
        tracker.init(frames[0], boxes[0])
        results.append([(tracker.update(frame), about(tracker)) for frame in frames[1:]])
    assert tracker.frames is not None
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
    frames, results = noisy(bright.film(8)[0], 5), []
    for prepare in (in_python, lambda tracker: tracker):
        _, engine = opened(tmp_path)
        tracker = prepare(loading.create_tracker(engine.network, engine, cpu.load()))
        tracker.init(frames[0], box)
        views = [frames[1][:, ::-1], frames[2][::-1], np.asfortranarray(frames[3]), frames[4]]
        results.append([(tracker.update(frame), about(tracker)) for frame in views])
    assert results[0] == results[1]


def test_a_frame_that_is_none_is_refused_before_anything_is_done(tmp_path):
    frames, boxes = bright.film(4)
    _, engine = opened(tmp_path)
    (tracker,) = trackers_on(engine, 1, 1)
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
        _, engine = opened(tmp_path)
        tracker = prepare(loading.create_tracker(engine.network, engine, cpu.load()))
        tracker.init(wide, (10, 5, 2900, 30))
        results.append([(tracker.update(wide), about(tracker)) for _ in range(2)])
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420", "BGRx"])
@pytest.mark.parametrize("box", [(2, 1, 30, 9), (40, 20, 12, 12), (90, 65, 30, 30)])
def test_of_a_frame_in_planes_the_window_alone_is_converted(tmp_path, kind, box):
    pictures = [PlanarFrame(planes_of(f, kind)) for f in noisy(bright.film(6)[0], 7)]
    frames, results = [picture.bgr().copy() for picture in pictures], []
    for given, pipeline in ((frames, 1), (pictures, 1), (pictures, 2)):
        _, engine = opened(tmp_path)
        (tracker,) = trackers_on(engine, 1, pipeline)
        tracker.init(frames[0], box)
        if pipeline == 1:
            results.append([tracker.update(frame) for frame in given[1:]])
            continue
        fresh = [PlanarFrame(planes_of(f, kind)) for f in noisy(bright.film(6)[0], 7)]
        found = []
        tracker.submit(fresh[1])
        for frame in fresh[2:]:
            tracker.submit(frame)
            found.append(tracker.collect())
        results.append(found + [tracker.collect()])
        assert all(frame._bgr is None for frame in fresh[1:])
    assert results[0] == results[1] == results[2]
