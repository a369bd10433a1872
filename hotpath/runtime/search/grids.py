"""Grids of windows over the whole picture, through which the search for a lost target goes."""

import math
from typing import Callable, Optional, Tuple

import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.colour import ColourMap
from hotpath.runtime.network import Network
from hotpath.runtime.search.regions import COLOURED, NEAR, WIDE, SearchRegion

# Sides of the grid's windows, relative to the usual one, coarse first. Of the windows that hold the
# target, kestrel's first weights found it in half of those of side 2, and in three of four of 1.5.
GRIDS = (NEAR, COLOURED, 1.0)
MOST_FINER = 80  # windows of a finer grid that are searched before the coarsest one comes again
REACH = 0.7  # distance of two windows of a grid, sides of a window: the target lies whole in one


class Grids:
    """Gives all windows of the grids over a picture, again and again.

    The windows of the coarsest grid cover the whole picture in each pass. A finer grid may have
    many more windows. Then each pass takes one part of at most ``MOST_FINER`` windows. The part
    with most of the target's colours comes first.

    Args:
        network: its usual window is the unit of the grids.
        place: [cx, cy, w, h], frame pixels, where the target was last certain. It may change later.
        frame_size: (width, height), pixels.

    Attributes:
        passes: number of completed passes over the picture.
    """

    def __init__(self, network: Network, place: np.ndarray, frame_size: Tuple[int, int]) -> None:
        self._network, self._place, self._frame_size = network, place, frame_size
        self.passes = 0
        self._level = self._first = 0  # which of ``GRIDS``; the first window that was not searched
        self._searched = 0  # windows of this grid in this pass
        self._centres: Optional[np.ndarray] = None  # of the grid's windows
        self._coloured: Optional[ColourMap] = None  # by which they were parted last
        self._part: Optional[np.ndarray] = None  # of each window

    def next(self, colours: Callable[[], ColourMap]) -> SearchRegion:
        """Return the next window.

        Args:
            colours: returns the map of the current frame. Only grids in parts call it.
        """
        while True:
            factor = GRIDS[self._level]
            if self._centres is None:
                self._centres = grid(self._network, self._place, self._frame_size, factor)
            index = self._due(self._centres, factor, colours)
            if index < len(self._centres):
                self._first, self._searched = index + 1, self._searched + 1
                state = np.concatenate([self._centres[index], self._place[2:]])
                return SearchRegion(WIDE, state, factor)
            self._centres = self._coloured = None
            self._level = (self._level + 1) % len(GRIDS)
            self._first = 0
            self._searched = 0
            self.passes += self._level == 0

    def _due(self, centres: np.ndarray, factor: float, colours: Callable[[], ColourMap]) -> int:
        """Return the index of the next window of this pass; past the end if there is none."""
        if self._level == 0 or parts(centres) == 1:
            return self._first
        if self._searched == MOST_FINER:  # colours that move bring further windows into the part
            return len(centres)
        now = colours()
        if self._part is None or now is not self._coloured:
            (_, _, *sides), _ = geometry.search_window(self._network, self._place, factor)
            order = np.argsort(
                -now.highest(centres, (sides[0] * REACH, sides[1] * REACH)), kind="stable"
            )
            self._coloured = now
            self._part = np.empty(len(order), int)
            self._part[order] = np.arange(len(order)) * parts(centres) // len(order)
        due = np.flatnonzero(self._part[self._first :] == self.passes % parts(centres))
        return self._first + int(due[0]) if len(due) else len(centres)


def parts(centres: np.ndarray) -> int:
    """Return the number of parts in which the windows of a finer grid are searched."""
    return -(-len(centres) // MOST_FINER)


def grid(
    network: Network, place: np.ndarray, frame_size: Tuple[int, int], factor: float
) -> np.ndarray:
    """Return the centres of overlapping windows that cover a frame, nearest to a place first.

    Args:
        network, place, frame_size: see ``Grids``.
        factor: sides of a window, relative to those of the usual one.

    Returns:
        float64 (n, 2) of (x, y), frame pixels.
    """
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
