"""The standard error of a figure over clips."""

import numpy as np
import pytest

from calib.research.train import judging


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


def test_figures_name_the_set_and_count_what_was_lost():
    found = judging.figures("away", [0.1, 0.9, 0.8, 0.2], [0, 0, 1, 1])
    assert found["os_away"] == pytest.approx(0.5) and found["lost_away"] == 0.5
    assert found["se_away"] == pytest.approx(0.0, abs=1e-9)


def changes(gains, must_gain, seed=0):
    """A change on ten clips of twenty pairs, with noise between the clips."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(10), 20)
    shipped = rng.uniform(0.5, 0.9, 200)
    candidate = shipped + gains + rng.normal(0, 0.005, 10)[clip]
    return judging.change("set", candidate, shipped, clip, must_gain)


def test_a_clear_gain_without_a_loss_elsewhere_is_better():
    found = judging.verdict([changes(0.02, True), changes(0.0, False)])
    assert found.better and not found.reasons


def test_a_gain_below_one_standard_error_is_no_gain():
    found = changes(0.0, True)
    assert abs(found.gain) < 3 * found.error
    small = found._replace(gain=0.9 * found.error)
    said = judging.verdict([small])
    assert not said.better and "not a gain of more than one standard error" in said.reasons[0]
    assert judging.verdict([found._replace(gain=1.1 * found.error)]).better


def test_a_loss_beyond_one_standard_error_elsewhere_rules_a_gain_out():
    said = judging.verdict([changes(0.02, True), changes(-0.02, False)])
    assert not said.better and "loss of more than one standard error" in said.reasons[0]


def test_more_lost_targets_rule_a_gain_out():
    clip = np.repeat(np.arange(10), 20)
    shipped = np.full(200, 0.6)
    candidate = np.where(np.arange(200) % 20 == 0, 0.1, 0.7)
    said = judging.verdict([judging.change("away", candidate, shipped, clip, True)])
    assert not said.better and "lost more often" in said.reasons[0]


def test_an_equal_network_may_differ_by_one_standard_error():
    small = changes(0.0, True)._replace(gain=-0.01, error=0.012, lost=0.01, lost_error=0.02)
    assert judging.equal([small]).better
    said = judging.equal([small._replace(gain=-0.013)])
    assert not said.better and "loss of more than one standard error" in said.reasons[0]
    said = judging.equal([small._replace(lost=0.03)])
    assert not said.better and "lost more often" in said.reasons[0]


def test_the_rise_of_lost_targets_has_its_standard_error():
    clip = np.repeat(np.arange(10), 20)
    shipped = np.full(200, 0.6)
    candidate = np.where(clip == 3, 0.1, 0.6)
    found = judging.change("away", candidate, shipped, clip, False)
    assert found.lost == pytest.approx(0.1) and found.lost_error == pytest.approx(0.095, rel=0.1)
