"""Figures equal those of the got10k toolkit, also with absent frames."""

import numpy as np
import pytest

from hotpath.runtime.frames.boxes import overlap
from hotpath_lab import metrics

COUNT = 60


def trajectories(seed, absent=0):
    """(boxes, truth) of a tracker that wanders off; truth with some absent frames."""
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0, 3, (COUNT, 4)), axis=0) + (150, 120, 60, 50)
    truth[:, 2:] = np.maximum(truth[:, 2:], 5)
    boxes = truth + np.cumsum(rng.normal(0, 3, (COUNT, 4)), axis=0)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)
    boxes[0] = truth[0]
    truth[rng.permutation(np.arange(1, COUNT))[:absent]] = np.nan
    return boxes, truth


@pytest.mark.parametrize("absent", [0, 25])
def test_figures_equal_got10ks_experiments(absent):
    experiments = pytest.importorskip("got10k.experiments")
    got = experiments.ExperimentGOT10k.__new__(experiments.ExperimentGOT10k)
    otb = experiments.ExperimentOTB.__new__(experiments.ExperimentOTB)
    otb.nbins_iou, otb.nbins_ce = 21, 51
    for seed in range(20):
        boxes, truth = trajectories(seed, absent)
        ours = metrics.figures(boxes, truth)
        seen = np.isfinite(truth[:, 0])
        later = seen & (np.arange(COUNT) > 0)
        ious, distances = otb._calc_metrics(boxes[later], truth[later])
        overlaps = overlap(boxes, truth)
        assert np.abs(overlaps[later] - ious).max() < 1e-6 and np.isnan(overlaps[~seen]).all()
        assert np.abs(metrics.centre_distance(boxes, truth)[later] - distances).max() < 1e-6
        ao, sr, _, _ = got._evaluate(ious, np.ones(1))
        assert abs(ours["ao"] - ao) < 1e-6 and abs(ours["sr50"] - sr) < 1e-6
        success, precision = otb._calc_curves(*otb._calc_metrics(boxes[seen], truth[seen]))
        assert abs(ours["success"] - success.mean()) < 1e-6
        assert abs(ours["precision"] - precision[20]) < 1e-6


def test_a_perfect_tracker_has_the_best_figures():
    _, truth = trajectories(1, 10)
    boxes = np.where(np.isnan(truth), 1.0, truth)
    figures = metrics.figures(boxes, truth)
    assert figures["ao"] == pytest.approx(1) and figures["norm_precision"] == 1
    assert figures["success"] == pytest.approx(20 / 21)  # as OTB: nothing is above 1


def test_claims_beside_a_visible_target_and_none_are_counted():
    truth = np.array([[10, 10, 20, 20]] * 5, float)
    truth[4] = np.nan
    boxes = truth.copy()
    boxes[2:, 0] = 200
    found = metrics.words(boxes, truth, [True, True, True, False, True])
    third = pytest.approx(1 / 3)
    assert found == {"q": 0.25, "dre": third, "nre": third, "adq": 0}
    assert metrics.words(boxes, truth, [True, True, True, False, False])["q"] == 0.5


def test_quality_is_the_overlap_of_claims_and_rightful_silence():
    truth = np.array([[10, 10, 20, 20], [10, 10, 20, 20], [np.nan] * 4, [np.nan] * 4], float)
    boxes = np.array([[10, 10, 20, 20], [10, 10, 20, 10], [10, 10, 20, 20], [10, 10, 20, 20]])
    found = metrics.words(boxes.astype(float), truth, [True, True, False, True])
    assert found == {"q": pytest.approx(0.5), "dre": 0, "nre": 0, "adq": 0.5}
    assert "adq" not in metrics.words(boxes[:2].astype(float), truth[:2], [True, True])
