"""Frames and boxes that a tracker refuses, and what the sentence says to do."""

import numpy as np
import pytest

from hotpath.runtime.errors import BadBox, BadFrame
from hotpath.runtime.types import checked_box, checked_frame


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
    with pytest.raises(BadBox, match="four numbers"):
        checked_box(box, (120, 160, 3))


@pytest.mark.parametrize(
    "box", [(-500, -500, 510, 510), (315, 20, 200, 40), (-9e3, -9e3, 2e4, 2e4)]
)
def test_a_box_far_outside_the_frame_is_refused(box):
    with pytest.raises(BadBox, match="% of it lies in the frame of 320x240; give the part that"):
        checked_box(box, (240, 320, 3))
    assert checked_box((-30, 10, 60, 60), (240, 320, 3)).xyxy == (-30, 10, 30, 70)


@pytest.mark.parametrize(
    "frame, advice",
    [
        ("a.jpg", "not str; read it with cv2.imread"),
        ((True, np.zeros((9, 9, 3), np.uint8)), r"not tuple; video.read\(\) gives \(good, frame\)"),
        ([[[0, 0, 0]]], "not list; make one with np.asarray"),
    ],
)
def test_what_a_program_may_pass_for_a_frame_by_mistake_is_named(frame, advice):
    with pytest.raises(BadFrame, match="a frame must be a uint8 array, " + advice):
        checked_frame(frame)
