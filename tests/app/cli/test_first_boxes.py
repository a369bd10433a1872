"""Where the first boxes come from, and which are refused."""

import numpy as np
import pytest

from hotpath.app.cli import option_parser
from hotpath.app.cli.first_boxes import check_boxes, given_boxes, given_points
from hotpath.app.option_records import TargetOptions
from hotpath.runtime.errors import BadBox
from hotpath.video.base import Source
from tests.support.errors import refusal

FRAME = np.zeros((360, 480, 3), np.uint8)


def boxes(*arguments, source=None):
    """The boxes that a command line gives on a frame of 480x360."""
    run = option_parser.records_of(option_parser.parse(list(arguments)), print)
    return given_boxes(run.targets, run.links.selects, source or Source("clip"), FRAME)


GIVEN = {  # text -> box, pixels
    "25%,50%,10%,20%": (120, 180, 48, 72),
    "12,50%,30.5,20%": (12, 180, 30.5, 72),
    "-5,70,40,40": (-5, 70, 40, 40),
    "0,0,1.5,1": (0, 0, 1.5, 1),  # the smallest box in pixels is not taken for shares
}


@pytest.mark.parametrize("text", GIVEN)
def test_a_box_may_be_in_per_cent_and_partly_outside(text):
    assert boxes("--box", text) == [GIVEN[text]]


def test_a_box_that_is_given_twice_is_refused():
    with refusal(BadBox, "given twice"):
        boxes("--box", "10,20,30,40", "--box", "10 20 30 40")
    assert len(boxes("--box", "10,20,30,40", "--box", "11,20,30,40")) == 2


@pytest.mark.parametrize(
    "box, corners",
    [
        ("90,80,400,300", "90,80,310,220"),
        *((box, "") for box in ("100,250,300,110", "400,20,100,40", "0,0,480,360", "-9,1,60,60")),
    ],
)
def test_a_box_leaving_the_frame_as_two_corners_is_told_and_no_other_one(box, corners):
    messages = []
    source = Source("clip", log=messages.append)
    assert boxes("--box", box, source=source) and len(messages) == bool(corners)
    assert all("x,y,w,h" in text and text.endswith("give " + corners) for text in messages)


REFUSED = {  # box -> why
    "150,130,400,350": "corners",  # which are a third outside
    "230,20,470,200": "corners",
    "10,178,250,359": "corners",
    "0.4,0.3,0.1,0.025": "too small",  # shares without a per cent sign
    "0,0,1e5,1e5": "too large",
    "0,0,530,100": "too large",
    "0,0,100,111%": "too large",
    "-9,-9,600,20": "too large",
}


@pytest.mark.parametrize("box", REFUSED)
def test_a_box_that_can_not_be_meant_is_refused(box):
    with refusal(BadBox, REFUSED[box]):
        boxes("--box", box)


def test_a_target_absent_at_first_is_no_missing_ground_truth(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    source = Source("clip")
    with refusal(BadBox, "no target"):
        boxes(source=source)
    source.annotated = True
    with refusal(BadBox, "no target"):
        boxes(source=source)


def test_a_ground_truth_a_little_larger_than_the_frame_is_used():
    source = Source("clip")
    source.first_box, source.annotated = (-1, 0, 482, 100), True
    assert boxes(source=source) == [(-1, 0, 482, 100)]
    assert boxes("--box", "5,6,70,80", source=source) == [(5, 6, 70, 80)]


@pytest.mark.parametrize("text", ["5", "1,2,3", "a,b", "nan,3", ""])
def test_a_point_that_is_none_is_refused_before_an_engine_loads(text):
    with refusal(BadBox, "no point"):
        check_boxes(TargetOptions(point=[text]))


def test_points_are_pixels_or_per_cent_and_none_is_given_twice():
    frame = np.zeros((100, 200, 3), np.uint8)
    chosen = TargetOptions(point=["50%,40%", "7,8"])
    assert given_points(chosen, frame) == [(100.0, 40.0), (7.0, 8.0)]
    with refusal(BadBox, "twice"):
        given_points(TargetOptions(point=["100,40", "50%,40%"]), frame)
