"""Exponents of power-of-two scales: the least that reaches a range, the best for weights."""

import numpy as np

from kernels.fpga.design.compiler import exponents


def test_exponents_reach_the_range_with_the_least_step():
    found = [exponents.activation_exponent(most) for most in (127.0, 128.0, 0.5, 0.0)]
    assert found == [0, 1, -7, exponents.LEAST]


def test_weights_take_the_exponent_of_the_least_error():
    weight = np.random.default_rng(2).normal(0, 0.1, (5, 36)) * [[1], [10], [0.1], [1], [3]]
    own = exponents.weight_exponents(weight)
    tried = np.arange(-20, 4)
    for row, found in zip(weight, own):
        whole = [exponents.rounded(row[None], np.array([e])) for e in tried]
        errors = [((w * 2.0**e - row) ** 2).sum() for w, e in zip(whole, tried)]
        assert whole[0].dtype == np.int8 and found == tried[np.argmin(errors)]
