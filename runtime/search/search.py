"""The search for one lost target, one window after another.

While a target is lost, the window of every frame is taken from here; where the budget allows,
there are several in a frame. What a window shows is judged by the cues of presence. What might be
the target is looked at again, and it is the target when two frames in succession say so.

A tracked frame takes its own time. A frame of the search may take that and the ``Budget``, no more.
So the next window is begun only where it fits into what is left, by what the last windows took.
"""

import copy
import time
from collections import deque
from typing import Any, Callable, Deque, List, NamedTuple, Optional, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime import decode, geometry
from runtime.colour import ColourMap
from runtime.detect.boxes import overlaps
from runtime.learner.head import Proposals
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.presence import Presence
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
from runtime.types import LOST, TRACKED, View

CHECKS = 3  # windows that a candidate gets
NEARLY = 0.15  # presence below ``found_above`` with which a candidate gets the next one
SIZE_LEARNT = 0.1  # share of a tracked frame's size in the size that is searched for
CONFIRMED = 2  # frames in succession that must agree
RIVAL = 0.1  # by how much another place must be better than the followed box, presence
TAKEN = 0.5  # overlap from which a place belongs to another target
FOLLOWED = 16  # frames after a loss in which the usual window alone is searched
# Of the windows, while nothing is found
TURNS = ("proposals", "last", "grid", "proposals", "here", "grid")
DOUBTFUL = ("here", "proposals", "here", "grid")  # where the followed box may hold the target

RECENT = 20  # measurements that are kept
MARGIN = 1.25  # a window is taken to cost so many medians, or what all but one of the last took
SHARE = 0.5  # of a tracked frame's own time: the budget that neither user nor board names


class Budget:
    """Measures frames and windows, and says what still fits.

    Args:
        budget_ms: what a frame may take beyond a tracked frame's time; None for a share of that.
        share: of a tracked frame's time, where ``budget_ms`` is None.
    """

    def __init__(self, budget_ms: Optional[float] = None, share: float = SHARE) -> None:
        self._budget_ms, self._share = budget_ms, share
        self._frame, self._window = Recent(), Recent()
        self._began = 0.0
        self.frames = 0

    def begin(self) -> None:
        """A frame begins."""
        self.frames += 1
        self._began = time.perf_counter()

    def tracked(self) -> None:
        """A frame of one window ends; its time counts as a tracked frame's own."""
        self._frame.add(self.elapsed_ms())

    def window(self, ms: float) -> None:
        """A window of the search took so long."""
        self._window.add(ms)

    @property
    def window_ms(self) -> float:
        """What a window takes."""
        return self._window.median

    def elapsed_ms(self) -> float:
        """Since the frame began."""
        return (time.perf_counter() - self._began) * 1e3

    @property
    def limit_ms(self) -> float:
        """The most that a frame may take, beyond a quick one of the last frames.

        Interruptions make frames longer, never shorter.
        """
        own = self._frame.low
        return own + (own * self._share if self._budget_ms is None else self._budget_ms)

    def allows(self, windows: int, each_ms: float) -> bool:
        """Whether so many windows fit into the frame, where each of them takes so long."""
        return self.elapsed_ms() + MARGIN * windows * each_ms <= self.limit_ms

    def fits(self) -> bool:
        """Whether one more window fits into the frame. None does before a frame was measured."""
        usual = self._frame.median
        if usual == 0.0:
            return False
        wanted = max(MARGIN * usual, MARGIN * self._window.median, self._window.high)
        # a first window that seems quick shows that the others were interrupted
        return max(self.elapsed_ms(), usual) + wanted <= self.limit_ms


