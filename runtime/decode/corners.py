"""Decode corner heads: one heat map for each of two corners, whose means are the box.

STARK. Equations: Yan et al., "Learning Spatio-Temporal Transformer for Visual Tracking", ICCV 2021,
section 3.2. With p the softmax of a corner's map over all cells, the corner lies at

    (sum of p * x, sum of p * y)

No window, no penalty, no smoothing: the box is taken as it is. Many published graphs do this
themselves and give the box (``output = "box"``): cx, cy, w, h as shares of the search region.
"""

import math

import numpy as np

from kernels.errors import NO_SCORE
from runtime import geometry
from runtime.decode import Family
from runtime.errors import NetworkFailed
from runtime.networks.schema import LIMITS, key

KEYS = {
    "head": {
        # two heat maps, one map with two channels, or the finished box
        "output": key(str, "two_maps", ("two_maps", "one_map", "box")),
        "map_size": key(int, low=1, when=("output", ("two_maps", "one_map"))),  # cells a side
        # where in its cell a corner lies: 0 left and top (STARK-S), 0.5 the middle (-Lightning)
        "cell_centre": key(float, low=0, high=1, when=("output", ("two_maps", "one_map"))),
    },
    "tracking": LIMITS,
}


def shapes(network):
    """Both heat maps (top left, bottom right), or the box."""
    if network.output == "box":
        return ((1, 1, 4),)
    size = network.map_size
    if network.output == "one_map":
        return ((1, 2, size, size),)
    return (1, 1, size, size), (1, 1, size, size)


def create(network, kernels):
    """The decoder; there is no compiled one."""
    return Corners(network)


class Corners(Family):
    """Turns two heat maps into a box.

    Args:
        network: uses the keys above and ``search``.
    """

    def __init__(self, network):
        self.network = network
        if network.output != "box":
            places = (np.arange(network.map_size) + network.cell_centre) / network.map_size
            self.places_x, self.places_y = np.meshgrid(places, places)  # shares of the region

    def select(self, maps, state, scale, frame_width, frame_height):
        """Take the mean corners as the new box.

        Args:
            maps: as ``shapes`` says, raw heat before the softmax.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index of the top left map's hottest cell, and the geometric mean of both
            maps' highest probabilities; (0, 1.0) where the graph gives the box, which has no score.

        Raises:
            NetworkFailed: the box is not finite.
        """
        if self.network.output == "box":
            cx, cy, w, h = np.asarray(maps[0], np.float64).reshape(4)
            best, score = 0, 1.0
        else:
            heat = np.concatenate([np.asarray(part, np.float64).ravel() for part in maps])
            first, second = heat.reshape((2,) + self.places_x.shape)
            x1, y1, top_left = self._mean(first)
            x2, y2, bottom_right = self._mean(second)
            cx, cy, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
            best, score = int(np.argmax(first)), math.sqrt(top_left * bottom_right)
        if not np.isfinite((cx, cy, w, h)).all():
            raise NetworkFailed(NO_SCORE)
        side = self.network.search
        state[0] += (cx - 0.5) * side / scale[0]
        state[1] += (cy - 0.5) * side / scale[1]
        state[2] = w * side / scale[0]
        state[3] = h * side / scale[1]
        geometry.keep(self.network, state, frame_width, frame_height)
        return best, score

    def _mean(self, heat):
        """(x, y, highest probability) of the soft-argmax of one heat map."""
        with np.errstate(invalid="ignore"):
            share = np.exp(heat - heat.max())
            share /= share.sum()
        return (share * self.places_x).sum(), (share * self.places_y).sum(), float(share.max())
