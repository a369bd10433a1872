"""The proof that an object which is followed after a loss is the target.

As long as a target is followed without a loss, its continuous way says that it is the same object.
After a loss nothing says so but its looks. So an object that is followed again is a suspect at
first. The target stays ``lost``, and nothing is learnt, until the suspect is proven. The value that
proves it (``ScoreLooksColour.proof``) has no part of the network's score, which is high for each
object of the target's kind. 0 is what other objects reach by chance, and 1 is the target's own
value. Looks prove, and other colours deny.

The mean over a suspect's frames counts, and not its best frames: who is followed long enough looks
like the target once. It must reach a share of what the target itself reached while it was tracked,
because a target that changes its shape never looks quite like itself.

A find is on probation at first: nothing is learnt, lest a wrong one teach the classifier another
object. What the object proves until then says how likely it is the target; later values would only
repeat what was learnt from it.
"""

import math
from collections import deque
from typing import Deque

FEWEST_FRAMES, MOST_FRAMES = 2, 30  # frames of a suspect that its mean is of
USUAL, LEARNT = 0.75, 0.1  # the target's own mean at first; share of a judged frame in it
RECENT = 0.3  # the same share for what is claimed now
STRICT = 15  # frames that a strict proof takes at least
MOST_STEP = 0.2  # by how much a frame differs from it at most: a target that leaves is hardly seen
PROBATION = 60  # frames after a find
LOWEST, HIGHEST = 0.8, 1.15  # bounds of what is needed, in parts of what a usual target needs
# logistic curve from ``Proof.worth`` to the probability, by kestrel's films
LIKELY_SLOPE, LIKELY_MIDDLE = 17.0, 0.82


class Proof:
    """Judges one target's suspects.

    Args:
        share: of the target's own mean, that a suspect's mean must reach. With 0 each suspect
            passes at once.
        fewest: frames that a proof takes at least.
        drift: share of the target's own mean, below which what is claimed is another thing.

    Attributes:
        asks: whether a suspect must be proven.
        pending: whether a suspect is followed that is not proven yet.
        own: mean of the target's own values.
        recent: mean of the values of the box that is claimed.
        probation: frames for which nothing is learnt from the last find.
        worth: mean strict value of the last find until its probation ended, in parts of the
            target's own mean; infinite without a find.
        likely: probability that the last find is the target, 0 to 1; 1 without a find.
    """

    def __init__(self, share: float, fewest: int = FEWEST_FRAMES, drift: float = 0.0) -> None:
        self.asks = share > 0
        self._share, self._fewest, self._drift = share, fewest, drift
        self._own = self._needed = 0.0
        self._values: Deque[float] = deque(maxlen=MOST_FRAMES)
        self._stricts: Deque[float] = deque(maxlen=MOST_FRAMES)
        self.begin()

    def begin(self) -> None:
        """Begin with a new target."""
        self.own = self.recent = USUAL
        self.probation = 0
        self._weigh(math.inf)
        self._count = 0
        self.reject()

    def _weigh(self, worth: float) -> None:
        self.worth = worth
        self.likely = 1.0 / (1.0 + math.exp(LIKELY_SLOPE * (LIKELY_MIDDLE - max(worth, 0.0))))

    def learn(self, value: float) -> None:
        """Learn the value of a tracked target, before the classifier learns this frame."""
        if not self.probation:
            self.own += min(max(value - self.own, -MOST_STEP), MOST_STEP) * LEARNT

    def drifted(self, value: float, strict: float) -> bool:
        """Take the values of a claimed box; returns whether it left the target some frames ago.

        ``strict`` is as for ``add``.
        """
        if self.probation:
            self._count += 1
            self._weigh(self.worth + (strict / self._own - self.worth) / self._count)
        self.recent += (value - self.recent) * RECENT
        return self.recent < self._drift * self.own

    def settle(self, claimed: bool) -> None:
        """End a frame in which the target was followed, and claimed or not."""
        self.probation = max(self.probation - 1, 0) if claimed else 0

    def reject(self) -> None:
        """Drop the suspect. Its values are no evidence for the next one."""
        self.pending = False
        self._values.clear()
        self._stricts.clear()

    def add(self, value: float, strict: float) -> bool:
        """Add a frame of the suspect; returns whether it is proven.

        ``strict`` is the value of a strict proof, which counts for ``worth`` alone.
        """
        if not self.pending:
            self._own = min(max(self.own, LOWEST * USUAL), HIGHEST * USUAL)
            self._needed = self._share * self._own
        self.pending = True
        self._values.append(value)
        self._stricts.append(strict)
        count, total = len(self._values), sum(self._values)
        if self._needed > 0 and not (count >= self._fewest and total >= count * self._needed):
            return False
        self.recent = self.own
        if self.asks:
            self.probation, self._count = PROBATION, count
            self._weigh(sum(self._stricts) / count / self._own)
        self.reject()
        return True
