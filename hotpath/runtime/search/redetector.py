"""The search for one lost target: one window in each frame.

While a target is lost, ``Redetector`` chooses the window of every frame, and the cues judge it. The
best place of a wide window is checked in the next frame, in the usual window. An
object that is found there is followed as a candidate, which the identity must verify.
"""

import math
from collections import deque
from typing import Deque, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.colour import ColourMap
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.identity.guard import DistractorGuard
from hotpath.runtime.identity.identity import IdentityPhase
from hotpath.runtime.network import Network
from hotpath.runtime.search.grids import Grids
from hotpath.runtime.search.regions import (
    CHECK,
    COLOURED,
    HERE,
    REMEMBERED,
    WIDE,
    SearchRegion,
)
from hotpath.runtime.search.rejected import Rejected
from hotpath.runtime.types import Box, WindowResult

TAKEN = 0.5  # overlap from which a place belongs to another target

# Of the windows, while nothing is found: where the target was lost, where its colours are, anywhere
TURNS = ("here", "proposals", "grid")


class Redetector:
    """Searches for one target while it is lost.

    Args:
        network: its ``look_above`` is used.
        guard: ``DistractorGuard`` of the target, whose cues judge the windows.
        searches: whether a lost target is searched for; else it is only judged.

    Attributes:
        active: whether the target is searched for.
        rejected: the objects that are not found again.
    """

    def __init__(self, network: Network, guard: DistractorGuard, searches: bool) -> None:
        self.network, self._guard, self._searches = network, guard, searches
        self.active = False
        self._candidate: Optional[np.ndarray] = None  # the place that the search checks
        self._region: Optional[SearchRegion] = None  # that is being searched
        self._grids: Optional[Grids] = None  # of this loss, once they are searched
        self._colours: Optional[ColourMap] = None  # of this frame
        self._turn = 0
        self._visited: Deque[Tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._suggested: Deque[np.ndarray] = deque(maxlen=REMEMBERED)
        self._others = np.zeros((0, 4))  # boxes of other targets
        self.rejected = Rejected(network, guard.classifier)

    def begin(self) -> None:
        """Start with a new target."""
        self.active = False
        self.rejected.clear()

    def end_frame(self) -> None:
        """End a frame in which an object was followed: a target that stays lost is searched for."""
        identity = self._guard.identity
        if identity.phase == IdentityPhase.CONFIRMED:
            self.rejected.clear()
        elif identity.wants_search:
            self.start()
            self._turn = int(not identity.is_lost)  # elsewhere first, if given up

    def start(self) -> None:
        """Start the search after the target was lost, if targets are searched for."""
        self.active = self._searches
        self._guard.reset()
        self._turn = 0
        self._visited.clear()
        self._suggested.clear()
        self._candidate = self._grids = None

    def restart(self, state: np.ndarray) -> None:
        """Search for a target from a place where it may be.

        Args:
            state: float64 [cx, cy, w, h], frame pixels. The array is not kept.
        """
        self._guard.identity.yield_to_other()
        if not self.active:
            self.start()
        self._guard.certain[:2] = state[:2]
        self.suggest(state[None].copy())

    def reject(self, state: np.ndarray) -> None:
        """Search for the target, which is not the object that is followed there.

        The search does not find that object again as long as its windows show the object.

        Args:
            state: float64 [cx, cy, w, h], frame pixels. The array is not kept.
        """
        self.rejected.add(state)
        self.start()

    def suggest(self, states: np.ndarray) -> None:
        """Set places to search before all others. They replace earlier suggestions.

        Args:
            states: float64 (n, 4) [cx, cy, w, h], frame pixels, the best first.
        """
        self._suggested.clear()
        self._suggested.extend(states[:REMEMBERED])

    def confirm(self) -> None:
        """Take the user's word that the target is what is followed, and end the search."""
        self.active = False
        self.rejected.clear()

    def rescale(self, factors: Sequence[float]) -> None:
        """Adapt to a new frame size.

        Args:
            factors: (4,), new by old width, height, width and height of the frame.
        """
        self.rejected.rescale(factors)
        self._candidate = self._grids = None

    def set_other_boxes(self, boxes: np.ndarray, state: Optional[np.ndarray]) -> None:
        """Set the boxes of other targets. A place that overlaps one is not this target.

        A candidate that turns out to be another target's object is dropped, and the search begins.

        Args:
            boxes: float64 (n, 4) of (x, y, w, h), 0-based frame pixels.
            state: float64 [cx, cy, w, h], frame pixels, that is followed; None before a target.
        """
        self._others = boxes
        if (
            len(boxes)
            and state is not None
            and self._guard.identity.phase == IdentityPhase.TENTATIVE
        ):
            if (overlaps([self._box_of(state)], boxes) > TAKEN).any():
                self._guard.identity.yield_to_other()
                self.start()

    def window(self, state: np.ndarray, frame: AnyFrame) -> SearchRegion:
        """Choose the window to search in the next frame.

        Args:
            state: float64 [cx, cy, w, h], frame pixels, where the target is followed.
            frame: the next frame, of any kind.
        """
        if self._candidate is not None:
            self._region, self._candidate = SearchRegion(CHECK, self._candidate, 1.0), None
        else:
            self._region = self._choose(state, frame)
        self._colours = None  # they are those of one frame
        return self._region

    def _choose(self, state: np.ndarray, frame: AnyFrame) -> SearchRegion:
        if self._suggested:
            return SearchRegion(WIDE, self._suggested.popleft(), COLOURED)
        turn = TURNS[self._turn % len(TURNS)]
        self._turn += 1
        if turn == "proposals":
            window = self._coloured(frame)
            if window is not None:
                return window
        if turn == "here":
            return SearchRegion(HERE, state.copy(), 1.0)
        if self._grids is None:
            frame_size = frame.shape[1], frame.shape[0]
            self._grids = Grids(self.network, self._guard.certain, frame_size)
        following: SearchRegion = self._grids.next(lambda: self._colours_in(frame))
        return following

    def _coloured(self, frame: AnyFrame) -> Optional[SearchRegion]:
        """Return the window around the place with most of the target's colours, or None."""
        size = self._guard.certain[2:]
        place = self._colours_in(frame).best(self._visited, float(np.sqrt(size[0] * size[1])))
        if place is None:
            return None
        self._visited.append(place)
        return SearchRegion(WIDE, np.concatenate([place, size]), COLOURED)

    def _colours_in(self, frame: AnyFrame) -> ColourMap:
        """Return the map of the target's colours in the current frame, computed once a frame."""
        if self._colours is None:
            size = self._guard.certain[2:]
            target = self._guard.cues.colour
            self._colours = ColourMap(frame, size, target)
        return self._colours

    def update(
        self, frame: AnyFrame, result: WindowResult, state: np.ndarray
    ) -> Tuple[Optional[float], float, np.ndarray]:
        """Judge whether the window shows the target.

        Args:
            frame: the frame, of any kind.
            result: the ``WindowResult`` of the window.
            state: float64 [cx, cy, w, h], frame pixels, where the target is followed.

        Returns:
            (value, score, state): the value of the cues if the target was found, else None; the
            network's score in the window (NaN if not finite); where the target is followed now.
        """
        assert self._region is not None
        kind = self._region.kind
        place, score, value = self._best(frame, kind, result)
        if kind == WIDE:
            if value >= self.network.look_above and value > 0:
                self._candidate = place
            return None, score, state
        if kind == HERE:
            self._guard.identity.smooth(value)
        found = place is not None and value >= self._guard.identity.rules.unsure
        if place is not None and (found or kind == HERE):
            state = place
        self.active = not found
        return value if found else None, score, state

    def _best(
        self, frame: AnyFrame, kind: str, result: WindowResult
    ) -> Tuple[Optional[np.ndarray], float, float]:
        """Return the place of a window that looks most like the target.

        Returns:
            (place, score, value): [cx, cy, w, h], or None if no place counts, because other targets
            have them all; the network's score there (NaN if it is not finite); the value of the
            cues, 0 to 1.
        """
        states, scores, cues = result.states, result.scores, self._guard.cues
        if not math.isfinite(scores[0]):
            return None, math.nan, 0.0
        free, others = list(range(len(scores))), self._others
        if self.rejected:
            self.rejected.look(kind, result)
            free = [index for index in free if not self.rejected.has(self._box_of(states[index]))]
        if len(others):  # no other target is there
            shares = overlaps([self._box_of(each) for each in states], others)
            free = [index for index in free if (shares[index] <= TAKEN).all()]
        if not free:
            return None, scores[0], 0.0
        if kind == WIDE:
            appearance = self._guard.classifier.appearance(result)[free]
            some = [scores[index] for index in free]
            chosen, value = cues.best_box(
                frame, states[free], some, appearance, self.network.look_above
            )
            return states[free[chosen]], scores[0], value
        chosen, looked = 0, None
        if kind == HERE:
            chosen, looked = self._guard.choose(result, is_followed=False)
        if self.rejected and chosen not in free:
            return None, scores[0], 0.0
        value = cues.value(frame, states[chosen], result, scores[chosen], looked)
        return states[chosen], scores[chosen], value

    def _box_of(self, state: np.ndarray) -> Box:
        return geometry.box_of(self.network, state)
