"""A ridge regression that separates the target from everything else and forgets old samples.

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

``hotpath.runtime.identity.learner.numpy_definition`` defines the arithmetic. kernels/cpu computes
it in C++.
"""

from typing import Any, List, Optional, Tuple

import numpy as np

RIDGE = 0.02  # added to the diagonal of A; the samples have length 1
LONG, SHORT = 100, 20  # frames that the memories of positives and negatives go back
FIRST = 0.5  # share of the first frame in the mean of each class
STEPS, FIRST_STEPS = 8, 60  # of conjugate gradients, in a slice and in the first frame
TINY = 1e-12  # squared length of what is left to solve


def samples_of(pooled: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return samples of boxes, float32 (n, size): rows of length 1 and a constant.

    Args:
        pooled: float32 (n, parts * channels): of each part of a box, row by row, the mean of each
            channel, weighted by the share of the cells that the part covers.
        means: float32 (parts * channels,), subtracted.
    """
    described = np.ones((len(pooled), len(means) + 1), np.float32)
    moved = described[:, :-1]
    np.subtract(pooled, means, out=moved)
    moved /= np.sqrt((moved**2).sum(axis=1, keepdims=True)) + np.float32(1e-9)
    return described


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
        model: the regression of samples with ``RIDGE`` and ``TINY``, in C++
            (``hotpath.kernels.cpu.online.CompiledRegression``) or its definition.

    Attributes:
        model: as above.
        predict: that of the model. It takes samples (n, size) and returns (n,): about +1 for the
            target, else about -1.
        updates: frames that were learnt since the first one.
        solved: number of solutions, each of which changes ``predict``.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.predict = model, model.predict
        self.updates = self.solved = 0
        self._first = model.moments()  # of both classes: sum of x x^T, sum of y x
        self._since = Memory(model.moments(), LONG), Memory(model.moments(), SHORT)
        self._waiting: List[Tuple[Memory, np.ndarray, Optional[np.ndarray]]] = []
        self._changed = False

    @property
    def weights(self) -> np.ndarray:
        """The weights of the solution, float64 (size,)."""
        weights: np.ndarray = self.model.weights
        return weights

    def begin(self, positives: np.ndarray, negatives: np.ndarray) -> None:
        """Learn the first frame, at once."""
        background = self.model.moments()
        self.model.add(self._first, positives, None, 1.0)
        self.model.add(background, negatives, None, 1.0)
        self._first.square += background.square
        self._first.mean -= background.mean
        self._weigh()
        self.model.solve(FIRST_STEPS)
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

    def step(self) -> bool:
        """Do one slice of an update: add positives, add negatives, or solve; False without one."""
        if self._waiting:
            memory, samples, weights = self._waiting.pop(0)
            memory.count += 1
            self.updates = self._since[1].count
            rate = 1.0 / min(memory.count, memory.frames)
            self.model.add(memory.moments, samples, weights, rate)
            self._changed = True
        elif self._changed:
            self._weigh()
            self.model.solve(STEPS)
            self.solved += 1
            self._changed = False
        else:
            return False
        return True

    def _weigh(self) -> None:
        """Compute A and b from the memories."""
        recent = [(since, sign) for since, sign in zip(self._since, (1.0, -1.0)) if since.count]
        share = 0.5 * FIRST if recent else 0.5
        terms = [(self._first, share, 1.0)]
        terms += [(since.moments, 0.5 - share, sign) for since, sign in recent]
        self.model.weigh(terms)
