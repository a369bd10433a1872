"""Small turns that no picture chose, to and fro, so that an answer to them proves a live picture.

What a picture shows drives the camera, so the camera follows a stopped picture that swings, and
both look like a turn and its answer. The signs of a probe come from a seed: only a picture of the
world can answer them.
"""

import math
from typing import Tuple

import numpy as np

RATE, HALF_S = 1.0 / 25, 0.25  # share of the width a second; seconds to one side
TURNS = 8  # to and fro after the budget was spent
SEED = 1


class Probe:
    """The probe of one camera.

    Args:
        width: of the picture, degrees.
    """

    def __init__(self, width: float) -> None:
        self._rate = RATE * width
        self._signs = np.random.RandomState(SEED)
        self._turn, self._sign, self._spent = -1, 1, 0

    def retry(self) -> None:
        """Ask again where the budget is spent."""
        self._spent = 0

    def rates(self, now: float, along: Tuple[float, float], is_spent: bool) -> Tuple[float, float]:
        """(right, up) that the probe adds to the camera's turn, degrees a second.

        Args:
            now: seconds.
            along: the target's error (right, up); its direction is that of the probe.
            is_spent: whether the camera has no budget left.
        """
        half = int(math.floor(now / HALF_S))
        if half // 2 != self._turn:
            self._turn, self._sign = half // 2, self._signs.choice((-1, 1))
            self._spent = self._spent + 1 if is_spent else 0
        size = math.hypot(*along)
        if not size or self._spent > TURNS:
            return (0.0, 0.0)
        rate = self._sign * self._rate * (1 - 2 * (half % 2)) / size
        return rate * along[0], rate * along[1]
