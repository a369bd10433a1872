"""All rejected objects are remembered, as long as windows show them."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime.networks import load_network
from hotpath.runtime.search.regions import HERE, REMEMBERED, WIDE
from hotpath.runtime.search.rejected import MISSED, Rejected
from hotpath.runtime.types import WindowResult
from tests.support import tiny

ONE, OTHER = np.array([50.0, 50.0, 20.0, 20.0]), np.array([200.0, 50.0, 20.0, 20.0])


@pytest.fixture
def rejected(tmp_path):
    """Both are rejected; places with a width of 20 look like the target."""
    alike = SimpleNamespace(appearance=lambda result: np.where(result.states[:, 2] == 20, 1.0, -1))
    made = Rejected(load_network(tiny.write_network(tmp_path)), alike)
    made.add(ONE)
    made.add(OTHER)
    return made


def look(rejected, around, *states, kind=HERE):
    rejected.look(kind, WindowResult(around, (1.0, 1.0), states=np.array(states)))


def centres(rejected):
    return [round(box.centre[0]) for box in rejected.boxes]


def test_an_object_is_followed_from_window_to_window(rejected):
    for moved in range(4, 41, 4):
        look(rejected, ONE, ONE + (moved, 0, 0, 0), kind=WIDE)
    assert centres(rejected) == [90, 200]


def test_an_object_that_left_is_forgotten_and_one_outside_the_windows_is_not(rejected):
    for _ in range(MISSED):
        look(rejected, ONE, ONE + (100, 0, 0, 0))
    assert centres(rejected) == [200]


def test_what_stands_in_its_place_and_looks_otherwise_is_not_the_object(rejected):
    for _ in range(MISSED):
        look(rejected, ONE, ONE + (0, 0, 1, 0))
    assert centres(rejected) == [200]


def test_two_that_meet_are_one_and_the_oldest_are_forgotten(rejected):
    rejected.add(ONE + (2, 0, 0, 0))
    assert len(rejected.boxes) == 2
    for number in range(REMEMBERED):
        rejected.add(ONE + (0, 100 * (number + 1), 0, 0))
    assert len(rejected.boxes) == REMEMBERED and min(box.y for box in rejected.boxes) > 100


def test_a_coarse_place_beside_it_is_it_and_a_place_elsewhere_is_not(rejected):
    (box, _), far = rejected.boxes, 12
    assert rejected.has(box._replace(x=box.x + far - 1))
    assert not rejected.has(box._replace(x=box.x + 2 * far))


def test_it_moves_with_the_size_of_the_frame(rejected):
    rejected.rescale((0.5, 0.5, 0.5, 0.5))
    assert centres(rejected) == [25, 100]
