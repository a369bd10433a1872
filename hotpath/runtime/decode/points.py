"""Decode point-based heads: each cell of the maps proposes one box around its own point.

NanoTrack, SiamBAN, SiamFC++, Ocean, LightTrack and FEAR differ only in the numbers of their TOML.
Equations: Chen et al., "Siamese Box Adaptive Network", CVPR 2020, section 3.4, with the penalties
of SiamRPN (``shared.voting.Vote``). A cell at (px, py) with distances l, t, r, b proposes

    centre = (px + (r - l) / 2, py + (b - t) / 2),   size = (l + r, t + b)

A network that also gives the quality of each box, such as SiamFC++, puts it into the score in its
export, with ``score = "none"``.

``Points`` is the definition. kernels/cpu computes it in C++, and tests compare the two.
"""

import typing

import numpy as np

from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.settings import PointsSettings
from hotpath.kernels.votes import hanning_window, probability
from hotpath.runtime.decode.shared.family import Chosen, Family, Maps, Scale, compiled_or_definition
from hotpath.runtime.decode.shared.keys import MAP_SIZE, STRIDE
from hotpath.runtime.decode.shared.voting import VOTE_KEYS, Vote
from hotpath.runtime.frames import geometry

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

KEYS: typing.Dict[str, Keys] = {
    "head": {
        "stride": STRIDE,
        "map_size": MAP_SIZE,
        "score": Key(str, "softmax", ("softmax", "sigmoid", "none")),  # of the score map
    },
    "tracking": VOTE_KEYS,
}


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shapes of the score map and the distance map."""
    size = network.map_size
    score = (1, 2 if network.score == "softmax" else 1, size, size)
    return score, (1, 4, size, size)


def create(network: "Network", kernels: "CpuKernels") -> Family:
    """Make the decoder; it selects in C++ if the kernels are compiled."""
    return compiled_or_definition(Points(network), kernels, points_settings(network))


def points_settings(network: "Network") -> PointsSettings:
    """The numbers of ``select`` that the kernels take."""
    return PointsSettings(
        size=network.map_size,
        stride=network.stride,
        penalty=network.penalty,
        window_influence=network.window_influence,
        size_lr=network.size_lr,
        power=network.size_lr_power,
        score=network.score,
        limits=geometry.box_limits(network),
    )


class Points(Vote):
    """Turns a score map and a distance map into one smoothed box.

    Args:
        network: uses the keys above.
    """

    def __init__(self, network: "Network") -> None:
        super().__init__(network, hanning_window(network.map_size))

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Pick the best cell and move the target there.

        Args:
            maps: float32 (1, 1 or 2, size, size) scores; (1, 4, size, size) distances left, top,
                right, bottom from the cell's point, in search pixels.

        Returns:
            (best, score): index of the winning cell in row-major order, its probability.
        """
        score = probability(maps[0], self.network.score)
        left, top, right, bottom = np.asarray(maps[1], np.float64).reshape(4, *score.shape)
        x, y = self.points_xy
        with np.errstate(invalid="ignore"):
            x, y = x + (right - left) / 2, y + (bottom - top) / 2
            width, height = left + right, top + bottom
        return self.choose(score, x, y, width, height, state, scale, frame_width, frame_height)
