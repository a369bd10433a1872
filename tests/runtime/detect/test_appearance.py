"""What objects look like: their colours."""

import pytest

from runtime.detect import appearance
from tests.support import tiny_detector

SQUARES = [("red", 20, 20), ("blue", 150, 20), ("red", 150, 150)]
BOXES = [(x, y, 48, 48) for _, x, y in SQUARES]


@pytest.fixture(scope="module")
def looks():
    """Of a red square, a blue one, another red one, and of what lies outside the frame."""
    frame = tiny_detector.frame(SQUARES)
    return [appearance.describe(frame, box) for box in [*BOXES, (900, 9, 20, 20)]]


def test_the_same_object_is_alike_and_another_is_not(looks):
    red, blue, other_red, _ = looks
    assert appearance.similarity(red, other_red) == pytest.approx(1.0, abs=1e-6)
    assert appearance.similarity(red, blue) < appearance.ALIKE


def test_a_box_outside_the_frame_looks_like_nothing(looks):
    red, nothing = looks[0], looks[3]
    assert nothing is None and appearance.similarity(red, nothing) == 0.0
    assert appearance.remembered(red, nothing) is red
    assert appearance.remembered(nothing, red) is red


def test_what_is_remembered_follows_slowly(looks):
    red, blue = looks[:2]
    known = appearance.remembered(red, blue)
    assert appearance.similarity(known, red) > appearance.similarity(known, blue)
