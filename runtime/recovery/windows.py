"""Where a lost target is searched for: the order of the windows.

here    the usual window where the target was followed last; the box there is followed on
wide    a wider window around the last certain place, or a cell of the grid over the picture
check   the usual window around what another window found
"""

import math
from typing import Iterator, NamedTuple, Tuple

import numpy as np

from runtime import geometry
from runtime.networks import Network

HERE, WIDE, CHECK = "here", "wide", "check"
# Sides of the grid's windows, relative to the usual one, coarse first. Of the windows that hold the
# target, Kestrel finds it in half of those of side 2, and in three of four of side 1.5.
GRIDS = (2.0, 1.5, 1.0)
REACH = 0.7  # distance of two windows of a grid, sides of a window: the target lies whole in one
NEAR = 2.0  # side of the window around the last certain place
COLOURED = 1.5  # side of the windows at the places that have the target's colours
REMEMBERED = 12  # of these places, the last ones are not searched again


class Window(NamedTuple):
    """A window to search.

    Attributes:
        kind: HERE, WIDE or CHECK.
        state: float64 [cx, cy, w, h], centre, and the target's expected size; frame pixels.
        factor: of the usual window's sides.
    """

    kind: str
    state: np.ndarray
    factor: float


def wide_windows(
    network: Network, place: np.ndarray, frame_size: Tuple[int, int]
) -> Iterator[Window]:
    """All windows of the grids over a picture, without end.

    Args:
        network: whose usual window it is.
        place: [cx, cy, w, h] where the target was last certain; it may change meanwhile.
        frame_size: (width, height), pixels.
    """
    while True:
        for factor in GRIDS:
            for centre in grid(network, place, frame_size, factor):
                yield Window(WIDE, np.concatenate([centre, place[2:]]), factor)


def grid(
    network: Network, place: np.ndarray, frame_size: Tuple[int, int], factor: float
) -> np.ndarray:
    """Centres of overlapping windows that cover a frame, the nearest to the place first: (n, 2)."""
    (_, _, *sides), _ = geometry.search_window(network, place, factor)
    ticks = []
    for length, side in zip(frame_size, sides):
        count = max(1, int(math.ceil((length - side * (1 - REACH)) / (side * REACH))))
        ticks.append((np.arange(count) + 0.5) * length / count)
    x, y = np.meshgrid(*ticks)
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    distance = np.hypot(*(centres - place[:2]).T)
    ordered: np.ndarray = centres[np.argsort(distance, kind="stable")]
    return ordered
