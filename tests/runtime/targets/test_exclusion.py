"""Two targets do not follow the same object: one owns it, the other one is searched for."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime import load_targets
from hotpath.runtime.errors import NotReady
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import load_network
from hotpath.runtime.targets.exclusion import (
    HELD,
    MOVED_ON,
    SAME,
    Exclusion,
    targets_without_object,
)
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.types import LOST, TRACKED, UNSURE, Track
from tests.support import tiny

SEARCHED = tiny.LOSSY
GONE = 8
SHAPE = (400, 600, 3)
STEP = 6.0  # px a frame: one walks to the right, one to the left


@pytest.fixture
def pair(tmp_path):
    network = load_network(tiny.write_network(tmp_path))
    return {number: _tracker(network) for number in (0, 1)}


def _tracker(network, style=1.0):
    target = TargetState(SimpleNamespace(network=network, kernels=None), None, None)
    target.identity = SimpleNamespace(value=0.8, is_unverified=False)
    target.bias, target.shape = np.array([1, 1, style, style]), SHAPE
    return SimpleNamespace(network=network, target=target)


def _frame(exclusion, trackers, *centres, state=TRACKED):
    """One frame in which the targets are seen at these x; the last one is in that state."""
    tracks = {}
    for number, (tracker, x) in enumerate(zip(trackers.values(), centres)):
        tracker.target.state = np.array([x, 200.0, 40.0, 80.0])
        box = tracker.target.box_of(tracker.target.state)
        told = state if number == len(centres) - 1 else TRACKED
        tracker.target.identity.is_unverified = told == LOST
        tracks[number] = Track(box, 0.9, told == LOST, told)
    (losers,) = targets_without_object([exclusion], [trackers])
    decided = exclusion.assign_objects(trackers, tracks, SHAPE, losers)
    return {number: each.track for number, each in decided.items()}, tracks, decided


def _walk(exclusion, trackers, frames=10):
    """They come towards each other; at the end they are at 160 and 440 px."""
    for n in range(frames):
        back = STEP * (frames - 1 - n)
        _frame(exclusion, trackers, 160 - back, 440 + back)


def test_a_target_in_anothers_box_moves_on_and_is_unsure(pair):
    exclusion = Exclusion()
    _walk(exclusion, pair)
    for n in range(1, HELD + 1):
        resolved, seen, decided = _frame(exclusion, pair, 160 + STEP * n, 160 + STEP * n)
        assert resolved[0] == seen[0]  # the owner's box is its network's
        assert (resolved[1].state, resolved[1].lost) == (UNSURE, False)
        assert resolved[1].box.x + resolved[1].box.w / 2 == pytest.approx(440 - STEP * n, abs=1)
        assert decided[1].held[0] == pytest.approx(440 - STEP * n)
        assert decided[0].held is None and decided[0].rivals is None
        np.testing.assert_array_equal(decided[1].rivals, [seen[0].box])
    resolved, seen, _ = _frame(exclusion, pair, 226, 226)
    assert resolved[1].lost and resolved[1].state == LOST
    assert exclusion.is_lost(1) and not exclusion.is_lost(0)
    resolved, seen, _ = _frame(exclusion, pair, 300, 100)  # an object of its own again
    assert resolved == seen and not exclusion.is_lost(1)


def test_a_target_whose_object_is_another_ones_is_not_confirmed(tmp_path):
    frames, boxes = tiny.film(4)
    with load_targets(str(tiny.write_network(tmp_path))) as targets:
        one, other = (targets.add(frames[0], tuple(boxes[0])) for _ in range(2))
        targets.update(frames[1])
        path = targets._exclusions[0]._paths[other]
        targets.confirm(other)
        path.held = HELD + 1  # as after frames in which its object was that of the first
        with pytest.raises(NotReady, match="lost"):
            targets.confirm(other)
        targets.confirm(one)


def test_a_box_that_another_target_has_is_doubted(tmp_path):
    """The older one is not, nor a box beside it, nor the newer one once the older one is gone."""
    frames, ((x, y, w, h), *_) = tiny.film(4)
    with load_targets(str(tiny.write_network(tmp_path))) as targets:
        given = ((x, y, w, h), (x + 0.08 * w, y, w, h), (x + 0.4 * w, y, w, h))
        old, same, beside = (targets.add(frames[0], box) for box in given)
        assert f"nearly that of target {old}" in targets.doubt(same)
        assert targets.doubt(old) == targets.doubt(beside) == ""
        targets.drop(old)
        assert targets.doubt(same) == ""


def test_a_target_without_an_object_moves_on_while_it_searches(pair):
    exclusion = Exclusion()
    _walk(exclusion, pair)
    _frame(exclusion, pair, 160 + STEP, 160 + STEP)
    resolved, _, decided = _frame(exclusion, pair, 160 + 2 * STEP, 300, state=LOST)
    assert (resolved[1].state, resolved[1].lost) == (UNSURE, False)
    assert resolved[1].presence == MOVED_ON  # whatever the network thinks of another's object
    assert decided[1].held[0] == pytest.approx(440 - 2 * STEP)


def test_presence_decides_where_both_move_alike(pair):
    for weaker in (0, 1):
        exclusion = Exclusion()
        _frame(exclusion, pair, 100, 160)
        pair[weaker].target.identity.value, pair[1 - weaker].target.identity.value = 0.3, 0.9
        resolved, *_ = _frame(exclusion, pair, 130, 130)
        assert [resolved[n].state == UNSURE for n in (0, 1)] == [weaker == 0, weaker == 1]


def test_a_target_found_in_anothers_box_is_still_lost(pair):
    exclusion = Exclusion()
    _walk(exclusion, pair)
    _frame(exclusion, pair, 160, 440, state=LOST)
    resolved, seen, _ = _frame(exclusion, pair, 160, 162)
    assert resolved[1].lost and resolved[0] == seen[0]
    assert resolved[1].box.x + resolved[1].box.w / 2 == pytest.approx(440, abs=1)  # its own


def _walked(network, style=1.0):
    """A network's exclusion and trackers after the walk of two targets."""
    trackers = {number: _tracker(network, style) for number in (0, 1)}
    exclusion = Exclusion()
    _walk(exclusion, trackers)
    return exclusion, trackers


