"""Integers with power-of-two scales: exponents of activations, exponents and int8 of weights.

A value is ``integer * 2 ** exponent``, so the hardware rescales by shifting. An activation tensor
has one exponent: the least with which 127 steps reach the end of its range. Weights have one
exponent for each output channel: the one with the least squared error.
"""

import numpy as np

LEAST, MOST = -20, 8


def activation_exponent(most: float) -> int:
    """The least exponent with which 127 steps reach a value."""
    return int(np.clip(np.ceil(np.log2(max(most, 1e-9) / 127)), LEAST, MOST))


def weight_exponents(weight: np.ndarray) -> np.ndarray:
    """(channels,) int8: for each first-axis channel, the exponent of the least squared error."""
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    tried = np.arange(LEAST, MOST + 1)
    # one step at a time: all at once, the layers of a large network take gigabytes
    errors = np.array([_squared_error(flat, 2.0**exponent) for exponent in tried])
    return tried[errors.argmin(axis=0)].astype(np.int8)


def _squared_error(rows: np.ndarray, step: float) -> np.ndarray:
    """(rows,) squared error of weights (rows, n) that are rounded to int8 times a step."""
    return ((np.clip(np.round(rows / step), -127, 127) * step - rows) ** 2).sum(axis=1)


def rounded(weight: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """int8 weights at those exponents."""
    steps = 2.0 ** exponents.astype(float).reshape(-1, *[1] * (weight.ndim - 1))
    return np.clip(np.round(weight / steps), -127, 127).astype(np.int8)
