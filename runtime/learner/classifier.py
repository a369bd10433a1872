"""The online classifier of one target: what it looks at, what it learns from, and when.

It looks at the features under a box, which the network computes anyway
(``runtime.graphs.assemble``), averaged in each part of the box. A box takes part in a cell
by the share of the cell that it covers. So a box that moves by less than a cell has other features
too. ``Pooling`` is the definition. kernels/cpu computes it in C++; tests hold it to 1e-5 of this.

The classifier learns the first search region at once. Afterwards it learns from frames in which the
target is tracked, never from one in which it is lost: one slice of an update in each frame
(``runtime.learner.ridge``).
"""

import math
from typing import Any, Optional, Tuple

import numpy as np

from kernels.cpu import online
from kernels.cpu.interface import Kernels
from runtime.learner import samples
from runtime.learner.ridge import SMALL, Ridge
from runtime.network import Network
from runtime.types import Seen

PARTS = 2  # along each side of a box
LEAST = 1.0  # length of a part, cells
HARD = 2.0  # a negative that looks like the target counts e to this times as much


class Classifier:
    """Tells one target from all else.

    Args:
        network: uses ``stride`` and ``search``.
        kernels: see ``kernels.cpu.binding``; None for the definitions in NumPy.
    """

    def __init__(self, network: Network, kernels: Optional[Kernels] = None) -> None:
        self._network, self._kernels = network, kernels
        self._pooling = Pooling(network.stride, kernels=kernels)
        self._compiled = samples.compiled(kernels)
        self._ridge: Optional[Ridge] = None

    def begin(self, state: np.ndarray, seen: Seen) -> None:
        """Take a new target, and learn it from the first frame.

        Args:
            state: [cx, cy, w, h], frame pixels.
            seen: of the first frame.
        """
        self._pooling.begin(seen.features)
        self._ridge = Ridge(self._pooling.size, self._kernels)
        positives, negatives, _ = self._samples(self._ridge, state, seen)
        self._ridge.begin(positives, negatives)

    def judge(self, boxes: np.ndarray, seen: Seen) -> np.ndarray:
        """How much boxes look like the target: (n,), about +1 where they do, -1 where not.

        Args:
            boxes: (n, 4) [cx, cy, w, h], frame pixels.
            seen: the region in which they lie.
        """
        assert self._ridge is not None, "no target was taken"
        return self._ridge(self._describe(boxes, seen))

    def follow(self, state: np.ndarray, seen: Seen, tracked: bool) -> None:
        """End a frame: take one slice of an update, or begin one where the target is tracked.

        Args:
            state: as in ``begin``, of this frame.
            seen: of this frame.
            tracked: whether the target is there for certain, and nowhere else in the seen.
        """
        assert self._ridge is not None, "no target was taken"
        if self._ridge.busy:
            self._ridge.step()
        elif tracked:
            positives, negatives, hard = self._samples(self._ridge, state, seen)
            if len(positives) and len(negatives):
                self._ridge.learn(positives, negatives, hard)

    @property
    def updates(self) -> int:
        """How many frames were learnt since the first one."""
        assert self._ridge is not None, "no target was taken"
        return self._ridge.updates

    def _samples(
        self, ridge: Ridge, state: np.ndarray, seen: Seen
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(positives, negatives, hard) of a seen, as ``Ridge.learn`` takes them."""
        half, centre = self._network.search / 2.0, seen.around[:2].tolist()
        if self._compiled:
            models, region = (self._pooling.compiled, ridge.compiled), (centre, seen.scale, half)
            _, described, hard, count = self._compiled.of_frame(
                *models, state, seen.features, *region, HARD
            )
            return described[:count], described[count:], hard
        reach = [half / factor for factor in seen.scale]
        boxes, count = samples.boxes(state, centre, reach)
        described = self._describe(boxes, seen)
        hard = np.exp(HARD * np.minimum(np.maximum(ridge(described[count:]), -1), 1))
        return described[:count], described[count:], hard

    def _describe(self, boxes: np.ndarray, seen: Seen) -> np.ndarray:
        return self._pooling.describe(seen.features, boxes, seen.around, seen.scale)


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

    def __init__(
        self, stride: float, parts: int = PARTS, kernels: Optional[Kernels] = None
    ) -> None:
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
            given = mean, side, self._stride, self._parts, LEAST
            self.compiled = self._kernels.new(online.Pooling, *given)

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
        moved = states - np.array([centre[0], centre[1], 0.0, 0.0])
        boxes = moved * np.array([scale[0], scale[1], scale[0], scale[1]])  # search pixels
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
