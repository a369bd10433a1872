"""The definitions of the end of select: the Hanning windows, and the argmax of votes.

They are apart from ``golden.py``, because every tracker needs them and no other definition.
"""

import numpy as np

from hotpath.base.errors import NO_SCORE, NetworkFailed


def hanning_window(size: int) -> np.ndarray:
    """The cosine window: (size, size) float64, 1 in the middle and 0 at the edges."""
    return np.outer(np.hanning(size), np.hanning(size))


def inner_hanning_window(size: int) -> np.ndarray:
    """The cosine window without its zero edges: (size, size) float64."""
    line = np.hanning(size + 2)[1:-1]
    return np.outer(line, line)


def argmax(votes: np.ndarray) -> int:
    """Row-major index of the highest finite vote; of equal votes the lowest index.

    Raises:
        NetworkFailed: no vote is finite.
    """
    best = int(np.argmax(votes))  # NaN comes before all numbers there
    if not np.isfinite(votes.flat[best]):
        votes = np.where(np.isfinite(votes), votes, -np.inf)
        best = int(np.argmax(votes))
    if not np.isfinite(votes.flat[best]):
        raise NetworkFailed(NO_SCORE, what="no score")
    return best


def probability(score_map: np.ndarray, kind: str) -> np.ndarray:
    """Turn raw scores into float64 probabilities of the target, one channel per kind of box.

    Args:
        score_map: raw output of the network, (1, channels, h, w).
        kind: "softmax" (the second half of the channels is the target), "sigmoid", or "none".

    Returns:
        (h, w), or (k, h, w) if there are k > 1 kinds of box (anchors).
    """
    raw = np.asarray(score_map, np.float64)
    height, width = raw.shape[-2:]
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == "softmax":
            other, target = raw.reshape(2, -1, height, width)
            raw = 1 / (1 + np.exp(other - target))
        elif kind == "sigmoid":
            raw = 1 / (1 + np.exp(-raw))
    raw = raw.reshape(-1, height, width)
    result: np.ndarray = raw[0] if len(raw) == 1 else raw
    return result
