"""How a picture and its texts are laid out in the window."""

import cv2
import numpy as np
import pytest

from hotpath.video import window

KEYS = ["Space: pause or resume", "B: draw a new box", "H: list the keys, or hide them"] * 3


@pytest.mark.parametrize("size", [(176, 144), (640, 360), (1920, 1080), (480, 1200)])
def test_texts_stand_below_the_picture_and_cover_nothing_of_it(size):
    picture = np.random.RandomState(1).randint(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    shown = window._with_texts_below(picture, KEYS)
    few = window._with_texts_below(picture, window.SHORT)
    assert shown.shape == few.shape  # nothing jumps when the keys are hidden
    width = shown.shape[1]
    height = int(size[1] * max(1.0, width / size[0]))
    wanted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(shown[:height], wanted)
    assert height < shown.shape[0] and (shown[height:] > 200).any()
    assert (shown[height:, -3:] == 32).all()  # no text runs out of the strip


def test_a_small_picture_is_enlarged_as_far_as_small_screens_have_room():
    shown = window._with_texts_below(np.zeros((180, 320, 3), np.uint8), KEYS)
    assert shown.shape[1] == window.LEAST_WIDE and shown.shape[0] < window.HIGHEST
    shown = window._with_texts_below(np.zeros((144, 176, 3), np.uint8), KEYS)
    assert shown.shape[1] > 700 and shown.shape[0] < 700
