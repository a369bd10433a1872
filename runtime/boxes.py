"""How much boxes overlap."""

from typing import Any

import numpy as np


def overlaps(one: Any, two: Any) -> np.ndarray:
    """Intersection over union of each box of one list with each of another.

    Args:
        one, two: (n, 4), (m, 4) of (x, y, w, h).

    Returns:
        (n, m) float64; 0 if a box is empty.
    """
    a = np.asarray(one, float).reshape(-1, 1, 4)
    b = np.asarray(two, float).reshape(1, -1, 4)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    union = np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - common
    return np.where(union > 0, common / np.maximum(union, 1e-12), 0.0)
