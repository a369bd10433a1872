"""A ridge regression that tells the target from all else, with a memory that ages.

The two classes are told by +1 and -1. The memory holds no samples but their moments, so its size
and the time of an update do not grow:

    A = mean of x x^T over both classes + RIDGE,   b = mean of y x,   A w = b

Conjugate gradients solve it, from the last solution on; a few steps in each frame are enough.

Positives are those of the first frame, which are kept, and of the frames since, the last
``LONG`` frames most of all. Negatives are those of the first frames, and of the last ``SHORT``
frames: what is not the target today may be the target's place tomorrow. Nam and Han, "Learning
Multi-Domain Convolutional Neural Networks for Visual Tracking", CVPR 2016, has the same two
memories of samples, and trains with them by gradient descent.

An update is cut into slices (``Ridge.step``) of which a frame takes one. Products are kept so small
that OpenBLAS computes them on the calling thread: on a busy processor its other threads made an
update a hundred times slower.
"""

from typing import List, Optional, Tuple

import numpy as np

RIDGE = 0.02  # added to the diagonal of A; the samples have length 1
LONG, SHORT = 100, 20  # frames that the memories of positives and negatives go back
FIRST = 0.5  # share of the first frame in the mean of each class
STEPS, FIRST_STEPS = 8, 60  # of conjugate gradients, in a slice and in the first frame
TINY = 1e-12  # squared length of what is left to solve
SMALL = 250000  # multiplications that OpenBLAS does on one thread


class Moments:
    """Mean of x and of x x^T of one class; older samples fade.

    Args:
        size: of x.
        frames: how far the memory goes back.
    """

    def __init__(self, size: int, frames: int) -> None:
        self.mean, self.square = np.zeros(size), np.zeros((size, size))
        self._frames, self._count = frames, 0

    def add(self, samples: np.ndarray, weights: Optional[np.ndarray] = None) -> None:
        """Take the samples of a frame: (n, size), and (n,) how much each counts."""
        self._count += 1
        rate = 1.0 / min(self._count, self._frames)
        samples = samples.astype(np.float64)
        share = np.full(len(samples), 1.0) if weights is None else weights
        share = share / share.sum()
        weighted = samples * share[:, None]
        self.mean += (weighted.sum(axis=0) - self.mean) * rate
        self.square *= 1 - rate
        some = max(1, SMALL // self.square.size)
        for first in range(0, len(samples), some):
            part = slice(first, first + some)
            self.square += (weighted[part] * rate).T @ samples[part]

    @property
    def empty(self) -> bool:
        """Whether no sample was taken yet."""
        return self._count == 0


class Ridge:
    """The regression and its memory.

    Args:
        size: numbers of a sample, the last of them constant.

    Attributes:
        weights: float64 (size,).
    """

    def __init__(self, size: int) -> None:
        self.weights: np.ndarray = np.zeros(size)
        self._first = Moments(size, 1), Moments(size, 1)  # positives, negatives
        self._since = Moments(size, LONG), Moments(size, SHORT)
        self._waiting: List[Tuple[Moments, np.ndarray, Optional[np.ndarray]]] = []
        self._square, self._mean = np.eye(size), np.zeros(size)
        self._changed = False

    def begin(self, positives: np.ndarray, negatives: np.ndarray) -> None:
        """Learn the first frame, at once."""
        for moments, samples in zip(self._first, (positives, negatives)):
            moments.add(samples)
        self._weigh()
        self._solve(FIRST_STEPS)

    def learn(
        self, positives: np.ndarray, negatives: np.ndarray, hard: Optional[np.ndarray] = None
    ) -> None:
        """Take the samples of a frame, unless earlier ones are still to be learnt.

        Args:
            positives, negatives: (n, size) and (m, size).
            hard: (m,) how much each negative counts.
        """
        if not self.busy:
            self._waiting.append((self._since[0], positives, None))
            self._waiting.append((self._since[1], negatives, hard))

    @property
    def busy(self) -> bool:
        """Whether an update is under way."""
        return bool(self._waiting) or self._changed

    def step(self) -> None:
        """One slice of an update: take in positives, take in negatives, or solve."""
        if self._waiting:
            moments, samples, weights = self._waiting.pop(0)
            moments.add(samples, weights)
            self._changed = True
        elif self._changed:
            self._weigh()
            self._solve(STEPS)
            self._changed = False

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """About +1 for the target and -1 for all else: (n,) of samples (n, size)."""
        result: np.ndarray = samples @ self.weights
        return result

    def _weigh(self) -> None:
        """Make A and b of the memories."""
        self._square[:], self._mean[:] = 0.0, 0.0
        for first, since, sign in zip(self._first, self._since, (1.0, -1.0)):
            share = 0.5 if since.empty else 0.5 * FIRST
            self._square += share * first.square
            self._mean += sign * share * first.mean
            if not since.empty:
                self._square += (0.5 - share) * since.square
                self._mean += sign * (0.5 - share) * since.mean
        self._square.flat[:: len(self._mean) + 1] += RIDGE

    def _solve(self, steps: int) -> None:
        """Some steps of conjugate gradients (Hestenes and Stiefel, 1952)."""
        rest = self._mean - self._times(self.weights)
        way, length = rest.copy(), float((rest * rest).sum())
        for _ in range(steps):
            if length < TINY:
                return
            along = self._times(way)
            far = length / float((way * along).sum())
            self.weights = self.weights + far * way
            rest -= far * along
            last, length = length, float((rest * rest).sum())
            way = rest + (length / last) * way

    def _times(self, vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = np.einsum("ij,j->i", self._square, vector)
        return product
