"""Colours tell boxes apart, and say where in a picture a target may be."""

import cv2
import numpy as np
import pytest

from hotpath.runtime.frames.colour import BINS, PATCH, ColourMap, back_project, colour_bins
from hotpath.runtime.frames.colour import histogram as histogram_of

RED, GREEN = (40, 30, 220), (60, 200, 40)


@pytest.fixture
def picture():
    frame = np.random.RandomState(2).randint(90, 110, (480, 640, 3)).astype(np.uint8)
    frame[100:160, 200:240] = RED
    frame[300:360, 500:540] = GREEN
    return frame


def histogram(picture, state):
    cx, cy, w, h = state
    inside = picture[int(cy - h / 2) : int(cy + h / 2), int(cx - w / 2) : int(cx + w / 2)]
    return histogram_of(cv2.resize(inside, (PATCH, PATCH), interpolation=cv2.INTER_AREA))


@pytest.fixture
def red(picture):
    return histogram(picture, np.array([220, 130, 40, 60.0]))


def propose(picture, size, colour, visited, apart):
    return ColourMap(picture, np.array(size), colour).best(visited, apart)


def alike(one, other):
    return np.sqrt(one * other).sum()


def test_a_bin_is_12_hues_and_64_levels_or_32_greys():
    colours = np.random.RandomState(4).randint(0, 256, (90, 130, 3)).astype(np.uint8)
    colours[:40] //= 8
    sparse = colours[3::7, 2::5]
    found, hsv = colour_bins(sparse), cv2.cvtColor(sparse.copy(), cv2.COLOR_BGR2HSV).astype(int)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    np.testing.assert_array_equal(
        found, np.where(saturation < 40, 60 + value // 32, hue // 12 * 4 + value // 64)
    )
    target = np.random.RandomState(3).dirichlet(np.ones(BINS))
    shares = np.bincount(found.ravel(), minlength=BINS) / found.size
    told = back_project(sparse, target)
    assert told.dtype == np.float32
    np.testing.assert_allclose(told, (target / (target + shares))[found], rtol=1e-6)


def test_a_box_is_like_itself_and_unlike_another_colour(picture, red):
    green = histogram(picture, np.array([520, 330, 40, 60.0]))
    assert red.sum() == pytest.approx(1)
    assert alike(red, red) == pytest.approx(1)
    assert alike(red, green) < 0.1


def test_the_colours_place_is_proposed_unless_it_was_searched(picture, red):
    x, y = propose(picture, [40.0, 60.0], red, [], 50.0)
    assert abs(x - 220) < 15 and abs(y - 130) < 15
    place = propose(picture, [40.0, 60.0], red, [(220, 130)], 60.0)
    assert place is None or abs(place[0] - 220) >= 50 or abs(place[1] - 130) >= 50
    assert propose(picture, [40.0, 60.0], red, [(320, 240)], 1000.0) is None


@pytest.mark.parametrize("shape", [(1500, 3), (1, 400), (3, 1500), (1, 1), (20, 20)])
def test_narrow_pictures_and_large_targets_are_searched(red, shape):
    narrow = np.full(shape + (3,), RED, np.uint8)
    x, y = propose(narrow, [900.0, 700.0], red, [], 5.0)
    assert 0 <= x <= shape[1] and 0 <= y <= shape[0]


def test_windows_with_the_colour_in_them_are_told_from_others(picture, red):
    colours = ColourMap(picture, np.array([40.0, 60.0]), red)
    centres = np.array([[250.0, 160.0], [180.0, 110.0], [500.0, 330.0], [639.0, 479.0]])
    most = colours.highest(centres, (120.0, 120.0))
    assert most[:2].min() > 0.5 and most[2:].max() < 0.2
