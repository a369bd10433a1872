"""Boxes to learn from: positives near the target, negatives around it.

The limits are MDNet's (Nam and Han, CVPR 2016, section 3.2). A box with an overlap of at least .7
with the target is positive, and a box with at most .5 is negative. Other boxes are left out.

``boxes`` is the definition. kernels/cpu computes the same in C++, and the features under them.
"""

from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.kernels.cpu.online import Samples

POSITIVE, NEGATIVE = 0.7, 0.5  # overlaps with the target
# Positives, in sides of the target: moved by x and y, and times as large
MOVED = [(x, y, 1.0) for x in (-0.08, 0.0, 0.08) for y in (-0.08, 0.0, 0.08)]
RESIZED = [(0.0, 0.0, 0.87), (0.0, 0.0, 1.15)]
STEP = 0.7  # from one negative to the next, sides of the target
MOST = 2  # negatives on each side of the middle, along x and along y


def compiled(kernels: Optional[Kernels]) -> Any:
    """``hotpath.kernels.cpu.online.Samples`` of these boxes; None without kernels."""
    moves = np.array(MOVED + RESIZED)
    return kernels and kernels.new(Samples, moves, (POSITIVE, NEGATIVE), STEP, MOST)


def boxes(
    state: np.ndarray, centre: Sequence[float], reach: Sequence[float]
) -> Tuple[np.ndarray, int]:
    """Return boxes to learn from, (n, 4) [cx, cy, w, h], and how many of them are positives.

    Args:
        state: [cx, cy, w, h] of the target. All arguments have the same unit.
        centre: (x, y) of the search region.
        reach: (x, y) from its centre to its edges.
    """
    near = positives(state)
    near = near[(np.abs(near[:, :2] - centre) < reach).all(axis=1)]
    return np.concatenate([near, negatives(around(state, centre, reach), state)]), len(near)


def positives(state: np.ndarray) -> np.ndarray:
    """Return boxes with nearly the target's place and size: (n, 4) [cx, cy, w, h]."""
    moves = np.array(MOVED + RESIZED)
    states = np.concatenate(
        [state[:2] + moves[:, :2] * state[2:], state[2:] * moves[:, 2:]], axis=1
    )
    return states[overlap_with(states, state) >= POSITIVE]


def around(state: np.ndarray, centre: Sequence[float], reach: Sequence[float]) -> np.ndarray:
    """Return boxes of the target's size all over a search region: (n, 4) [cx, cy, w, h].

    Args:
        state: [cx, cy, w, h] of the target. All arguments have the same unit.
        centre: (x, y) of the region.
        reach: (x, y) from its centre to its edges.
    """
    ticks = []
    for middle, length, size in zip(centre, reach, state[2:]):
        count = int(min(max(1, length / (STEP * size)), MOST))
        room = max(length - size / 2, 0.0)
        ticks.append(middle + np.linspace(-room, room, 2 * count + 1))
    x, y = np.meshgrid(*ticks)
    size = np.broadcast_to(state[2:], (x.size, 2))
    return np.concatenate([np.stack([x.ravel(), y.ravel()], axis=1), size], axis=1)


def negatives(states: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the boxes that overlap little with the target."""
    kept: np.ndarray = states[overlap_with(states, state) <= NEGATIVE]
    return kept


def overlap_with(states: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with one other, (n,). All [cx, cy, w, h]."""
    low = np.maximum(states[:, :2] - states[:, 2:] / 2, state[:2] - state[2:] / 2)
    high = np.minimum(states[:, :2] + states[:, 2:] / 2, state[:2] + state[2:] / 2)
    common = np.prod(np.maximum(high - low, 0.0), axis=1)
    union = np.prod(states[:, 2:], axis=1) + state[2] * state[3] - common
    result: np.ndarray = common / np.maximum(union, 1e-12)
    return result
