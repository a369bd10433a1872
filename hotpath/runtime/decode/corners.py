"""Decode corner heads: the box's corners are the means of two heat maps.

STARK, HiT, MixFormerV2. Equations: Yan et al., "Learning Spatio-Temporal Transformer for Visual
Tracking", ICCV 2021, section 3.2. With p the softmax of a corner's map over all cells, the corner
lies at

    (sum of p * x, sum of p * y)

There is no window, no penalty and no smoothing. Many published graphs compute this themselves and
give the box (``output = "box"``): cx, cy, w, h as shares of the search region. Some give a score of
the box too (``output = "scored_box"``).
"""

import math
import typing

import numpy as np

from hotpath.base.errors import NO_SCORE
from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.votes import probability
from hotpath.runtime.decode.shared.family import Chosen, Family, Maps, Scale
from hotpath.runtime.decode.shared.keys import LARGEST_MAP, LIMITS
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.frames import geometry

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

KEYS: typing.Dict[str, Keys] = {
    "head": {
        # two heat maps, one map with two channels, the finished box, or the box and its score
        "output": Key(str, "two_maps", ("two_maps", "one_map", "box", "scored_box")),
        "score": Key(str, "sigmoid", ("sigmoid", "none"), when=("output", ("scored_box",))),
        # cells a side
        "map_size": Key(int, low=1, high=LARGEST_MAP, when=("output", ("two_maps", "one_map"))),
        # where in its cell a corner lies: 0 left and top (STARK-S), 0.5 the middle (-Lightning)
        "cell_centre": Key(float, low=0, high=1, when=("output", ("two_maps", "one_map"))),
    },
    "tracking": LIMITS,
}

BOXES = {"box": 1, "scored_box": 2}  # outputs without heat -> how many tensors they are


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shapes of both heat maps (top left, bottom right), or of the box and its score."""
    if network.output in BOXES:
        return ((1, 1, 4), (1, 1))[: BOXES[network.output]]
    size = network.map_size
    if network.output == "one_map":
        return ((1, 2, size, size),)
    return (1, 1, size, size), (1, 1, size, size)


def create(network: "Network", kernels: "CpuKernels") -> Family:
    """Make the decoder; it needs none of the kernels."""
    return Corners(network)


class Corners(Family):
    """Turns two heat maps into a box.

    Args:
        network: uses the keys above and ``search``.
    """

    def __init__(self, network: "Network") -> None:
        self.network = network
        if network.output not in BOXES:
            places = (np.arange(network.map_size) + network.cell_centre) / network.map_size
            self.places_x, self.places_y = np.meshgrid(places, places)  # shares of the region

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Take the mean corners as the new box.

        Args:
            maps: as ``shapes`` says, raw heat before the softmax.

        Returns:
            (best, score): index of the top left map's hottest cell, and the geometric mean of both
            maps' highest probabilities. Where the graph gives the box: 0, and its score, or 1.0
            if it has none.
        """
        best, score, (cx, cy, w, h) = self.box(maps)
        if not np.isfinite((cx, cy, w, h, score)).all():
            raise NetworkFailed(NO_SCORE, what="no score")
        side = self.network.search
        state[0] += (cx - 0.5) * side / scale[0]
        state[1] += (cy - 0.5) * side / scale[1]
        state[2] = w * side / scale[0]
        state[3] = h * side / scale[1]
        geometry.clamp_state(self.network, state, frame_width, frame_height)
        return best, score

    def box(self, maps: Maps) -> "typing.Tuple[int, float, typing.Sequence[float]]":
        """Return (best, score) as ``select``, and cx, cy, w, h as shares of the search region."""
        if self.network.output in BOXES:
            score = 1.0
            if self.network.output == "scored_box":
                score = probability(np.reshape(maps[1], (1, 1)), self.network.score).item()
            return 0, score, np.asarray(maps[0], np.float64).reshape(4).tolist()
        heat = np.concatenate([np.asarray(part, np.float64).ravel() for part in maps])
        first, second = heat.reshape((2,) + self.places_x.shape)
        x1, y1, top_left = self._mean(first)
        x2, y2, bottom_right = self._mean(second)
        box = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        return int(np.argmax(first)), math.sqrt(top_left * bottom_right), box

    def _mean(self, heat: np.ndarray) -> "typing.Tuple[float, float, float]":
        """Return the mean place (x, y) of one heat map, and its highest probability."""
        with np.errstate(invalid="ignore"):
            share = np.exp(heat - heat.max())
            share /= share.sum()
        x, y = (share * self.places_x).sum(), (share * self.places_y).sum()
        return float(x), float(y), float(share.max())
