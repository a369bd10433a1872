"""Compute how much boxes overlap."""

from typing import Any

import numpy as np


def overlap(first: Any, second: Any) -> np.ndarray:
    """Intersection over union of boxes that stand at the same place of two arrays.

    Args:
        first, second: (..., 4) of (x, y, w, h), of shapes that NumPy broadcasts.

    Returns:
        (...) float64; 0 if a box is empty, NaN if one is NaN.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    a_end, b_end = a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]
    sides = np.minimum(a_end, b_end) - np.maximum(a[..., :2], b[..., :2])
    common = np.prod(np.maximum(sides, 0), axis=-1)
    union = np.prod(a_end - a[..., :2], axis=-1) + np.prod(b_end - b[..., :2], axis=-1) - common
    return np.clip(common / (union + np.finfo(float).eps), 0, 1)  # as the GOT-10k toolkit has it


def overlaps(first: Any, second: Any) -> np.ndarray:
    """Intersection over union of each box of one list with each of another.

    Args:
        first, second: (n, 4), (m, 4) of (x, y, w, h).

    Returns:
        (n, m) float64, as ``overlap``.
    """
    a, b = (np.asarray(values, float).reshape(-1, 4) for values in (first, second))
    return overlap(a[:, None], b[None])
