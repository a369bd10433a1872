"""The search's windows cover the picture, and the nearest come first."""

import itertools

import numpy as np
import pytest

from runtime import geometry
from runtime.networks import load_network
from runtime.recovery import windows

NETWORK = load_network("kestrel")


@pytest.mark.parametrize("frame_size", [(1280, 720), (320, 240), (97, 500)])
@pytest.mark.parametrize("factor", windows.GRIDS)
def test_every_place_of_the_picture_is_in_a_window(frame_size, factor):
    place = np.array([100.0, 90.0, 30.0, 50.0])
    centres = windows.grid(NETWORK, place, frame_size, factor)
    seen = np.zeros(frame_size[::-1], bool)
    for centre in centres:
        state = np.concatenate([centre, place[2:]])
        (x, y, w, h), _ = geometry.search_window(NETWORK, state, factor)
        seen[max(0, y) : y + h, max(0, x) : x + w] = True
    assert seen.all()


def test_windows_overlap_by_more_than_the_target():
    place = np.array([640.0, 360.0, 60.0, 60.0])
    centres = windows.grid(NETWORK, place, (1280, 720), 1.0)
    (_, _, side, _), _ = geometry.search_window(NETWORK, place, 1.0)
    apart = np.diff(np.unique(centres[:, 0])).max()
    assert side - apart >= 60


def test_the_nearest_windows_come_first():
    place = np.array([1000.0, 600.0, 60.0, 60.0])
    centres = windows.grid(NETWORK, place, (1280, 720), 1.5)
    distance = np.hypot(*(centres - place[:2]).T)
    assert (np.diff(distance) >= 0).all()


def test_the_search_never_ends_and_goes_from_coarse_to_fine():
    place = np.array([100.0, 100.0, 40.0, 40.0])
    found = list(itertools.islice(windows.wide_windows(NETWORK, place, (640, 480)), 400))
    factors = [w.factor for w in found]
    assert set(factors) == set(windows.GRIDS)
    first = [factors.index(factor) for factor in windows.GRIDS]
    assert first == sorted(first) and len(found) == 400
