"""Decode centre heads: a score of the target's centre, its place in the cell, and its size.

OSTrack, VitTrack, LightFC. Equations: Ye et al., "Joint Feature Learning and Relation Modeling for
Tracking", ECCV 2022, section 3.3 (after CornerNet and CenterNet); n cells a side, the best cell
(i, j) of score times Hanning window, all as shares of the search region:

    centre = ((j + offset_x) / n, (i + offset_y) / n),   size = (size_x, size_y)

The target takes this size at once. With ``size_lr`` and ``score_power`` it takes a share of the
change: ``size_lr`` times the score to that power. With ``vote = "blend"`` the window is averaged
with the score, as in the family ``points``, instead of multiplied.
"""

import typing

import numpy as np

from hotpath.base.errors import NO_SCORE
from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.settings import CentreSettings
from hotpath.kernels.votes import argmax, inner_hanning_window, probability
from hotpath.runtime.decode.shared.family import Chosen, Family, Maps, Scale, compiled_or_definition
from hotpath.runtime.decode.shared.keys import LIMITS, MAP_SIZE
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.frames import geometry

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

KEYS: typing.Dict[str, Keys] = {
    "head": {
        "map_size": MAP_SIZE,
        "score": Key(str, "none", ("sigmoid", "none")),
    },
    "tracking": dict(
        LIMITS,
        min_score=Key(float, 0.0, low=0, high=1),  # below it the target stays where it was
        vote=Key(str, "product", ("product", "blend")),  # of score and Hanning window
        window_influence=Key(float, low=0, high=1, when=("vote", ("blend",))),  # its share
        size_lr=Key(
            float, 1.0, low=0, high=1
        ),  # share of the new size in the target's, at a score of 1
        score_power=Key(int, 0, low=0, high=2),  # of the score in that share
        # what the search region is centred on: the target, or the window in whole pixels
        relative_to=Key(str, "target", ("target", "window")),
    ),
}


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shapes of the score map, the size map and the offset map."""
    size = network.map_size
    return (1, 1, size, size), (1, 2, size, size), (1, 2, size, size)


def create(network: "Network", kernels: "CpuKernels") -> Family:
    """Make the decoder; it selects in C++ if the kernels are compiled."""
    return compiled_or_definition(Centre(network), kernels, centre_settings(network))


def centre_settings(network: "Network") -> CentreSettings:
    """The numbers of ``select`` that the kernels take."""
    return CentreSettings(
        size=network.map_size,
        score=network.score,
        min_score=network.min_score,
        relative_to=network.relative_to,
        window=geometry.window_settings(network),
        limits=geometry.box_limits(network),
        size_lr=network.size_lr,
        power=network.score_power,
        influence=network.window_influence if network.vote == "blend" else -1.0,
    )


class Centre(Family):
    """Turns score, size and offset maps into a box.

    Args:
        network: uses the keys above, ``search`` and the window's keys.
    """

    def __init__(self, network: "Network") -> None:
        self.network = network
        self.window = inner_hanning_window(network.map_size)

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Pick the best cell and take its box.

        Args:
            maps: float32 (1, 1, n, n) scores, (1, 2, n, n) sizes, (1, 2, n, n) offsets.

        Returns:
            (best, score): index of the winning cell, and its score; with ``vote = "product"``
            times the window.
        """
        network, cells = self.network, self.network.map_size
        scores = probability(maps[0], network.score)
        is_product = network.vote == "product"
        if is_product:
            votes = scores * self.window
        else:
            votes = scores * (1 - network.window_influence) + self.window * network.window_influence
        best = argmax(votes)
        row, column = divmod(best, cells)
        score = float((votes if is_product else scores)[row, column])
        if score < network.min_score:
            return best, score
        size = np.asarray(maps[1], np.float64).reshape(2, cells, cells)[:, row, column]
        offset = np.asarray(maps[2], np.float64).reshape(2, cells, cells)[:, row, column]
        if not (np.isfinite(size).all() and np.isfinite(offset).all()):
            raise NetworkFailed(NO_SCORE, what="no score")

        if network.relative_to == "window":
            (x0, y0, width, height), _ = geometry.search_window(network, state)
            state[0], state[1] = x0 + width / 2, y0 + height / 2
        side = network.search
        state[0] += ((column + offset[0]) / cells - 0.5) * side / scale[0]
        state[1] += ((row + offset[1]) / cells - 0.5) * side / scale[1]
        rate = network.size_lr * scores[row, column] ** network.score_power
        for axis in (0, 1):
            length = size[axis] * side / scale[axis]
            before = state[2 + axis]
            state[2 + axis] = length if rate == 1 else before + (length - before) * rate
        geometry.clamp_state(network, state, frame_width, frame_height)
        return best, score
