"""The regression's slices end at the closed form's solution, and its memory ages."""

import numpy as np
import pytest

from hotpath.runtime.identity.learner.numpy_definition import Regression
from hotpath.runtime.identity.learner.ridge import FIRST, RIDGE, SHORT, TINY, Ridge

SIZE = 40


def samples(seed, count, towards):
    values = np.random.RandomState(seed).normal(0, 0.1, (count, SIZE)).astype(np.float32)
    values[:, towards] += 1.0
    values[:, -1] = 1.0
    return values


def closed_form(classes):
    """A w = b, for (samples, share, sign) of each memory."""
    square, mean = np.eye(SIZE) * RIDGE, np.zeros(SIZE)
    for values, share, sign in classes:
        values = values.astype(np.float64)
        square += share * values.T @ values / len(values)
        mean += sign * share * values.mean(axis=0)
    return np.linalg.solve(square, mean)


def learn(ridge, *given):
    """Learn to the end; returns how many slices that took."""
    ridge.learn(*given)
    slices = 0
    while ridge.busy:
        ridge.step()
        slices += 1
    return slices


def test_the_first_frame_is_learnt_at_once_as_by_the_closed_form():
    one, other = samples(1, 11, 0), samples(2, 24, 1)
    ridge = Ridge(Regression(SIZE, RIDGE, TINY))
    ridge.begin(one, other)
    wanted = closed_form([(one, 0.5, 1), (other, 0.5, -1)])
    assert np.allclose(ridge.weights, wanted, atol=1e-3)
    assert ridge.predict(one).min() > 0.5 and ridge.predict(other).max() < -0.5


def test_slices_come_to_the_closed_form_of_both_memories():
    first = samples(1, 11, 0), samples(2, 24, 1)
    later = samples(3, 11, 0), samples(4, 24, 2)
    ridge = Ridge(Regression(SIZE, RIDGE, TINY))
    ridge.begin(*first)
    for _ in range(20):  # the same samples again: only the solution moves
        learn(ridge, *later)
    shares = [FIRST / 2, (1 - FIRST) / 2]
    parts = [(f, shares[0], sign) for f, sign in zip(first, (1, -1))]
    parts += [(since, shares[1], sign) for since, sign in zip(later, (1, -1))]
    assert np.allclose(ridge.weights, closed_form(parts), atol=1e-3)


def test_an_update_takes_three_slices_and_begins_no_other():
    ridge = Ridge(Regression(SIZE, RIDGE, TINY))
    ridge.begin(samples(1, 11, 0), samples(2, 24, 1))
    ridge.learn(samples(3, 11, 0), samples(4, 24, 2))
    assert learn(ridge, samples(5, 11, 3), samples(6, 24, 3)) == 3
    assert ridge.predict(samples(7, 5, 0)).min() > 0.3  # the second update was not taken


def test_negatives_are_forgotten_before_positives():
    ridge = Ridge(Regression(SIZE, RIDGE, TINY))
    ridge.begin(samples(1, 11, 0), samples(2, 24, 1))

    def see(positive, negative):
        for seed in range(2 * SHORT):
            learn(ridge, samples(10 + seed, 11, positive), samples(90 + seed, 24, negative))

    see(3, 4)
    assert (
        ridge.predict(samples(5, 5, 3)).min() > 0.4 and ridge.predict(samples(6, 5, 4)).max() < -0.4
    )
    see(0, 5)
    never_seen = ridge.predict(samples(7, 20, 20)).mean()
    positive = ridge.predict(samples(5, 20, 3)).mean()
    negative = ridge.predict(samples(6, 20, 4)).mean()
    assert positive - never_seen > 0.3
    assert abs(negative - never_seen) < 0.5 * (positive - never_seen)


def test_a_negative_that_counts_more_is_told_better():
    one, other = samples(1, 11, 0), np.concatenate([samples(2, 20, 1), samples(3, 2, 2)])
    weights = np.concatenate([np.ones(20), np.full(2, 20.0)])
    values = []
    for given in (None, weights):
        ridge = Ridge(Regression(SIZE, RIDGE, TINY))
        ridge.begin(one, samples(2, 20, 1))
        learn(ridge, one, other, given)
        values.append(ridge.predict(other[20:]).mean())
    assert values[1] < values[0]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_any_number_of_samples_is_taken(count):
    ridge = Ridge(Regression(SIZE, RIDGE, TINY))
    ridge.begin(samples(1, count, 0), samples(2, count, 1))
    assert np.isfinite(ridge.weights).all()
