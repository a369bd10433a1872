"""Long-term figures equal cases that were computed by hand."""

import math

import numpy as np
import pytest

from hotpath_lab.longterm.metrics import GONE, Judged, f_score, figures

HERE, AWAY = (10.0, 10.0, 20.0, 20.0), (np.nan,) * 4
HALF = (10.0, 10.0, 20.0, 10.0)  # overlap .5 with HERE
ELSEWHERE = (200.0, 200.0, 20.0, 20.0)


def judged(rows, known=None):
    """A ``Judged`` of (truth, box, claimed) rows; a first frame is put before them."""
    truth, boxes, claimed = zip((HERE, HERE, True), *rows)
    known = None if known is None else [True, *known]
    return Judged(boxes, claimed, truth, known)


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


def test_without_a_claim_precision_is_one_and_recall_zero():
    film = judged([(HERE, HERE, False)] * 3)
    assert film.precision_recall() == (1.0, 0.0)
    assert f_score(1.0, 0.0) == 0.0


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
