"""The velocity of a target, and where it would be while it is hidden."""

import math

import numpy as np
import pytest

from hotpath.runtime.motion import COAST_S, SMOOTH_S, Motion, Motions
from hotpath.runtime.types import Box, Track

SPEED = 60.0, -30.0  # pixels a second


def at(time_s, state="tracked", size=(20, 10)):
    """A target that moves by ``SPEED``."""
    box = Box(100 + SPEED[0] * time_s, 200 + SPEED[1] * time_s, *size)
    return Track(box, 0.9, state == "lost", state)


def followed(times_s):
    motion = Motion()
    return motion, [motion.step(at(time_s), time_s) for time_s in times_s]


@pytest.mark.parametrize("fps", (5, 10, 30, 120))
def test_a_steady_target_has_its_velocity_from_the_second_frame_on(fps):
    _, tracks = followed(np.arange(20) / fps)
    assert tracks[0].velocity is None
    assert [track.velocity for track in tracks[1:]] == [pytest.approx(SPEED)] * 19
    assert all(track.predicted is None for track in tracks)


def test_uneven_and_repeated_times_do_not_change_the_velocity():
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 30)).repeat(2)
    _, tracks = followed(times_s)
    assert tracks[-1].velocity == pytest.approx(SPEED)


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
    back = motion.step(at(61.1, "found"), 61.1)
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


def test_each_of_several_targets_has_its_own_and_a_dropped_one_is_forgotten():
    motions = Motions()
    for index in range(5):
        still = Track(Box(5, 5, 9, 9), 0.9)
        tracks = motions.step({3: at(index / 10), 7: still}, index / 10)
    assert tracks[3].velocity == pytest.approx(SPEED) and tracks[7].velocity == (0, 0)
    motions.step({7: still}, 0.5)
    assert motions.step({3: at(0.6), 7: still}, 0.6)[3].velocity is None
