"""The online head: it chooses among the boxes that the network proposes.

MDNet (Nam and Han, CVPR 2016) classifies boxes that it draws around the last one. Here the network
proposes them, each with its own size. The classifier overrules the network where another box looks
clearly more like the target.
"""

import copy
from typing import List, Optional, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime import decode
from runtime.learner.classifier import Classifier
from runtime.network import Network
from runtime.types import View

MARGIN = 0.5  # by which another box must look more like the target
MOST = 2  # proposals besides the best one
APART = 3  # cells around a proposal in which there is no other
SHARE = 0.5  # of the best one's score, that another one must have
HIDDEN = -50.0  # raw score of a cell that cannot win


class Proposals:
    """Selects again and again, each time without the cells around what it found.

    Args:
        network: of the family ``points``; with others nothing is found.
        kernels: see ``kernels.cpu.binding``.

    Attributes:
        decoder: the network's without its window: a target may be anywhere.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._network = network
        anywhere = copy.copy(network)
        anywhere.window = 0.0
        self.decoder = decode.create(anywhere, kernels)

    def others(
        self, best: int, score: float, view: View, frame_size: Tuple[int, int]
    ) -> List[Tuple[np.ndarray, float]]:
        """(state, score) of further boxes, apart from the best one and from one another.

        Args:
            best, score: what ``Family.select`` gave.
            view: what it was given; the maps are not changed.
            frame_size: (width, height), pixels.
        """
        if self._network.family != "points":
            return []
        side = self._network.map_size
        maps = view.maps
        scores = np.array(maps[0], np.float32).reshape(1, -1, side, side)
        rest = tuple(maps[1:])
        found: List[Tuple[np.ndarray, float]] = []
        for _ in range(MOST):
            self._hide(scores, *divmod(best, side))
            state = view.centre.copy()
            best, its_score = self.decoder.select((scores,) + rest, state, view.scale, *frame_size)
            if not its_score >= SHARE * score:
                break
            found.append((state, float(its_score)))
        return found

    def _hide(self, scores: np.ndarray, row: int, column: int) -> None:
        """Let no cell around (row, column) win."""
        rows = slice(max(0, row - APART + 1), row + APART)
        columns = slice(max(0, column - APART + 1), column + APART)
        scores[0, :-1, rows, columns] = 0.0
        scores[0, -1, rows, columns] = 0.0 if self._network.score == "none" else HIDDEN


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
