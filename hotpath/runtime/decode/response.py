"""Decode response maps: one map shows where the target is, at each of several scales.

SiamFC: Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016, section
3.1 (numbers: Huang, siamfc-pytorch). The network correlates. The responses of all scales are
up-sampled by a cubic; those of a changed size are damped. The highest peak selects the scale, and a
Hanning window is added to find the place:

    response = (1 - influence) * normalised response + influence * hanning / sum(hanning)
"""

import typing

import cv2
import numpy as np

from hotpath.base.toml_keys import Key, Keys
from hotpath.kernels.votes import argmax, hanning_window
from hotpath.runtime.decode.shared.family import Chosen, Family, Maps, Scale
from hotpath.runtime.decode.shared.keys import LARGEST_MAP, LARGEST_STRIDE

if typing.TYPE_CHECKING:
    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

KEYS: typing.Dict[str, Keys] = {
    "head": {
        # search pixels between two cells of the response
        "stride": Key(int, low=1, high=LARGEST_STRIDE),
        "map_size": Key(int, low=1, high=LARGEST_MAP),  # cells a side
        # how many times the response is enlarged before its peak is found
        "upsample": Key(int, 16, low=1, high=64),
    },
    "tracking": {
        "scales": Key(int, 3, low=1, high=99),  # how many sizes are tried in a frame; odd
        "scale_step": Key(float, low=1, high=2),  # between one size and the next
        "scale_penalty": Key(float, low=0, high=1),  # of responses that change the size
        "scale_lr": Key(float, low=0, high=1),  # how fast the size follows
        "window_influence": Key(float, low=0, high=1),  # influence of the Hanning window
        "min_size": Key(float, 1.0, low=0, high=1000),  # frame pixels
    },
}


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shape of the response."""
    return ((1, 1, network.map_size, network.map_size),)


def scales(network: "Network") -> "typing.Tuple[float, ...]":
    """Sizes of the windows that are searched, relative to the search region."""
    steps = np.arange(network.scales) - network.scales // 2  # [-1, 0, 1] for 3
    return tuple(network.scale_step ** float(step) for step in steps)


def create(network: "Network", kernels: "CpuKernels") -> "Siamese":
    """Make the decoder; it needs none of the kernels."""
    return Siamese(network)


class Siamese(Family):
    """SiamFC: the network correlates the exemplar with every scale.

    Args:
        network: uses the keys above.
    """

    def __init__(self, network: "Network") -> None:
        self.network, self.factors = network, scales(network)
        self._damping = [network.scale_penalty] * network.scales
        self._damping[network.scales // 2] = 1.0
        side = network.map_size * network.upsample
        window = hanning_window(side)
        self._window = (window * (network.window_influence / window.sum())).astype(np.float32)
        self._responses = np.zeros((network.scales, side, side), np.float32)
        self._votes = np.zeros((side, side), np.float32)
        self._peaks = np.zeros(network.scales)

    def among(
        self,
        maps: "typing.Sequence[Maps]",
        state: np.ndarray,
        scale: Scale,
        frame_width: int,
        frame_height: int,
    ) -> "typing.Tuple[np.ndarray, float]":
        """Select among the maps of all scales; returns (new state, score). See ``select``."""
        for index, response in enumerate(maps):
            self.look(index, response)
        place = state.copy()
        _, score = self.select((self._responses,), place, scale, frame_width, frame_height)
        return place, score

    def look(self, index: int, maps: Maps) -> Maps:
        """Up-sample one scale's response."""
        response = self._responses[index]
        small = maps[0].reshape(self.network.map_size, -1)
        cv2.resize(small, response.shape, dst=response, interpolation=cv2.INTER_CUBIC)
        self._peaks[index] = response.max() * self._damping[index]
        return (self._responses,)

    def select(
        self, maps: Maps, state: np.ndarray, scale: Scale, frame_width: int, frame_height: int
    ) -> Chosen:
        """Pick the scale with the highest peak, and the place in it.

        ``maps`` are float32 (scales, side, side), the up-sampled responses.

        Returns:
            (best, score): index of the place in the up-sampled map, and the sigmoid of the peak.
        """
        network = self.network
        chosen = argmax(self._peaks)
        response = maps[0][chosen]
        peak = float(self._peaks[chosen])

        # the place, near the last one when in doubt
        votes = np.subtract(response, response.min(), out=self._votes)
        share = (1 - network.window_influence) / (cv2.sumElems(votes)[0] + 1e-16)
        cv2.addWeighted(votes, share, self._window, 1.0, 0.0, dst=votes)
        best = argmax(votes)

        # displacement in the search region, then in the frame
        cell = np.array(np.unravel_index(best, response.shape)[::-1])
        moved = (cell - (len(response) - 1) / 2) * network.stride / network.upsample
        factor = self.factors[chosen]
        state[0] += moved[0] * factor / scale[0]
        state[1] += moved[1] * factor / scale[1]
        state[2:] *= (1 - network.scale_lr) + network.scale_lr * factor
        state[0] = min(max(state[0], 0.0), frame_width)
        state[1] = min(max(state[1], 0.0), frame_height)
        state[2:] = np.maximum(state[2:], network.min_size)
        return best, float(1 / (1 + np.exp(-peak)))
