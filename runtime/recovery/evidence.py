"""How much speaks for it that a box holds the target.

    evidence = score * likeness * colour, each 0 to 1

- score: the network's, of the best cell;
- likeness: cosine of the features under the box and those of the first frame, both less the mean of
  the first frame's search region;
- colour: Bhattacharyya coefficient of the box's histogram and that of the first frame, or of the
  frames in which the target was tracked, whichever is higher.

The certainty (``runtime.loss``) knows no colour. A look-alike of another colour has a high
certainty and little evidence.
"""

from typing import Any, Callable, FrozenSet

import numpy as np

from runtime.frames import AnyFrame
from runtime.loss import KEPT, cells_under
from runtime.networks import Network

Colours = Callable[[AnyFrame, np.ndarray], np.ndarray]
LEARNT = 0.05  # share of a tracked frame's colours in the mean of all


class Evidence:
    """Judges boxes by what the first frame showed.

    Args:
        network: uses ``stride``.
        compare: ``likeness`` of the kernels; it averages features.
        colours: function (frame, state) that gives the histogram of a box.
        parts: which of "likeness" and "colour" count, besides the score.

    Attributes:
        colour: the target's histogram.
        smoothed: evidence of the last frames in which the target was followed.
    """

    def __init__(
        self, network: Network, compare: Any, colours: Colours, parts: FrozenSet[str]
    ) -> None:
        self._network, self._compare, self._parts = network, compare, parts
        self._colours = colours
        self.smoothed = 1.0

    def begin(self, frame: AnyFrame, state: np.ndarray, features: Any, scale: Any) -> None:
        """Take a new target; arguments as in ``LossMonitor.begin``."""
        self.smoothed = 1.0
        self.colour = self._colours(frame, state)
        self._recent = self._now = self.colour
        self._mean = np.zeros(features.shape[1], np.float32)
        side = int(round(float(np.sqrt(features.shape[2]))))
        self._compare(features, (0, side), (0, side), None, self._mean)
        self._first = self._under(state, state, features, scale)

    def of(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        window: np.ndarray,
        score: float,
        features: Any,
        scale: Any,
    ) -> float:
        """The evidence for a box, 0 to 1.

        Args:
            frame: of any kind.
            state: the box, [cx, cy, w, h], frame pixels.
            window: centre of the search region, [cx, cy, ...].
            score: the network's.
            features, scale: as in ``LossMonitor.watch``.
        """
        value = score
        if "likeness" in self._parts:
            value *= max(0.0, float(self._under(state, window, features, scale) @ self._first))
        if "colour" in self._parts and value > 0:
            self._now = self._colours(frame, state)
            value *= max(
                float(np.sqrt(colour * self._now).sum()) for colour in (self.colour, self._recent)
            )
        return value

    def learn(self) -> None:
        """The last box that was judged holds the target: learn its colours."""
        self._recent = self._recent + (self._now - self._recent) * LEARNT

    def smooth(self, evidence: float) -> float:
        """Take the evidence of a frame in which the target was followed; the smoothed one."""
        self.smoothed += (evidence - self.smoothed) * (1 - KEPT)
        return self.smoothed

    def _under(
        self, state: np.ndarray, window: np.ndarray, features: Any, scale: Any
    ) -> np.ndarray:
        """The features under a box, less the mean, of length 1: float32 (channels,)."""
        x, y = (state[0] - window[0]) * scale[0], (state[1] - window[1]) * scale[1]
        rows, columns = cells_under(self._network, features, x, y, state, scale)
        pooled = np.zeros_like(self._mean)
        self._compare(features, rows, columns, None, pooled)
        pooled -= self._mean
        length = float(np.sqrt(pooled @ pooled))
        result: np.ndarray = pooled / length if length > 0 else pooled
        return result
