"""A second exemplar that is refreshed while the target is followed: MixFormerV2, STARK-ST.

Both exemplars are one input of the network's exemplar part. The rule is the authors', with the keys
``refresh_every``, ``refresh_above`` and ``refresh_from`` of the TOML. A frame crops at most one
exemplar, and runs the exemplar part at most once.
"""

from typing import Any, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime import geometry
from runtime.engines.base import Engine
from runtime.network import Network
from runtime.pictures import AnyFrame


class Exemplars:
    """Both exemplars of a target, and the crop that takes the place of the second one.

    Args:
        network: the ``Network``.
        like: the engine's input for both.
        kernels: that crop.

    Attributes:
        pictures: (2, 3, side, side), as the engine's input.
    """

    def __init__(self, network: Network, like: Any, kernels: Kernels) -> None:
        self._network = network
        self.pictures, self._next = np.zeros_like(like), np.zeros_like(like[:1])
        self._crop_next = geometry.packed_into(network, kernels, self._next)
        self._frames, self._highest = 0, 0.0

    def begin(self, frame: AnyFrame, state: np.ndarray, border: np.ndarray) -> None:
        """Take the exemplar of the first frame as both."""
        self._crop(frame, state, border)
        self.pictures[...] = self._next
        self._frames, self._highest = 0, self._network.refresh_above

    def follow(self, frame: AnyFrame, state: np.ndarray, border: np.ndarray, score: float) -> bool:
        """Take a frame in which the target was found with ``score``.

        Returns:
            whether the second exemplar has changed.
        """
        network = self._network
        self._frames += 1
        is_due = self._frames % network.refresh_every == 0
        keeps_best = network.refresh_from == "best"
        if score > self._highest and (is_due or keeps_best):
            self._crop(frame, state, border)
            self._highest = score
        if not is_due:
            return False
        first, second = self.pictures[:1], self.pictures[1:]
        if self._highest <= network.refresh_above and keeps_best:
            self._next[...] = first
        self._highest = network.refresh_above
        if np.array_equal(self._next, second):
            return False
        second[...] = self._next
        return True

    def features(self, engine: Engine) -> Tuple[Any, ...]:
        """Run the exemplar part on both."""
        engine.exemplar_crop[...] = self.pictures
        return engine.exemplar()

    def _crop(self, frame: AnyFrame, state: np.ndarray, border: np.ndarray) -> None:
        self._crop_next(frame, geometry.exemplar_window(self._network, state), border)
