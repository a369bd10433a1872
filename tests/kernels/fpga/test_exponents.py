"""Exponents of power-of-two scales: the least that reaches a range, the best for weights."""

import numpy as np

from kernels.fpga.design.compiler import exponents


def test_exponents_reach_the_range_with_the_least_step():
    found = exponents.activation_exponents({"a": 127.0, "b": 128.0, "c": 0.5, "d": 0.0})
    assert found["a"] == 0 and found["b"] == 1 and found["c"] == -7
    assert found["d"] == exponents.LEAST


def test_weights_take_the_exponent_of_the_least_error():
    weight = np.random.default_rng(2).normal(0, 0.1, (5, 4, 3, 3)) * np.array(
        [1, 10, 0.1, 1, 3]
    ).reshape(5, 1, 1, 1)
    own = exponents.weight_exponents(weight)
    whole = exponents.rounded(weight, own)
    assert whole.dtype == np.int8
    for channel in range(5):
        errors = [
            (
                (
                    exponents.rounded(weight[channel : channel + 1], np.array([e])) * 2.0**e
                    - weight[channel]
                )
                ** 2
            ).sum()
            for e in range(-20, 4)
        ]
        assert own[channel] == np.argmin(errors) - 20
