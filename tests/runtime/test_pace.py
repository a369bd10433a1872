"""Rehearsals change no box, come shortly before a frame is due, and end where they can't pay."""

import time

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_targets, load_tracker
from runtime.pace import LATENCIES, LOW, NORMAL, SAVING, Pace
from runtime.video.base import WAITING
from tests.support import blobs, tiny

PERIOD_S = 0.02
REHEARSAL_S = 0.0005


class Clocked:
    """A live source that has a frame each ``period_s``; it sleeps until then."""

    live = True

    def __init__(self, period_s=PERIOD_S):
        self.period_s, self.frame = period_s, np.zeros((2, 2, 3), np.uint8)
        self.arrived_s = self.next_s = time.monotonic()
        self.read_after_s = []  # how long after its arrival each frame was read

    def read(self, timeout_s):
        left_s = self.next_s - time.monotonic()
        time.sleep(max(0.0, min(left_s, timeout_s)))
        now_s = time.monotonic()
        if now_s < self.next_s:
            return WAITING
        self.read_after_s.append(now_s - self.next_s)
        self.arrived_s, self.next_s = self.next_s, self.next_s + self.period_s
        return self.frame


class Rehearsing:
    """Targets whose rehearsals take a fixed time."""

    def __init__(self, seconds=REHEARSAL_S, able=True):
        self.seconds, self.able, self.at = seconds, able, []

    def rehearse(self, frame):
        if self.able:
            self.at.append(time.monotonic())
            time.sleep(self.seconds)
        return self.able


def frames_of(source, targets, latency, count=25):
    with Pace(source, targets, latency, cpu_latency="/nowhere") as pace:
        for _ in range(count):
            assert pace.read(1.0) is source.frame
        return pace


def test_a_frame_is_rehearsed_once_shortly_before_it_is_due():
    source, targets = Clocked(), Rehearsing()
    pace = frames_of(source, targets, NORMAL)
    # the first intervals only teach the frame rate; a busy machine may miss some
    assert 8 <= len(targets.at) == pace.rehearsals <= 19
    first_s = source.next_s - 25 * PERIOD_S
    ahead_s = [PERIOD_S - (at - first_s) % PERIOD_S for at in targets.at[3:]]
    assert np.median(ahead_s) < 4 * REHEARSAL_S + 0.002


def test_low_latency_rehearses_more_often_and_saving_never():
    counts = {}
    for latency in LATENCIES:
        targets = Rehearsing()
        frames_of(Clocked(), targets, latency)
        counts[latency] = len(targets.at)
    assert counts[SAVING] == 0 < counts[NORMAL] < counts[LOW]


def test_recordings_are_not_rehearsed():
    source, targets = Clocked(), Rehearsing()
    source.live = False
    frames_of(source, targets, LOW, count=10)
    assert not targets.at


def test_a_network_that_takes_long_is_not_rehearsed():
    targets = Rehearsing(seconds=0.008)
    frames_of(Clocked(), targets, NORMAL)
    assert len(targets.at) <= 4


def test_trackers_that_cannot_rehearse_get_every_frame():
    source = Clocked()
    pace = frames_of(source, Rehearsing(able=False), LOW)
    assert pace.rehearsals == 0 and len(source.read_after_s) == 25


def test_a_source_that_falls_silent_is_waited_for_no_longer_than_asked():
    source, targets = Clocked(), Rehearsing()
    with Pace(source, targets, LOW) as pace:
        for _ in range(10):
            pace.read(1.0)
        source.next_s += 10.0
        began_s = time.monotonic()
        assert pace.read(0.1) is WAITING
        assert 0.08 < time.monotonic() - began_s < 0.3
        assert pace.read(0.0) is WAITING


def test_cores_stay_awake_only_with_low_latency_and_until_the_end(tmp_path):
    asked = tmp_path / "cpu_dma_latency"
    for latency in LATENCIES:
        asked.write_bytes(b"")
        Pace(Clocked(), Rehearsing(), latency, cpu_latency=str(asked)).close()
        assert asked.read_bytes() == (b"\0\0\0\0" if latency == LOW else b"")


def rehearsed_and_plain(load, frames, box, targets=1):
    """Boxes of two runs over the same frames, one of them with rehearsals between the frames."""
    runs = []
    for times in (0, 2):
        followed = load()
        for number in range(targets):
            followed.add(frames[0], (box[0] + number, *box[1:]))
        found = []
        for frame in frames[1:]:
            found.append(followed.update(frame))
            for _ in range(times):
                assert followed.rehearse(frame)
        followed.close()
        runs.append(found)
    return runs


@pytest.mark.parametrize("targets, threads", [(1, 1), (2, 1), (2, 2)])
def test_rehearsals_change_no_box_of_one_or_several_targets(tmp_path, targets, threads):
    toml = tiny.write_network(tmp_path, tiny.watched(lost_below=0.3))
    frames, boxes = tiny.film(12)

    def load():
        return load_targets(toml, engine="onnxruntime", threads=threads)

    plain, rehearsed = rehearsed_and_plain(load, frames, boxes[0], targets)
    assert plain == rehearsed


@pytest.mark.parametrize("family", ["siamfc_030", "dcfnet", "stark_lightning", "vittrack"])
def test_rehearsals_change_no_box_of_other_families(tmp_path, family):
    toml = blobs.write_network(tmp_path, family)
    frames, boxes = tiny.film(8)
    results = []
    for times in (0, 2):
        tracker = load_tracker(toml, engine="onnxruntime")
        tracker.init(frames[0], boxes[0])
        for frame in frames[1:]:
            results.append((times, tracker.update(frame)))
            for _ in range(times):
                tracker.rehearse(frame)
        tracker.close()
    plain, rehearsed = ([t for n, t in results if n == times] for times in (0, 2))
    assert plain == rehearsed


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
