"""The cues of a network without a search: score times the similarity of features."""

import math
from typing import Optional, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime.network import Network
from hotpath.runtime.pictures import AnyFrame
from hotpath.runtime.types import Seen

INNER = 0.8  # share of the box's sides whose cells are averaged: its corners are background
Cells = Tuple[Tuple[int, int], Tuple[int, int]]


class ScoreAndFeatures:
    """Multiplies the score with the cosine similarity of the first and this frame's features.

    Args:
        network: only ``stride`` is used.
        kernels: only ``cosine_similarity`` is used (see ``hotpath.kernels.cpu.interface``).

    Attributes:
        reference: float32 (channels,), mean features of the first frame; None if the graph gives
            no features.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._network, self._compare = network, kernels.cosine_similarity
        self.reference: Optional[np.ndarray] = None

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Start with a new target; see ``Identity.begin``."""
        self.reference = None
        if seen is not None and seen.features is not None:
            self.reference = np.zeros(seen.features.shape[1], np.float32)
            rows, columns = cells_under(self._network, seen, 0.0, 0.0, state)
            self._compare(seen.features, rows, columns, None, self.reference)

    def of(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        seen: Seen,
        score: float,
        looks: Optional[float] = None,
    ) -> float:
        """Return the value of the cues for a box; arguments as in ``Identity.watch``."""
        if self.reference is None:
            return score
        scale, centre = seen.scale, seen.around
        x, y = (state[0] - centre[0]) * scale[0], (state[1] - centre[1]) * scale[1]
        rows, columns = cells_under(self._network, seen, x, y, state)
        return score * max(0.0, self._compare(seen.features, rows, columns, self.reference, None))


def cells_under(network: Network, seen: Seen, x: float, y: float, state: np.ndarray) -> Cells:
    """Return the cells under the inner part of a box, at least one: (first, end) of rows, columns.

    Args:
        network: only ``stride`` is used.
        seen: gives the features (1, channels, cells) and their scale.
        x, y: the box's centre relative to the centre of the search region, search pixels.
        state: [cx, cy, w, h], frame pixels; only the size is used.
    """
    side = math.sqrt(seen.features.shape[2])
    cell = network.stride
    scale = seen.scale
    columns = _span(x / cell, state[2] * scale[0] * INNER / cell, side)
    return _span(y / cell, state[3] * scale[1] * INNER / cell, side), columns


def _span(centre: float, length: float, side: float) -> Tuple[int, int]:
    """Return (first, end) of the cells within half a length of a centre.

    Lengths are in cells. Cell i is at i - side // 2.
    """
    half = max(length / 2, 0.5)
    first = math.ceil(centre - half + side // 2)
    end = math.floor(centre + half + side // 2) + 1
    first = min(max(int(first), 0), int(side) - 1)
    return first, min(max(int(end), first + 1), int(side))
