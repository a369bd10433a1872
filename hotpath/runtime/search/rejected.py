"""The rejected objects, which a search must not find again."""

import math
from typing import List, Sequence

import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.identity.learner.classifier import Classifier
from hotpath.runtime.network import Network
from hotpath.runtime.search.regions import HERE, REMEMBERED
from hotpath.runtime.types import Box, WindowResult

SAME = 0.2  # overlap from which a place shows the object: in wide windows places are coarse
MISSED = 3  # usual windows in succession that do not show an object, until it is forgotten


class Rejected:
    """Where the rejected objects are, as long as windows show them.

    Args:
        network: gives boxes for states.
        classifier: the target's, which tells whether a place still looks like it.
    """

    def __init__(self, network: Network, classifier: Classifier) -> None:
        self._network, self._classifier = network, classifier
        self.clear()

    def clear(self) -> None:
        """Forget all objects."""
        self._states: List[np.ndarray] = []
        self._missed: List[int] = []  # usual windows in succession that did not show it

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._states)

    @property
    def boxes(self) -> List[Box]:
        """Their boxes, frame pixels."""
        return [geometry.box_of(self._network, state) for state in self._states]

    def has(self, box: Box) -> bool:
        """Whether one of them is in a box, frame pixels."""
        return bool(self._states) and bool((overlaps([box], self.boxes) > SAME).any())

    def add(self, state: np.ndarray) -> None:
        """Take note of an object.

        Args:
            state: float64 [cx, cy, w, h], frame pixels. The array is not kept.
        """
        self._keep(state.copy(), 0)
        del self._states[:-REMEMBERED], self._missed[:-REMEMBERED]

    def rescale(self, factors: Sequence[float]) -> None:
        """Adapt to a new frame size; ``factors`` are those of ``Redetector.rescale``."""
        self._states = [state * factors for state in self._states]

    def look(self, kind: str, result: WindowResult) -> None:
        """Find the objects among the places of a window, and forget those that have left.

        Args:
            kind: of the window.
            result: its ``WindowResult``.
        """
        shares = overlaps([geometry.box_of(self._network, s) for s in result.states], self.boxes)
        before, missed = self._states, self._missed
        alike = None
        self.clear()
        for index, (state, misses) in enumerate(zip(before, missed)):
            nearest = int(np.argmax(shares[:, index]))
            if shares[nearest, index] > SAME:
                alike = self._classifier.appearance(result) if alike is None else alike
                if alike[nearest] > 0:
                    self._keep(np.array(result.states[nearest]), 0)
                    continue
            misses += kind == HERE and _is_near(state, result.around)
            if misses < MISSED:
                self._keep(state, misses)

    def _keep(self, state: np.ndarray, missed: int) -> None:
        if not self.has(geometry.box_of(self._network, state)):  # two have met
            self._states.append(state)
            self._missed.append(missed)


def _is_near(state: np.ndarray, around: np.ndarray) -> bool:
    """Whether the usual window around a state shows all of another one."""
    (x, y, _, _), (around_x, around_y, w, h) = state.tolist(), around.tolist()
    return math.hypot(x - around_x, y - around_y) <= math.sqrt(w * h)