class Recent:
    """The last measurements. A tracked frame adds one; only the search reads them."""

    def __init__(self) -> None:
        self._kept: Deque[float] = deque(maxlen=RECENT)
        self.add = self._kept.append

    @property
    def low(self) -> float:
        """A quarter of them are at most so long; 0 before the first one."""
        return self._ordered(len(self._kept) // 4)

    @property
    def median(self) -> float:
        """0 before the first one. Interruptions hardly move it."""
        return self._ordered(len(self._kept) // 2)

    @property
    def high(self) -> float:
        """All but one of them are at most so long; of few, the longest."""
        return self._ordered(-2 if len(self._kept) == RECENT else -1)

    def _ordered(self, place: int) -> float:
        return sorted(self._kept)[place] if self._kept else 0.0


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
        network: uses ``look_above`` and ``found_above``.
        kernels: see ``kernels.cpu.binding``.
        presence: of the target; its cues are ``ScoreLooksColour``.
        budget: the ``Budget`` of its tracker.
        projected: see ``ColourMap``.

    Attributes:
        active: whether the target is searched for.
        rivals: (n, 4) boxes of other targets; what overlaps one of them is not this target.
        judge_ms: what the judgement of a window takes.
    """

    def __init__(
        self,
        network: Network,
        kernels: Kernels,
        presence: Presence,
        budget: Budget,
        projected: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> None:
        self.network, self.budget, self.presence = network, budget, presence
        self._projected = projected
        # In a window f times as wide, boxes come out sqrt(f) times as large as the target is, and
        # the size that is expected is the better one. In the usual window the network's is better.
        self._proposals = Proposals(_with_lr(network, 0.0), kernels)
        self._decoders = {
            WIDE: self._proposals.decoder,
            CHECK: decode.create(_with_lr(network, 1.0), kernels),
            HERE: decode.create(network, kernels),
        }
        self.active = False
        self._certain = np.zeros(4)  # the state when the target was last certain
        self._checks = 0  # windows that the candidate had
        self._streak = 0  # frames in succession in which the target seems to be there
        self._candidate: Optional[np.ndarray] = None
        self._elsewhere = False  # whether the candidate is not the followed box
        self._window: Optional[Window] = None  # that is being searched
        self._grids: Optional[Grids] = None
        self._colours: Optional[ColourMap] = None
        self._coloured_frame = 0  # the frame that they are of
        self._turn = 0
        self._visited: Deque[Tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._suggested: Deque[np.ndarray] = deque(maxlen=REMEMBERED)
        self._started, self.judge_ms = 0.0, Recent()
        self.rivals = np.zeros((0, 4))

    def begin(self, state: np.ndarray) -> None:
        """Take a new target: [cx, cy, w, h], frame pixels."""
        self.active = False
        self._certain[:] = state

    def follow(self, state: np.ndarray) -> None:
        """End a frame in which the target was followed, or found again.

        The place of a tracked target is kept. The search starts for one that stays lost.
        """
        presence = self.presence
        if presence.state == TRACKED:
            x, y, w, h = state.tolist()  # a sixth of the time of arrays
            _, _, kept_w, kept_h = self._certain.tolist()
            kept_w += (w - kept_w) * SIZE_LEARNT
            kept_h += (h - kept_h) * SIZE_LEARNT
            self._certain[:] = x, y, kept_w, kept_h
            presence.cues.learn()
        elif presence.state == LOST and presence.lost_frames > FOLLOWED:
            self.start()
        self.budget.tracked()

    def start(self) -> None:
        """The target was lost."""
        self.active = True
        self._streak, self._turn = 0, 0
        self._visited.clear()
        self._suggested.clear()
        self._candidate = self._grids = None

    def restart(self, state: np.ndarray) -> None:
        """Search for a target that may be in ``state``, [cx, cy, w, h], frame pixels."""
        self.presence.state = LOST
        if not self.active:
            self.start()
        self._certain[:2] = state[:2]
        self.suggest(state[None].copy())

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

    def ahead(
        self, count: int, state: np.ndarray, frame: AnyFrame, is_judged: bool = True
    ) -> List[Planned]:
        """The windows that come next if none of them shows anything.

        Nothing changes: each of them is the next one only when it is taken.

        Args:
            count: how many.
            state, frame: as in ``next_window``.
            is_judged: whether the window that was chosen last is judged already; else none are
                foretold where all depends on what it shows.
        """
        if not is_judged and self._candidate is not None:
            return []
        before, planned = self._chosen(), []
        for _ in range(count):
            cause = self._cause()
            window = self._choose(state, frame)
            self._candidate = None
            planned.append(Planned(window, cause, self._chosen()))
        self._choose_after(before)
        return planned

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

    def _cause(self) -> Tuple[Optional[bytes], Tuple[str, ...]]:
        """What the next choice depends on, besides what has been chosen: a candidate, the turns."""
        candidate, doubtful = (
            self._candidate,
            (self.presence.value or 0.0) > self.network.look_above,
        )
        return None if candidate is None else candidate.tobytes(), DOUBTFUL if doubtful else TURNS

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

    def _choose(self, state: np.ndarray, frame: AnyFrame) -> Window:
        if self._candidate is not None:
            return Window(CHECK, self._candidate, 1.0)
        if self._suggested:
            return Window(WIDE, self._suggested.popleft(), COLOURED)
        _, turns = self._cause()
        turn = turns[self._turn % len(turns)]
        self._turn += 1
        if turn == "proposals":
            window = self._coloured(frame)
            if window is not None:
                return window
        inside = ((0, 0) <= self._certain[:2]) & (self._certain[:2] < frame.shape[1::-1])
        if turn == "last" and inside.all():
            return Window(WIDE, self._certain.copy(), NEAR)
        if turn == "here":
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
            size, target = self._certain[2:], self.presence.cues.colour
            self._colours = ColourMap(frame, size, target, self._projected)
            self._coloured_frame = self.budget.frames
        return self._colours

    def judge(self, frame: AnyFrame, view: View, state: np.ndarray) -> Tuple[bool, float]:
        """Judge what the window shows.

        Args:
            frame: of any kind.
            view: of the window that was chosen last.
            state: of the tracker; it moves where the target is followed, and where it is found.

        Returns:
            (found, score): whether the target is found, the network's score.
        """
        began, window = time.perf_counter(), self._window
        assert window is not None, "no window was chosen"
        size, cues = (frame.shape[1], frame.shape[0]), self.presence.cues
        place = window.state.copy()
        best, score = self._decoders[window.kind].select(view.maps, place, view.scale, *size)
        known = np.isfinite(place).all() and np.isfinite(score)
        now, proposed = 0.0, [(place, score)] if known else []
        if known and window.kind == WIDE:
            proposed += self._proposals.others(best, score, view, size)
        if len(self.rivals):  # no other target is there
            boxes = [geometry.box_of(self.network, its_state) for its_state, _ in proposed]
            shares = overlaps(boxes, self.rivals)
            proposed = [each for each, share in zip(proposed, shares) if (share <= TAKEN).all()]
        if proposed and window.kind == WIDE:
            states = np.array([state for state, _ in proposed])
            scores = [its_score for _, its_score in proposed]
            chosen, now = cues.best(frame, states, scores, view, self.network.look_above)
            place = states[chosen]
        elif proposed:
            now = cues.of(frame, place, view, score)
        found = self._weigh(window, place, now)
        if proposed and (found or window.kind == HERE):
            state[:] = place
        now_s = time.perf_counter()
        self.judge_ms.add((now_s - began) * 1e3)
        self.budget.window((now_s - self._started) * 1e3)
        return found, float(score)

    def _weigh(self, window: Window, place: np.ndarray, now: float) -> bool:
        """Take what the cues say of one window; returns whether the target is found."""
        if window.kind == WIDE:
            if now >= self.network.look_above:
                self._candidate, self._streak, self._elsewhere = place, 0, True
                self._checks = 0
            return False
        if window.kind == HERE:
            self.presence.smooth(now)
            self._elsewhere = False
        needed = self.network.found_above
        if self._elsewhere:
            needed = max(needed, (self.presence.value or 0.0) + RIVAL)
        sure = now >= needed
        self._streak = self._streak + 1 if sure else 0
        self._checks += 1
        nearly = window.kind == CHECK and now >= needed - NEARLY and self._checks < CHECKS
        self._candidate = place if sure or nearly else None
        if self._streak >= CONFIRMED:
            self.active, self.presence.value = False, now
        return self._streak >= CONFIRMED


def _with_lr(network: Network, lr: float) -> Network:
    """The network, with another share of its size in the target's."""
    other = copy.copy(network)
    other.lr = lr
    return other
