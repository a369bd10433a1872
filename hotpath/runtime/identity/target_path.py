"""The path of a target, which reveals objects that merely follow the same path.

Whatever left the picture on a straight path does not come back from behind on that path: on a road,
that is the next car. A target that turned round comes towards the place where it was lost.
"""

import math
from collections import deque
from typing import Deque, Iterable, Optional, Tuple

import numpy as np

KEPT = 40  # places of the target's path
FEWEST = 8  # places from which on there is a path
TRAVELLED, STRAIGHT = 1.0, 0.9  # its length in sizes; the share of it from end to end
JITTER = 0.25  # sizes that the box of an object moves by itself: less is no movement
BEHIND = 0.75  # sizes behind the place of the loss, where a follower was first seen
ALONG = 0.25  # of the target's speed in sizes, with which a follower moves along the path
STEP = 0.6  # sizes in a frame, from which on another object is followed

Place = Tuple[float, float, float]  # x, y of the centre, and size, pixels


class TargetPath:
    """The places of a target while it was tracked, and of the object that is followed after a loss.

    Example:
        >>> path = TargetPath()
        >>> for x in range(0, 200, 10):  # the target leaves on the right
        ...     path.step(np.array([x, 50.0, 20.0, 20.0]), True)
        >>> for x in range(0, 60, 10):  # the next object
        ...     path.step(np.array([x, 50.0, 20.0, 20.0]), x == 0)
        >>> path.comes_after
        True
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with a new target."""
        self._target: Deque[Place] = deque(maxlen=KEPT)
        self._last: Optional[Place] = None  # of what is followed
        self._origin: Place = (0.0, 0.0, 1.0)  # where what is followed was first seen
        self._steps = 0  # since then
        self._turned = False  # whether it has moved against the target's path
        self._is_lost = self.has_changed = False  # whether it has been another object since

    def step(self, state: np.ndarray, was_tracked: bool) -> None:
        """Take the place of what is followed, before the frame is judged.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            was_tracked: whether the target was tracked in the frame before.
        """
        if was_tracked and self._last is not None:
            if self._is_lost and self.has_changed:
                self._target.clear()
            self.has_changed = False
            self._target.append(self._last)
        self._is_lost = not was_tracked
        x, y, w, h = state.tolist()
        place, last = (x, y, math.sqrt(w * h)), self._last
        self._steps += 1
        if last is not None:
            far = STEP * min(last[2], place[2])
            if math.hypot(x - last[0], y - last[1]) > far:
                last, self.has_changed = None, True
        if last is None:
            self._origin, self._steps, self._turned = place, 0, False
        elif self._steps == 2:  # the search's place was coarse: the network's first box counts
            self._origin, self._turned = last, False
        self._last = place

    @property
    def comes_after(self) -> bool:
        """Whether the object in the box comes after the target on its path.

        It was first seen behind the place of the loss, and has moved along the path since then. One
        that has moved against it does not, even if it turns.
        """
        target, last = self._target, self._last
        if not (self.has_changed and self._steps and last) or len(target) <= FEWEST:
            return False
        (x0, y0, _), (x1, y1, size_then) = target[0], target[-1]
        length = math.hypot(x1 - x0, y1 - y0)
        size = sorted(place[2] for place in target)[len(target) // 2]
        if length < TRAVELLED * size or length < STRAIGHT * _length(target):
            return False
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        (sx, sy, size_first), (x, y, size_now) = self._origin, last
        behind = ((x1 - sx) * dx + (y1 - sy) * dy) / ((size_then + size_first) / 2)
        moved = ((x - sx) * dx + (y - sy) * dy) / size_now
        speed = length / size / (len(target) - 1)
        self._turned = self._turned or moved < -JITTER
        return not self._turned and behind > BEHIND and moved > ALONG * speed * self._steps


def _length(places: Iterable[Place]) -> float:
    """The length of a path without the jitter of an object that stands, pixels."""
    first, *others = places
    path = [first]
    for place in others:
        if math.hypot(place[0] - path[-1][0], place[1] - path[-1][1]) > JITTER * place[2]:
            path.append(place)
    return sum(math.hypot(bx - ax, by - ay) for (ax, ay, _), (bx, by, _) in zip(path, path[1:]))
