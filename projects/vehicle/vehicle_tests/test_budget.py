"""A camera turns for so many degrees, then its picture must have answered a turn."""

import math

import numpy as np
import pytest

from hotpath_vehicle.aim import budget as product
from hotpath_vehicle.aim.answers import turned
from hotpath_vehicle.aim.budget import UNANSWERED, Budget
from hotpath_vehicle.aim.probe import Probe

WIDTH, DELAY, STEP_S = 60.0, 0.1, 1 / 30
FULL, SLOW_FULL = product.SHARE * WIDTH, product.SLOW_SHARE * WIDTH


def swinging(t):
    """A camera that turns on, now faster, now more slowly."""
    return 5.0 + 4.0 * math.sin(9.0 * t), 0.0


def steady(t):
    return 5.0, 0.0


def driven(delay, rate=steady, box=None, seconds=2.0, noise=0.1):
    """(budget, degrees turned since the picture answered at most, reasons to stop).

    ``box``: function of (time, (right, up) that was turned until a time) -> the target's error.
    """
    rng, budget, probe = np.random.RandomState(3), Budget(WIDTH, delay), Probe(WIDTH)
    turn, reasons, sent = 0.0, [], []
    for n in range(int(seconds / STEP_S)):
        now = n * STEP_S
        right, up = rate(now)
        allowed = min(1.0, budget.rate / max(1e-9, math.hypot(right, up)))
        is_spent = budget.left <= 0.0
        asks = (0.0, 0.0) if delay is not None else probe.rates(now, (1.0, 0.0), is_spent)
        sent.append((now, right * allowed + asks[0], up * allowed + asks[1]))
        budget.command(*sent[-1], probe=asks)
        turn = max(turn, budget.most - budget.left)
        error = (3.0, 0.0) if box is None else box(now, lambda t: turned(sent, t)[0])
        error = tuple(np.add(error, rng.normal(0.0, noise, 2)))
        reasons.append(budget.add(now, error))
    return budget, turn, [why for why in reasons if why]


def answering(gain=1.0, late=DELAY, matrix=((1.0, 0.0), (0.0, 1.0)), speed=5.0):
    """The box of a target that moves evenly before a camera that obeys so."""
    return lambda t, angle: (
        np.array((speed * t, 0.0)) - gain * np.array(matrix).dot(angle(np.array([t - late])))
    )


@pytest.mark.parametrize("delay, full", [(DELAY, FULL), (None, SLOW_FULL)])
def test_a_camera_without_answer_stands_after_the_budget(delay, full):
    budget, turn, reasons = driven(delay, swinging, seconds=12.0)
    assert budget.left == 0.0 and budget.rate == 0.0 and turn == pytest.approx(full, abs=0.4)
    assert set(reasons) == {UNANSWERED}
    assert len(reasons) * STEP_S == pytest.approx(12.0 - product.WAIT_S - full / 5.0, abs=0.5)


@pytest.mark.parametrize("delay", [DELAY, None])
@pytest.mark.parametrize("late", [0.1, 0.1 + STEP_S])
def test_a_picture_that_answers_lets_it_turn_on(delay, late):
    budget, turn, reasons = driven(delay, swinging, answering(late=late), seconds=12.0)
    assert not reasons
    assert budget._path[-1][1] > 40.0  # it did turn on
    assert len(budget._answers) < 30  # it keeps none that confirms nothing any more


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": -1.0},
        {"gain": 0.2},
        {"gain": 2.5},
        {"late": 0.5},
        {"late": 1.0},
        {"matrix": ((0.0, 1.0), (-1.0, 0.0))},
    ],
)
def test_an_answer_of_another_sign_scale_delay_or_axis_is_none(wrong):
    budget, _, reasons = driven(DELAY, swinging, answering(**wrong), seconds=12.0)
    assert budget.left == 0.0 and reasons


@pytest.mark.parametrize("matrix", [((-1.0, 0.0), (0.0, -1.0)), ((0.0, 1.0), (-1.0, 0.0))])
def test_without_calibration_a_moving_picture_is_no_answer(matrix):
    budget, _, reasons = driven(None, swinging, answering(matrix=matrix), seconds=12.0)
    assert budget.left == 0.0 and reasons


def test_a_broken_check_of_the_sign_is_noticed(monkeypatch):
    answers = product.answers
    both = lambda *a: [answer._replace(gain=abs(answer.gain)) for answer in answers(*a)]  # noqa: E731
    monkeypatch.setattr(product, "answers", both)
    assert driven(DELAY, swinging, answering(-1.0), seconds=12.0)[0].left > 0.0


