"""How much boxes overlap."""

from typing import Any

import numpy as np


def overlap(one: Any, two: Any) -> np.ndarray:
    """Intersection over union of boxes that stand at the same place of two arrays.

    Args:
        one, two: (..., 4) of (x, y, w, h), of shapes that NumPy broadcasts.

    Returns:
        (...) float64; 0 if a box is empty, NaN if one is NaN.
    """
    a, b = np.asarray(one, float), np.asarray(two, float)
    a_end, b_end = a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]
    sides = np.minimum(a_end, b_end) - np.maximum(a[..., :2], b[..., :2])
    common = np.prod(np.maximum(sides, 0), axis=-1)
    union = np.prod(a_end - a[..., :2], axis=-1) + np.prod(b_end - b[..., :2], axis=-1) - common
    return np.clip(common / (union + np.finfo(float).eps), 0, 1)  # as the GOT-10k toolkit has it


def overlaps(one: Any, two: Any) -> np.ndarray:
    """Intersection over union of each box of one list with each of another.

    Args:
        one, two: (n, 4), (m, 4) of (x, y, w, h).

    Returns:
        (n, m) float64, as ``overlap``.
    """
    a, b = (np.asarray(each, float).reshape(-1, 4) for each in (one, two))
    return overlap(a[:, None], b[None])
