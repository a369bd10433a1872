"""Requests of the link reach the frame loop, whatever the loop has done so far."""

import pytest

pytest.importorskip("pymavlink")

from runtime.detect import load_detector
from runtime.links.control import Refused
from runtime.links.mavlink import loop
from tests.support import tiny_detector

SIDE = 24  # of the object that the tiny detector finds in a frame of 128
BOX = (10.0, 10.0, 20.0, 20.0)


@pytest.fixture
def run(make_run):
    """A run without a target. Its frames show one red object."""
    return make_run([tiny_detector.frame([("red", 0, 0)], 128, 128)])


@pytest.fixture
def toml(tmp_path):
    return tiny_detector.write_detector(tmp_path)


def test_requests_before_the_first_frame_are_refused_and_end_nothing(run):
    requests = loop.Loop(run.controller)
    run.controller.newest = None
    asked = [requests.stop(), requests.start_box(BOX, 0.0)]
    run.controller.next_frame_is_due()
    for future in asked:
        with pytest.raises(Refused, match="no frame was tracked yet"):
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


def test_a_request_that_was_given_up_starts_no_target_when_the_source_goes_on(run):
    given_up, other = run.loop.start_box(BOX, 0.0), run.loop.stop()
    assert given_up.cancel() and other.cancel()
    run.turn()
    assert len(run.targets) == 0 and not run.rows
    begun = run.loop.start_box(BOX, 0.0)
    run.turn()
    assert not begun.cancel() and begun.result(0) in run.targets.trackers


def test_a_point_that_the_stalled_loop_did_not_answer_starts_no_target(run, monkeypatch, toml):
    monkeypatch.setattr(loop, "ANSWER_S", 0.05)
    run.loop = loop.Loop(run.controller, load_detector(toml, classes=["red"]))
    asked = run.loop.start_point((SIDE / 2, SIDE / 2), 0.0)
    with pytest.raises(loop.Busy, match="did not answer in time"):
        asked.result(10)
    for _ in range(3):
        run.turn()
    assert len(run.targets) == 0 and not run.rows


def test_a_run_that_ends_answers_what_was_not_given_up(run):
    given_up, waiting = run.loop.stop(), run.loop.stop()
    given_up.cancel()
    run.controller.end()
    with pytest.raises(Refused, match="the run has ended"):
        waiting.result(0)
