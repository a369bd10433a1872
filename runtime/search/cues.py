"""The cues that tell where a lost target is: score, looks and colours."""

from typing import Any, Callable, Optional, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime import colour
from runtime.geometry import crop_into
from runtime.learner.classifier import Classifier
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.types import Seen

CUES = 3  # score, looks, colours: what their mean is of
LEARNT = 0.05  # share of a tracked frame's colours in the mean of all

Colours = Callable[[AnyFrame, np.ndarray], np.ndarray]


class ScoreLooksColour:
    """Mean of the score, of what the classifier says, and of the colours' similarity.

    The classifier learnt the target while it was tracked; it says about 1 for the target and -1 for
    all else. The colours' similarity is the Bhattacharyya coefficient of the box's histogram and
    that of the first frame, or of the frames in which the target was tracked, whichever is higher.

    Args:
        classifier: of the target; its owner begins it and lets it learn.
        colours: function (frame, state) that gives the histogram of a box.

    Attributes:
        colour: the target's histogram.
    """

    def __init__(self, classifier: Classifier, colours: Colours) -> None:
        self._classifier, self._colours = classifier, colours

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Take a new target; see ``Presence.begin``."""
        self.colour = self._colours(frame, state)
        self._recent = self._now = self.colour
        self._roots = np.sqrt(self.colour), np.sqrt(self._recent)
        self._tracked = 0  # frames since then in which the target was tracked

    def of(self, frame: AnyFrame, state: np.ndarray, seen: Seen, score: float) -> float:
        """What they say of a box; arguments as in ``Presence.watch``."""
        looks = float(self._classifier.judge(state[None], seen)[0])
        return self._mean(score + looks, frame, state)

    def best(
        self,
        frame: AnyFrame,
        states: np.ndarray,
        scores: Sequence[float],
        seen: Seen,
        needed: float,
    ) -> Tuple[int, float]:
        """The box for which the most speaks: its index, and what the cues say of it.

        No colours are read where even equal ones would not give what is needed. The answer is 0
        where no box has as much.

        Args:
            frame: of any kind.
            states: (n, 4) [cx, cy, w, h], frame pixels.
            scores: n of the network's.
            seen: the window.
            needed: the least that counts.
        """
        totals = np.array(scores, float) + self._classifier.judge(states, seen)
        chosen, most = 0, 0.0
        for index in np.argsort(-totals, kind="stable").tolist():
            if (totals[index] + 1.0) / CUES < max(needed, most):  # colours' similarity: at most 1
                break
            mean = self._mean(float(totals[index]), frame, states[index])
            if mean > most:
                chosen, most = index, mean
        return chosen, most

    def _mean(self, total: float, frame: AnyFrame, state: np.ndarray) -> float:
        """The mean, of the sum of score and looks."""
        self._learn_colours()
        self._now = self._colours(frame, state)
        root = np.sqrt(self._now)
        first, recent = self._roots
        total += max(float(first.dot(root)), float(recent.dot(root)))
        return min(max(0.0, total / CUES), 1.0)

    def learn(self) -> None:
        """The last box that was judged holds the target: learn its colours."""
        self._tracked += 1

    def _learn_colours(self) -> None:
        """Move the recent colours by ``LEARNT``, once for each frame since the last judgement."""
        if self._tracked:
            kept = (1 - LEARNT) ** self._tracked
            self._recent = self._now + (self._recent - self._now) * kept
            self._roots = self._roots[0], np.sqrt(self._recent)
            self._tracked = 0


class ColoursUnder:
    """The colours in boxes: called with (frame, state), it gives their ``histogram``.

    Args:
        network, kernels: crop the box; in C++ too where the kernels are compiled.

    Attributes:
        border: colour of the pixels outside the frame.
        project: of ``runtime.colour``, in C++ where the kernels are compiled.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        fast = colour.compiled(kernels)
        self._histogram: Any = fast.histogram if fast else colour.histogram
        self.project: Any = fast.project if fast else colour.project
        patch = np.zeros((3, colour.PATCH, colour.PATCH), np.uint8)
        self._crop, self._picture = crop_into(network, kernels, patch), patch.transpose(1, 2, 0)
        self.border = np.zeros(3, np.uint8)

    def __call__(self, frame: AnyFrame, state: np.ndarray) -> np.ndarray:
        """Of a frame of any kind and [cx, cy, w, h], frame pixels."""
        cx, cy, w, h = state.tolist()
        window = int(cx - w / 2), int(cy - h / 2), max(1, int(w)), max(1, int(h))
        self._crop(frame, window, self.border)
        return np.asarray(self._histogram(self._picture, colour.MIDDLE))
