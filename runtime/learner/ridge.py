"""A ridge regression that tells the target from everything else, with a memory that fades.

The labels of the two classes are +1 and -1. The memory holds the moments of the samples and not the
samples. So its size and the time of an update do not grow:

    A = mean of x x^T over both classes + RIDGE,   b = mean of y x,   A w = b

Conjugate gradients solve it from the last solution. A few steps in each frame are enough.

Positives come from the first frame, which is kept, and from later frames, mainly the last ``LONG``.
Negatives come from the first frames and from the last ``SHORT`` frames, because the target may
later move to a place that is background now. Nam and Han, "Learning Multi-Domain Convolutional
Neural Networks for Visual Tracking", CVPR 2016, has the same two memories of samples, and trains
with them by gradient descent.

An update is cut into slices (``Ridge.step``). Each frame computes one of them. Products are small,
so that OpenBLAS computes them on the calling thread. On a busy processor its other threads made an
update a hundred times slower.

``Regression`` defines the arithmetic in float64. kernels/cpu computes it in C++ with matrices in
float32. Tests hold its values for samples to 3e-3 of this. On 21 clips presence differed by less
than 4e-4, and all states and boxes were equal.
"""

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu import online
from hotpath.kernels.cpu.interface import Kernels

RIDGE = 0.02  # added to the diagonal of A; the samples have length 1
LONG, SHORT = 100, 20  # frames that the memories of positives and negatives go back
FIRST = 0.5  # share of the first frame in the mean of each class
STEPS, FIRST_STEPS = 8, 60  # of conjugate gradients, in a slice and in the first frame
TINY = 1e-12  # squared length of what is left to solve
SMALL = 250000  # multiplications that OpenBLAS does on one thread


class Moments:
    """The means of x and of x x^T of one class.

    Args:
        size: length of x.
    """

    def __init__(self, size: int) -> None:
        self.mean, self.square = np.zeros(size), np.zeros((size, size))


