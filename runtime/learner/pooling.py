"""Features under boxes: what the search region shows in each part of a box, averaged.

The network computes the features anyway (``runtime.graphs.assemble``). A box takes part in a
cell by the share of the cell that it covers. So a box that moves by less than a cell has other
features too.

``Pooling`` is the definition. kernels/cpu computes it in C++; tests hold it to 1e-5 of this.
"""

import math
from typing import Any, Optional, Tuple

import numpy as np

PARTS = 2  # along each side of a box
LEAST = 1.0  # length of a part, cells
SMALL = 250000  # multiplications that OpenBLAS does on one thread (see ``runtime.learner.ridge``)


class Pooling:
    """Describes boxes by the features of one search region after another.

    Args:
        stride: search pixels from one cell to the next.
        parts: along each side of a box.
        kernels: see ``kernels.cpu.binding``; None for the definition.

    Attributes:
        size: numbers that describe a box; 0 before ``begin``.
        compiled: the same in C++, or None; see ``kernels.cpu.online.Pooling``.
    """

    def __init__(self, stride: int, parts: int = PARTS, kernels: Any = None) -> None:
        self._stride, self._parts, self._kernels = float(stride), parts, kernels
        self.compiled: Any = None
        self._mean: Optional[np.ndarray] = None
        self.size = 0

    def begin(self, features: np.ndarray) -> None:
        """Take the mean that is subtracted from all features from now on.

        Args:
            features: float32 (1, channels, cells) of the first search region; the cells are a
                square in row-major order.
        """
        mean = self._mean = features[0].mean(axis=1)
        self.size = features.shape[1] * self._parts**2 + 1
        if self._kernels:
            side = _side_of(features)
            self.compiled = self._kernels.pooling(mean, side, self._stride, self._parts, LEAST)

    def describe(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: np.ndarray,
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """The features under boxes: float32 (n, size), each of length 1 and a constant after it.

        Args:
            features: as in ``begin``, of the region in which the boxes lie.
            states: float64 (n, 4) [cx, cy, w, h], frame pixels.
            centre: [cx, cy, ...] of the region, frame pixels.
            scale: (x, y), search pixels per frame pixel.
        """
        if self.compiled:
            compiled: np.ndarray = self.compiled.describe(features, states, centre, scale)
            return compiled
        boxes = in_region(states, centre, scale)
        side, parts = _side_of(features), self._parts
        columns = _shares(boxes[:, 0] / self._stride, boxes[:, 2] / self._stride, side, parts)
        rows = _shares(boxes[:, 1] / self._stride, boxes[:, 3] / self._stride, side, parts)
        weights = rows[:, :, None, :, None] * columns[:, None, :, None, :]
        weights = weights.reshape(-1, side * side).astype(np.float32)
        cells = np.asarray(features[0]).T
        some = max(1, SMALL // cells.size)
        products = [weights[at : at + some] @ cells for at in range(0, len(weights), some)]
        pooled = (np.concatenate(products) - self._mean).reshape(len(boxes), -1)
        pooled /= np.sqrt((pooled**2).sum(axis=1, keepdims=True)) + 1e-9
        return np.concatenate([pooled, np.ones((len(boxes), 1), np.float32)], axis=1)


def in_region(states: np.ndarray, region: np.ndarray, scale: Any) -> np.ndarray:
    """Boxes of a frame in the search region: (n, 4) [cx, cy, w, h], search pixels.

    Args:
        states: (n, 4) [cx, cy, w, h], frame pixels.
        region: [cx, cy, ...] of the search region, frame pixels.
        scale: (x, y), search pixels per frame pixel.
    """
    moved: np.ndarray = states - np.array([region[0], region[1], 0.0, 0.0])
    return moved * np.array([scale[0], scale[1], scale[0], scale[1]])


def _side_of(features: np.ndarray) -> int:
    """Cells on each side."""
    return int(round(math.sqrt(features.shape[2])))


def _shares(centre: np.ndarray, length: np.ndarray, side: int, parts: int) -> np.ndarray:
    """How much of each part lies in each cell: (n, parts, side), sums of 1; all in cells."""
    length = np.maximum(length, LEAST * parts)[:, None]
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
