"""The selection that the SiamRPN line of trackers uses."""

import typing

import numpy as np

from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.votes import argmax
from hotpath.runtime.decode.shared.family import Chosen, Family, Scale
from hotpath.runtime.decode.shared.keys import LIMITS
from hotpath.runtime.frames import geometry

if typing.TYPE_CHECKING:
    from hotpath.runtime.network import Network

# [tracking] of families whose cells propose boxes
VOTE_KEYS: Keys = dict(
    LIMITS,
    penalty=Key(float, low=0, high=100),  # weight of changes of size and ratio
    window_influence=Key(float, low=0, high=1),  # influence of the Hanning window
    size_lr=Key(float, low=0, high=1),  # how fast the size follows
    # the size follows by (penalty * score * lr) to this power: 0 takes it as it is, 1 as SiamRPN,
    # 2 as Ocean and LightTrack, which smooth twice
    size_lr_power=Key(int, 1, low=0, high=2),
)


class Vote(Family):
    """Each cell proposes a box with a score; the best proposal after penalties wins.

    Equations: Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network",
    CVPR 2018, section 3.5. With r = w / h and s = the side of a box with context, both relative to
    the last frame's box:

        penalty = exp(-(max(r/r', r'/r) * max(s/s', s'/s) - 1) * k)
        vote    = penalty * score * (1 - influence) + hanning * influence

    Args:
        network: uses ``[tracking]``'s ``penalty``, ``window``, ``size_lr``, ``size_lr_power`` and
        limits.
        window: the cosine window, of the scores' shape.
    """

    def __init__(self, network: "Network", window: np.ndarray) -> None:
        self.network = network
        self.window = window
        size = network.map_size  # places of the cells, search pixels from the region's centre
        places = (np.arange(size) - size // 2) * float(network.stride)
        self.points_xy = np.stack(np.meshgrid(places, places))  # (2, size, size)

    def choose(
        self,
        score: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        width: np.ndarray,
        height: np.ndarray,
        state: np.ndarray,
        scale: Scale,
        frame_width: int,
        frame_height: int,
    ) -> Chosen:
        """Move the target to the best proposal.

        Args:
            score: float64 probabilities, of any one shape.
            x, y, width, height: of that shape, proposed centres (from the search region's centre)
                and sizes, search pixels.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score) as ``Family.select``.

        Raises:
            NetworkFailed: no vote is finite.
        """
        network = self.network
        with np.errstate(all="ignore"):  # a vote that is not finite never wins
            # penalise changes of size and aspect ratio since the last frame
            size = state[2:] * scale
            size_change = _change(_side(width, height) / _side(*size))
            ratio_change = _change((size[0] / size[1]) / (width / height))
            penalty = np.exp(-(ratio_change * size_change - 1) * network.penalty)

            # prefer cells near the last position
            influence = network.window_influence
            votes = penalty * score * (1 - influence) + self.window * influence
            best = argmax(votes)

            # move there; the size follows faster the higher the score
            cell = np.unravel_index(best, votes.shape)
            rate = (penalty[cell] * score[cell] * network.size_lr) ** network.size_lr_power
            state[0] += x[cell] / scale[0]
            state[1] += y[cell] / scale[1]
            state[2] += (width[cell] / scale[0] - state[2]) * rate
            state[3] += (height[cell] / scale[1] - state[3]) * rate
        geometry.clamp_state(network, state, frame_width, frame_height)
        return best, float(score[cell])


def _change(ratio: np.ndarray) -> np.ndarray:
    """How far a ratio is from one, in either direction; at least 1."""
    return np.asarray(np.maximum(ratio, 1 / ratio))


def _side(width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Side of the square that has the area of the box with its context."""
    context = (width + height) / 2
    side: np.ndarray = np.sqrt((width + context) * (height + context))
    return side
