"""Requests reach the frame loop, and a click becomes the box of what was clicked on."""

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")

from hotpath.app.cli.detector import open_detector, open_finder
from hotpath.app.cli.options import parse, records_of
from hotpath.app.detect import load_detector
from hotpath.app.links.requests import Refused
from hotpath.app.pointing import add_at
from hotpath.runtime.boxes import overlaps
from hotpath.runtime.errors import BadNetwork, BadOption, NetworkFailed, NoObject
from hotpath.runtime.types import Box
from hotpath_vehicle.mavlink import loop
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.reports import command_long
from tests.support import tiny_detector

SIZE = 256
SIDE = 24  # of the object: what the tiny detector finds in a window of 128
BOX = (10.0, 10.0, 20.0, 20.0)


@pytest.fixture(scope="module")
def toml(tmp_path_factory):
    return tiny_detector.write_detector(tmp_path_factory.mktemp("detector"))


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


class Targets:
    """Notes what was added; at a point it finds ``box``, or raises."""

    def __init__(self, box=None, error=None, head="a head"):
        self.box, self.error, self.boxes = box, error, []
        self.network = SimpleNamespace(tap=head)

    def add(self, frame, box=None, time_s=None, point=None, besides=None):
        if box is None and self.error is not None:
            raise self.error
        self.boxes.append(self.box if box is None else box)
        return 7


def track_point(x, y):
    return Codec(255, 190).encode(*command_long((1, 100), 2004, x / SIZE, y / SIZE))


def test_requests_before_the_first_frame_are_refused(run):
    requests = loop.Loop(run.controller)
    run.controller.newest = None
    asked = [requests.stop(), requests.start_box(BOX, 0.0)]
    run.controller.next_frame_is_due()
    for future in asked:
        with pytest.raises(Refused, match="no frame"):
            future.result(5)


def test_a_box_belongs_to_the_frame_that_was_seen(run):
    run.turn()
    seen = run.controller.newest
    for _ in range(5):
        run.turn()
    run.loop.start_box(BOX, seen.captured_s)
    run.turn()
    assert [row[0] for row in run.rows] == list(range(seen.index, run.index - 1))


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
    with pytest.raises(Refused, match="the run has ended"):
        waiting.result(0)


def test_a_click_starts_the_target_on_the_frame_that_was_seen(make_run):
    frame, box, centre = scene()
    run = make_run([frame])
    run.turn()
    seen = run.controller.newest
    for _ in range(5):
        run.turn()
    started = run.loop.start_point(centre, seen.captured_s)
    run.turn()
    assert started.result(0) in run.targets.numbers
    assert run.rows[0][0] == seen.index
    assert overlap(run.rows[0][3].box, box) > 0.5


def test_a_point_in_an_unsure_box_confirms_the_target(make_run):
    frame, box, centre = scene()
    run = make_run([frame])
    run.loop.start_box(tuple(box), 0.0)
    run.turn()
    run.turn()
    kept, newest = run.targets.numbers, run.controller.newest
    (number,) = kept
    unsure = newest.tracks[number]._replace(state="unsure", presence=0.4)
    run.controller.write(newest._replace(tracks={number: unsure}))
    run.receive(track_point(*centre))
    answers = run.turn_until(lambda sent: any(f.get("result", 5) != 5 for _, f in sent))
    assert [f["result"] for name, f in answers if name == "COMMAND_ACK"][-1] == 0  # ACCEPTED
    assert run.targets.numbers == kept


def test_a_click_on_nothing_is_denied_and_keeps_the_target(make_run):
    frame, box, _ = scene()
    run = make_run([frame])
    run.loop.start_box(tuple(box), 0.0)
    run.turn()
    kept = run.targets.numbers
    run.receive(track_point(200.0, 200.0))
    answers = run.turn_until(lambda sent: any(f.get("result", 5) != 5 for _, f in sent))
    assert [f["result"] for name, f in answers if name == "COMMAND_ACK"][-1] == 2  # DENIED
    assert run.targets.numbers == kept


def test_an_object_of_a_named_class_comes_before_the_head(toml):
    frame, box, centre = scene()
    red = load_detector(toml, classes=["red"])
    targets = Targets(error=AssertionError("the head was asked"))
    assert add_at(targets, frame, centre, red) == 7
    beside = (box.x - 8, centre[1])  # a click that missed it
    add_at(targets, frame, beside, red)
    assert all(overlap(added, box) > 0.5 for added in targets.boxes)


def test_without_a_named_class_the_head_finds_the_box(toml):
    frame, _, centre = scene()
    own = Box(10, 200, 20, 20)
    for classes, point in ((["red"], (20.0, 210.0)), (["blue"], centre), (None, centre)):
        targets = Targets(own)
        add_at(targets, frame, point, load_detector(toml, classes=classes))
        assert targets.boxes == [own]


@pytest.mark.parametrize("error", [NoObject("nothing"), BadOption("no"), BadNetwork("damaged")])
def test_where_the_head_finds_nothing_any_detector_is_asked(toml, error):
    frame, box, centre = scene()
    targets = Targets(error=error)
    add_at(targets, frame, centre, load_detector(toml))
    assert overlap(targets.boxes[0], box) > 0.5
    for detector in (None, load_detector(toml, classes=["blue"])):
        with pytest.raises(type(error)):
            add_at(targets, frame, centre, detector)


@pytest.mark.parametrize("classes", [None, ["red"]])
def test_a_second_click_asks_the_detector_where_no_head_runs(toml, classes):
    frame, box, centre = scene()
    detector = load_detector(toml, classes=classes)
    for head, error in ((None, BadOption("no head")), ("a head", BadNetwork("damaged"))):
        targets = Targets(error=error, head=head)
        add_at(targets, frame, centre, detector, besides=box)
        assert overlap(targets.boxes[0], box) > 0.5
    with pytest.raises(NoObject):
        add_at(Targets(error=NoObject("no other")), frame, centre, detector, besides=box)


def test_points_are_offered_where_head_or_detector_finds(run, monkeypatch):
    assert run.loop.finds_at_points
    monkeypatch.setattr(run.targets.network, "tap", None)
    assert not run.loop.finds_at_points
    run.controller.detector = Mock()
    assert run.loop.finds_at_points


def test_a_detector_that_fails_leaves_the_click_to_the_head(toml):
    frame, box, centre = scene()
    detector = load_detector(toml, classes=["red"])
    detector._run = Mock(side_effect=NetworkFailed("no"))
    targets = Targets(box)
    add_at(targets, frame, centre, detector)
    assert targets.boxes == [box]


def test_a_detector_without_a_class_leaves_the_choice_to_a_click(toml):
    arguments = ["--video", "cam0", "--detector", toml, "--mavlink", "udpin:127.0.0.1:14550"]
    options = records_of(parse([str(argument) for argument in arguments]), print)
    detector = open_detector(options.targets, options.network)
    assert detector.any_class and open_finder(options.targets, detector, None, True) is None
