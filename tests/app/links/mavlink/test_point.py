"""Requests reach the frame loop, and a click becomes the box of what was clicked on."""

import time
from unittest.mock import Mock

import numpy as np
import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")

from hotpath.app.cli.detector import open_detector, open_finder
from hotpath.app.cli.options import parse, records_of
from hotpath.app.detect import load_detector
from hotpath.app.links.control import Refused
from hotpath.app.links.frame_buffer import FrameBuffer
from hotpath.app.links.mavlink import loop
from hotpath.app.links.mavlink.codec import Codec
from hotpath.app.links.mavlink.point import PART, candidates, find_box, settled_boxes
from hotpath.app.links.mavlink.reports import command_long
from hotpath.runtime.boxes import overlaps
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.pictures import Picture
from hotpath.runtime.types import Box
from tests.support import tiny_detector
from tests.support.errors import refusal

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


def always(box):
    return lambda boxes: [box] * len(boxes)


def track_point(x, y):
    return Codec(255, 190).encode(*command_long((1, 100), 2004, x / SIZE, y / SIZE))


def test_requests_before_the_first_frame_are_refused_and_end_nothing(run):
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


def test_a_request_that_was_given_up_starts_no_target_when_the_source_goes_on(run):
    given_up, other = run.loop.start_box(BOX, 0.0), run.loop.stop()
    assert given_up.cancel() and other.cancel()
    run.turn()
    assert len(run.targets) == 0 and not run.rows
    begun = run.loop.start_box(BOX, 0.0)
    run.turn()
    assert not begun.cancel() and begun.result(0) in run.targets.numbers


def test_a_point_that_the_stalled_loop_did_not_answer_starts_no_target(run, monkeypatch, toml):
    monkeypatch.setattr(loop, "ANSWER_S", 0.05)
    run.loop = loop.Loop(run.controller, load_detector(toml, classes=["red"]))
    asked = run.loop.start_point((SIDE / 2, SIDE / 2), 0.0)
    with refusal(loop.Busy, "late"):
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


@pytest.mark.parametrize("age", range(2))
def test_the_clicked_frame_stays_while_the_box_is_looked_for(make_run, age):
    """The buffer holds fewer frames here than come meanwhile, as with large ones."""
    frame, _, centre = scene()
    run = make_run([frame])
    run.controller.buffer = FrameBuffer(limit_bytes=0)
    for _ in range(age + 1):
        run.turn()
    clicked = run.controller.newest.index
    run.receive(track_point(*centre))
    answers = run.turn_until(lambda sent: any(f.get("result", 5) != 5 for _, f in sent))
    assert [f["result"] for name, f in answers if name == "COMMAND_ACK"][-1] == 0
    assert run.index > clicked + 12 and run.rows[0][0] == clicked  # not on a later frame
    for _ in range(12):
        run.turn()
    assert not run.controller.buffer.since(clicked)  # it was let go


def test_an_object_of_a_named_class_is_taken_without_the_tracker(toml):
    frame, box, centre = scene()
    red = load_detector(toml, classes=["red"])
    assert overlap(find_box(frame, centre, None, red), box) > 0.5
    beside = (box.x - 8, centre[1])  # a click that missed it
    assert overlap(find_box(frame, beside, None, red), box) > 0.5


def test_far_from_all_objects_the_tracker_finds_the_box(toml):
    frame, _, _ = scene()
    own = Box(10, 200, 20, 20)
    for classes in (["red"], ["blue"], None):
        detector = load_detector(toml, classes=classes)
        assert find_box(frame, (20.0, 210.0), always(own), detector) == own


def test_without_a_named_class_an_object_is_taken_unless_the_click_is_on_a_part_of_it(toml):
    frame, box, centre = scene()
    anything = load_detector(toml)
    torso = Box(box.x + 3, box.y + 3, box.w - 6, box.h - 6)
    assert overlap(find_box(frame, centre, always(torso), anything), box) > 0.5
    eye = Box(centre[0] - 5, centre[1] - 5, 10, 10)
    assert box.w * box.h > PART * eye.w * eye.h
    assert find_box(frame, centre, always(eye), anything) == eye


def test_a_detector_that_fails_leaves_the_click_to_the_tracker(toml):
    frame, box, centre = scene()
    detector = load_detector(toml, classes=["red"])
    detector._run = Mock(side_effect=NetworkFailed("no"))
    assert find_box(frame, centre, always(box), detector) == box


def test_a_click_starts_a_target_in_the_detector_s_box(make_run, toml):
    frame, box, centre = scene()
    run = make_run([frame], detector=load_detector(toml, classes=["red"]))
    run.receive(track_point(box.x - 8, centre[1]))  # the tracker alone would not find it
    run.turn_until(lambda _: len(run.targets))
    first = next(row[3].box for row in run.rows)
    assert overlap(first, box) > 0.5


def test_a_detector_without_a_class_leaves_the_choice_to_the_click(toml):
    arguments = ["--video", "cam0", "--detector", toml, "--mavlink", "udpin:127.0.0.1:14550"]
    options = records_of(parse([str(argument) for argument in arguments]), print)
    detector = open_detector(options.targets, options.network)
    assert detector.any_class and open_finder(options.targets, detector, None, True) is None


def test_a_frame_that_cannot_be_read_does_not_keep_later_clicks_waiting(make_run):
    damaged = Picture()
    damaged._converted = Mock(side_effect=ValueError("damaged"))
    run = make_run([scene()[0]])
    run.turn()
    buffer, good = run.controller.buffer, run.controller.buffer.at
    buffer.at = lambda seen_s: good(seen_s)._replace(frame=damaged)
    with pytest.raises(ValueError, match="damaged"):
        run.loop.start_point((5.0, 5.0), time.monotonic()).result(5)
    buffer.at = good
    started = run.loop.start_point((5.0, 5.0), time.monotonic())  # not Busy
    run.turn_until(lambda _: started.done())


def test_the_box_at_a_point_is_the_thing_there(make_run):
    noise = np.random.RandomState(1).randint(0, 90, (120, 160, 3)).astype(np.uint8)
    noise[45:75, 65:85] = (40, 200, 240)
    targets = make_run([noise]).targets

    def settle_in(frame):
        return lambda boxes: settled_boxes(targets, frame, boxes, 60.0)

    found = find_box(noise, (76.0, 58.0), settle_in(noise))
    assert overlap(found, (65, 45, 20, 30)) > 0.5
    plain = np.full((120, 160, 3), 90, np.uint8)
    for point in ((0.0, 0.0), (1e9, -1e9)):
        found = find_box(plain, point, settle_in(plain))
        assert found.w > 1 and found.h > 1
    assert len(targets) == 0


def test_candidates_lie_around_the_point_each_size_once_in_each_shape():
    plain = np.full((1200, 1600, 3), 90, np.uint8)
    boxes = candidates(plain, (1599.0, 0.0))[-18:]  # GrabCut's come before these
    for box in boxes:
        assert abs(box.x + box.w / 2 - 1599) < 1e-6 and abs(box.y + box.h / 2) < 1e-6
    assert len({(round(box.w), round(box.h)) for box in boxes}) == 18
    sizes = [round((box.w * box.h) ** 0.5) for box in boxes]
    assert sorted(set(sizes)) == sorted(sizes[:6])  # the first six have all of them
