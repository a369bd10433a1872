"""How much speaks for it that a box holds the target.

    evidence = (score + looks + colour) / 3

- score: the network's, of the best cell, 0 to 1;
- looks: what the online classifier says (``runtime.learner``), which learnt the target while it was
  tracked: about 1 for the target and -1 for all else;
- colour: Bhattacharyya coefficient of the box's histogram and that of the first frame, or of the
  frames in which the target was tracked, whichever is higher.

The certainty (``runtime.loss``) knows no colour. A look-alike of another colour has a high
certainty and little evidence.
"""

from typing import Any, Callable, FrozenSet, Sequence, Tuple

import numpy as np

from runtime.learner.classifier import Classifier, View
from runtime.loss import KEPT
from runtime.pictures import AnyFrame

Colours = Callable[[AnyFrame, np.ndarray], np.ndarray]
LEARNT = 0.05  # share of a tracked frame's colours in the mean of all


class Evidence:
    """Judges boxes by what the target looked like.

    Args:
        classifier: of the target; its owner begins it and lets it learn.
        colours: function (frame, state) that gives the histogram of a box.
        parts: which of "classifier" and "colour" count, besides the score.

    Attributes:
        colour: the target's histogram.
        smoothed: evidence of the last frames in which the target was followed.
    """

    def __init__(self, classifier: Classifier, colours: Colours, parts: FrozenSet[str]) -> None:
        self._classifier, self._colours, self._parts = classifier, colours, parts
        self._count = 1 + len(parts & {"classifier", "colour"})  # of what the mean is of
        self._of_colour = float("colour" in parts)  # the most that it can be
        self.smoothed = 1.0

    def begin(self, frame: AnyFrame, state: np.ndarray) -> None:
        """Take a new target: [cx, cy, w, h], frame pixels."""
        self.smoothed = 1.0
        self.colour = self._colours(frame, state)
        self._recent = self._now = self.colour
        self._roots = np.sqrt(self.colour), np.sqrt(self._recent)
        self._tracked = 0  # frames since then in which the target was tracked

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
        total = score
        if "classifier" in self._parts:
            looks = self._classifier.judge(state[None], View(window, scale, features))
            total += float(looks[0])
        return self._mean(total, frame, state)

    def best(
        self,
        frame: AnyFrame,
        states: np.ndarray,
        scores: Sequence[float],
        view: View,
        needed: float,
    ) -> Tuple[int, float]:
        """The box for which the most speaks: its index and evidence.

        No colours are read where even equal ones would not give the evidence that is needed. The
        evidence is 0 where no box has as much.

        Args:
            frame: of any kind.
            states: (n, 4) [cx, cy, w, h], frame pixels.
            scores: n of the network's.
            view: the search region.
            needed: evidence.
        """
        totals = np.array(scores, float)
        if "classifier" in self._parts:
            totals += self._classifier.judge(states, view)
        chosen, most = 0, 0.0
        for index in np.argsort(-totals, kind="stable").tolist():
            if (totals[index] + self._of_colour) / self._count < max(needed, most):
                break
            evidence = self._mean(float(totals[index]), frame, states[index])
            if evidence > most:
                chosen, most = index, evidence
        return chosen, most

    def _mean(self, total: float, frame: AnyFrame, state: np.ndarray) -> float:
        """The evidence, of the sum of its other parts."""
        if "colour" in self._parts:
            self._learn_colours()
            self._now = self._colours(frame, state)
            root = np.sqrt(self._now)
            total += max(float(known.dot(root)) for known in self._roots)
        return min(max(0.0, total / self._count), 1.0)

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

    def smooth(self, evidence: float, frames: int = 1) -> float:
        """Take the evidence of a frame in which the target was followed; the smoothed one.

        Args:
            frames: how many frames ago evidence was taken before.
        """
        self.smoothed += (evidence - self.smoothed) * (1 - KEPT**frames)
        return self.smoothed
