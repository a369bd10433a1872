"""The online head: it chooses among the boxes that the network proposes.

MDNet (Nam and Han, CVPR 2016) classifies boxes that it draws around the last one. Here the network
proposes them, each with its own size. The classifier overrules the network where another box looks
clearly more like the target.
"""

from typing import Optional, Tuple

import numpy as np

from runtime.learner.classifier import Classifier
from runtime.learner.proposals import Proposals
from runtime.types import View

MARGIN = 0.5  # by which another box must look more like the target


class Head:
    """Overrules a decoder.

    Args:
        proposals: of the network.
        classifier: of the target.

    Attributes:
        rejected: (n, 4) states that were not chosen in the last frame, or None.
    """

    def __init__(self, proposals: Proposals, classifier: Classifier) -> None:
        self._proposals, self._classifier = proposals, classifier
        self.rejected: Optional[np.ndarray] = None

    def choose(
        self, best: int, score: float, view: View, state: np.ndarray, frame_size: Tuple[int, int]
    ) -> float:
        """Move the target where it looks more like itself.

        Args:
            best, score: results of the decoder's ``select``.
            view: what it was given.
            state: the state after it; updated in place.
            frame_size: (width, height), pixels.

        Returns:
            the network's score of the chosen box.
        """
        self.rejected = None
        others = self._proposals.others(best, score, view, frame_size)
        if not others:
            return score
        states = np.array([state] + [place for place, _ in others])
        scores = [score] + [its_score for _, its_score in others]
        looks = self._classifier.judge(states, view)
        chosen = int(np.argmax(looks))
        if looks[chosen] < looks[0] + MARGIN:
            chosen = 0
        self.rejected = np.delete(states, chosen, axis=0)
        state[:] = states[chosen]
        return scores[chosen]
