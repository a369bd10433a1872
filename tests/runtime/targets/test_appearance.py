"""What objects look like: their colours."""

import pytest

from hotpath.runtime.targets.appearance import PICTURES_ALIKE, describe, remembered, similarity
from tests.support import tiny_detector


def test_the_same_object_is_alike_and_memory_follows_slowly():
    frame = tiny_detector.frame([("red", 20, 20), ("blue", 150, 20), ("red", 150, 150)])
    places = [(20, 20), (150, 20), (150, 150)]
    red, blue, other_red = (describe(frame, (x, y, 48, 48)) for x, y in places)
    assert similarity(red, other_red) == pytest.approx(1.0, abs=1e-6)
    assert similarity(red, blue) < PICTURES_ALIKE
    known = remembered(red, blue)
    assert similarity(known, red) > similarity(known, blue)
    nothing = describe(frame, (900, 9, 20, 20))  # outside the frame
    assert nothing is None and similarity(red, nothing) == 0.0
    assert remembered(red, nothing) is red and remembered(nothing, red) is red
