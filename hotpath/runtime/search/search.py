"""The search for one lost target: one window in each frame.

While a target is lost, ``Search`` chooses the window of every frame, and the cues judge it. The
best place of a wide window is checked in the next frame, in the usual window. An
object that is found there is followed as a candidate, which the identity must verify.
"""

import math
from collections import deque
from typing import Deque, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.votes import hanning_window, inner_hanning_window
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.colour import ColourMap
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.identity.identity import Identity, Phase, rules_of
from hotpath.runtime.identity.learner.classifier import Classifier
from hotpath.runtime.network import Network
from hotpath.runtime.search.cues import ColoursUnder, ScoreAppearanceColour
from hotpath.runtime.search.grids import Grids
from hotpath.runtime.search.neighbours import Neighbours
from hotpath.runtime.search.rejected import Rejected
from hotpath.runtime.search.windows import (
    CHECK,
    COLOURED,
    HERE,
    REMEMBERED,
    WIDE,
    Window,
    prior_of,
)
from hotpath.runtime.types import Box, WindowResult

JUMP = 0.7  # of a box's size: a place farther away from the network's best cell is a jump
NEAREST = 0.5  # weight of the Hanning window against the classifier, where it chooses among peaks
SIZE_LEARNT = 0.1  # share of a tracked frame's size in the one that is searched for
TAKEN = 0.5  # overlap from which a place belongs to another target

