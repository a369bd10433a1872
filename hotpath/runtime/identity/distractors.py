"""The distractors beside a target, whose trajectories reveal a swap.

Where two objects of a kind meet, one hides the other, and the box may continue on the wrong one.
That one is close to the last box, looks alike and scores well, so no cue of a single frame reveals
the swap. The trajectories of both do: before they met, the distractor was another peak of the
windows around the target.
"""

import math
from typing import Any, List, Sequence, Tuple

import numpy as np

from hotpath.runtime.identity.identity import RECENT

APART = 0.5  # sizes between two places that show different objects
STRAY = 0.2  # sizes away from the target's trajectory, from which on a swap is possible
FEWEST = 3  # frames in which a distractor was seen; in succession in which it may be unseen
CLEAR = 0.25  # score that a distractor had at least once, and that the box has after a swap

Place = Tuple[float, float, float]  # x, y of the centre, frame pixels; score


class Trajectory:
    """The trajectory of an object: its last place, and its velocity in pixels per frame."""

    def __init__(self, place: Place) -> None:
        self._x, self._y, self.score = place
        self._dx = self._dy = 0.0
        self.frames, self.unseen = 1, 0

    def away(self, place: Place) -> float:
        """Return how far a place is from the one where the object is expected now, pixels."""
        passed = self.unseen + 1
        x, y, _ = place
        return math.hypot(x - self._x - self._dx * passed, y - self._y - self._dy * passed)

    def step(self, place: Place) -> None:
        """Take the place in a frame."""
        passed = self.unseen + 1
        x, y, score = place
        self._dx += ((x - self._x) / passed - self._dx) * RECENT
        self._dy += ((y - self._y) / passed - self._dy) * RECENT
        self._x, self._y, self.score = x, y, max(score, self.score)
        self.frames, self.unseen = self.frames + 1, 0


class Distractors:
    """The other objects in the windows around a target, from frame to frame.

    Example:
        >>> distractors, swaps = Distractors(), []
        >>> for x in range(100, 160, 10):  # the target comes from the left, another one waits
        ...     states = np.array([[x, 50.0, 20.0, 20.0], [160.0, 50.0, 20.0, 20.0]])
        ...     swaps.append(distractors.took_box(states, [0.8, 0.7], 0))
        >>> swaps.append(distractors.took_box(states[1:], [0.7], 0))  # the target is hidden
        >>> swaps
        [False, False, False, False, False, False, True]
    """

    def __init__(self) -> None:
        self._target: Any = None  # its ``Trajectory``, since it has distractors
        self._others: List[Trajectory] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._others)

    def took_box(self, states: np.ndarray, scores: Sequence[float], chosen: int) -> bool:
        """Take the places of a frame; returns whether the box goes on where a distractor went.

        Args:
            states: float64 (n, 4) [cx, cy, w, h], frame pixels.
            scores: their n scores.
            chosen: index of the place that is followed.
        """
        places = [(x, y, score) for (x, y, _, _), score in zip(states.tolist(), scores)]
        target, size = places[chosen], math.sqrt(states[chosen, 2] * states[chosen, 3])
        apart = APART * size
        beside = [p for p in places if math.hypot(p[0] - target[0], p[1] - target[1]) >= apart]
        has_swapped = (
            bool(self._others)
            and target[2] >= CLEAR
            and self._target.away(target) >= STRAY * size
            and any(self._is_taken(way, target, beside, apart) for way in self._others)
        )
        if has_swapped or not self._others:
            self._target, self._others = Trajectory(target), []
        else:
            self._target.step(target)
        self._step(beside, apart)
        return has_swapped

    def _is_taken(self, way: Trajectory, target: Place, beside: List[Place], apart: float) -> bool:
        """Whether the box is where a distractor is expected, and the distractor is nowhere else."""
        if way.frames < FEWEST or way.score < CLEAR:
            return False
        is_nearer = way.away(target) < self._target.away(target)
        return is_nearer and all(way.away(place) >= apart for place in beside)

    def _step(self, beside: List[Place], apart: float) -> None:
        """Give each distractor the place nearest to where it is expected; what is left is new."""
        for way in self._others:
            nearest = min(beside, key=way.away, default=None)
            if nearest is not None and way.away(nearest) < apart:
                beside.remove(nearest)
                way.step(nearest)
            else:
                way.unseen += 1
        self._others = [way for way in self._others if way.unseen <= FEWEST]
        self._others += map(Trajectory, beside)
