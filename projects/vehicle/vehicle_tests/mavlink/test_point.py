"""Requests reach the frame loop, and a click becomes the box of what was clicked on."""

import numpy as np
import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")

from hotpath.app.links.requests import RequestRefused
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.types import Box
from hotpath_vehicle.mavlink import loop
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.reports import command_long
from tests.support import tiny_detector

SIZE = 256
SIDE = 24  # of the object: what the tiny detector finds in a window of 128
BOX = (10.0, 10.0, 20.0, 20.0)


def scene(x=96, y=64):
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[y : y + SIDE, x : x + SIDE, 2] = 255
    return frame, Box(x, y, SIDE, SIDE), (x + SIDE / 2, y + SIDE / 2)


@pytest.fixture
def run(make_run):
    """A run without a target. Its frames show one red object."""
    return make_run([tiny_detector.frame([("red", 0, 0)], 128, 128)])


def overlap(one, two):
    return overlaps([one], [two])[0, 0]


def track_point(x, y):
    return Codec(255, 190).encode(*command_long((1, 100), 2004, x / SIZE, y / SIZE))


def test_requests_before_the_first_frame_are_refused(run):
    requests = loop.Loop(run.controller)
    run.controller.newest = None
    asked = [requests.stop(), requests.start_box(BOX, 0.0)]
    run.controller.next_frame_is_due()
    for future in asked:
        with pytest.raises(RequestRefused, match="no frame"):
            future.result(5)


def test_a_recording_counts_from_its_start(run):
    """It begins with the run. A second start changes nothing, whoever asks for it."""
    began = run.loop.recording[1]
    run.controller.record(True)
    assert run.loop.recording == (True, began)
    run.controller.record(False)
    assert run.loop.recording == (True, None)
    run.controller.record(True)
    assert run.loop.recording[1] > began


def test_a_request_given_up_starts_no_target_later(run):
    given_up, other = run.loop.start_box(BOX, 0.0), run.loop.stop()
    assert given_up.cancel() and other.cancel()
    run.turn()
    assert len(run.targets) == 0 and not run.rows
    begun = run.loop.start_box(BOX, 0.0)
    run.turn()
    assert not begun.cancel() and begun.result(0) in run.targets.numbers


def test_a_run_that_ends_answers_what_was_not_given_up(run):
    given_up, waiting = run.loop.stop(), run.loop.stop()
    given_up.cancel()
    run.controller.end()
    with pytest.raises(RequestRefused, match="the run has ended"):
        waiting.result(0)


@pytest.mark.parametrize("way", ["box", "point"])
def test_a_target_starts_on_the_frame_that_was_seen(make_run, way):
    frame, box, centre = scene()
    run = make_run([frame])
    run.turn()
    seen = run.controller.newest
    for _ in range(5):
        run.turn()
    start = {"box": run.loop.start_box, "point": run.loop.start_point}[way]
    started = start(tuple(box) if way == "box" else centre, seen.captured_s)
    run.turn()
    assert started.result(0) in run.targets.numbers
    assert [row[0] for row in run.rows] == list(range(seen.index, run.index - 1))
    assert overlap(run.rows[0][3].box, box) > 0.5


@pytest.mark.parametrize(
    "at, state, result", [((108.0, 76.0), "unsure", 0), ((200.0, 200.0), "tracked", 2)]
)
def test_a_point_in_an_unsure_box_confirms_and_on_nothing_is_denied(make_run, at, state, result):
    frame, box, _ = scene()
    run = make_run([frame])
    run.loop.start_box(tuple(box), 0.0)
    run.turn()
    run.turn()
    kept, newest = run.targets.numbers, run.controller.newest
    (number,) = kept
    track = newest.tracks[number]._replace(state=state, presence=0.4)
    run.controller.write(newest._replace(tracks={number: track}))
    run.receive(track_point(*at))
    answers = run.turn_until(lambda sent: any(f.get("result", 5) != 5 for _, f in sent))
    assert [f["result"] for name, f in answers if name == "COMMAND_ACK"][-1] == result
    assert run.targets.numbers == kept


def test_points_are_offered_where_a_head_finds(run, monkeypatch):
    assert run.loop.finds_at_points
    device = run.targets.device
    for each, value in (("has_head", False), ("open_other", None), ("beside", None)):
        monkeypatch.setattr(type(device) if each == "has_head" else device, each, value)
    assert not run.loop.finds_at_points
