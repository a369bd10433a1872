"""What the families share: scores, windows, and the vote of the SiamRPN line of trackers."""

import numpy as np

from kernels.golden import argmax
from runtime import geometry
from runtime.decode import Family
from runtime.networks.schema import LIMITS, key

# [tracking] of families whose cells vote for boxes
VOTE_KEYS = dict(
    LIMITS,
    penalty=key(float),  # weight of changes of size and ratio
    window=key(float, low=0, high=1),  # influence of the Hanning window
    lr=key(float, low=0, high=1),  # how fast the size follows
    # the size follows by (penalty * score * lr) to this power: 0 takes it as it is, 1 as SiamRPN,
    # 2 as Ocean and LightTrack, which smooth twice
    lr_power=key(int, 1, low=0, high=2),
)


class Vote(Family):
    """Cells that each propose a scored box; the best one after penalties wins.

    Equations: Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network",
    CVPR 2018, section 3.5; r = w / h, s = context side of a box, both against the last frame's:

        penalty = exp(-(max(r/r', r'/r) * max(s/s', s'/s) - 1) * k)
        vote    = penalty * score * (1 - influence) + hanning * influence

    Args:
        network: uses ``[tracking]``'s ``penalty``, ``window``, ``lr``, ``lr_power`` and limits.
        window: the cosine window, of the scores' shape.
    """

    def __init__(self, network, window):
        self.network = network
        self.window = window

    def choose(self, score, x, y, width, height, state, scale, frame_width, frame_height):
        """Move the target to the best proposal.

        Args:
            score: float64 probabilities, of any one shape.
            x, y, width, height: of that shape, proposed centres (from the search region's centre)
                and sizes, search pixels.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score) as ``Family.select``.
        """
        network = self.network
        with np.errstate(all="ignore"):  # what is not finite never wins
            # penalise changes of size and aspect ratio since the last frame
            size = state[2:] * scale
            size_change = _change(_side(width, height) / _side(*size))
            ratio_change = _change((size[0] / size[1]) / (width / height))
            penalty = np.exp(-(ratio_change * size_change - 1) * network.penalty)

            # prefer cells near the last position
            influence = network.window
            votes = penalty * score * (1 - influence) + self.window * influence
            best = argmax(votes)

            # move there, and let the size follow as fast as the vote is sure
            cell = np.unravel_index(best, votes.shape)
            rate = (penalty[cell] * score[cell] * network.lr) ** network.lr_power
            state[0] += x[cell] / scale[0]
            state[1] += y[cell] / scale[1]
            state[2] += (width[cell] / scale[0] - state[2]) * rate
            state[3] += (height[cell] / scale[1] - state[3]) * rate
        geometry.keep(network, state, frame_width, frame_height)
        return best, float(score[cell])


def ticks(size, stride):
    """Places of the cells of a map along one side, search pixels from the region's centre."""
    return (np.arange(size) - size // 2) * float(stride)


def probability(score_map, kind):
    """Raw scores -> float64 probabilities of the target, one channel a kind of box.

    Args:
        score_map: raw output of the network, (1, channels, h, w).
        kind: "softmax" (the second half of the channels is the target), "sigmoid", or "none".

    Returns:
        (h, w), or (k, h, w) where there are k > 1 kinds of box (anchors).
    """
    raw = np.asarray(score_map, np.float64)
    height, width = raw.shape[-2:]
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == "softmax":
            other, target = raw.reshape(2, -1, height, width)
            raw = 1 / (1 + np.exp(other - target))
        elif kind == "sigmoid":
            raw = 1 / (1 + np.exp(-raw))
    raw = raw.reshape(-1, height, width)
    return raw[0] if len(raw) == 1 else raw


def _change(ratio):
    """How far a ratio is from one, either way; at least 1."""
    return np.maximum(ratio, 1 / ratio)


def _side(width, height):
    """Side of the square that has the area of the box with its context."""
    context = (width + height) / 2
    return np.sqrt((width + context) * (height + context))
