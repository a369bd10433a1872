"""The search for one lost target, one window after another.

While a target is lost, the window of every frame is taken from here; where the budget allows, there
are several in a frame. What a window shows is judged by its evidence. What might be the target is
looked at again, and it is the target when two frames in succession say so.
"""

import copy
import time
from collections import deque
from typing import Any, Callable, Deque, FrozenSet, List, NamedTuple, Optional, Tuple

import numpy as np

from runtime import decode
from runtime.learner.classifier import Classifier, View
from runtime.learner.proposals import Places
from runtime.networks import Network
from runtime.pictures import AnyFrame
from runtime.search.budget import Budget
from runtime.search.colour import ColourMap
from runtime.search.evidence import Colours, Evidence
from runtime.search.windows import (
    CHECK,
    COLOURED,
    HERE,
    NEAR,
    REMEMBERED,
    WIDE,
    Grids,
    Window,
)

CHECKS = 3  # windows that a candidate gets
NEARLY = 0.15  # evidence below ``found_above`` with which a candidate gets the next one
SIZE_LEARNT = 0.1  # share of a tracked frame's size in the size that is searched for
CONFIRMED = 2  # frames in succession that must agree
RIVAL = 0.1  # by how much another place must be better than the followed box, evidence
# What may be left out, to measure what it brings (``python -m calib.research.longterm --without``)
PARTS = frozenset(("classifier", "colour", "proposals", "last", "grid", "places"))
# Of the windows, while nothing is found. What is left out gives its turns to the others.
TURNS = ("proposals", "last", "grid", "proposals", "here", "grid")
DOUBTFUL = ("here", "proposals", "here", "grid")  # where the followed box may hold the target


class Planned(NamedTuple):
    """A window that is searched before it is its turn; see ``Search.ahead``.

    Attributes:
        window: it.
        cause: what made it the next one, besides the windows before it.
        after: what has been chosen then.
    """

    window: Window
    cause: Any
    after: Any


