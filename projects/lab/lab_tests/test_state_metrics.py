"""Are a tracker's words true: each wrong word is counted where it belongs."""

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