# Of the windows, while nothing is found: where the target was lost, where its colours are, anywhere
TURNS = ("here", "proposals", "grid")
# A target that is tracked is judged in one frame of JUDGED by the classifier and the colours. The
# classifier learns it in another: each of the two takes about a tenth of an INT8 frame's time. Its
# first EARLY updates, which change it most, are made in all frames between the judgements.
JUDGED, EARLY = 4, 12
AT_FIRST, LATER = range(1, JUDGED), (JUDGED // 2,)  # frames after a judgement in which it learns


def create(network: Network, kernels: CpuKernels, searches: bool = True) -> "Search":
    """Make the ``Search`` for a target, with its classifier, colours and identity.

    Args:
        network, searches: see ``Search``.
        kernels: see ``hotpath.kernels.cpu.load``.
    """
    classifier, colours = Classifier(network, kernels), ColoursUnder(network, kernels)
    cues = ScoreAppearanceColour(classifier, colours)
    identity = Identity(rules_of(network), cues, every=JUDGED)
    return Search(network, identity, cues, classifier, colours, searches)


class Search:
    """Searches for one target while it is lost.

    Args:
        network: its ``look_above`` is used, too.
        identity: ``Identity`` of the target.
        cues: its cues, ``ScoreAppearanceColour``.
        classifier: ``Classifier`` of the target.
        colours: ``ColoursUnder``.
        searches: whether a lost target is searched for; else it is only judged.

    Attributes:
        active: whether the target is searched for.
        prior: ``SelectionPrior`` of a followed target's window.
        chooses: whether ``choose`` may choose another place than the network's own.
        identity, classifier: as above.
        rejected: the objects that are not found again.
    """

    def __init__(
        self,
        network: Network,
        identity: Identity,
        cues: ScoreAppearanceColour,
        classifier: Classifier,
        colours: ColoursUnder,
        searches: bool,
    ) -> None:
        self.network, self.identity, self._searches = network, identity, searches
        self.classifier, self._colours_under = classifier, colours
        self._cues = cues
        self.prior = prior_of(network)
        self.chooses = self.prior.most > 1
        if self.chooses:
            window = inner_hanning_window if network.family == "centre" else hanning_window
            self._near = window(network.map_size).ravel()
        self._neighbours: Optional[Neighbours] = None  # while a target is followed
        self.active = False
        self.faint = 0  # frames in succession with a score below ``wider_below``
        self._certain: np.ndarray = cues.certain  # the state when the target was last certain
        self._candidate: Optional[np.ndarray] = None  # the place that the search checks
        self._window: Optional[Window] = None  # that is being searched
        self._grids: Optional[Grids] = None  # of this loss, once they are searched
        self._colours: Optional[ColourMap] = None  # of this frame
        self._turn = 0
        self._visited: Deque[Tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._suggested: Deque[np.ndarray] = deque(maxlen=REMEMBERED)
        self._rivals = np.zeros((0, 4))
        self.rejected = Rejected(network, classifier)

    def begin(self, state: np.ndarray, result: WindowResult, border: np.ndarray) -> None:
        """Start with a new target.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            result: the ``WindowResult`` of the first frame.
            border: colour of the pixels outside the frame, (3,) uint8, BGR.
        """
        self.active, self.faint, self._neighbours = False, 0, None
        self.rejected.clear()
        self._certain[:] = state
        self._colours_under.border = border
        self.classifier.begin(state, result)

    def choose(self, result: WindowResult) -> Tuple[int, Optional[float]]:
        """Choose among the places where a followed target may be.

        The network compares a place with the first frame, and a distractor of the same kind may
        score higher. The classifier has learnt what tells the two apart. A place that is far from
        the network's own is a jump, because the target may have left, and a look-alike be there. A
        place to which a neighbour of the target was moving is a jump, too.

        Args:
            result: the ``WindowResult`` of the window around the last state.

        Returns:
            (index, appearance): of the place; the classifier's value of it, or None if it is the
            only one.
        """
        if len(result.scores) == 1:
            if self._neighbours and self._swapped(result, 0):
                self.identity.jump()
            return 0, None
        appearance = self.classifier.appearance(result)
        likely = int(np.argmax(appearance + NEAREST * self._near[result.cells]))
        # without a likely place the target may be gone, and no other place is better
        chosen = likely if appearance[likely] > 0 else 0
        jumps = self._swapped(result, chosen)
        if chosen:
            own, other = result.states[0].tolist(), result.states[chosen].tolist()
            far = math.hypot(other[0] - own[0], other[1] - own[1])
            jumps = jumps or far > JUMP * math.sqrt(own[2] * own[3])
        if jumps:
            self.identity.jump()
        return chosen, float(appearance[chosen])

    def _swapped(self, result: WindowResult, chosen: int) -> bool:
        """Whether the box continues on the trajectory of a neighbour of the target."""
        if self.active:
            return False
        if self._neighbours is None:
            self._neighbours = Neighbours()
        return bool(self._neighbours.swapped(result.states, result.scores, chosen))

    @property
    def learns(self) -> bool:
        """Whether ``learn`` may learn the next frame, which then needs the window's features."""
        identity, ridge = self.identity, self.classifier.ridge
        if not identity.learns or ridge.busy:
            return False
        return identity.since + 1 in (AT_FIRST if ridge.updates < EARLY else LATER)

    def learn(self, state: np.ndarray, result: WindowResult) -> None:
        """End a frame in which the target was tracked or found again.

        The classifier learns the target if that can change its answers. The place of a tracked
        target is stored. For a target that stays lost, the search begins.

        Args:
            state: float64 [cx, cy, w, h] of the target in this frame, frame pixels.
            result: the ``WindowResult`` of the window that shows it.
        """
        identity, classifier = self.identity, self.classifier
        self.faint = self.faint + 1 if result.scores[0] < self.network.wider_below else 0
        is_tracked, learns = identity.phase == Phase.CONFIRMED, identity.learns
        turns = AT_FIRST if classifier.ridge.updates < EARLY else LATER
        if not is_tracked or identity.since in turns:
            classifier.learn(state, result, learns)
        if is_tracked:
            self.rejected.clear()
            x, y, w, h = state.tolist()  # a sixth of the time of arrays
            _, _, kept_w, kept_h = self._certain.tolist()
            kept_w += (w - kept_w) * SIZE_LEARNT
            kept_h += (h - kept_h) * SIZE_LEARNT
            self._certain[:] = x, y, kept_w, kept_h
            if learns:
                self._cues.tracked += 1
        elif identity.wants_search:
            self.start()
            self._turn = int(not identity.is_lost)  # elsewhere first, if given up

    def start(self) -> None:
        """Start the search after the target was lost, if targets are searched for."""
        self.active, self._neighbours = self._searches, None
        self.faint = 0
        self._turn = 0
        self._visited.clear()
        self._suggested.clear()
        self._candidate = self._grids = None

    def restart(self, state: np.ndarray) -> None:
        """Search for a target from a place where it may be.

        Args:
            state: float64 [cx, cy, w, h], frame pixels. The array is not kept.
        """
        self.identity.displace()
        if not self.active:
            self.start()
        self._certain[:2] = state[:2]
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

    def rescale(self, factors: Sequence[float], certain: Optional[np.ndarray] = None) -> None:
        """Adapt to a new frame size.

        Args:
            factors: (4,), new by old width, height, width and height of the frame.
            certain: float64 [cx, cy, w, h], frame pixels, of the target when it was last certain;
                None: as it is known here.
        """
        self._certain *= factors
        self.rejected.rescale(factors)
        if certain is not None:
            self._certain[:] = certain
        self.identity.rescale()
        self._candidate = self._grids = self._neighbours = None

    def avoid(self, boxes: np.ndarray, state: Optional[np.ndarray]) -> None:
        """Set the boxes of other targets. A place that overlaps one is not this target.

        A candidate that turns out to be another target's object is dropped, and the search begins.

        Args:
            boxes: float64 (n, 4) of (x, y, w, h), 0-based frame pixels.
            state: float64 [cx, cy, w, h], frame pixels, that is followed; None before a target.
        """
        self._rivals = boxes
        if len(boxes) and state is not None and self.identity.phase == Phase.TENTATIVE:
            if (overlaps([self._box_of(state)], boxes) > TAKEN).any():
                self.identity.displace()
                self.start()

    def window(self, state: np.ndarray, frame: AnyFrame) -> Window:
        """Choose the window to search in the next frame.

        Args:
            state: float64 [cx, cy, w, h], frame pixels, where the target is followed.
            frame: the next frame, of any kind.
        """
        if self._candidate is not None:
            self._window, self._candidate = Window(CHECK, self._candidate, 1.0), None
        else:
            self._window = self._choose(state, frame)
        self._colours = None  # they are those of one frame
        return self._window

    def _choose(self, state: np.ndarray, frame: AnyFrame) -> Window:
        if self._suggested:
            return Window(WIDE, self._suggested.popleft(), COLOURED)
        turn = TURNS[self._turn % len(TURNS)]
        self._turn += 1
        if turn == "proposals":
            window = self._coloured(frame)
            if window is not None:
                return window
        if turn == "here":
            return Window(HERE, state.copy(), 1.0)
        if self._grids is None:
            frame_size = frame.shape[1], frame.shape[0]
            self._grids = Grids(self.network, self._certain, frame_size)
        following: Window = self._grids.next(lambda: self._colours_in(frame))
        return following

    def _coloured(self, frame: AnyFrame) -> Optional[Window]:
        """Return the window around the place with most of the target's colours, or None."""
        size = self._certain[2:]
        place = self._colours_in(frame).best(self._visited, float(np.sqrt(size[0] * size[1])))
        if place is None:
            return None
        self._visited.append(place)
        return Window(WIDE, np.concatenate([place, size]), COLOURED)

    def _colours_in(self, frame: AnyFrame) -> ColourMap:
        """Return the map of the target's colours in the current frame, computed once a frame."""
        if self._colours is None:
            size = self._certain[2:]
            target = self._cues.colour
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
        assert self._window is not None
        kind = self._window.kind
        place, score, value = self._best(frame, kind, result)
        if kind == WIDE:
            if value >= self.network.look_above and value > 0:
                self._candidate = place
            return None, score, state
        if kind == HERE:
            self.identity.smooth(value)
        found = place is not None and value >= self.identity.rules.unsure
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
        states, scores, cues = result.states, result.scores, self._cues
        if not math.isfinite(scores[0]):
            return None, math.nan, 0.0
        free, rivals = list(range(len(scores))), self._rivals
        if self.rejected:
            self.rejected.look(kind, result)
            free = [index for index in free if not self.rejected.has(self._box_of(states[index]))]
        if len(rivals):  # no other target is there
            shares = overlaps([self._box_of(each) for each in states], rivals)
            free = [index for index in free if (shares[index] <= TAKEN).all()]
        if not free:
            return None, scores[0], 0.0
        if kind == WIDE:
            appearance = self.classifier.appearance(result)[free]
            some = [scores[index] for index in free]
            chosen, value = cues.best(
                frame, states[free], some, appearance, self.network.look_above
            )
            return states[free[chosen]], scores[0], value
        chosen, looked = self.choose(result) if kind == HERE else (0, None)
        if self.rejected and chosen not in free:
            return None, scores[0], 0.0
        value = cues.of(frame, states[chosen], result, scores[chosen], looked)
        return states[chosen], scores[chosen], value

    def _box_of(self, state: np.ndarray) -> Box:
        return geometry.box_of(self.network, state)
