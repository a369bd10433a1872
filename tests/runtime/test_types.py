"""Frames and boxes that a tracker refuses, and what the sentence says to do."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.errors import BadBox, BadFrame
from hotpath.runtime.frames.pictures import checked_frame
from hotpath.runtime.types import Box, checked_box
from tests.support import tiny
from tests.support.errors import refusal


@pytest.mark.parametrize(
    "frame, words",
    [
        (np.zeros((4, 5), np.uint8), "cv2.COLOR_GRAY2BGR"),
        (np.zeros((4, 5, 1), np.uint8), "cv2.COLOR_GRAY2BGR"),
        (np.zeros((4, 5, 4), np.uint8), "cv2.COLOR_BGRA2BGR"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"not \(1, 4, 5, 3\)$"),
        (np.zeros((4, 5, 3), np.float32), r"astype\(np.uint8\)"),
        (None, "could not be opened, or has ended"),
    ],
)
def test_another_kind_of_frame_is_refused_with_its_conversion(frame, words):
    with pytest.raises(BadFrame, match=words):
        checked_frame(frame)


@pytest.mark.parametrize(
    "box",
    [b"abcd", "1234", {1, 2, 3, 4}, ("10", ...), ("a", 2, 3, 4), [10**400] * 4]
    + [None, {}, [None] * 4, np.ones((2, 2)), 5],
)
def test_what_is_not_four_numbers_is_no_box(box):
    with refusal(BadBox, "not four numbers"):
        checked_box(box, (120, 160, 3))


@pytest.mark.parametrize("box", [(-200, -200, 210, 210), (315, 20, 200, 40)])
def test_a_box_far_outside_the_frame_is_refused(box):
    with refusal(BadBox, "outside"):
        checked_box(box, (240, 320, 3))
    assert checked_box((-30, 10, 60, 60), (240, 320, 3)).xyxy == (-30, 10, 30, 70)


@pytest.mark.parametrize("box", [(250, 200, 290, 238), (200, 150, 310, 230)])
def test_two_corners_are_called_so_however_far_they_leave_the_frame(box):
    x, y, right, lower = box
    with refusal(BadBox, "corners") as caught:
        checked_box(box, (240, 320, 3))
    assert f"give {x},{y},{right - x},{lower - y}" in str(caught.value)


def test_a_box_has_a_centre():
    assert Box(10.0, 20.0, 30.0, 45.0).centre == (25.0, 42.5)


@pytest.mark.parametrize(
    "box, what",
    [
        ((0.1, 0.25, 0.1, 0.23), "too small"),
        ((0, 0, 1, 1), "too small"),
        ((100, 50, 0.9, 40), "too small"),
        ((100, 50, 40, 1e-9), "too small"),
        ((20, 20, 1e-320, 1e-320), "too small"),
        ((-1e300, -1e300, 2e300, 2e300), "too large"),
        ((10, 10, 400, 40), "too large"),
        ((10, 10, 40, 265), "too large"),
        ((10, 10, 0, 40), "empty"),
        ((10, 10, 40, -40), "empty"),
        ((float("nan"), 10, 40, 40), "not finite"),
        ((float("1e400"), 10, 20, 20), "not finite"),
    ],
)
def test_a_box_that_cannot_be_meant_is_refused_with_its_cause(box, what):
    with refusal(BadBox, what):
        checked_box(box, (240, 320, 3))


def test_every_way_to_give_a_box_has_the_same_check(tmp_path):
    frame, shares = np.zeros((240, 320, 3), np.uint8), (0.1, 0.25, 0.1, 0.23)
    network = str(tiny.write_network(tmp_path))
    with load_tracker(network) as tracker, load_targets(network) as targets:
        number = targets.add(frame, (32, 60, 32, 55))
        for give in (
            lambda: tracker.init(frame, shares),
            lambda: targets.add(frame, shares),
            lambda: targets.restart(number, frame, shares),
        ):
            with refusal(BadBox, "too small"):
                give()
        assert targets.update(frame)[number].box.w > 1  # a refused box changes nothing


@pytest.mark.parametrize("as_array", [False, True])
def test_a_finder_that_gives_shares_of_the_frame_is_told_so(tmp_path, as_array):
    boxes = [(0.1, 0.25, 0.1, 0.23), (0.5, 0.5, 0.2, 0.2)]
    found = np.array(boxes, np.float32) if as_array else boxes
    network = str(tiny.write_network(tmp_path))
    with load_targets(network) as targets:
        targets.find_with(lambda frame: found)
        with refusal(BadBox, "shares"):
            targets.update(np.zeros((240, 320, 3), np.uint8))


def test_boxes_of_a_pixel_and_of_the_whole_frame_are_taken():
    for box in ((5, 5, 1, 1), (0, 0, 320, 240), (-3, -2, 326, 244), (0, 0, 1, 2)):
        assert checked_box(box, (240, 320, 3)) == box


@pytest.mark.parametrize(
    "frame, advice",
    [
        ("a.jpg", "not str; read it with cv2.imread"),
        ((True, np.zeros((9, 9, 3), np.uint8)), r"not tuple; video.read\(\) gives \(good, frame\)"),
        ([[[0, 0, 0]]], "not list; make one with np.asarray"),
        (cv2.UMat(np.zeros((9, 9, 3), np.uint8)), r"not UMat; call its method get\(\)"),
    ],
)
def test_what_a_program_may_pass_for_a_frame_by_mistake_is_named(frame, advice):
    with pytest.raises(BadFrame, match="uint8 array, " + advice):
        checked_frame(frame)


def test_a_frame_in_a_gpus_memory_is_refused_with_the_call_that_copies_it(tmp_path):
    facts = {"shape": (240, 320, 3), "typestr": "|u1", "data": (4096, False), "version": 3}
    array = SimpleNamespace(__cuda_array_interface__=facts)
    tensor = SimpleNamespace(__dlpack_device__=lambda: (2, 0))
    on_host = SimpleNamespace(__dlpack_device__=lambda: (1, 0))
    tracker = load_tracker(tiny.write_network(tmp_path))
    for frame in (array, tensor, (array, tensor)):
        with refusal(BadFrame, "on a GPU"):
            tracker.init(frame, (9, 9, 30, 30))
        with pytest.raises(BadFrame, match=r"cupy.asnumpy\(frame\)"):
            checked_frame(frame)
    with refusal(BadFrame, "not an array"):
        checked_frame(on_host)
