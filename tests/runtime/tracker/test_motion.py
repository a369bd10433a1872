"""The velocity of a target, and where it would be while it is hidden."""

import math
import warnings

import numpy as np
import pytest

from hotpath.runtime import BadOption, load_targets, load_tracker
from hotpath.runtime.tracker.motion import COAST_S, SMOOTH_S, Motion
from hotpath.runtime.types import Box, Track
from tests.support import tiny
from tests.support.errors import refusal

SPEED = 60.0, -30.0  # pixels a second


def at(time_s, state="tracked", size=(20, 10)):
    """A target that moves by ``SPEED``."""
    box = Box(100 + SPEED[0] * time_s, 200 + SPEED[1] * time_s, *size)
    return Track(box, 0.9, state == "lost", state)


def followed(times_s):
    motion = Motion()
    return motion, [motion.step(at(time_s), time_s) for time_s in times_s]


@pytest.mark.parametrize("fps", (5, 10, 30, 120))
def test_a_steady_target_has_a_velocity_from_the_second_frame(fps):
    _, tracks = followed(np.arange(20) / fps)
    assert tracks[0].velocity is None
    assert [track.velocity for track in tracks[1:]] == [pytest.approx(SPEED)] * 19
    assert all(track.predicted is None for track in tracks)


def test_uneven_and_repeated_times_do_not_change_the_velocity():
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 30)).repeat(2)
    _, tracks = followed(times_s)
    assert tracks[-1].velocity == pytest.approx(SPEED)


@pytest.mark.parametrize("step_s", [1e-12, 5e-324, 1e-7])
def test_a_time_step_of_nothing_tells_no_velocity(step_s):
    motion = Motion()
    found = []
    for index in range(20):
        track = Track(Box(100.0 + 7 * index, 50, 20, 10), 0.9)
        found.append(motion.step(track, index * step_s).velocity)
    assert found == [None] * 20
    after = motion.step(Track(Box(100 + SPEED[0], 50, 20, 10), 0.9), 1.0).velocity
    assert after == pytest.approx((SPEED[0], 0), rel=1e-3)


def test_times_that_look_like_milliseconds_are_told_once():
    with pytest.warns(UserWarning, match="33.3 seconds a frame; divide milliseconds") as told:
        followed(np.arange(20) * 33.3)
    assert len(told) == 1


@pytest.mark.parametrize("times_s", [[0, 20, 20.1, 40, 40.1, 60], np.arange(20) * 5])
def test_pauses_and_a_time_lapse_are_not_told(times_s):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        followed(times_s)


def test_noise_of_a_pixel_is_smoothed():
    noise, motion = np.random.default_rng(2).normal(0, 1, (300, 2)), Motion()
    found = []
    for index, (x, y) in enumerate(noise):
        track = at(index / 30)
        box = track.box._replace(x=track.box.x + x, y=track.box.y + y)
        found.append(motion.step(track._replace(box=box), index / 30).velocity)
    steps = np.hypot(*(np.diff(noise, axis=0) * 30).T)  # of two frames only, pixels a second
    errors = np.hypot(*(np.array(found[30:]) - SPEED).T)
    assert errors.mean() < steps.mean() / 5


def test_a_change_of_speed_is_followed_within_its_time():
    motion, _ = followed(np.arange(61) / 30)
    there = at(2).box
    for index in range(1, int(5 * SMOOTH_S * 30)):
        track = motion.step(Track(there, 0.9), 2 + index / 30)
    assert np.hypot(*track.velocity) < 0.02 * np.hypot(*SPEED)


@pytest.mark.parametrize("state", ("lost", "unsure"))
def test_a_hidden_target_goes_on_with_a_velocity_that_decays(state):
    motion, _ = followed(np.arange(31) / 30)
    standing = at(1, state)
    for hidden_s in (1 / 30, 0.2, 1.0, 60.0):
        track = motion.step(standing, 1 + hidden_s)
        left = math.exp(-hidden_s / COAST_S)
        assert track.velocity == pytest.approx((SPEED[0] * left, SPEED[1] * left))
        assert track.predicted == pytest.approx(at(1 + COAST_S * (1 - left)).box)
        assert track.box == standing.box
    back = motion.step(at(61.1, "tracked"), 61.1)
    assert back.predicted is None and back.velocity == pytest.approx(SPEED)


