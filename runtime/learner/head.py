"""The online head: it chooses among the places that the network proposes.

MDNet (Nam and Han, CVPR 2016) classifies boxes that it draws around the last one. Here the network
proposes them (``runtime.learner.proposals``). The network gives each its box, in place of MDNet's
box regression. The classifier overrules the network where another place looks clearly more like
the target.
"""

from typing import Optional, Tuple

import numpy as np

from runtime.decode.shared.family import Maps
from runtime.learner.classifier import Classifier, View
from runtime.learner.proposals import Places

MARGIN = 0.5  # by which another place must look more like the target


class Head:
    """Overrules a decoder.

    Args:
        places: of the network.
        classifier: of the target.

    Attributes:
        rejected: (n, 4) states that were not chosen in the last frame, or None.
    """

    def __init__(self, places: Places, classifier: Classifier) -> None:
        self._places, self._classifier = places, classifier
        self.rejected: Optional[np.ndarray] = None

    def choose(
        self,
        maps: Maps,
        best: int,
        score: float,
        view: View,
        state: np.ndarray,
        frame_size: Tuple[int, int],
    ) -> float:
        """Move the target where it looks more like itself.

        Args:
            maps, best, score: arguments and results of the decoder's ``select``.
            view: of this frame; its centre is the state before ``select``.
            state: the state after it; updated in place.
            frame_size: (width, height), pixels.

        Returns:
            the network's score of the chosen place.
        """
        self.rejected = None
        others = self._places.others(maps, best, score, view, frame_size)
        if not others:
            return score
        states = np.array([state] + [place for place, _ in others])
        scores = [score] + [its_score for _, its_score in others]
        likeness = self._classifier.judge(states, view)
        chosen = int(np.argmax(likeness))
        if likeness[chosen] < likeness[0] + MARGIN:
            chosen = 0
        self.rejected = np.delete(states, chosen, axis=0)
        state[:] = states[chosen]
        return scores[chosen]
