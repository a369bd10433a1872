"""The search's windows cover the picture, and the nearest come first."""

import copy

import numpy as np
import pytest

from hotpath.runtime.frames import geometry
from hotpath.runtime.networks import load_network
from hotpath.runtime.search.grids import GRIDS, MOST_FINER, Grids, grid, parts

NETWORK = load_network("kestrel")


@pytest.mark.parametrize("frame_size", [(1280, 720), (320, 240), (97, 500)])
@pytest.mark.parametrize("factor", GRIDS)
def test_every_place_of_the_picture_is_in_a_window(frame_size, factor):
    place = np.array([100.0, 90.0, 30.0, 50.0])
    centres = grid(NETWORK, place, frame_size, factor)
    seen = np.zeros(frame_size[::-1], bool)
    for centre in centres:
        state = np.concatenate([centre, place[2:]])
        (x, y, w, h), _ = geometry.search_window(NETWORK, state, factor)
        seen[max(0, y) : y + h, max(0, x) : x + w] = True
    assert seen.all()


def test_windows_overlap_by_the_target_and_the_nearest_is_first():
    place = np.array([1000.0, 600.0, 60.0, 60.0])
    centres = grid(NETWORK, place, (1280, 720), 1.0)
    (_, _, side, _), _ = geometry.search_window(NETWORK, place, 1.0)
    assert side - np.diff(np.unique(centres[:, 0])).max() >= 60
    assert (np.diff(np.hypot(*(centres - place[:2]).T)) >= 0).all()


class Spot:
    """A map in which one place has the target's colours, and the others have less and less."""

    def __init__(self, *place):
        self._place = place

    def highest(self, centres, sides):
        assert sides[0] > 0 and sides[1] > 0
        return -np.hypot(*(centres - self._place).T).astype(np.float32)


def one_pass(grids, *place):
    number = grids.passes
    found = []
    spot = Spot(*place)
    while grids.passes == number:
        found.append(grids.next(lambda: spot))
    return found[:-1]  # the last one is of the next pass


def test_the_search_never_ends_and_goes_from_coarse_to_fine():
    grids = Grids(NETWORK, np.array([100.0, 100.0, 40.0, 40.0]), (640, 480))
    for _ in range(4):
        factors = [w.factor for w in one_pass(grids, 500, 400)]
        assert set(factors) == set(GRIDS) and factors == sorted(factors, reverse=True)


SMALL = np.array([50.0, 60.0, 20.0, 20.0])


def test_windows_with_the_colours_come_first_in_large_grids():
    grids = Grids(NETWORK, SMALL, (1280, 720))
    passes = [one_pass(grids, 900, 500) for _ in range(4)]
    for factor, count in zip(GRIDS[1:], (2, 4)):
        far = [
            [np.hypot(*(w.state[:2] - (900, 500))) for w in found if w.factor == factor]
            for found in passes[:count]
        ]
        assert max(map(len, far)) <= MOST_FINER
        for nearer, farther in zip(far, far[1:]):
            assert max(nearer) <= min(farther)


@pytest.mark.parametrize(
    "side, frame_size", [(20, (1280, 720)), (40, (320, 240)), (200, (97, 500))]
)
def test_every_finer_window_is_searched_once_a_part(side, frame_size):
    place = np.array([50.0, 60.0, side, side])
    grids = Grids(NETWORK, place, frame_size)
    passes = [one_pass(grids, 300, 200) for _ in range(4)]
    for factor in GRIDS[1:]:
        centres = grid(NETWORK, place, frame_size, factor)
        found = sum(passes[: parts(centres)], [])
        searched = [tuple(w.state[:2]) for w in found if w.factor == factor]
        assert sorted(searched) == sorted(map(tuple, centres))


def test_colours_count_in_the_frame_that_is_searched():
    grids = Grids(NETWORK, SMALL, (1280, 720))
    coarse = len(grid(NETWORK, SMALL, (1280, 720), GRIDS[0]))
    for _ in range(coarse):
        grids.next(None)  # no colours are read for the coarsest grid
    there, elsewhere = Spot(0, 0), Spot(1279, 719)
    assert grids.next(lambda: there).state[0] < 640
    assert grids.next(lambda: elsewhere).state[0] >= 640


def test_colours_that_move_bring_no_more_windows_into_a_pass():
    """They are always where the next windows are, so that each of these is one of the first."""
    grids = Grids(NETWORK, SMALL, (1280, 720))
    found = []
    spots = [Spot(50, 60)]
    while grids.passes == 0:
        found.append(grids.next(lambda: spots[-1]))
        following = copy.copy(grids).next(lambda: spots[-1])
        spots.append(Spot(*following.state[:2]))
    for factor in GRIDS[1:]:
        assert sum(w.factor == factor for w in found) <= MOST_FINER


def test_a_copy_goes_on_by_itself():
    grids, spot = Grids(NETWORK, SMALL, (1280, 720)), Spot(900, 500)
    for _ in range(100):
        grids.next(lambda: spot)
    other = copy.copy(grids)
    ahead = [other.next(lambda: spot) for _ in range(300)]
    for window in ahead:
        again = grids.next(lambda: spot)
        assert again.factor == window.factor and np.array_equal(again.state, window.state)