class Regression:
    """Moments and their solution; ``hotpath.kernels.cpu.online.Regression`` has the same methods.

    Args:
        size: length of a sample.

    Attributes:
        weights: the solution, float64 (size,).
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.weights: np.ndarray = np.zeros(size)
        self._square, self._mean = np.eye(size), np.zeros(size)

    def moments(self) -> Moments:
        """Make moments for the samples of one class."""
        return Moments(self._size)

    def add(
        self, moments: Moments, samples: np.ndarray, weights: Optional[np.ndarray], rate: float
    ) -> None:
        """Add samples (n, size) to moments, with the weight ``rate`` against all earlier ones.

        Args:
            weights: (n,), weight of each sample; None gives the same weight to all.
        """
        samples = samples.astype(np.float64)
        share = np.full(len(samples), 1.0) if weights is None else weights
        share = share / share.sum()
        weighted = samples * share[:, None]
        moments.mean += (weighted.sum(axis=0) - moments.mean) * rate
        moments.square *= 1 - rate
        count = max(1, SMALL // moments.square.size)
        for first in range(0, len(samples), count):
            part = slice(first, first + count)
            moments.square += (weighted[part] * rate).T @ samples[part]

    def weigh(self, terms: Sequence[Tuple[Moments, float, float]]) -> None:
        """Compute A and b from (moments, share, sign of the class)."""
        self._square[:], self._mean[:] = 0.0, 0.0
        for moments, share, sign in terms:
            self._square += share * moments.square
            self._mean += sign * share * moments.mean
        self._square.flat[:: self._size + 1] += RIDGE

    def solve(self, steps: int) -> None:
        """Do some steps of conjugate gradients (Hestenes and Stiefel, 1952)."""
        residual = self._mean - self._times(self.weights)
        direction, length = residual.copy(), float((residual * residual).sum())
        for _ in range(steps):
            if length < TINY:
                return
            a_direction = self._times(direction)
            alpha = length / float((direction * a_direction).sum())
            self.weights = self.weights + alpha * direction
            residual -= alpha * a_direction
            last, length = length, float((residual * residual).sum())
            direction = residual + (length / last) * direction

    def judge(self, samples: np.ndarray) -> np.ndarray:
        """Return the products of samples (n, size) and the weights: float64 (n,)."""
        result: np.ndarray = samples @ self.weights
        return result

    def _times(self, vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = np.einsum("ij,j->i", self._square, vector)
        return product


class Memory:
    """The memory for samples of one class. Older samples fade.

    Args:
        moments: the ``Moments`` that hold them.
        frames: length of the memory.

    Attributes:
        count: frames that were added.
    """

    def __init__(self, moments: Any, frames: int) -> None:
        self.moments = moments
        self.frames = frames
        self.count = 0


class Ridge:
    """The regression, its memory, and the slices of an update.

    Args:
        size: length of a sample. Its last number is constant.
        kernels: see ``hotpath.kernels.cpu.binding``. None takes the definition.

    Attributes:
        compiled: the regression in C++, see ``hotpath.kernels.cpu.online.Regression``; or None.
        judge: that of the regression. It takes samples (n, size) and returns (n,): about +1 for the
            target, else about -1.
        updates: frames that were learnt since the first one.
        solved: number of solutions, each of which changes ``judge``.
    """

    def __init__(self, size: int, kernels: Optional[Kernels] = None) -> None:
        self.compiled = kernels and kernels.new(online.Regression, size, RIDGE, TINY)
        model: Any = self.compiled or Regression(size)
        self._model, self.judge = model, model.judge
        self.updates = self.solved = 0
        self._first = model.moments()  # of both classes: sum of x x^T, sum of y x
        self._since = Memory(model.moments(), LONG), Memory(model.moments(), SHORT)
        self._waiting: List[Tuple[Memory, np.ndarray, Optional[np.ndarray]]] = []
        self._changed = False

    @property
    def weights(self) -> np.ndarray:
        """The weights of the solution, float64 (size,)."""
        weights: np.ndarray = self._model.weights
        return weights

    def begin(self, positives: np.ndarray, negatives: np.ndarray) -> None:
        """Learn the first frame, at once."""
        background = self._model.moments()
        self._model.add(self._first, positives, None, 1.0)
        self._model.add(background, negatives, None, 1.0)
        self._first.square += background.square
        self._first.mean -= background.mean
        self._weigh()
        self._model.solve(FIRST_STEPS)
        self.solved += 1

    def learn(
        self, positives: np.ndarray, negatives: np.ndarray, hard: Optional[np.ndarray] = None
    ) -> None:
        """Add the samples of a frame, unless an update is under way.

        Args:
            positives, negatives: samples, (n, size) and (m, size).
            hard: (m,), weight of each negative.
        """
        if not self.busy:
            self._waiting.append((self._since[0], positives, None))
            self._waiting.append((self._since[1], negatives, hard))

    @property
    def busy(self) -> bool:
        """Whether an update is under way."""
        return bool(self._waiting) or self._changed

    def step(self) -> None:
        """Do one slice of an update: add positives, add negatives, or solve."""
        if self._waiting:
            memory, samples, weights = self._waiting.pop(0)
            memory.count += 1
            self.updates = self._since[1].count
            rate = 1.0 / min(memory.count, memory.frames)
            self._model.add(memory.moments, samples, weights, rate)
            self._changed = True
        elif self._changed:
            self._weigh()
            self._model.solve(STEPS)
            self.solved += 1
            self._changed = False

    def _weigh(self) -> None:
        """Compute A and b from the memories."""
        recent = [(since, sign) for since, sign in zip(self._since, (1.0, -1.0)) if since.count]
        share = 0.5 * FIRST if recent else 0.5
        terms = [(self._first, share, 1.0)]
        terms += [(since.moments, 0.5 - share, sign) for since, sign in recent]
        self._model.weigh(terms)
