"""Are a tracker's words true: each wrong word is counted where it belongs."""

import math

import numpy as np
import pytest

from hotpath.runtime.types import LOST, TRACKED, UNSURE
from hotpath_lab import state_metrics

TRUTH = np.array([[10.0 + n, 5, 20, 10] for n in range(8)])
NAN = [float("nan")] * 4


def result(states, wrong=(), presence=0.95):
    boxes = TRUTH.copy()
    boxes[list(wrong), 0] += 100
    none = np.zeros(len(TRUTH), bool)
    sure = np.full(len(TRUTH), presence)
    return {"boxes": boxes, "states": states, "certainty": sure, "found": none}


def test_words_are_judged_by_the_boxes_of_their_frames():
    states = [TRACKED, TRACKED, UNSURE, UNSURE, LOST, LOST, TRACKED, TRACKED]
    table = state_metrics.figures([state_metrics.frames_of(result(states, wrong=(3, 4, 5)), TRUTH)])
    assert table["frames"] == 7 and table["share_tracked"] == pytest.approx(3 / 7)
    assert (table["right_tracked"], table["right_unsure"], table["right_lost"]) == (1, 0.5, 0)
    assert table["right_said"] == 0.75
    assert table["presence"][9] == [7, pytest.approx(4 / 7)] and table["presence"][0][0] == 0


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_find_is_judged_by_its_box(is_wrong):
    states = [TRACKED, TRACKED, LOST, UNSURE, TRACKED, TRACKED, TRACKED, TRACKED]
    film = dict(result(states, wrong=[4] * is_wrong), found=[n == 4 for n in range(len(TRUTH))])
    table = state_metrics.figures([state_metrics.frames_of(film, TRUTH)])
    assert (table["finds_right"], table["finds_wrong"]) == ((0, 1) if is_wrong else (1, 0))


def test_absent_frames_are_wrong_and_half_hidden_do_not_count():
    truth = TRUTH.copy()
    truth[6:] = NAN
    known = np.ones(len(truth), bool)
    known[1] = False
    film = state_metrics.frames_of(result([TRACKED] * len(truth), wrong=(1,)), truth, known)
    table = state_metrics.figures([film, film])
    assert table["frames"] == 12 and table["right_tracked"] == pytest.approx(4 / 6)
    shown = state_metrics.text({"a": table})
    assert "0.667" in shown and "nan" in shown
    long = state_metrics.text({"a_network_with_a_very_long_name_indeed-int8": table})
    assert max(map(len, long.splitlines())) <= 120
    assert "indeed-int8" in long


def test_a_tracker_without_presence_is_in_no_tenth():
    """OpenCV's, whose score is no probability."""
    taken = dict(result([TRACKED] * 8, presence=0.0), presence=[1.0, *[None] * 7])
    table = state_metrics.figures([state_metrics.frames_of(taken, TRUTH)])
    assert [count for count, _ in table["presence"]] == [0] * 10 and table["right_tracked"] == 1
    lines = state_metrics.text({"MIL": table}).splitlines()
    (row,) = [line for line in lines[2:] if line.startswith("MIL")]
    assert row.split()[1:] == ["-"] * 10


HERE, AWAY = (10.0, 10.0, 20.0, 20.0), (np.nan,) * 4
HALF = (10.0, 10.0, 20.0, 10.0)  # overlap .5 with HERE
ELSEWHERE = (200.0, 200.0, 20.0, 20.0)


def film_of(rows, known=None):
    """The frames of (truth, box, claimed) rows; a first frame is put before them."""
    truth, boxes, claimed = zip((HERE, HERE, True), *rows)
    run = {
        "boxes": np.array(boxes),
        "certainty": np.ones(len(boxes)),
        "found": [False] * len(boxes),
    }
    run["states"] = [TRACKED if each else LOST for each in claimed]
    return state_metrics.frames_of(run, truth, None if known is None else [True, *known])


def test_the_f_score_of_a_case_computed_by_hand():
    film = film_of(
        [
            (HERE, HERE, True),  # 1
            (HERE, HALF, True),  # .5
            (HERE, HERE, False),  # present, not claimed
            (AWAY, HERE, True),  # claimed, absent
            (AWAY, HERE, False),
        ]
    )
    assert state_metrics.f_score([film]) == pytest.approx(0.5)  # precision and recall 1.5 / 3
    unclaimed = film_of([(HERE, HERE, False)] * 3)  # precision 1, recall 0
    assert state_metrics.f_score([unclaimed]) == 0.0
    assert state_metrics.f_score([film, unclaimed]) == pytest.approx(2 * 0.75 * 0.25)
    assert math.isnan(state_metrics.f_score([film_of([(AWAY, HERE, True)] * 3)]))


def test_frames_until_found_count_from_the_first_visible_frame():
    gone = [(AWAY, HERE, False)] * state_metrics.GONE
    missed, found = [(HERE, ELSEWHERE, True)] * 7, [(HERE, HERE, True)] * 5
    never = [(HERE, HERE, False)] * 12
    film = film_of(gone + missed + found + gone + never)
    tracked = film.right & (film.words == TRACKED)
    assert state_metrics.returns(film, tracked) == [7, math.inf]
    assert state_metrics.returns(film, film.right) == [7, 0]
    table = state_metrics.figures([film])
    counts = [table[key] for key in ("returns", "boxes_in_time", "tracked_in_time")]
    assert counts == [2, 2, 1]
    late = film_of(gone + [(HERE, ELSEWHERE, True)] * state_metrics.WITHIN + found)
    assert state_metrics.figures([late])["boxes_in_time"] == 0


def test_a_short_absence_or_a_short_visit_is_no_return():
    gone = [(AWAY, HERE, False)] * state_metrics.GONE
    visit = [(HERE, HERE, True)] * (state_metrics.GONE - 1)
    for rows in (gone[1:] + 3 * visit, gone + visit + gone):
        assert state_metrics.figures([film_of(rows)])["returns"] == 0


LARGER = (-5.0, -5.0, 40.0, 40.0)  # overlap .25 with HERE, and its centre is in it


def test_a_centre_on_the_target_is_aimed_right_however_loose_the_box():
    rows = [(HERE, HERE, True), (HERE, LARGER, True), (HERE, ELSEWHERE, True), (AWAY, HERE, True)]
    films = [film_of([*rows, (HERE, ELSEWHERE, False)])]
    table = state_metrics.figures(films)
    assert (table["right_high"], table["aimed_high"]) == (0.25, 0.5)
    assert table["astray_hourly"] == 2 / 5 * 3600 * state_metrics.RATE
    assert state_metrics.interval(films, "aimed_high") == (0.5, 0.5)
    page = state_metrics.page({"a": films}, {"a": 0.5})
    assert "| .500 [.500, .500] |" in page and "| 43,200 |" in page
    for each in (
        films[0]._replace(presence=films[0].presence * 0.79),
        film_of([(HERE, HERE, False)]),
    ):
        assert math.isnan(state_metrics.figures([each])["aimed_high"])