@pytest.mark.parametrize("delay", [DELAY, None])
@pytest.mark.parametrize("noise", [0.03, 0.3, 1.0])
@pytest.mark.parametrize("drift", [0.0, 1.0, -3.0])
def test_noise_and_a_steady_drift_never_pass_for_an_answer(delay, noise, drift):
    """As of pictures that are encoded anew, and of a stabiliser."""
    box = lambda t, angle: (3.0 + drift * t, 0.0)  # noqa: E731
    budget, turn, _ = driven(delay, swinging, box, seconds=12.0, noise=noise)
    assert turn == pytest.approx(budget.most, abs=0.4)


@pytest.mark.parametrize("delay, most", [(DELAY, FULL + 2.0), (None, SLOW_FULL + 3.0)])
@pytest.mark.parametrize("stop", [5.0, 5.2, 5.4, 5.6, 5.8])
def test_an_answer_speaks_for_no_turn_after_the_picture_stopped(delay, most, stop):
    """Most of the frames that are looked at may be of before."""
    turns = []

    def box(t, angle):
        turns.append(angle(np.array([t]))[0])
        return answering()(min(t, stop), angle)

    rate = swinging if delay else lambda t: tuple(np.multiply(swinging(t), 0.55))  # as it may be
    driven(delay, rate, box, seconds=12.0)
    assert turns[int(stop / STEP_S)] > 10.0
    assert turns[-1] - turns[int(stop / STEP_S)] < most


def counted(seconds, nod=None):
    """Degrees that count where a stopped picture goes against the turn for some seconds.

    ``nod``: the frame in which a nod is answered.
    """
    budget = Budget(WIDTH, DELAY)
    for n in range(60):
        now = n * STEP_S
        budget.command(now, 2.0 + 2.0 * math.sin(12.0 * now), 0.0)
        if n == nod:
            budget.refill()
        until = np.clip(now - DELAY, 0.4, 0.4 + seconds)
        budget.add(now, (3.0 - turned(budget.sent, np.array([until]))[0][0], 0.0))
    return FULL - budget.left


def test_a_fit_by_chance_that_soon_ends_fills_nothing(monkeypatch):
    whole = counted(0.0)
    assert counted(0.3) == whole and counted(1.4) < whole - 3.0
    monkeypatch.setattr(product, "APART_S", 0.0)
    assert counted(0.3) < whole - 1.0  # without the rule


def test_the_answer_to_a_nod_is_the_first_of_two():
    assert counted(0.3, nod=4) < counted(0.0, nod=4) - 1.0


def test_two_frames_of_one_time_stamp_are_no_gap():
    """As where a clock of 15 Hz stamps 30 frames a second."""
    coarse = lambda t: math.floor(t * 15) / 15  # noqa: E731
    box = lambda t, angle: answering()(coarse(t), angle)  # noqa: E731
    budget = Budget(WIDTH, DELAY)
    sent, reasons = [], []
    for n in range(360):
        now = n * STEP_S
        rate = swinging(now)[0] * min(1.0, budget.rate)
        sent.append((now, rate, 0.0))
        budget.command(*sent[-1])
        reasons.append(budget.add(coarse(now), tuple(box(now, lambda t: turned(sent, t)[0]))))
    assert not any(reasons) and budget._path[-1][1] > 40.0


def test_a_target_returning_after_the_budget_may_answer():
    budget, _, _ = driven(DELAY, swinging, seconds=4.0)
    assert budget.left == 0.0
    assert budget.add(4.0 + 2 * product.WAIT_S, (3.0, 0.0)) is None


def test_an_old_answer_does_not_speak_for_the_turns_since():
    budget = driven(None, steady, seconds=1.0)[0]
    left = budget.left
    budget.refill(-1.0)
    assert budget.left == left
    budget.refill(0.5)
    assert budget.left == pytest.approx(left + 2.5, abs=0.2)
    budget.refill()
    assert budget.left == budget.most


def test_a_swing_counts_by_its_width_however_long_it_lasts():
    budget = Budget(WIDTH, DELAY)
    for n in range(3000):
        budget.command(n * 0.02, 3.0 * math.cos(2 * math.pi * n / 50), 0.0)
    assert budget.most - budget.left == pytest.approx(2 * 3.0 / 2 / math.pi, rel=0.1)
    assert len(budget._path) + len(budget._old) + len(budget.sent) < 1200


def test_a_slow_drift_of_minutes_is_a_turn_too():
    budget = Budget(WIDTH, None)
    for n in range(6000):
        budget.command(n * 0.02, 0.1, 0.0)
    assert budget.left == 0.0


def test_a_camera_may_turn_for_ever_if_its_budget_is_endless(monkeypatch):
    """Else the tests above would prove nothing."""
    monkeypatch.setattr(product, "SHARE", 1e9)
    assert driven(DELAY, swinging, seconds=12.0)[0]._path[-1][1] > 50.0