def _at(trackers, *centres):
    for tracker, x in zip(trackers.values(), centres):
        tracker.target.state = np.array([x, 200.0, 40.0, 80.0])


@pytest.mark.parametrize("surer", [0, 1])
def test_two_networks_decide_together_whose_object_it_is(pair, surer):
    both = [_walked(pair[0].network) for _ in range(2)]
    exclusions, networks = zip(*both)
    for trackers, x in zip(networks, (160, 440)):  # alone, one gives it to 0, the other one to 1
        _at(trackers, x, x)
    alone = [targets_without_object([e], [trackers]) for e, trackers in both]
    assert alone == [[{1}], [{0}]]
    for trackers in networks:
        trackers[surer].target.identity.value = 0.9
    loser = {1 - surer}
    assert targets_without_object(exclusions, networks) == [loser, loser]
    for exclusion, trackers in both:
        tracks = {
            n: Track(tracker.target.box_of(tracker.target.state), 0.9)
            for n, tracker in trackers.items()
        }
        exclusion.assign_objects(trackers, tracks, SHAPE, loser)
    for trackers in networks:
        trackers[1 - surer].target.identity.is_unverified = True
    assert targets_without_object(exclusions, networks) == [loser, loser]  # it has no object still


def test_a_target_that_one_network_still_follows_is_refused_by_the_other_alone(pair):
    both = [_walked(pair[0].network) for _ in range(2)]
    exclusions, networks = zip(*both)
    _at(networks[0], 160, 160)  # 1 has hopped there, but not for the second network
    assert targets_without_object(exclusions, networks) == [{1}, set()]
    tracks = {n: Track(t.target.box_of(t.target.state), 0.9) for n, t in networks[0].items()}
    assert exclusions[0].assign_objects(networks[0], tracks, SHAPE, {1})[1].held is not None
    networks[0][
        1
    ].target.identity.is_unverified = True  # a candidate at the place of the second network
    _at(networks[0], 160, 440)
    assert targets_without_object(exclusions, networks) == [set(), set()]
    exclusions[0].assign_objects(networks[0], tracks, SHAPE, set())
    assert not exclusions[0].is_held(1)


def test_targets_that_overlap_from_the_start_stay_as_they_are(pair):
    exclusion, near = Exclusion(), 40 * (1 - SAME) / (1 + SAME) + 1  # overlap just below SAME
    for x in (100, 106, 112):
        resolved, seen, _ = _frame(exclusion, pair, x, x + 2)
        assert resolved == seen
    for x in (118, 124):
        resolved, seen, _ = _frame(exclusion, pair, x, x + near)
        assert resolved == seen
    resolved, *_ = _frame(exclusion, pair, 130, 132)  # they were apart
    assert UNSURE in [track.state for track in resolved.values()]
    exclusion.forget(1)  # a new box, inside the other one
    resolved, seen, _ = _frame(exclusion, pair, 136, 138)
    assert resolved == seen


@pytest.mark.parametrize("begins, finds", [(GONE + 8, 1), (0, 0)])
def test_a_lost_target_is_found_where_another_one_has_gone(tmp_path, begins, finds):
    """Two squares of one colour; the left one goes, and the right one's target is dropped later.

    A right one that stood beside the left one from the first frame is known to be another object.
    """
    noise = np.random.RandomState(4)
    frames = []
    for index in range(120):
        frame = noise.randint(0, 32, (360, 480, 3), np.uint8)
        for x in [60] * (index < GONE) + [350] * (index >= begins):
            frame[150:190, x : x + 40] = (250, 120, 100)
        frames.append(frame)
    targets = load_targets(tiny.write_network(tmp_path, tiny.watched(**SEARCHED)))
    left, added = targets.add(frames[0], (60, 150, 40, 40)), begins + 2
    for frame in frames[1:added]:
        targets.update(frame)
    right = targets.add(frames[added], (350, 150, 40, 40))
    states = [targets.update(frame)[left].state for frame in frames[added + 1 : 60]]
    assert set(states[GONE + 5 :]) <= {LOST}
    targets.drop(right)
    found = [targets.update(frame)[left].found for frame in frames[60:]]
    assert found.count(True) == finds


def test_targets_are_compared_by_what_they_follow(pair):
    exclusion, network = Exclusion(), pair[0].network
    loose = {number: _tracker(network, style=1.4) for number in pair}
    _walk(exclusion, loose)
    _, tracks, decided = _frame(exclusion, loose, 300, 311)  # what is followed overlaps by .57
    assert overlap(tracks[0].box, tracks[1].box) > SAME
    assert all(each.held is None for each in decided.values())
