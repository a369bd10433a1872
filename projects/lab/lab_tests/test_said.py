"""Are a tracker's words true: each wrong word is counted where it belongs."""

import numpy as np
import pytest

from hotpath.runtime.types import LOST, TRACKED, UNSURE
from hotpath_lab import words

TRUTH = np.array([[10.0 + n, 5, 20, 10] for n in range(8)])
NAN = [float("nan")] * 4


def result(states, wrong=(), presence=0.95):
    boxes = TRUTH.copy()
    boxes[list(wrong), 0] += 100
    return {"boxes": boxes, "states": states, "certainty": np.full(len(TRUTH), presence)}


def test_words_are_judged_by_the_boxes_of_their_frames():
    states = [TRACKED, TRACKED, UNSURE, UNSURE, LOST, LOST, TRACKED, TRACKED]
    table = words.figures([words.frames_of(result(states, wrong=(3, 4, 5)), TRUTH)])
    assert table["frames"] == 7 and table["share_tracked"] == pytest.approx(3 / 7)
    assert (table["right_tracked"], table["right_unsure"], table["right_lost"]) == (1, 0.5, 0)
    assert table["right_said"] == 0.75
    assert table["presence"][9] == [7, pytest.approx(4 / 7)] and table["presence"][0][0] == 0


@pytest.mark.parametrize("between", [[LOST], [LOST, UNSURE], [UNSURE, LOST, UNSURE]])
@pytest.mark.parametrize("wrong", [False, True])
def test_a_find_is_the_first_tracked_frame_after_a_loss(between, wrong):
    states = [TRACKED, TRACKED, *between, TRACKED]
    states += [TRACKED] * (len(TRUTH) - len(states))
    place = 2 + len(between)
    table = words.figures([words.frames_of(result(states, wrong=[place] * wrong), TRUTH)])
    assert (table["finds_right"], table["finds_wrong"]) == ((0, 1) if wrong else (1, 0))


def test_what_was_only_unsure_is_no_find():
    states = [TRACKED, UNSURE, TRACKED, UNSURE, TRACKED, TRACKED, TRACKED, TRACKED]
    table = words.figures([words.frames_of(result(states), TRUTH)])
    assert table["finds_right"] == table["finds_wrong"] == 0


def test_absent_frames_are_wrong_and_half_hidden_do_not_count():
    truth = TRUTH.copy()
    truth[6:] = NAN
    known = np.ones(len(truth), bool)
    known[1] = False
    film = words.frames_of(result([TRACKED] * len(truth), wrong=(1,)), truth, known)
    table = words.figures([film, film])
    assert table["frames"] == 12 and table["right_tracked"] == pytest.approx(4 / 6)
    shown = words.text({"a": table})
    assert "0.667" in shown and "nan" in shown
