"""Rehearsals change no box, come shortly before a frame is due, and end where they can't pay."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_targets, pace
from runtime.options import LATENCIES, LOW, NORMAL, SAVING
from runtime.pace import Expecting, Pace
from runtime.video.base import WAITING
from tests.runtime.cli import test_player
from tests.support import blobs, tiny

PERIOD_S = 0.02
REHEARSAL_S = 0.0005


class Clock(test_player.Clock):
    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


class Clocked:
    """A live source that has a frame each ``PERIOD_S``, ``jitter_s`` earlier or later."""

    live = True

    def __init__(self, clock, jitter_s=0.0):
        self.clock, self.jitter_s = clock, jitter_s
        self.random, self.frame = np.random.RandomState(1), np.zeros((2, 2, 3), np.uint8)
        self.due_s = self.arrived_s = self.next_s = clock.now_s
        self.given = []  # when each frame was read, after it had come

    def read(self, timeout_s):
        self.clock.now_s = max(self.clock.now_s, min(self.next_s, self.clock.now_s + timeout_s))
        if self.clock.now_s < self.next_s:
            return WAITING
        self.given.append(self.clock.now_s - self.next_s)
        self.arrived_s, self.due_s = self.next_s, self.due_s + PERIOD_S
        self.next_s = self.due_s + self.random.uniform(-self.jitter_s, self.jitter_s)
        return self.frame


class Rehearsing:
    """Targets whose rehearsals take a fixed time."""

    def __init__(self, clock, seconds=REHEARSAL_S, able=True):
        self.clock, self.seconds, self.able, self.at = clock, seconds, able, []

    def rehearse(self, frame):
        if self.able:
            self.at.append(self.clock.now_s)
            self.clock.now_s += self.seconds
        return self.able


def frames_of(source, targets, latency, count=40):
    with Pace(source, targets, latency, cpu_latency="/nowhere") as reader:
        for _ in range(count):
            assert reader.read(1.0) is source.frame
            source.clock.now_s += 0.001  # the tracker's time
        return reader


@pytest.mark.parametrize("jitter_s", [0.0, 0.001])
def test_a_frame_is_rehearsed_once_shortly_before_it_is_due(clock, jitter_s):
    source, targets = Clocked(clock, jitter_s), Rehearsing(clock)
    reader = frames_of(source, targets, NORMAL)
    assert 25 <= len(targets.at) == reader.rehearsals <= 33  # the first frames teach the rate
    ahead_s = PERIOD_S - (np.array(targets.at[4:]) - 100.0) % PERIOD_S
    assert np.all((REHEARSAL_S <= ahead_s) & (ahead_s < REHEARSAL_S + 0.001 + 3 * jitter_s))
    # a frame that comes early waits for a rehearsal at most
    assert max(source.given) <= REHEARSAL_S + 1e-9
    assert np.median(source.given) < 1e-9


def test_low_latency_rehearses_more_often_and_saving_never(clock):
    counts = {}
    for latency in LATENCIES:
        targets = Rehearsing(clock)
        frames_of(Clocked(clock), targets, latency)
        counts[latency] = len(targets.at)
    assert counts[SAVING] == 0 < 2 * counts[NORMAL] < counts[LOW] <= 4 * 40


def test_recordings_and_networks_that_take_long_are_not_rehearsed(clock):
    source, targets = Clocked(clock), Rehearsing(clock)
    source.live = False
    frames_of(source, targets, LOW)
    assert not targets.at
    targets = Rehearsing(clock, seconds=0.008)
    frames_of(Clocked(clock), targets, NORMAL)
    assert len(targets.at) <= 3


def test_one_rehearsal_that_was_interrupted_does_not_end_them(clock):
    source, targets = Clocked(clock), Rehearsing(clock)
    with Pace(source, targets, NORMAL) as reader:
        for number in range(60):
            targets.seconds = 0.015 if number == 12 else REHEARSAL_S
            reader.read(1.0)
    assert len(targets.at) > 40


def test_trackers_that_cannot_rehearse_get_every_frame(clock):
    source = Clocked(clock)
    reader = frames_of(source, Rehearsing(clock, able=False), LOW)
    assert reader.rehearsals == 0 and len(source.given) == 40


def test_a_source_that_falls_silent_is_waited_for_no_longer_than_asked(clock):
    source, targets = Clocked(clock), Rehearsing(clock)
    with Pace(source, targets, LOW, cpu_latency="/nowhere") as reader:
        for _ in range(20):
            reader.read(1.0)
        source.next_s += 10.0
        began_s = clock.now_s
        assert reader.read(0.1) is WAITING
        assert clock.now_s - began_s == pytest.approx(0.1)
        assert reader.read(0.0) is WAITING


def test_cores_stay_awake_only_with_low_latency_and_until_the_end(clock, tmp_path):
    asked = tmp_path / "cpu_dma_latency"
    for latency in LATENCIES:
        asked.write_bytes(b"")
        Pace(Clocked(clock), Rehearsing(clock), latency, cpu_latency=str(asked)).close()
        assert asked.read_bytes() == (b"\0\0\0\0" if latency == LOW else b"")


def test_a_loop_of_its_own_is_rehearsed_just_before_the_frame_it_expects(clock):
    class Own(Rehearsing, Expecting):
        pass

    own = Own(clock)
    for number in range(20):
        own.seconds = 0.03 if number == 10 else REHEARSAL_S  # interrupted once
        own.expect(None, PERIOD_S)
        assert (clock.now_s - 100.0) % PERIOD_S < REHEARSAL_S + 0.031
        clock.now_s = 100.0 + PERIOD_S * np.ceil((clock.now_s - 100.0) / PERIOD_S - 0.01)
    assert 12 <= len(own.at) < 20  # after the interruption there was no time for some
    ahead_s = PERIOD_S - (np.array(own.at[1:8]) - 100.0) % PERIOD_S
    assert np.all((ahead_s >= REHEARSAL_S) & (ahead_s < REHEARSAL_S + 0.0002))
    rehearsed, began_s, own._lead_s = len(own.at), clock.now_s, PERIOD_S
    own.expect(None, PERIOD_S)  # there is no time for a rehearsal
    assert len(own.at) == rehearsed and clock.now_s - began_s == pytest.approx(PERIOD_S, abs=2e-4)
    clock.now_s = 100.0 + PERIOD_S * np.ceil((clock.now_s - 100.0) / PERIOD_S - 0.01)
    own.expect(None, -1.0)  # it is late already
    assert clock.now_s == pytest.approx(100.0 + PERIOD_S * round((clock.now_s - 100.0) / PERIOD_S))


@pytest.mark.parametrize(
    "family, targets, threads",
    [(None, 1, 1), (None, 2, 1), (None, 2, 2)]
    + [(family, 1, 1) for family in ("siamfc_030", "stark_lightning", "vittrack")],
)
def test_rehearsals_between_frames_change_no_box(tmp_path, family, targets, threads):
    toml = tiny.write_network(tmp_path, tiny.watched(lost_below=0.3))
    if family is not None:
        toml = blobs.write_network(tmp_path, family)
    (frames, boxes), runs = tiny.film(12), []
    for times in (0, 2):
        followed = load_targets(toml, engine="onnxruntime", threads=threads)
        for number in range(targets):
            followed.add(frames[0], (boxes[0][0] + number, *boxes[0][1:]))
        runs.append([])
        for frame in frames[1:]:
            runs[-1].append(followed.update(frame))
            for _ in range(times):
                assert followed.rehearse(frame)
        followed.close()
    assert runs[0] == runs[1]


def test_before_the_first_update_there_is_nothing_to_rehearse(tmp_path):
    frames, boxes = tiny.film(2)
    targets = load_targets(tiny.write_network(tmp_path), engine="onnxruntime")
    assert not targets.rehearse(frames[0])
    targets.add(frames[0], boxes[0])
    assert not targets.rehearse(frames[0])
    targets.update(frames[1])
    assert targets.rehearse(frames[1])
    targets.drop(0)
    assert not targets.rehearse(frames[1])
    targets.close()
