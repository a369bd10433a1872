"""What objects look like: their colours."""

import pytest

from hotpath.runtime.targets.appearance import (
    PICTURES_ALIKE,
    colour_description,
    similarity,
    update_description,
)
from tests.support import tiny_detector


def test_the_same_object_is_alike_and_memory_follows_slowly():
    frame = tiny_detector.frame([("red", 20, 20), ("blue", 150, 20), ("red", 150, 150)])
    places = [(20, 20), (150, 20), (150, 150)]
    red, blue, other_red = (colour_description(frame, (x, y, 48, 48)) for x, y in places)
    assert similarity(red, other_red) == pytest.approx(1.0, abs=1e-6)
    assert similarity(red, blue) < PICTURES_ALIKE
    known = update_description(red, blue)
    assert similarity(known, red) > similarity(known, blue)
    nothing = colour_description(frame, (900, 9, 20, 20))  # outside the frame
    assert nothing is None and similarity(red, nothing) == 0.0
    assert update_description(red, nothing) is red and update_description(nothing, red) is red
