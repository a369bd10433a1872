"""The cues that tell whether a box holds the target: score, appearance and colours."""

from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime.frames import colour
from hotpath.runtime.frames.geometry import KernelCrops
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.identity.learner.classifier import Classifier
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult

CUES = 3  # score, appearance, colours: their mean counts
COLOURS_LEARNT = 0.05  # share of a tracked frame's colours in the mean of all

Colours = Callable[[AnyFrame, np.ndarray], np.ndarray]


class Cues:
    """The mean of the score, the classifier's value and the similarity of colours.

    The classifier has learnt the target while it was tracked. Its value is about 1 for the target
    and -1 for everything else. The similarity of colours is the Bhattacharyya coefficient of the
    box's histogram and a reference. There are two references: the first frame, and the frames in
    which the target was tracked. The higher similarity counts.

    Args:
        classifier: ``Classifier`` of the target. Its owner starts it and lets it learn.
        colours: function (frame, state) that returns the histogram of a box.

    Attributes:
        certain: [cx, cy, w, h] in frame pixels, where the target was when it was last certain. The
            owner sets its values.
        colour: the target's histogram.
        appearance: the classifier's value of the last box that ``value`` judged.
        alike: the similarity of its colours.
        tracked: frames in which the box held the target, from the last judged box on. The owner
            counts them.
    """

    def __init__(self, classifier: Classifier, colours: Colours) -> None:
        self._classifier, self._colours = classifier, colours
        self.certain = np.ones(4)
        self.appearance = self.alike = 0.0

    def begin(self, frame: AnyFrame, state: np.ndarray, result: Optional[WindowResult]) -> None:
        """Start with a new target; see ``Identity.begin``."""
        self.colour = self._colours(frame, state)
        self._recent = self._now = self.colour
        self._roots = np.sqrt(self.colour), np.sqrt(self._recent)
        self.tracked = 0

    def value(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        result: WindowResult,
        score: float,
        appearance: Optional[float] = None,
    ) -> float:
        """Return the value of the cues for a box, 0 to 1.

        Args:
            frame: the frame, of any kind.
            state: float64 [cx, cy, w, h] of the box, frame pixels.
            result: the ``WindowResult`` of the window around it.
            score: the network's for the box, 0 to 1.
            appearance: the classifier's value for the box; None computes that of the window's best
                cell.
        """
        self.appearance = (
            float(self._classifier.appearance(result)[0]) if appearance is None else appearance
        )
        mean = self._mean(score + self.appearance, frame, state)
        self.alike = self._similar
        return mean

    def chances(self) -> Tuple[float, Optional[float]]:
        """What other objects reach by chance: the classifier's value, the similarity of colours."""
        classifier = self._classifier
        return classifier.negatives.chances(self._roots, classifier.ridge)

    def best_box(
        self,
        frame: AnyFrame,
        states: np.ndarray,
        scores: Sequence[float],
        appearance: np.ndarray,
        needed: float,
    ) -> Tuple[int, float]:
        """Return the index of the best box and the value of the cues for it.

        Colours are not read for a box that cannot reach ``needed`` even with equal colours. The
        value is 0 if no box reaches it.

        Args:
            frame: the frame, of any kind.
            states: (n, 4) [cx, cy, w, h], frame pixels.
            scores: n scores of the network.
            appearance: (n,), the classifier's values.
            needed: the smallest value that counts.
        """
        totals = np.array(scores, float) + appearance
        chosen, most = 0, 0.0
        for index in np.argsort(-totals, kind="stable").tolist():
            if (totals[index] + 1.0) / CUES < max(needed, most):  # colours' similarity: at most 1
                break
            mean = self._mean(float(totals[index]), frame, states[index])
            if mean > most:
                chosen, most = index, mean
        return chosen, most

    def _mean(self, total: float, frame: AnyFrame, state: np.ndarray) -> float:
        """Return the mean; ``total`` is the sum of score and appearance."""
        if self.tracked:  # the colours of the last box move the recent ones
            kept = (1 - COLOURS_LEARNT) ** self.tracked
            self._recent = self._now + (self._recent - self._now) * kept
            self._roots = self._roots[0], np.sqrt(self._recent)
            self.tracked = 0
        self._now = self._colours(frame, state)
        root = np.sqrt(self._now)
        first, recent = self._roots
        self._similar = max(float(first.dot(root)), float(recent.dot(root)))
        return min(max(0.0, (total + self._similar) / CUES), 1.0)


class BoxColours:
    """Computes the histogram of the colours in a box. Call it with (frame, state).

    Args:
        network, kernels: define and run the crop of the box, in C++ if the kernels are compiled.

    Attributes:
        border: colour of the pixels outside the frame, (3,) uint8, BGR.
    """

    def __init__(self, network: Network, kernels: CpuKernels) -> None:
        patch = np.zeros((3, colour.PATCH, colour.PATCH), np.uint8)
        self._crops = KernelCrops(network, kernels, patch, is_input=False)
        self._picture = patch.transpose(1, 2, 0)
        self.border = np.zeros(3, np.uint8)

    def __call__(self, frame: AnyFrame, state: np.ndarray) -> np.ndarray:
        """Return the histogram of the colours in a box: float64 (``colour.BINS``,), sum 1.

        Args:
            frame: the frame, of any kind.
            state: float64 [cx, cy, w, h], frame pixels. It may be partly or wholly outside.
        """
        cx, cy, w, h = state.tolist()
        window = int(cx - w / 2), int(cy - h / 2), max(1, int(w)), max(1, int(h))
        self._crops.window(frame, window, self.border)
        return colour.histogram(self._picture)