def test_without_times_nothing_is_known():
    motion = Motion()
    tracks = [motion.step(at(index / 10), time_s) for index, time_s in enumerate((None, math.nan))]
    assert {(track.velocity, track.predicted) for track in tracks} == {(None, None)}
    motion.step(at(0.2), 0.2)
    assert motion.step(at(0.3), 0.3).velocity == pytest.approx(SPEED)


def test_a_recording_that_is_wound_back_starts_anew():
    motion, _ = followed(np.arange(31) / 30)
    assert motion.step(at(0.2), 0.2).velocity is None
    assert motion.step(at(0.3), 0.3).velocity == pytest.approx(SPEED)


def test_a_change_of_resolution_scales_what_is_known():
    motion, _ = followed(np.arange(31) / 30)
    motion.rescale(2.0, 0.5)
    track = at(31 / 30)
    x, y, w, h = track.box
    moved = motion.step(track._replace(box=Box(2 * x, y / 2, 2 * w, h / 2)), 31 / 30)
    assert moved.velocity == pytest.approx((2 * SPEED[0], SPEED[1] / 2))


# the same from the tracker's own calls

PIXELS = 2  # a frame
FPS = 20


def picture(x, shown=True):
    """A bright square that moves to the right; or only the ground."""
    frame = np.full((240, 320, 3), 40, np.uint8)
    if shown:
        frame[100:140, x : x + 40] = (210, 220, 230)
    return frame


@pytest.fixture
def network(tmp_path):
    return str(tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY)))


@pytest.fixture(params=["tracker", "one of one", "one of two"])
def follow(request, network):
    """``update`` of a tracker, or of one target of several, after the first frame at time 0."""
    first, box = picture(60), (60, 100, 40, 40)
    if request.param == "tracker":
        with load_tracker(network) as tracker:
            tracker.init(first, box, 0.0)
            yield tracker.update
        return
    with load_targets(network) as targets:
        number = targets.add(first, box, time_s=0.0)
        if request.param == "one of two":
            targets.add(first, (200, 20, 40, 40))
        yield lambda *given: targets.update(*given)[number]


def test_update_gives_the_velocity_and_a_hidden_targets_place(follow):
    motion = Motion(Box(60, 100, 40, 40), 0.0)
    tracks = []
    for index in range(1, 40):
        shown = index < 25
        track = follow(picture(60 + PIXELS * index, shown), index / FPS)
        own = track._replace(velocity=None, predicted=None)
        assert track == motion.step(own, index / FPS)
        tracks.append(track)
    speed_x, speed_y = tracks[23].velocity  # the tiny network lags, in steps of a cell
    assert 0.6 * PIXELS * FPS < speed_x < 1.2 * PIXELS * FPS and abs(speed_y) < 5
    assert all(track.predicted is None for track in tracks[:24])
    assert tracks[-1].lost and tracks[-1].predicted is not None


def test_without_times_there_is_no_motion_a_wrong_one_is_named(follow):
    track = follow(picture(62))
    assert (track.velocity, track.predicted) == (None, None)
    with refusal(BadOption, "not seconds"):
        follow(picture(64), "0.1")
    assert follow(picture(66), 0.15).velocity is not None


def test_a_new_box_is_no_movement(network):
    with load_targets(network) as targets:
        number = targets.add(picture(60), (60, 100, 40, 40), time_s=0.0)
        targets.restart(number, picture(200), (200, 100, 40, 40), 0.05)
        velocity = targets.update(picture(200), 0.1)[number].velocity
    assert np.hypot(*velocity) < 20  # the way between the boxes would be 2,800 pixels a second


def test_presence_falls_with_the_target_and_the_state_follows_it(follow):
    seen = [follow(picture(60)) for _ in range(3)]
    gone = [follow(picture(0, shown=False)) for _ in range(12)]
    assert all(0.65 <= track.presence <= 1 and track.state == "tracked" for track in seen)
    assert all((track.presence < 0.6) == track.lost for track in gone) and gone[-1].lost
    falling = [track.presence for track in gone]
    assert falling == sorted(falling, reverse=True)
