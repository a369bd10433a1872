"""A target that a jerk of the camera takes out of its window is found in the same frame."""

import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.search.wider import AGAIN, search_wider
from hotpath.runtime.types import TRACKED, UNSURE
from tests.support import tiny

SIDE, JERK, FRAMES = 40, 10, 22
JUMP = 115  # pixels: the usual window of a square of 40 reaches 80 from its middle
THRESHOLDS = {"search_lost_below": 0.3, "look_above": 0.3, "found_above": 0.5}


def film_of(back=True):
    """(frames, boxes): a blue square jumps to the right, or is gone; red and green move on."""
    noise = np.random.RandomState(3)
    frames, boxes = [], []
    for index in range(FRAMES):
        frame = noise.randint(0, 32, (360, 480, 3), np.uint8)
        frame[60:100, 60 + index : 100 + index] = (60, 60, 250)
        frame[60:100, 340 - index : 380 - index] = (60, 250, 60)
        x = 80 + index + (JUMP if index >= JERK else 0)
        if back or index < JERK:
            frame[240 : 240 + SIDE, x : x + SIDE] = (250, 120, 100)
        frames.append(frame)
        boxes.append((x, 240, SIDE, SIDE))
    return frames, boxes


@pytest.fixture
def toml_of(tmp_path):
    def write(below):
        folder = tmp_path / str(below)
        folder.mkdir()
        return tiny.write_network(folder, tiny.watched(**THRESHOLDS, wider_below=below))

    return write


def tracks_of(tracker, frames, first):
    tracker.init(frames[0], first)
    return [tracker.update(frame) for frame in frames[1:]]


def test_a_jerk_of_the_camera_is_followed_in_its_own_frame(toml_of):
    frames, boxes = film_of()
    shares = {}
    for below in (0.0, 0.6):
        with load_tracker(toml_of(below)) as tracker:
            track = tracks_of(tracker, frames[: JERK + 1], boxes[0])[-1]
        shares[below] = overlap(np.array([track.box]), np.array([boxes[JERK]]))[0]
    assert shares[0.0] == 0 and shares[0.6] > 0.5


def test_a_place_far_away_is_no_claim_at_once(toml_of):
    frames, boxes = film_of()
    with load_tracker(toml_of(0.6)) as tracker:
        tracks = tracks_of(tracker, frames, boxes[0])
    assert tracks[JERK - 1].state == UNSURE
    assert tracks[-1].state == TRACKED and overlap(np.array([tracks[-1].box]), boxes[-1:])[0] > 0.5


def test_a_target_that_is_gone_costs_few_further_windows(toml_of):
    frames, boxes = film_of(back=False)
    with load_tracker(toml_of(0.6)) as tracker:
        request, counts = tracker.device.run, []

        def counted(frame, requests):
            counts.append([each.sides for each in requests])
            return request(frame, requests)

        tracker.device.run = counted
        tracks_of(tracker, frames, boxes[0])
    wider = [sides for sides in counts if sides != [1.0]]
    assert wider == [[2.0]] * AGAIN
    assert len(counts) == FRAMES + AGAIN


def test_other_targets_in_the_same_picture_see_the_same(toml_of):
    """The wider window of one target overwrites nothing that another one is judged by."""
    frames, boxes = film_of()
    firsts = [boxes[0], (60, 60, SIDE, SIDE), (340, 60, SIDE, SIDE)]
    path = toml_of(0.6)
    with load_tracker(path) as tracker:
        alone = [tracks_of(tracker, frames, first) for first in firsts]
    with load_targets(path) as targets:
        numbers = [targets.add(frames[0], first) for first in firsts]
        found = [targets.update(frame) for frame in frames[1:]]
    for number, tracks in zip(numbers, alone):
        together = [rows[number] for rows in found]
        assert [track.state for track in together] == [track.state for track in tracks]
        np.testing.assert_allclose(
            [(*track.box, track.presence) for track in together],
            [(*track.box, track.presence) for track in tracks],
            atol=0.02,
        )


@pytest.mark.parametrize("count", [1, 2])
def test_without_a_search_no_frame_is_looked_at_again(toml_of, count):
    frames, boxes = film_of(back=False)
    with load_targets(toml_of(0.6), recover=False) as targets:
        for first in [boxes[0], (60, 60, SIDE, SIDE)][:count]:
            targets.add(frames[0], first)
        request, sides = targets.device.run, set()

        def noted(frame, requests):
            sides.update(each.sides for each in requests)
            return request(frame, requests)

        targets.device.run = noted
        for frame in frames[1:]:
            targets.update(frame)
    assert sides == {1.0}


def test_what_the_usual_window_showed_is_kept(toml_of):
    """One call of a network writes its features where the call before has written its own."""
    frames, boxes = film_of(back=False)
    with load_tracker(toml_of(0.6)) as tracker:
        tracker.init(frames[0], boxes[0])
        requests = tracker.target.requests(frames[-1], frames[-1].shape)
        result, spent = tracker.device.run(frames[-1], requests)
        before = result[0].features.copy()
        (seen_first,) = search_wider(
            tracker.device, frames[-1], result, spent, [(0, tracker.target.wider_search())]
        )
    np.testing.assert_array_equal(seen_first.features, before)
    assert np.ptp(before) > 0


def test_a_place_that_another_target_has_is_not_taken(toml_of):
    """Where the square jumps to, another blue one is followed already."""
    frames, boxes = film_of()
    still = (80 + JERK + JUMP, 240, SIDE, SIDE)
    x, y = still[:2]
    for index, frame in enumerate(frames):
        if index < JERK:
            frame[y : y + SIDE, x : x + SIDE] = (250, 120, 100)
    for below, taken in ((0.6, False), (0.0, False)):
        with load_targets(toml_of(below)) as targets:
            first, _ = (targets.add(frames[0], box) for box in (boxes[0], still))
            for frame in frames[1 : JERK + 1]:
                tracks = targets.update(frame)
        share = overlap(np.array([tracks[first].box]), np.array([still]))[0]
        assert (share > 0.5) == taken
