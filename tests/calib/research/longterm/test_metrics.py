"""Long-term figures equal cases that were computed by hand, and the VOT toolkit's."""

import math

import numpy as np
import pytest

from calib.research.longterm.metrics import (
    GONE,
    Judged,
    best_f,
    f_score,
    figures,
    max_geometric_mean,
    thresholds,
)

HERE, AWAY = (10.0, 10.0, 20.0, 20.0), (np.nan,) * 4
HALF = (10.0, 10.0, 20.0, 10.0)  # overlap .5 with HERE
ELSEWHERE = (200.0, 200.0, 20.0, 20.0)


def judged(rows, known=None):
    """A ``Judged`` of (truth, box, claimed) rows; a first frame is put before them."""
    truth, boxes, claimed = zip((HERE, HERE, True), *rows)
    known = None if known is None else [True, *known]
    return Judged(boxes, claimed, np.linspace(1, 0, len(truth)), truth, known)


def test_precision_and_recall_of_a_case_computed_by_hand():
    film = judged(
        [
            (HERE, HERE, True),  # 1
            (HERE, HALF, True),  # .5
            (HERE, HERE, False),  # present, not claimed
            (AWAY, HERE, True),  # claimed, absent
            (AWAY, HERE, False),
        ]
    )
    precision, recall = film.precision_recall()
    assert precision == pytest.approx(1.5 / 3) and recall == pytest.approx(1.5 / 3)
    assert figures([film])["f"] == pytest.approx(0.5)
    assert figures([film])["claimed_while_gone"] == 0.5


def test_a_tracker_that_claims_nothing_has_precision_one_and_recall_zero():
    film = judged([(HERE, HERE, False)] * 3)
    assert film.precision_recall() == (1.0, 0.0)
    assert f_score(1.0, 0.0) == 0.0


def test_the_best_threshold_leaves_out_the_uncertain_wrong_claims():
    truth = [HERE] * 5 + [AWAY] * 4
    boxes, claimed = [HERE] * 9, [True] * 9
    confidence = [1, 0.9, 0.8, 0.7, 0.6, 0.3, 0.3, 0.2, 0.1]
    film = Judged(boxes, claimed, confidence, truth)
    assert figures([film])["f"] == pytest.approx(2 * 0.5 / 1.5)  # precision 4 of 8, recall 1
    assert best_f([film]) == 1.0


def test_frames_until_found_count_from_the_first_visible_frame():
    gone = [(AWAY, HERE, False)] * GONE
    missed, found = [(HERE, ELSEWHERE, True)] * 7, [(HERE, HERE, True)] * 5
    never = [(HERE, HERE, False)] * 12
    assert judged(gone + missed + found).returns() == [7]
    assert judged(gone + never).returns() == [math.inf]
    both = figures([judged(gone + missed + found + gone + never)])
    assert both["returns"] == 2 and both["found_in_30"] == 0.5
    assert both["frames_to_find"] == math.inf


def test_a_short_absence_or_a_short_visit_is_no_return():
    short = [(AWAY, HERE, False)] * (GONE - 1)
    assert judged(short + [(HERE, HERE, True)] * 20).returns() == []
    visit = [(HERE, ELSEWHERE, True)] * (GONE - 1)
    gone = [(AWAY, HERE, False)] * GONE
    assert judged(gone + visit + gone).returns() == []


def test_false_returns_are_starts_of_claims_on_something_else():
    film = judged(
        [
            (HERE, HERE, False),
            (HERE, ELSEWHERE, True),  # starts wrong: 1
            (HERE, ELSEWHERE, True),  # goes on
            (AWAY, ELSEWHERE, False),
            (AWAY, ELSEWHERE, True),  # starts while absent: 2
            (AWAY, ELSEWHERE, True),
            (HERE, HERE, False),
            (HERE, HERE, True),  # right
        ]
    )
    assert film.false_returns() == 2
    assert figures([film])["false_returns"] == pytest.approx(1000 * 2 / 3)


def test_frames_where_no_answer_is_wrong_do_not_count():
    rows = [(HERE, HERE, True), (AWAY, HERE, True), (AWAY, HERE, False)]
    film = judged(rows, known=[True, False, True])
    assert figures([film])["claimed_while_gone"] == 0.0


@pytest.mark.parametrize(
    "tpr, tnr, expected",
    [
        (0.5, 0.0, math.sqrt(0.5) / 2),  # always claims: half of the claims withdrawn
        (0.64, 1.0, 0.8),
        (0.5, 0.5, 0.5),
        (0.8, 0.2, 0.5),  # withdraws 3 of 8
    ],
)
def test_max_gm_of_cases_computed_by_hand(tpr, tnr, expected):
    share = np.linspace(0, 1, 100001)
    searched = np.sqrt((1 - share) * tpr * ((1 - share) * tnr + share)).max()
    assert max_geometric_mean(tpr, tnr) == pytest.approx(searched, abs=1e-8)
    assert max_geometric_mean(tpr, tnr) == pytest.approx(expected, abs=1e-8)


@pytest.mark.slow("the VOT toolkit takes long to load")
def test_f_equals_the_vot_toolkit():
    toolkit = pytest.importorskip("vot.analysis.longterm", reason="needs vot-toolkit")
    region = pytest.importorskip("vot.region")
    shapes = pytest.importorskip("vot.region.shapes")

    class Sequence:
        size = (640, 480)

        def __init__(self, truth):
            self._truth = [self.region(box) for box in truth]

        def groundtruth(self):
            return self._truth

        @staticmethod
        def region(box):
            known = np.isfinite(box).all()
            return shapes.Rectangle(*box) if known else region.Special(0)

    films, sequences, confidences, answers = [], [], [], []
    for seed, count in ((1, 150), (2, 90)):
        rng = np.random.default_rng(seed)
        truth = np.rint(np.cumsum(rng.normal(0, 2, (count, 4)), axis=0) + (300, 200, 60, 50))
        boxes = truth + np.rint(rng.normal(0, 9, (count, 4)))
        truth[:, 2:], boxes[:, 2:] = (np.maximum(a[:, 2:], 8) for a in (truth, boxes))
        truth[rng.permutation(np.arange(1, count))[: count // 3]] = np.nan
        confidence = rng.random(count)
        films.append(Judged(boxes, np.ones(count, bool), confidence, truth))
        sequences.append(Sequence(truth[1:]))  # the first frame does not count
        confidences.append(confidence[1:])
        answers.append([Sequence.region(box) for box in boxes[1:]])
    limits = toolkit.determine_thresholds(np.concatenate(confidences).tolist(), 100)
    assert thresholds(np.concatenate(confidences)) == limits
    curves = [
        toolkit.compute_tpr_curves(answer, confidence, sequence, limits)
        for answer, confidence, sequence in zip(answers, confidences, sequences)
    ]
    precision, recall = np.mean(curves, axis=0)
    ours = [[film.precision_recall(limit) for limit in limits] for film in films]
    assert np.mean(ours, axis=0) == pytest.approx(np.stack([precision, recall], axis=1), abs=1e-5)
    best = max(f_score(p, r) for p, r in zip(precision, recall))
    assert best_f(films) == pytest.approx(best, abs=1e-5)
