"""An object that merely follows the target's path is told from the target."""

import numpy as np
import pytest

from hotpath.runtime.identity.target_path import TargetPath

LEFT = range(0, 200, 10)  # the target's positions up to the place of its loss, pixels


def step(path, x, was_tracked, y=50.0):
    path.step(np.array([x, y, 20.0, 20.0]), was_tracked)
    return path.comes_after


def left():
    """A target that left on the right."""
    path = TargetPath()
    for x in LEFT:
        step(path, x, True)
    return path


def verdicts(path, places):
    return [step(path, x, index == 0) for index, x in enumerate(places)]


def test_the_next_one_on_the_path_is_a_follower():
    assert verdicts(left(), range(0, 60, 6))[1:] == [True] * 9


def test_a_follower_stays_one_while_the_traffic_stops_for_a_moment():
    followed = [*range(0, 60, 6), *[60] * 12]
    assert all(verdicts(left(), followed)[1:])


@pytest.mark.parametrize("places", [range(60, 0, -6), [60, 54, 48, *range(48, 120, 6)]])
def test_an_object_that_first_moves_against_the_path_is_never_a_follower(places):
    assert not any(verdicts(left(), places))


def test_a_follower_that_jitters_has_not_turned():
    assert all(verdicts(left(), [10, 9, *range(20, 60, 6)])[2:])


def test_where_the_search_put_a_follower_before_the_network_did_is_no_turn():
    assert all(verdicts(left(), [10, 2, *range(8, 60, 6)])[2:])


def test_a_target_that_stood_and_jittered_before_it_left_has_a_path():
    path, rng = TargetPath(), np.random.RandomState(3)
    for x in [*[0] * 20, *range(0, 200, 10)]:
        path.step(np.array([x, 50.0, 20.0, 20.0]) + [*rng.normal(0, 1, 2), 0, 0], True)
    assert all(verdicts(path, range(0, 60, 6))[1:])


def test_another_target_tells_nothing_of_this_one():
    path = left()
    path.begin()
    step(path, 200, True)
    assert not any(verdicts(path, range(0, 60, 6)))
