"""The online classifier of one target: its input, its samples and the times when it learns.

Its input is the features under a box, averaged in each part of the box. The network computes these
features in any case (``hotpath.graphs.assemble``). A cell is weighted by the share
of it that the box covers. So the features also change when a box moves by less than a cell.
``Pooling`` is the definition. kernels/cpu computes it in C++, and tests hold it to 1e-5 of this.

The classifier learns the first search region at once. Later it learns only from frames in which the
target is tracked. Each frame computes one slice of an update (``hotpath.runtime.learner.ridge``).
"""

import math
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu import online
from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime.learner import samples
from hotpath.runtime.learner.ridge import Ridge
from hotpath.runtime.learner.strangers import PARTS, Strangers
from hotpath.runtime.network import Network
from hotpath.runtime.types import Seen

LEAST = 1.0  # length of a part, cells
HARD = 2.0  # a negative that looks like the target counts e to this times as much


class Classifier:
    """Tells one target from everything else.

    Args:
        network: only ``strangers``, ``stride`` and ``search`` are used.
        kernels: see ``hotpath.kernels.cpu.binding``. None takes the definitions in NumPy.
    """

    def __init__(self, network: Network, kernels: Optional[Kernels] = None) -> None:
        self._network, self._kernels = network, kernels
        self._pooling = Pooling(network.stride, kernels=kernels)
        self._compiled = samples.compiled(kernels)
        self._ridge: Optional[Ridge] = None
        self._strangers = Strangers(network)

    def begin(self, state: np.ndarray, seen: Seen) -> None:
        """Start with a new target, [cx, cy, w, h] in the first frame, and learn it from there."""
        self._pooling.begin(seen.features)
        self._strangers.begin(self._pooling.mean)
        self._ridge = Ridge(self._pooling.size, self._kernels)
        positives, negatives, _ = self._samples(self._ridge, state, seen)
        self._ridge.begin(positives, negatives)

    def judge(self, boxes: np.ndarray, seen: Seen) -> np.ndarray:
        """Return a value for each box, (n,): about +1 for the target, about -1 for others.

        The boxes are (n, 4) [cx, cy, w, h] in frame pixels, and ``seen`` contains them.
        """
        assert self._ridge is not None, "no target was taken"
        judged: np.ndarray = self._ridge.judge(self._describe(boxes, seen))
        return judged

    def looks(self, seen: Seen) -> np.ndarray:
        """Return the value of ``judge`` for each place that a window proposes, (n,)."""
        assert self._ridge is not None, "no target was taken"
        if seen.pooled is None:
            return self.judge(seen.states, seen)
        judged: np.ndarray = self._ridge.judge(self._pooling.finished(seen.pooled))
        return judged

    def proof(self, looks: float, alike: float, references: Sequence[np.ndarray]) -> float:
        """Return how far a box proves to hold the target. See ``Strangers.proof``."""
        assert self._ridge is not None, "no target was taken"
        ridge = self._ridge
        return self._strangers.proof(looks, alike, references, ridge.judge, ridge.solved)

    def follow(self, state: np.ndarray, seen: Seen, tracked: bool) -> None:
        """End a frame: compute one slice of an update, or begin one if the target is tracked.

        Then it is certainly at ``state``, [cx, cy, w, h] in frame pixels, and nowhere else.
        """
        assert self._ridge is not None, "no target was taken"
        if self._ridge.busy:
            self._ridge.step()
        elif tracked:
            positives, negatives, hard = self._samples(self._ridge, state, seen)
            if len(positives) and len(negatives):
                self._ridge.learn(positives, negatives, hard)

    @property
    def busy(self) -> bool:
        """Whether an update is under way, so that no frame is learnt."""
        assert self._ridge is not None, "no target was taken"
        return self._ridge.busy

    @property
    def updates(self) -> int:
        """Number of frames that were learnt since the first one."""
        assert self._ridge is not None, "no target was taken"
        return self._ridge.updates

    def _samples(
        self, ridge: Ridge, state: np.ndarray, seen: Seen
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (positives, negatives, hard) of a frame, as ``Ridge.learn`` takes them."""
        half = self._network.search / 2.0
        centre = seen.around[:2].tolist()
        if self._compiled:
            models = (self._pooling.compiled, ridge.compiled)
            region = (centre, seen.scale, half)
            _, described, hard, count = self._compiled.of_frame(
                *models, state, seen.features, *region, HARD
            )
            return described[:count], described[count:], hard
        reach = [half / factor for factor in seen.scale]
        boxes, count = samples.boxes(state, centre, reach)
        described = self._describe(boxes, seen)
        hard = np.exp(HARD * np.minimum(np.maximum(ridge.judge(described[count:]), -1), 1))
        return described[:count], described[count:], hard

    def _describe(self, boxes: np.ndarray, seen: Seen) -> np.ndarray:
        return self._pooling.describe(seen.features, boxes, seen.around, seen.scale)


class Pooling:
    """Describes boxes by features of a search region.

    Args:
        stride: search pixels from one cell to the next.
        parts: number of parts along each side of a box.
        kernels: see ``hotpath.kernels.cpu.binding``. None takes the definition.

    Attributes:
        size: length of the description of a box; 0 before ``begin``.
        mean: float32 (channels,), subtracted from all features; None before ``begin``.
        compiled: the same in C++, see ``hotpath.kernels.cpu.online.Pooling``; or None.
    """

    def __init__(
        self, stride: float, parts: int = PARTS, kernels: Optional[Kernels] = None
    ) -> None:
        self._stride = float(stride)
        self._parts = parts
        self._kernels = kernels
        self.compiled: Any = None
        self.mean: Any = None
        self.size = 0

    def begin(self, features: np.ndarray) -> None:
        """Set the mean that is subtracted from all features from now on.

        Args:
            features: float32 (1, channels, cells) of the first search region; the cells are a
                square in row-major order.
        """
        mean = self.mean = features[0].mean(axis=1)
        self._means = np.tile(mean, self._parts**2)
        self.size = features.shape[1] * self._parts**2 + 1
        if self._kernels:
            side = _side_of(features)
            arguments = mean, side, self._stride, self._parts, LEAST
            self.compiled = self._kernels.new(online.Pooling, *arguments)

    def describe(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: np.ndarray,
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """Return the features under boxes: float32 (n, size), rows of length 1 and a constant.

        Args:
            features: as in ``begin``, of the region that contains the boxes.
            states: float64 (n, 4) [cx, cy, w, h], frame pixels.
            centre: [cx, cy, ...] of the region, frame pixels.
            scale: (x, y), search pixels per frame pixel.
        """
        if self.compiled:
            compiled: np.ndarray = self.compiled.describe(features, states, centre, scale)
            return compiled
        from hotpath.runtime.learner.regression import SMALL  # without compiled kernels

        weights = self.weights(features, states, centre, scale)
        cells = np.asarray(features[0]).T
        count = max(1, SMALL // cells.size)
        products = [weights[at : at + count] @ cells for at in range(0, len(weights), count)]
        return self.finished(np.concatenate(products).reshape(len(states), -1))

    def finished(self, pooled: np.ndarray) -> np.ndarray:
        """Return what ``describe`` does, of the averages under boxes.

        Args:
            pooled: float32 (n, parts * channels): of each part of a box, row by row, the mean of
                each channel, weighted by the share of the cells that the part covers.
        """
        described = np.ones((len(pooled), self.size), np.float32)
        moved = described[:, :-1]
        np.subtract(pooled, self._means, out=moved)
        moved /= np.sqrt((moved**2).sum(axis=1, keepdims=True)) + np.float32(1e-9)
        return described

    def weights(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: np.ndarray,
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """Return the weight of each cell in each part of the boxes: float32 (n * parts, cells).

        Args: as in ``describe``.
        """
        moved = states - np.array([centre[0], centre[1], 0.0, 0.0])
        boxes = moved * np.array([scale[0], scale[1], scale[0], scale[1]])  # search pixels
        side = _side_of(features)
        parts = self._parts
        columns = _shares(boxes[:, 0] / self._stride, boxes[:, 2] / self._stride, side, parts)
        rows = _shares(boxes[:, 1] / self._stride, boxes[:, 3] / self._stride, side, parts)
        weights = rows[:, :, None, :, None] * columns[:, None, :, None, :]
        return np.asarray(weights.reshape(-1, side * side).astype(np.float32))


def _side_of(features: np.ndarray) -> int:
    """Return the number of cells on each side."""
    return int(round(math.sqrt(features.shape[2])))


def _shares(centre: np.ndarray, length: np.ndarray, side: int, parts: int) -> np.ndarray:
    """Return the share of each part in each cell: (n, parts, side), sums of 1. Unit: cells."""
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
