"""An FPGA's compiled calls, also with frames in flight, give the boxes of the steps in Python."""

import numpy as np
import pytest

pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")

from kernels import cpu
from kernels.errors import NetworkFailed
from kernels.fpga import fabric, native, next_frame, tables
from kernels.fpga.frame import Frames
from runtime import loading
from runtime.errors import BadFrame
from runtime.options import Options
from runtime.pictures import PlanarFrame
from runtime.targets.pipeline import Pipeline, Taken
from runtime.targets.targets import Targets
from tests.support import fpga_bundle as bright
from tests.support.pictures_in_planes import planes_of


def begun(engine, count, pipeline, frame, box):
    """Trackers that have their targets: the same box, shifted a little."""
    made, options, (x, y, w, h) = loading.create_tracker, Options(pipeline=pipeline), box
    trackers = [made(engine.network, engine, cpu.load(), options) for _ in range(count)]
    for i, tracker in enumerate(trackers):
        tracker.init(frame, (x + i, y - i, w, h))
    return trackers


def follow(tracker, frames, count):
    """The tracks of frames, of which ``count`` are in flight."""
    found = []
    for index, frame in enumerate(frames):
        if tracker.in_flight == count:
            found.append(tracker.collect())
        tracker.submit(frame, is_kept=index % 5 < 3)
    return found + [tracker.collect() for _ in range(tracker.in_flight)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("pipeline", [2, 3])
def test_the_boxes_are_those_of_one_frame_at_a_time(tmp_path, count, pipeline):
    frames, boxes = bright.film(10)
    _, engine = bright.opened(tmp_path)
    plain = begun(engine, count, 1, frames[0], boxes[0])
    wanted = [[tracker.update(frame) for tracker in plain] for frame in frames[1:]]
    piped = begun(engine, count, pipeline, frames[0], boxes[0])
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
    device, engine = bright.opened(tmp_path)
    (tracker,) = begun(engine, 1, 2, frames[0], boxes[0])
    started, slots = [], engine.search_crop.pictures.slots
    real = device.machine.run
    monkeypatch.setattr(device.machine, "run", lambda *a: started.append(1) or real(*a))
    tracker.submit(frames[1])
    tracker.submit(frames[2])
    assert len(started) == 1  # the second frame's window is not known yet
    used = slots[0]
    tracker.collect()
    assert len(started) == 2 and slots[0] is not used  # its own pixels stay as they are
    tracker.collect()


def test_another_targets_window_is_prepared_while_the_fabric_computes(tmp_path):
    frames, boxes = bright.film(3)
    _, engine = bright.opened(tmp_path)
    first, second = begun(engine, 2, 2, frames[0], boxes[0])
    first.submit(frames[1])
    slots = engine.search_crop.pictures.slots
    used = slots[0]
    second.submit(frames[1])
    assert slots[0] is not used and second.device.frames.registers()[3] == slots[0].resize.address
    prepared = slots[0]
    first.collect(), second.collect()
    assert slots[0] is prepared  # and not made again


def test_a_target_added_and_one_dropped_while_frames_are_in_flight(tmp_path):
    frames, boxes = bright.film(8)
    _, engine = bright.opened(tmp_path)
    targets, told = Targets(engine.network, engine, cpu.load(), Options(pipeline=2)), []

    def report(taken, tracks, ms):
        told.append((taken.index, set(tracks)))
        assert ms > 0 and targets.step_ms["network"] > 0  # the sum of this frame's trackers
        targets.step_ms["network"] = 0.0

    pipeline = Pipeline(targets, report)
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
    device, engine = bright.opened(tmp_path)
    (tracker,) = begun(engine, 1, 2, frames[0], boxes[0])
    tracker.submit(frames[1])
    error = tables.IS_ERROR | tables.ERRORS["READ"] << 8
    device.machine._registers["STATUS"] = error
    tracker.submit(frames[2])
    with pytest.raises(fabric.FabricFailed):
        tracker.collect()
    assert tracker.collect().score > 0
    assert tracker.update(frames[3]).score > 0


def test_mistakes_are_said_and_leave_what_is_in_flight(tmp_path):
    frames, boxes = bright.film(5)
    _, engine = bright.opened(tmp_path)
    (tracker,) = begun(engine, 1, 2, frames[0], boxes[0])
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


def compare(folder, frames, box, pipeline=2, changes=(), **run):
    """Track by steps in Python, compiled calls, and in flight: tracks, how programs went on."""
    tracks, left, ways = [], [], []
    for count, is_compiled in ((1, False), (1, True), (pipeline, True)):
        _, engine = bright.opened(folder, **run)
        for key, value in dict(changes).items():
            setattr(engine.network, key, value)
        (tracker,) = begun(engine, 1, count, frames[0], box)
        assert tracker.device.frames is not None
        if not is_compiled:
            tracker.device.frames = None
        if count == 1:
            found = []
            for frame in frames[1:]:
                found.append(tracker.update(frame))
                left.append((tuple(tracker.state), tracker.presence.value))
        else:
            handed = tracker.device.queue.next
            real = handed.hand_on
            handed.hand_on = lambda *given, real=real: ways.append(real(*given)) or ways[-1]
            found = follow(tracker, frames[1:], count)
        tracks.append(found)
    assert tracks[0] == tracks[1] == tracks[2]
    count = len(found)
    assert left[:count] == left[count : 2 * count]
    assert left[-1] == (tuple(tracker.state), tracker.presence.value)
    return found, ways


def jumping(count, seed):
    """A film whose rectangle moves by up to 12 pixels a frame, and grows and shrinks."""
    rng = np.random.default_rng(seed)
    frames, (x, y) = [], (40.0, 30.0)
    for _ in range(count):
        x, y = np.clip((x, y) + rng.uniform(-12, 12, 2), 0, (84, 60))
        side = int(rng.integers(5, 13))
        frame = rng.integers(40, 80, (72, 96, 3), dtype=np.uint8)
        frame[int(y) : int(y) + side, int(x) : int(x) + side] = 255
        frames.append(frame)
    return frames


LOSSES = {"lost_below": 0.9, "unsure_below": 0.95}


@pytest.mark.parametrize("changes", [{}, LOSSES])
@pytest.mark.parametrize("pipeline", [2, 3])
def test_windows_in_and_beyond_what_was_prepared(tmp_path, pipeline, changes):
    ways = []
    for seed in range(6):
        frames = jumping(12, seed)
        ways += compare(tmp_path / str(seed), frames, (40, 30, 8, 8), pipeline, changes)[1]
    assert native.PREPARED in ways and native.NOT_PREPARED in ways


# the score map stands for the features
SEEN = {"offset": bright.SCORE_AT, "channels": 7, "height": bright.SEARCH, "width": bright.SEARCH}


@pytest.mark.parametrize("seen", [None, SEEN])
@pytest.mark.parametrize("changes", [{}, LOSSES])
@pytest.mark.parametrize("seed", range(3))
def test_noise_and_frames_of_another_size(tmp_path, monkeypatch, seed, changes, seen):
    aim, aimed = Frames.aim, []
    monkeypatch.setattr(Frames, "aim", lambda *given: aimed.append(aim(*given)) or aimed[-1])
    frames = bright.noisy(bright.film(14)[0], seed)
    frames[5:8] = [np.repeat(np.repeat(frame, 2, 0), 2, 1) for frame in frames[5:8]]
    tracks, ways = compare(tmp_path, frames, (30, 40, 8, 8), 2, changes, seen=seen)
    assert all(aimed) and ways.count(native.PREPARED) > 3
    assert any(track.lost for track in tracks) or not changes


@pytest.mark.parametrize("box", [(2, 1, 30, 9), (-20, 60, 40, 40), (90, 65, 30, 30)])
def test_windows_across_the_frames_edges(tmp_path, box):
    frames = bright.noisy(bright.film(12)[0], 5)
    views = [frame[:, ::-1] if n % 3 else frame[::-1] for n, frame in enumerate(frames)]
    views[4] = np.asfortranarray(views[4])
    mean = {"border": "mean"}
    assert native.PREPARED in compare(tmp_path, [frames[0]] + views[1:], box, changes=mean)[1]


def test_a_window_that_the_fabric_cannot_take_is_cropped_first(tmp_path):
    wide = np.random.default_rng(3).integers(0, 256, (40, 3000, 3), dtype=np.uint8)
    compare(tmp_path, [wide] * 3, (10, 5, 2900, 30))


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420", "BGRx"])
@pytest.mark.parametrize("box", [(2, 1, 30, 9), (40, 20, 12, 12), (90, 65, 30, 30)])
def test_of_a_frame_in_planes_the_window_alone_is_converted(tmp_path, kind, box):
    film, results = bright.noisy(bright.film(6)[0], 7), []
    for pipeline, in_planes in ((1, False), (1, True), (2, True)):
        _, engine = bright.opened(tmp_path)
        pictures = [PlanarFrame(planes_of(frame, kind)) for frame in film]
        frames = pictures if in_planes else [picture.bgr().copy() for picture in pictures]
        (tracker,) = begun(engine, 1, pipeline, pictures[0].bgr().copy(), box)
        results.append(follow(tracker, frames[1:], pipeline))
        assert pipeline == 1 or all(frame._bgr is None for frame in frames[1:])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("size, is_prepared", [(140, True), (420, False)])
def test_large_windows_take_more_memory_or_are_copied_late(tmp_path, size, is_prepared):
    frames = np.random.default_rng(2).integers(0, 256, (5, 600, 700, 3), dtype=np.uint8)
    _, ways = compare(tmp_path, list(frames), (100, 90, size, size - 40))
    assert (native.PREPARED in ways) == is_prepared


def test_more_sizes_of_windows_than_tables_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(next_frame, "KEPT", 8)
    assert native.PREPARED in compare(tmp_path, jumping(30, 9), (40, 30, 8, 8))[1]


@pytest.mark.parametrize("count", [1, 2])
def test_a_frame_without_a_finite_score_fails_alone(tmp_path, count):
    """The frame behind it, or another target's, is found as it is without frames in flight."""
    frames, boxes = bright.film(7)
    frames[3] = np.zeros_like(frames[3])
    score, place = bright.run_table()["maps"]
    score["values"][-96] = float("nan")  # of three channels of -128, divided by 4
    results = []

    def take(method, *given):
        try:
            return method(*given)
        except NetworkFailed as error:
            return str(error)

    for pipeline in (1, 2):
        _, engine = bright.opened(tmp_path, maps=[score, place])
        trackers, found = begun(engine, count, pipeline, frames[0], boxes[0]), []
        for frame in frames[1:]:
            for tracker in trackers:
                if pipeline == 1:
                    found.append(take(tracker.update, frame))
                    continue
                tracker.submit(frame)
                if tracker.in_flight == pipeline:
                    found.append(take(tracker.collect))
        while trackers[0].in_flight:
            found += [take(tracker.collect) for tracker in trackers]
        results.append(found)
    assert results[0] == results[1]
    assert sum(isinstance(track, str) for track in results[0]) == count


def test_after_ctrl_c_the_next_frame_is_found(tmp_path, monkeypatch):
    """The frame that was interrupted has no result; the one that runs by then has its own."""
    frames, boxes = bright.film(5)
    _, engine = bright.opened(tmp_path)
    (plain,) = begun(engine, 1, 1, frames[0], boxes[0])
    wanted = [plain.update(frame) for frame in frames[1:]]
    (tracker,) = begun(engine, 1, 3, frames[0], boxes[0])
    for frame in frames[1:4]:
        tracker.submit(frame)

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(tracker.device, "told", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tracker.collect()
    monkeypatch.undo()
    assert [tracker.collect().box for _ in range(2)] == [track.box for track in wanted[1:3]]
