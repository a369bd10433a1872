"""Decode point-based heads: every cell of the maps votes for one box around its own point.

NanoTrack and its relatives (SiamBAN, Ocean, LightTrack, FEAR, SiamFC++) differ only in the numbers
of their TOML. Equations: Chen et al., "Siamese Box Adaptive Network", CVPR 2020, section 3.4
(penalties after Li et al., "SiamRPN", CVPR 2018, section 3.5).

``Points`` is the definition; kernels/cpu has the same in C++, held to it.
"""

import numpy as np

from runtime.errors import NetworkFailed

NO_SCORE = (
    "the network gave no finite score; its file may be damaged, or its mean and scale wrong: run "
    "`python -m runtime.networks check`"
)


def create(network, kernels):
    """The compiled decoder where there is one, else the one below."""
    return kernels.points(network) or Points(network)


class Points:
    """Turns a score map and a distance map into one smoothed box.

    Args:
        network: uses ``score``, ``map_size``, ``stride``, ``penalty``, ``window``, ``lr`` and
            ``min_size``.
    """

    def __init__(self, network):
        self.network = network
        size, stride = network.map_size, network.stride
        ticks = (np.arange(size) - size // 2) * float(stride)
        self.points_xy = np.stack(np.meshgrid(ticks, ticks))  # (2, size, size), search pixels
        self.window = hanning_window(size)

    def select(self, maps, state, scale, frame_width, frame_height):
        """Pick the best cell and move the target there.

        Args:
            maps: (score map, distance map): float32 (1, 1 or 2, size, size), as ``network.score``
                says, and float32 (1, 4, size, size) distances left, top, right, bottom from the
                cell's point, in search pixels.
            state: float64 [cx, cy, w, h], centre and size in frame pixels; updated in place.
            scale: (x, y), search pixels per frame pixel.
            frame_width: frame pixels, the target stays within.
            frame_height: the same.

        Returns:
            (best, score): index of the winning cell in row-major order, its probability.

        Raises:
            NetworkFailed: no cell has a finite vote.
        """
        score = probability(np.asarray(maps[0], np.float64), self.network.score)
        left, top, right, bottom = np.asarray(maps[1], np.float64).reshape(4, *score.shape)
        x, y = self.points_xy
        with np.errstate(all="ignore"):  # what is not finite never wins
            width, height = left + right, top + bottom

            # penalise changes of size and aspect ratio since the last frame
            size = state[2:] * scale
            size_change = _change(_side(width, height) / _side(*size))
            ratio_change = _change((size[0] / size[1]) / (width / height))
            penalty = np.exp(-(ratio_change * size_change - 1) * self.network.penalty)

            # prefer cells near the last position
            influence = self.network.window
            votes = penalty * score * (1 - influence) + self.window * influence
        best = argmax(votes)

        # move there, and let the size follow as fast as the vote is sure
        cell = np.unravel_index(best, votes.shape)
        rate = penalty[cell] * score[cell] * self.network.lr
        state[0] += (x[cell] + (right[cell] - left[cell]) / 2) / scale[0]
        state[1] += (y[cell] + (bottom[cell] - top[cell]) / 2) / scale[1]
        state[2] += (width[cell] / scale[0] - state[2]) * rate
        state[3] += (height[cell] / scale[1] - state[3]) * rate
        clip(state, self.network.min_size, frame_width, frame_height)
        return best, float(score[cell])


def hanning_window(size):
    """The cosine window, (size, size) float64, 1 in the middle and 0 at the edges."""
    return np.outer(np.hanning(size), np.hanning(size))


def probability(score_map, kind):
    """(1, 1 or 2, h, w) raw scores -> (h, w) float64 probability of the target.

    Args:
        score_map: raw output of the network.
        kind: "softmax" (two channels, the second is the target), "sigmoid", or "none".
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == "softmax":
            other, target = score_map.reshape(2, *score_map.shape[-2:])
            return 1 / (1 + np.exp(other - target))
        raw = score_map.reshape(score_map.shape[-2:])
        return 1 / (1 + np.exp(-raw)) if kind == "sigmoid" else raw


def argmax(votes):
    """Index of the highest vote, row-major, the lowest on ties; what is not finite never wins.

    Raises:
        NetworkFailed: no vote is finite.
    """
    finite = np.where(np.isfinite(votes), votes, -np.inf)
    best = int(np.argmax(finite))
    if not np.isfinite(finite.flat[best]):
        raise NetworkFailed(NO_SCORE)
    return best


def clip(state, min_size, frame_width, frame_height):
    """Keep the centre inside the frame and the size between ``min_size`` and the frame's."""
    state[0] = min(max(state[0], 0.0), frame_width)
    state[1] = min(max(state[1], 0.0), frame_height)
    state[2] = max(min_size, min(state[2], frame_width))
    state[3] = max(min_size, min(state[3], frame_height))


def _change(ratio):
    """How far a ratio is from one, either way; at least 1."""
    return np.maximum(ratio, 1 / ratio)


def _side(width, height):
    """Side of the square that has the area of the box with its context."""
    context = (width + height) / 2
    return np.sqrt((width + context) * (height + context))
