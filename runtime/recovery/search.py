"""The search for one lost target, one window after another.

While a target is lost, the window of every frame is taken from here; where the budget allows, there
are several in a frame. What a window shows is judged by its evidence. What might be the target is
looked at again, and it is the target when two frames in succession say so.
"""

import copy
import time
from collections import deque
from typing import Any, Deque, FrozenSet, Iterator, Optional, Tuple

import numpy as np

from runtime import decode
from runtime.frames import AnyFrame, bgr_of
from runtime.networks import Network
from runtime.recovery.budget import Budget
from runtime.recovery.colour import propose
from runtime.recovery.evidence import Colours, Evidence
from runtime.recovery.windows import (
    CHECK,
    COLOURED,
    HERE,
    REMEMBERED,
    WIDE,
    Window,
    wide_windows,
)

CONFIRMED = 2  # frames in succession that must agree
RIVAL = 0.5  # share of the followed box's evidence, by which another place must be better
PARTS = frozenset(("likeness", "colour", "proposals", "grid"))
TURNS = ("proposals", "grid", "proposals", "here")  # of the windows, while nothing is found
DOUBTFUL = ("here", "proposals", "here", "grid")  # where the followed box may hold the target


class Search:
    """Searches for one target while it is lost.

    Args:
        network: uses ``doubt_below``, ``look_above`` and ``found_above``.
        kernels: see ``kernels.cpu.binding``.
        budget: the ``Budget`` of its tracker.
        colours: see ``Evidence``.
        parts: of ``PARTS``, to measure what each is worth.

    Attributes:
        active: whether the target is searched for.
        evidence: the ``Evidence``.
    """

    def __init__(
        self,
        network: Network,
        kernels: Any,
        budget: Budget,
        colours: Colours,
        parts: FrozenSet[str] = PARTS,
    ) -> None:
        self.network, self.budget = network, budget
        self.evidence = Evidence(network, kernels.likeness, colours, parts)
        self._parts = parts
        anywhere = copy.copy(network)
        anywhere.window = 0.0  # a lost target may be anywhere in a window
        self._anywhere = decode.create(anywhere, kernels)
        self.active = False
        self._certain = np.zeros(4)  # the state when the target was last certain
        self._streak = 0  # frames in succession with enough evidence
        self._candidate: Optional[np.ndarray] = None
        self._elsewhere = False  # whether the candidate is not the followed box
        self._window: Optional[Window] = None  # that is being searched
        self._wide: Optional[Iterator[Window]] = None
        self._turn = 0
        self._visited: Deque[Tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._suggested: Deque[np.ndarray] = deque(maxlen=REMEMBERED)
        self._started = 0.0

    def begin(self, frame: AnyFrame, state: np.ndarray, features: Any, scale: Any) -> None:
        """Take a new target; see ``Evidence.begin``."""
        self.active = False
        self._certain[:] = state
        self.evidence.begin(frame, state, features, scale)

    def doubts(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        window: np.ndarray,
        score: float,
        features: Any,
        scale: Any,
        lost: bool,
    ) -> bool:
        """Whether the evidence says that a target that is followed is lost.

        Args:
            frame, state, window, score, features, scale: as in ``Evidence.of``.
            lost: whether it was lost in the last frame; then more evidence is needed.
        """
        network = self.network
        needed = network.doubt_below
        if lost:
            needed = (network.doubt_below + network.found_above) / 2
        evidence = self.evidence.of(frame, state, window, score, features, scale)
        return self.evidence.smooth(evidence) < needed

    def certain(self, state: np.ndarray) -> None:
        """The target was tracked in a frame: keep its place, and learn."""
        self._certain[:] = state
        self.evidence.learn()

    def start(self) -> None:
        """The target was lost."""
        self.active = True
        self._streak, self._turn = 0, 0
        self._visited.clear()
        self._suggested.clear()
        self._candidate = self._wide = None

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
        self._candidate = self._wide = None

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

    def _choose(self, state: np.ndarray, frame: AnyFrame) -> Window:
        if self._candidate is not None:
            return Window(CHECK, self._candidate, 1.0)
        if self._suggested:
            return Window(WIDE, self._suggested.popleft(), COLOURED)
        turns = DOUBTFUL if self.evidence.smoothed > self.network.look_above else TURNS
        turn = turns[self._turn % len(turns)]
        self._turn += 1
        if turn == "proposals" and turn in self._parts:
            size = self._certain[2:]
            apart = float(np.sqrt(size[0] * size[1]))
            place = propose(bgr_of(frame), size, self.evidence.colour, list(self._visited), apart)
            if place is not None:
                self._visited.append(place)
                return Window(WIDE, np.concatenate([place, size]), COLOURED)
        if turn == "here" or "grid" not in self._parts:
            return Window(HERE, state.copy(), 1.0)
        if self._wide is None:
            frame_size = frame.shape[1], frame.shape[0]
            self._wide = wide_windows(self.network, self._certain, frame_size)
        return next(self._wide)

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
        height, width = frame.shape[:2]
        place = window.state.copy()
        chooser = self._anywhere if window.kind == WIDE else decoder
        _, score = chooser.select(maps, place, scale, width, height)
        known = np.isfinite(place).all() and np.isfinite(score)
        evidence = 0.0
        if known:
            evidence = self.evidence.of(frame, place, window.state, score, features, scale)
        found = self._weigh(window, place, evidence)
        if known and (found or window.kind == HERE):
            state[:] = place
        self.budget.window((time.perf_counter() - self._started) * 1e3)
        return found, float(score)

    def _weigh(self, window: Window, place: np.ndarray, evidence: float) -> bool:
        """Take the evidence of one window; returns whether the target is found."""
        if window.kind == WIDE:
            if evidence >= self.network.look_above:
                self._candidate, self._streak, self._elsewhere = place, 0, True
            return False
        if window.kind == HERE:
            self.evidence.smooth(evidence)
            self._elsewhere = False
        needed = self.network.found_above
        if self._elsewhere:
            needed += RIVAL * self.evidence.smoothed
        sure = evidence >= needed
        self._streak = self._streak + 1 if sure else 0
        self._candidate = place if sure else None
        if self._streak >= CONFIRMED:
            self.active, self.evidence.smoothed = False, evidence
        return self._streak >= CONFIRMED
