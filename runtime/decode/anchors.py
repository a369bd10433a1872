"""Decode anchor-based heads: every cell scores and moves several boxes of fixed shapes.

SiamRPN, DaSiamRPN, SiamRPN++. Equations: Li et al., "High Performance Visual Tracking with Siamese
Region Proposal Network", CVPR 2018, section 3.1; an anchor at (ax, ay) of size (aw, ah) with deltas
dx, dy, dw, dh proposes

    centre = (ax + dx * aw, ay + dy * ah),   size = (aw * exp(dw), ah * exp(dh))

and the penalties are those of ``_votes.Vote``. Channels of the maps: scores (background of every
anchor, then target of every anchor), deltas (dx of every anchor, then dy, dw, dh).
"""

import math

import numpy as np

from kernels.golden import hanning_window
from runtime.decode._votes import VOTE_KEYS, Vote, probability, ticks
from runtime.networks.schema import key

KEYS = {
    "head": {
        "stride": key(int, low=1),  # search pixels a cell
        "map_size": key(int, low=1),  # cells a side
        "ratios": key(list, low=1e-6),  # height by width of the anchors
        "scales": key(list, (8.0,), low=1e-6),  # their sides, in strides
        "score": key(str, "softmax", ("softmax", "sigmoid", "none")),
    },
    "tracking": dict(
        VOTE_KEYS,
        window_power=key(float, 1.0, low=0),  # of the Hanning window; OpenCV's is its square root
    ),
}


def shapes(network):
    """Score map and delta map."""
    size, count = network.map_size, len(network.ratios) * len(network.scales)
    channels = 2 * count if network.score == "softmax" else count
    return (1, channels, size, size), (1, 4 * count, size, size)


def create(network, kernels):
    """The decoder; there is no compiled one."""
    return Anchors(network)


def anchor_sizes(stride, ratios, scales):
    """Widths and heights of the anchors in whole strides, as the authors round them.

    Returns:
        (k, 2) float64, search pixels, ratio by ratio.
    """
    sizes = []
    for ratio in ratios:
        width = int(math.sqrt(stride * stride / ratio))
        height = int(width * ratio)
        sizes.extend((width * scale, height * scale) for scale in scales)
    return np.array(sizes, np.float64)


class Anchors(Vote):
    """Turns a score map and a delta map into one smoothed box.

    Args:
        network: uses the keys above.
    """

    def __init__(self, network):
        sizes = anchor_sizes(network.stride, network.ratios, network.scales)
        window = hanning_window(network.map_size) ** network.window_power
        window = np.tile(window, (len(sizes), 1, 1))
        super().__init__(network, window)
        places = ticks(network.map_size, network.stride)
        self.points_xy = np.stack(np.meshgrid(places, places))  # (2, size, size), search pixels
        self.sizes = sizes.T[:, :, None, None]  # (2, k, 1, 1)

    def select(self, maps, state, scale, frame_width, frame_height):
        """Pick the best anchor of all cells and move the target there.

        Args:
            maps: float32 (1, 2k or k, size, size) scores and (1, 4k, size, size) deltas.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index among (k, size, size) in row-major order, its probability.

        Raises:
            NetworkFailed: no anchor has a finite vote.
        """
        score = probability(maps[0], self.network.score).reshape(self.window.shape)
        deltas = np.asarray(maps[1], np.float64).reshape((4,) + self.window.shape)
        widths, heights = self.sizes
        with np.errstate(all="ignore"):
            x = self.points_xy[0] + deltas[0] * widths
            y = self.points_xy[1] + deltas[1] * heights
            width, height = widths * np.exp(deltas[2]), heights * np.exp(deltas[3])
        return self.choose(
            score, x, y, width, height, state, scale, frame_width, frame_height
        )  # fmt: skip
