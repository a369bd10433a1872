"""Decode anchor-based heads: every cell scores and moves several boxes of fixed shapes.

SiamRPN, SiamRPN++. Equations: Li et al., "High Performance Visual Tracking with Siamese
Region Proposal Network", CVPR 2018, section 3.1; an anchor at (ax, ay) of size (aw, ah) with deltas
dx, dy, dw, dh proposes

    centre = (ax + dx * aw, ay + dy * ah),   size = (aw * exp(dw), ah * exp(dh))

and the penalties are those of ``shared.voting.Vote``. Channels of the maps: scores (background of
every anchor, then target of every anchor), deltas (dx of every anchor, then dy, dw, dh).
"""

import math
import typing

import numpy as np

from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.votes import hanning_window, probability
from hotpath.runtime.decode.shared.family import Chosen, Family, Maps, Scale
from hotpath.runtime.decode.shared.keys import MAP_SIZE, STRIDE
from hotpath.runtime.decode.shared.voting import VOTE_KEYS, Vote

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

KEYS: typing.Dict[str, Keys] = {
    "head": {
        "stride": STRIDE,
        "map_size": MAP_SIZE,
        "ratios": Key(list, low=0.01, high=100),  # height by width of the anchors
        "scales": Key(list, (8.0,), low=0.01, high=1000),  # sides of the anchors, in strides
        "score": Key(str, "softmax", ("softmax", "sigmoid", "none")),
    },
    "tracking": VOTE_KEYS,
}


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shapes of the score map and the delta map."""
    size = network.map_size
    count = len(network.ratios) * len(network.scales)
    channels = 2 * count if network.score == "softmax" else count
    return (1, channels, size, size), (1, 4 * count, size, size)


def create(network: "Network", kernels: "CpuKernels") -> Family:
    """Make the decoder; it needs none of the kernels."""
    return Anchors(network)


def anchor_sizes(
    stride: float, ratios: "typing.Sequence[float]", scales: "typing.Sequence[float]"
) -> np.ndarray:
    """Widths and heights of the anchors, rounded as the authors round them.

    Args:
        stride: search pixels between two cells.
        ratios: height by width.
        scales: sides, in strides.

    Returns:
        (k, 2) float64, search pixels, ratio by ratio.
    """
    sizes: typing.List[typing.Tuple[float, float]] = []
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

    def __init__(self, network: "Network") -> None:
        sizes = anchor_sizes(network.stride, network.ratios, network.scales)
        window = np.tile(hanning_window(network.map_size), (len(sizes), 1, 1))
        super().__init__(network, window)
        self.sizes = sizes.T[:, :, None, None]  # (2, k, 1, 1)

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Pick the best anchor of all cells and move the target there.

        Args:
            maps: float32 (1, 2k or k, size, size) scores and (1, 4k, size, size) deltas.

        Returns:
            (best, score): index among (k, size, size) in row-major order, its probability.
        """
        score = probability(maps[0], self.network.score).reshape(self.window.shape)
        deltas = np.asarray(maps[1], np.float64).reshape((4,) + self.window.shape)
        widths, heights = self.sizes
        with np.errstate(all="ignore"):
            x = self.points_xy[0] + deltas[0] * widths
            y = self.points_xy[1] + deltas[1] * heights
            width, height = widths * np.exp(deltas[2]), heights * np.exp(deltas[3])
        return self.choose(score, x, y, width, height, state, scale, frame_width, frame_height)
