"""Reference implementation of the learner in NumPy: slow, in float64 where that matters.

kernels/cpu computes it in C++, see ``hotpath.kernels.cpu.online``, which has the same classes. Only
where nothing could be compiled a tracker loads this file. The C++ has the matrices in float32.
Tests hold its values for samples to 3e-3 of this, and descriptions of boxes to 1e-5. On 21 clips
presence differed by less than 4e-4, and all states and boxes were equal.
"""

from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.identity.learner.ridge import samples_of

SMALL = 250000  # multiplications that OpenBLAS does on one thread


class Pooling:
    """Describes boxes by the features of a search region under them.

    Args:
        mean: float32 (channels,), subtracted from all features.
        side: cells on each side of the features.
        stride: search pixels from one cell to the next.
        parts: number of parts along each side of a box.
        least: length of the smallest part, cells.

    Attributes:
        size: length of the description of a box.
    """

    def __init__(
        self, mean: np.ndarray, side: int, stride: float, parts: int, least: float
    ) -> None:
        self._means = np.tile(mean, parts**2)
        self._side, self._stride, self._parts, self._least = side, stride, parts, least
        self.size = len(self._means) + 1

    def describe(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: Sequence[float],
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """Return the features under boxes: float32 (n, size), as ``samples_of`` makes them.

        Args:
            features: float32 (1, channels, cells) of the region that contains the boxes; the cells
                are a square in row-major order.
            states: float64 (n, 4) [cx, cy, w, h], frame pixels.
            centre: [cx, cy, ...] of the region, frame pixels.
            scale: (x, y), search pixels per frame pixel.
        """
        return samples_of(self.averages(features, states, centre, scale), self._means)

    def averages(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: Sequence[float],
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """Return the mean of each channel in each part of boxes: float32 (n, parts * channels).

        A cell weighs as much as the part covers of it. Arguments as in ``describe``.
        """
        weights = self.weights(states, centre, scale)
        cells = np.asarray(features[0]).T
        count = max(1, SMALL // cells.size)
        products = [weights[at : at + count] @ cells for at in range(0, len(weights), count)]
        return np.concatenate(products).reshape(len(states), -1)

    def weights(
        self, states: np.ndarray, centre: Sequence[float], scale: Tuple[float, float]
    ) -> np.ndarray:
        """Return the weight of each cell in each part of boxes: float32 (n * parts, cells).

        Arguments as in ``describe``.
        """
        moved = states - np.array([centre[0], centre[1], 0.0, 0.0])
        boxes = moved * np.array([scale[0], scale[1], scale[0], scale[1]])  # search pixels
        columns = self._shares(boxes[:, 0] / self._stride, boxes[:, 2] / self._stride)
        rows = self._shares(boxes[:, 1] / self._stride, boxes[:, 3] / self._stride)
        weights = rows[:, :, None, :, None] * columns[:, None, :, None, :]
        return np.asarray(weights.reshape(-1, self._side**2).astype(np.float32))

    def _shares(self, centre: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Return the share of each part in each cell: (n, parts, side), sums of 1. Unit: cells."""
        side, parts = self._side, self._parts
        length = np.maximum(length, self._least * parts)[:, None]
        at = centre[:, None] + ((np.arange(parts) + 0.5) / parts - 0.5) * length + side // 2
        low, high = (at - length / parts / 2)[..., None], (at + length / parts / 2)[..., None]
        cell = np.arange(side)
        covered = np.minimum(high, cell + 0.5) - np.maximum(low, cell - 0.5)
        covered = np.maximum(covered, 0.0)
        # a part outside of the region takes the nearest cell
        nearest = np.clip(np.rint(at).astype(int), 0, side - 1)
        outside = covered.sum(axis=2) <= 1e-6
        covered[outside] = (cell == nearest[..., None])[outside]
        shares: np.ndarray = covered / covered.sum(axis=2, keepdims=True)
        return shares


class Moments:
    """The means of x and of x x^T of one class.

    Args:
        size: length of x.
    """

    def __init__(self, size: int) -> None:
        self.mean, self.square = np.zeros(size), np.zeros((size, size))


class Regression:
    """Moments and their solution; see ``hotpath.runtime.identity.learner.ridge``.

    Args:
        size: length of a sample.
        ridge: added to the diagonal of A.
        tiny: squared length of what is left to solve.

    Attributes:
        weights: the solution, float64 (size,).
    """

    def __init__(self, size: int, ridge: float, tiny: float) -> None:
        self._size, self._ridge, self._tiny = size, ridge, tiny
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
        self._square.flat[:: self._size + 1] += self._ridge

    def solve(self, steps: int) -> None:
        """Do some steps of conjugate gradients (Hestenes and Stiefel, 1952)."""
        residual = self._mean - self._times(self.weights)
        direction, length = residual.copy(), float((residual * residual).sum())
        for _ in range(steps):
            if length < self._tiny:
                return
            a_direction = self._times(direction)
            alpha = length / float((direction * a_direction).sum())
            self.weights = self.weights + alpha * direction
            residual -= alpha * a_direction
            last, length = length, float((residual * residual).sum())
            direction = residual + (length / last) * direction

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the products of samples (n, size) and the weights: float64 (n,)."""
        result: np.ndarray = samples @ self.weights
        return result

    def _times(self, vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = np.einsum("ij,j->i", self._square, vector)
        return product


class Samples:
    """The samples to learn a frame from: positives near the target, negatives around it.

    Args:
        moves: float64 (n, 3), positives: moved by x and y, sides of the target; times as large.
        overlaps: with the target: of positives at least, of negatives at most.
        step: from one negative to the next, sides of the target.
        most: negatives on each side of the middle, along x and along y.
    """

    def __init__(
        self, moves: np.ndarray, overlaps: Tuple[float, float], step: float, most: int
    ) -> None:
        self._moves, self._step, self._most = moves, step, most
        self._positive, self._negative = overlaps

    def of_frame(
        self,
        pooling: Any,
        regression: Any,
        state: np.ndarray,
        features: np.ndarray,
        centre: Sequence[float],
        scale: Tuple[float, float],
        half: float,
        hardness: float,
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Return boxes, the features under them, and how much negatives count.

        Args:
            pooling, regression: describe the boxes, and judge the negatives.
            state: float64 [cx, cy, w, h] of the target, frame pixels.
            features, centre, scale: as for ``Pooling.describe``.
            half: from the region's centre to its edges, search pixels.
            hardness: a negative that looks like the target counts e to this times as much.

        Returns:
            (boxes, described, hard, positives): float64 (n, 4), float32 (n, size), float64
            (negatives,), and how many of the boxes are positives: those come first.
        """
        boxes, count = self.boxes(state, centre, [half / factor for factor in scale])
        described = pooling.describe(features, boxes, centre, scale)
        judged = np.minimum(np.maximum(regression.predict(described[count:]), -1), 1)
        return boxes, described, np.exp(hardness * judged), count

    def boxes(
        self, state: np.ndarray, centre: Sequence[float], reach: Sequence[float]
    ) -> Tuple[np.ndarray, int]:
        """Return boxes to learn from, (n, 4) [cx, cy, w, h], and how many of them are positives.

        Args:
            state: [cx, cy, w, h] of the target. All arguments have the same unit.
            centre: (x, y) of the search region.
            reach: (x, y) from its centre to its edges.
        """
        near = self.positives(state)
        near = near[(np.abs(near[:, :2] - centre) < reach).all(axis=1)]
        negatives = self.negatives(self.around(state, centre, reach), state)
        return np.concatenate([near, negatives]), len(near)

    def positives(self, state: np.ndarray) -> np.ndarray:
        """Return boxes with nearly the target's place and size: (n, 4) [cx, cy, w, h]."""
        moves = self._moves
        states = np.concatenate(
            [state[:2] + moves[:, :2] * state[2:], state[2:] * moves[:, 2:]], axis=1
        )
        return states[overlap_with(states, state) >= self._positive]

    def around(
        self, state: np.ndarray, centre: Sequence[float], reach: Sequence[float]
    ) -> np.ndarray:
        """Return boxes of the target's size all over a search region, as ``boxes``."""
        ticks = []
        for middle, length, size in zip(centre, reach, state[2:]):
            count = int(min(max(1, length / (self._step * size)), self._most))
            room = max(length - size / 2, 0.0)
            ticks.append(middle + np.linspace(-room, room, 2 * count + 1))
        x, y = np.meshgrid(*ticks)
        size = np.broadcast_to(state[2:], (x.size, 2))
        return np.concatenate([np.stack([x.ravel(), y.ravel()], axis=1), size], axis=1)

    def negatives(self, states: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Return the boxes that overlap little with the target."""
        kept: np.ndarray = states[overlap_with(states, state) <= self._negative]
        return kept


def overlap_with(states: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with one other, (n,). All [cx, cy, w, h]."""
    low = np.maximum(states[:, :2] - states[:, 2:] / 2, state[:2] - state[2:] / 2)
    high = np.minimum(states[:, :2] + states[:, 2:] / 2, state[:2] + state[2:] / 2)
    common = np.prod(np.maximum(high - low, 0.0), axis=1)
    union = np.prod(states[:, 2:], axis=1) + state[2] * state[3] - common
    result: np.ndarray = common / np.maximum(union, 1e-12)
    return result
