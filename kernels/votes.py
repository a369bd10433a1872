"""The definitions of the end of select: the Hanning windows, and the argmax of votes.

They are apart from ``golden.py``, because every tracker needs them and no other definition.
"""

import numpy as np

from hotpath.kernels.errors import NO_SCORE, NetworkFailed


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
    finite = np.where(np.isfinite(votes), votes, -np.inf)
    best = int(np.argmax(finite))
    if not np.isfinite(finite.flat[best]):
        raise NetworkFailed(NO_SCORE, what="no score")
    return best
