"""A box that goes on where an object beside the target went is a swap; other meetings are none."""

import numpy as np
import pytest

from hotpath import load_tracker
from hotpath.runtime.identity.distractors import Distractors
from tests.support.needs import needs_kernels


def state(x, y=50.0):
    return [x, y, 20.0, 20.0]


def swaps(frames, chosen=0):
    """What each frame says; a frame is a list of (x, score)."""
    beside = Distractors()
    return [
        beside.took_box(np.array([state(x) for x, _ in frame]), [s for _, s in frame], chosen)
        for frame in frames
    ]


def approach(frames=6, score=0.7, still=160.0):
    """The target comes by 10 px a frame to 150, where another one waits ten pixels on."""
    return [[(150.0 - 10 * n, 0.8), (still, score)] for n in range(frames, 0, -1)]


def test_a_box_that_goes_on_as_the_waiting_neighbour_is_a_swap():
    assert swaps([*approach(), [(160.0, 0.7)], [(160.0, 0.7)]]) == [False] * 6 + [True, False]


def test_a_target_that_passes_before_a_neighbour_is_no_swap():
    passing = [[(150.0 + 10 * n, 0.8)] for n in range(6)]
    assert not any(swaps(approach() + passing))


def test_a_neighbour_that_is_seen_elsewhere_was_not_taken():
    assert not any(swaps([*approach(still=160.0), [(157.0, 0.7), (168.0, 0.7)]]))


@pytest.mark.parametrize(
    "frames, is_known",
    [
        ([*approach(score=0.24), [(160.0, 0.7)]], False),
        ([*approach(score=0.26), [(160.0, 0.7)]], True),
        ([*approach(), [(160.0, 0.24)]], False),
        ([*approach(), [(160.0, 0.26)]], True),
        ([*approach(2), [(160.0, 0.7)]], False),
        ([*approach(3), [(160.0, 0.7)]], True),
        ([*approach(), *[[(140.0, 0.8)]] * 4, [(160.0, 0.7)]], False),
        ([*approach(), *[[(140.0, 0.8)]] * 3, [(160.0, 0.7)]], True),
    ],
)
def test_only_a_neighbour_clearly_seen_just_now_is_taken(frames, is_known):
    assert swaps(frames)[-1] == is_known


def test_the_way_of_a_neighbour_goes_on_while_it_is_unseen():
    meeting = [[(100.0, 0.8), (160.0 - 8 * n, 0.7)] for n in range(5)]  # it comes to 128
    assert swaps([*meeting, [(100.0, 0.8)], [(110.0, 0.7)]])[-1]
    assert not swaps([*meeting, [(100.0, 0.8)], [(104.0, 0.8)]])[-1]


def crossing(hides):
    """A card goes behind another one that waits, and stays there; or it stops beside it."""
    noise = np.random.RandomState(5)
    ground = noise.randint(20, 60, (240, 320, 3)).astype(np.uint8)
    cards = [noise.randint(90, 250, (36, 36, 3)) for _ in range(2)]
    for index in range(60):
        picture, x = ground.copy(), min(40 + 4 * index, 190 if hides else 130)
        picture[100:136, x : x + 36] = cards[0]
        picture[104:140, 190:226] = cards[1]
        yield picture


@pytest.mark.parametrize("hides", [True, False])
def test_a_target_that_went_behind_its_twin_is_unsure_there(hides):
    needs_kernels()
    first, *frames = crossing(hides)
    with load_tracker(precision="fp32") as tracker:
        tracker.init(first, (40, 100, 36, 36))
        words = [tracker.update(frame).state for frame in frames]
    assert words[:25] == ["tracked"] * 25
    assert ("unsure" in words) == hides