class Search:
    """Searches for one target while it is lost.

    Args:
        network: uses ``doubt_below``, ``look_above`` and ``found_above``.
        kernels: see ``kernels.cpu.binding``.
        classifier: of the target.
        budget: the ``Budget`` of its tracker.
        colours: see ``Evidence``.
        projected: see ``ColourMap``.
        parts: of ``PARTS``, to measure what each is worth.

    Attributes:
        active: whether the target is searched for.
        evidence: the ``Evidence``.
    """

    def __init__(
        self,
        network: Network,
        kernels: Any,
        classifier: Classifier,
        budget: Budget,
        colours: Colours,
        projected: Callable[[np.ndarray, np.ndarray], np.ndarray],
        parts: FrozenSet[str] = PARTS,
    ) -> None:
        self.network, self.budget = network, budget
        self.evidence = Evidence(classifier, colours, parts)
        self._parts, self._projected = parts, projected
        # In a window f times as wide, boxes come out sqrt(f) times as large as the target is, and
        # the size that is expected is the better one. In the usual window the network's is better.
        self._places = Places(_with_lr(network, 0.0), kernels)
        self._closely = decode.create(_with_lr(network, 1.0), kernels)
        self.active = False
        self._certain = np.zeros(4)  # the state when the target was last certain
        self._checks = 0  # windows that the candidate had
        self._streak = 0  # frames in succession with enough evidence
        self._candidate: Optional[np.ndarray] = None
        self._elsewhere = False  # whether the candidate is not the followed box
        self._window: Optional[Window] = None  # that is being searched
        self._grids: Optional[Grids] = None
        self._colours: Optional[ColourMap] = None
        self._coloured_frame = 0  # the frame that they are of
        self._turn = 0
        self._visited: Deque[Tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._suggested: Deque[np.ndarray] = deque(maxlen=REMEMBERED)
        self._started = 0.0

    def begin(self, frame: AnyFrame, state: np.ndarray) -> None:
        """Take a new target; see ``Evidence.begin``."""
        self.active = False
        self._certain[:] = state
        self.evidence.begin(frame, state)

    def doubts(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        window: np.ndarray,
        score: float,
        features: Any,
        scale: Any,
        lost: bool,
        frames: int,
    ) -> bool:
        """Whether the evidence says that a target that is followed is lost.

        Args:
            frame, state, window, score, features, scale: as in ``Evidence.of``.
            lost: whether it was lost in the last frame; then more evidence is needed.
            frames: how many frames ago this was asked before.
        """
        needed = self.unsure_below if lost else self.network.doubt_below
        evidence = self.evidence.of(frame, state, window, score, features, scale)
        return self.evidence.smooth(evidence, frames) < needed

    @property
    def unsure_below(self) -> float:
        """The smoothed evidence below which nothing is learnt, and a lost target stays lost."""
        return (self.network.doubt_below + self.network.found_above) / 2

    def certain(self, state: np.ndarray) -> None:
        """The target was tracked in a frame: keep its place, and learn."""
        x, y, w, h = state.tolist()  # a sixth of the time of arrays
        _, _, kept_w, kept_h = self._certain.tolist()
        kept_w += (w - kept_w) * SIZE_LEARNT
        kept_h += (h - kept_h) * SIZE_LEARNT
        self._certain[:] = x, y, kept_w, kept_h
        self.evidence.learn()

    def start(self) -> None:
        """The target was lost."""
        self.active = True
        self._streak, self._turn = 0, 0
        self._visited.clear()
        self._suggested.clear()
        self._candidate = self._grids = None

    def suggest(self, states: np.ndarray) -> None:
        """Take places to search before all others; they replace earlier ones.

        Args:
            states: (n, 4) [cx, cy, w, h], frame pixels, the best first.
        """
        self._suggested.clear()
        self._suggested.extend(states[:REMEMBERED])

    def rescale(self, factors: Any) -> None:
        """Take over a new frame size: ``factors`` of [cx, cy, w, h]."""
        self._certain *= factors
        self._candidate = self._grids = None

    @property
    def searched(self) -> str:
        """The kind of the last window, as ``windows`` names it; empty before the first."""
        return self._window.kind if self._window else ""

    @property
    def passes(self) -> int:
        """How often the grids' windows covered the whole picture since the search began."""
        return self._grids.passes if self._grids else 0

    @property
    def waits(self) -> bool:
        """Whether only the next frame can say more: this one agreed already."""
        return self._streak > 0

    def next_window(self, state: np.ndarray, frame: AnyFrame) -> Window:
        """The window to search next.

        Args:
            state: where the target is followed.
            frame: of any kind.
        """
        self._started = time.perf_counter()
        self._window = self._choose(state, frame)
        return self._window

    def ahead(self, count: int, state: np.ndarray, frame: AnyFrame) -> List[Planned]:
        """The windows that come next if none of them shows anything, to search them as a batch.

        Nothing changes: each of them is the next one only when it is taken.

        Args:
            count: how many.
            state, frame: as in ``next_window``.
        """
        before = self._chosen()
        planned: List[Planned] = []
        while len(planned) < count:
            cause = self._cause()
            window = self._choose(state, frame)
            self._candidate = None
            planned.append(Planned(window, cause, self._chosen()))
        self._choose_after(before)
        return planned

    def next_but_one(self, state: np.ndarray, frame: AnyFrame) -> Optional[Planned]:
        """The window that comes next if the one that was chosen, and is not judged, shows nothing.

        Args:
            state, frame: as in ``next_window``.

        Returns:
            what ``take`` takes; None where nothing can be foretold.
        """
        if self._candidate is not None:  # what it is depends on what the last look at it shows
            return None
        return self.ahead(1, state, frame)[0]

    def take(self, planned: Planned, state: np.ndarray, spent_ms: float) -> bool:
        """Make a window of ``ahead`` the next one, if ``next_window`` would choose it now.

        Args:
            planned: those before it were taken, and judged.
            state: as in ``next_window``.
            spent_ms: what the window took until now.
        """
        if not self.would_take(planned, state):
            return False
        self._choose_after(planned.after)
        self._window, self._started = planned.window, time.perf_counter() - spent_ms / 1e3
        return True

    def would_take(self, planned: Planned, state: np.ndarray) -> bool:
        """Whether ``take`` would make a window the next one. Nothing changes."""
        window = planned.window
        moved = window.kind == HERE and not np.array_equal(window.state, state)
        return bool(planned.cause == self._cause() and not moved)

    def _cause(self) -> Any:
        """What the next choice depends on, besides what has been chosen."""
        candidate = self._candidate
        return None if candidate is None else candidate.tobytes(), self._order()

    def _chosen(self) -> Any:
        """What has been chosen so far."""
        grids = copy.copy(self._grids)  # they go on by themselves
        return self._candidate, self._turn, grids, tuple(self._visited), tuple(self._suggested)

    def _choose_after(self, chosen: Any) -> None:
        """Go on from what ``_chosen`` gave."""
        self._candidate, self._turn, grids, visited, suggested = chosen
        self._grids = copy.copy(grids)
        for places, kept in ((self._visited, visited), (self._suggested, suggested)):
            places.clear()
            places.extend(kept)

    def _order(self) -> Tuple[str, ...]:
        return DOUBTFUL if self.evidence.smoothed > self.network.look_above else TURNS

    def _choose(self, state: np.ndarray, frame: AnyFrame) -> Window:
        if self._candidate is not None:
            return Window(CHECK, self._candidate, 1.0)
        if self._suggested:
            return Window(WIDE, self._suggested.popleft(), COLOURED)
        turns = [turn for turn in self._order() if turn == "here" or turn in self._parts]
        turn = turns[self._turn % len(turns)]
        self._turn += 1
        if turn == "proposals":
            window = self._coloured(frame)
            if window is not None:
                return window
        inside = ((0, 0) <= self._certain[:2]) & (self._certain[:2] < frame.shape[1::-1])
        if turn == "last" and inside.all():
            return Window(WIDE, self._certain.copy(), NEAR)
        if turn == "here" or "grid" not in self._parts:
            return Window(HERE, state.copy(), 1.0)
        if self._grids is None:
            frame_size = frame.shape[1], frame.shape[0]
            self._grids = Grids(self.network, self._certain, frame_size)
        return self._grids.next(lambda: self._colours_in(frame))

    def _coloured(self, frame: AnyFrame) -> Optional[Window]:
        """The window around the place that has most of the target's colours, or None."""
        size = self._certain[2:]
        place = self._colours_in(frame).best(self._visited, float(np.sqrt(size[0] * size[1])))
        if place is None:
            return None
        self._visited.append(place)
        return Window(WIDE, np.concatenate([place, size]), COLOURED)

    def _colours_in(self, frame: AnyFrame) -> ColourMap:
        """Where the target's colours are in the current frame; computed once in it."""
        if self._colours is None or self._coloured_frame != self.budget.frames:
            size, target = self._certain[2:], self.evidence.colour
            self._colours = ColourMap(frame, size, target, self._projected)
            self._coloured_frame = self.budget.frames
        return self._colours

    def judge(
        self, frame: AnyFrame, maps: Any, decoder: Any, features: Any, scale: Any, state: Any
    ) -> Tuple[bool, float]:
        """Judge what the window shows.

        Args:
            frame: of any kind.
            maps, scale: as in ``Family.select``.
            decoder: the tracker's own, for the usual window.
            features: of the search region.
            state: of the tracker; it moves where the target is followed, and where it is found.

        Returns:
            (found, score): whether the target is found, the network's score.
        """
        window = self._window
        assert window is not None, "no window was chosen"
        size = frame.shape[1], frame.shape[0]
        place = window.state.copy()
        chooser = {WIDE: self._places.decoder, CHECK: self._closely, HERE: decoder}[window.kind]
        best, score = chooser.select(maps, place, scale, *size)
        known = np.isfinite(place).all() and np.isfinite(score)
        evidence = 0.0
        if known and window.kind == WIDE:
            view = View(window.state, scale, features)
            others = self._others(maps, best, score, view, size)
            states = np.array([place] + [other for other, _ in others])
            scores = [score] + [its_score for _, its_score in others]
            needed = self.network.look_above
            chosen, evidence = self.evidence.best(frame, states, scores, view, needed)
            place = states[chosen]
        elif known:
            evidence = self.evidence.of(frame, place, window.state, score, features, scale)
        found = self._weigh(window, place, evidence)
        if known and (found or window.kind == HERE):
            state[:] = place
        self.budget.window((time.perf_counter() - self._started) * 1e3)
        return found, float(score)

    def _others(self, maps: Any, best: int, score: float, view: View, size: Any) -> Any:
        """Further places in a window, as ``Places.others`` gives them."""
        return self._places.others(maps, best, score, view, size) if "places" in self._parts else []

    def _weigh(self, window: Window, place: np.ndarray, evidence: float) -> bool:
        """Take the evidence of one window; returns whether the target is found."""
        if window.kind == WIDE:
            if evidence >= self.network.look_above:
                self._candidate, self._streak, self._elsewhere = place, 0, True
                self._checks = 0
            return False
        if window.kind == HERE:
            self.evidence.smooth(evidence)
            self._elsewhere = False
        needed = self.network.found_above
        if self._elsewhere:
            needed = max(needed, self.evidence.smoothed + RIVAL)
        sure = evidence >= needed
        self._streak = self._streak + 1 if sure else 0
        self._checks += 1
        nearly = window.kind == CHECK and evidence >= needed - NEARLY and self._checks < CHECKS
        self._candidate = place if sure or nearly else None
        if self._streak >= CONFIRMED:
            self.active, self.evidence.smoothed = False, evidence
        return self._streak >= CONFIRMED


def _with_lr(network: Network, lr: float) -> Network:
    """The network, with another share of its size in the target's."""
    other = copy.copy(network)
    other.lr = lr
    return other
