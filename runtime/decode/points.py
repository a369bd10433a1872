"""Decode point-based heads: every cell of the maps votes for one box around its own point.

NanoTrack, SiamBAN, SiamFC++, Ocean, LightTrack and FEAR differ only in the numbers of their TOML.
Equations: Chen et al., "Siamese Box Adaptive Network", CVPR 2020, section 3.4, with the penalties
of SiamRPN (``_votes.Vote``). A cell at (px, py) with distances l, t, r, b proposes

    centre = (px + (r - l) / 2, py + (b - t) / 2),   size = (l + r, t + b)

A third map says how good a cell's box is: Xu et al., "SiamFC++", AAAI 2020 (``product``: it is
multiplied with the score); Zhang et al., "Ocean", ECCV 2020, section 3.3 (``blend``: an
object-aware second score, weighed with the first).

``Points`` is the definition; kernels/cpu has the plain case in C++, held to it.
"""

import numpy as np

from kernels.golden import hanning_window
from kernels.settings import PointsSettings
from runtime.decode import Family
from runtime.decode._votes import VOTE_KEYS, Vote, probability, ticks
from runtime.networks.schema import key

KEYS = {
    "head": {
        "stride": key(int, low=1),  # search pixels a cell
        "map_size": key(int, low=1),  # cells a side
        "score": key(str, "softmax", ("softmax", "sigmoid", "none")),  # of the score map
        "quality": key(str, "none", ("none", "product", "blend")),  # a third map, through a sigmoid
        "quality_share": key(float, low=0, high=1, when=("quality", ("blend",))),
        "inclusive": key(bool, False),  # distances reach to pixel centres: a box is 1 px wider
    },
    "tracking": VOTE_KEYS,
}


def shapes(network):
    """Score map, distance map, and the quality map where there is one."""
    size = network.map_size
    score = (1, 2 if network.score == "softmax" else 1, size, size)
    quality = () if network.quality == "none" else ((1, 1, size, size),)
    return (score, (1, 4, size, size)) + quality


def create(network, kernels):
    """The compiled decoder where there is one for this case, else the one below."""
    plain = (
        network.quality == "none"
        and not network.inclusive
        and network.lr_power == 1
        and network.clip == "centre"
        and network.box_pixels == "exact"
    )
    compiled = kernels.points(points_settings(network)) if plain else None
    return Compiled(compiled) if compiled else Points(network)


def points_settings(network):
    """The numbers of select that the kernels take: ``kernels.settings.PointsSettings``."""
    return PointsSettings(
        size=network.map_size,
        stride=network.stride,
        penalty=network.penalty,
        influence=network.window,
        rate=network.lr,
        min_size=network.min_size,
        score=network.score,
    )


class Compiled(Family):
    """The kernels' decoder, held to ``Points``."""

    def __init__(self, compiled):
        self._compiled = compiled

    def select(self, maps, state, scale, frame_width, frame_height):
        """As ``Points.select``."""
        return self._compiled.select(maps, state, scale, frame_width, frame_height)


class Points(Vote):
    """Turns a score map and a distance map into one smoothed box.

    Args:
        network: uses the keys above.
    """

    def __init__(self, network):
        super().__init__(network, hanning_window(network.map_size))
        places = ticks(network.map_size, network.stride)
        self.points_xy = np.stack(np.meshgrid(places, places))  # (2, size, size), search pixels

    def select(self, maps, state, scale, frame_width, frame_height):
        """Pick the best cell and move the target there.

        Args:
            maps: float32 (1, 1 or 2, size, size) scores; (1, 4, size, size) distances left, top,
                right, bottom from the cell's point, in search pixels; and the quality's
                (1, 1, size, size).
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index of the winning cell in row-major order, its probability.

        Raises:
            NetworkFailed: no cell has a finite vote.
        """
        score = self._score(maps)
        left, top, right, bottom = np.asarray(maps[1], np.float64).reshape(4, *score.shape)
        x, y = self.points_xy
        extra = 1.0 if self.network.inclusive else 0.0
        with np.errstate(invalid="ignore"):
            x, y = x + (right - left) / 2, y + (bottom - top) / 2
            width, height = left + right + extra, top + bottom + extra
        return self.choose(
            score, x, y, width, height, state, scale, frame_width, frame_height
        )  # fmt: skip

    def _score(self, maps):
        network = self.network
        score = probability(maps[0], network.score)
        if network.quality == "none":
            return score
        quality = probability(maps[2], "sigmoid")
        if network.quality == "product":
            return score * quality
        return (1 - network.quality_share) * score + network.quality_share * quality
