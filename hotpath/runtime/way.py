"""The way of a target, which tells it from those that come after it.

What left the picture on a straight way does not come from behind on the same way: on a road, that
is the next one. Whoever turned round comes towards the place where it was lost.
"""

import math
from collections import deque
from typing import Deque, Iterable, Tuple

import numpy as np

KEPT, RECENT = 40, 10  # frames of the target's way, and of the followed object's
FEWEST = 8  # frames of the target's way
TRAVELLED, STRAIGHT = 1.0, 0.9  # its length in sizes; the share of it from end to end
BEHIND = 0.75  # sizes behind the place of the loss, where another object was first seen
ALONG = 0.25  # of the target's speed in sizes, with which that object moves the same way
STEP = 0.6  # sizes in a frame, from which on another object is followed

Place = Tuple[float, float, float]  # x, y of the centre, and size, pixels


class Way:
    """The places of a target while it was tracked, and those of what is followed after a loss.

    Example:
        >>> way = Way()
        >>> for x in range(0, 200, 10):  # it leaves on the right
        ...     way.step(np.array([x, 50.0, 20.0, 20.0]), True)
        >>> for x in range(0, 60, 10):  # the next one
        ...     way.step(np.array([x, 50.0, 20.0, 20.0]), x == 0)
        >>> way.comes_after
        True
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with a new target."""
        self._target: Deque[Place] = deque(maxlen=KEPT)
        self._followed: Deque[Place] = deque(maxlen=RECENT)
        self._origin: Place = (0.0, 0.0, 1.0)  # where what is followed was first seen
        self._is_lost = self.has_changed = False  # whether it has been another object since

    def step(self, state: np.ndarray, was_tracked: bool) -> None:
        """Take the followed place of a frame, [cx, cy, w, h], before it is judged.

        ``was_tracked`` is whether the target was tracked in the frame before.
        """
        if was_tracked and self._followed:
            if self._is_lost and self.has_changed:
                self._target.clear()
            self.has_changed = False
            self._target.append(self._followed[-1])
        self._is_lost = not was_tracked
        x, y, w, h = state.tolist()
        place = x, y, math.sqrt(w * h)
        if self._followed:
            before_x, before_y, size = self._followed[-1]
            if math.hypot(x - before_x, y - before_y) > STEP * min(size, place[2]):
                self._followed.clear()
                self.has_changed = True
        if not self._followed:
            self._origin = place
        self._followed.append(place)

    @property
    def comes_after(self) -> bool:
        """Whether what is followed comes after the target, on its way."""
        target, followed = self._target, self._followed
        steps = len(followed) - 1
        if not self.has_changed or len(target) <= FEWEST or steps < 1:
            return False
        (x0, y0, _), (x1, y1, last) = target[0], target[-1]
        way = math.hypot(x1 - x0, y1 - y0)
        size = sorted(place[2] for place in target)[len(target) // 2]
        if way < TRAVELLED * size or way < STRAIGHT * _length(target):
            return False
        dx, dy = (x1 - x0) / way, (y1 - y0) / way
        (sx, sy, _), (x, y, now) = followed[0], followed[-1]
        first_x, first_y, first = self._origin
        behind = ((x1 - first_x) * dx + (y1 - first_y) * dy) / ((last + first) / 2)
        along = ((x - sx) * dx + (y - sy) * dy) / now / steps
        return behind > BEHIND and along > ALONG * way / size / (len(target) - 1)


def _length(places: Iterable[Place]) -> float:
    way = list(places)
    return sum(math.hypot(bx - ax, by - ay) for (ax, ay, _), (bx, by, _) in zip(way, way[1:]))
