"""The standard error of a figure over clips."""

import numpy as np
import pytest

from calib.train import judging


def test_error_is_that_of_a_mean_of_clips_when_frames_of_a_clip_are_alike():
    rng = np.random.default_rng(0)
    of_clip = rng.normal(0.7, 0.1, 200)
    clip = np.repeat(np.arange(200), 30)
    found = judging.estimate(of_clip[clip], clip)
    assert found.mean == pytest.approx(of_clip.mean())
    assert found.error == pytest.approx(of_clip.std() / np.sqrt(200), rel=0.1)


def test_more_frames_of_the_same_clips_do_not_make_a_figure_surer():
    values, clip = np.array([0.4, 0.6, 0.8, 0.9]), np.arange(4)
    few = judging.estimate(values, clip)
    many = judging.estimate(np.repeat(values, 50), np.repeat(clip, 50))
    assert many.error == pytest.approx(few.error)


def test_one_clip_has_no_error():
    assert np.isnan(judging.estimate([0.5, 0.6], [3, 3]).error)


def test_the_same_values_give_the_same_error():
    values, clip = np.random.default_rng(1).random(90), np.arange(90) % 7
    assert judging.estimate(values, clip) == judging.estimate(values, clip)


def test_figures_name_the_set_and_count_what_was_lost():
    found = judging.figures("away", [0.1, 0.9, 0.8, 0.2], [0, 0, 1, 1])
    assert found["os_away"] == pytest.approx(0.5) and found["lost_away"] == 0.5
    assert found["se_away"] == pytest.approx(0.0, abs=1e-9)
