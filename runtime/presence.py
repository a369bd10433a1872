"""Whether a target is there: one number from 0 to 1, and one state.

    tracked   the box holds the target
    unsure    the box is followed, but nothing is learnt from it
    lost      no box is claimed; the last place is reported
    found     the first frame in which a lost target is claimed again

A network's score says how well the best cell fits. It does not say whether that is the target: when
the target is gone, another cell is the best one, often with a high score. So ``presence`` takes
more cues, smoothed over the frames. Which ones depends on what there is:

    ScoreAndFeatures   score * cosine similarity of the features under the box, averaged, in the
                       first frame and in this one; the score alone where a graph shows no features
    ScoreLooksColour   mean of the score, of what the classifier of ``runtime.learner`` says, and of
                       the colours' similarity: where a lost target is searched for

The thresholds stand in a network's TOML, for each set of cues. The box stays the network's box.

docs/networks.md says how the thresholds were found, and how well they work.
"""

import math
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from kernels.cpu.interface import Kernels
from runtime import colour
from runtime.geometry import crop_into
from runtime.learner.classifier import Classifier
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.types import FOUND, LOST, TRACKED, UNSURE, Seen

KEPT = 0.6  # share of the last frame's presence in this one's
INNER = 0.8  # share of the box's sides whose cells are averaged: its corners are background
CUES = 3  # score, looks, colours: what their mean is of
LEARNT = 0.05  # share of a tracked frame's colours in the mean of all
# A target that is tracked is judged in one frame of JUDGED by the classifier and the colours. The
# classifier learns it in another: each of the two takes about a tenth of an INT8 frame's time. Its
# first EARLY updates, which change it most, are made in all frames between the judgements.
JUDGED, EARLY = 4, 12

Cells = Tuple[Tuple[int, int], Tuple[int, int]]
Colours = Callable[[AnyFrame, np.ndarray], np.ndarray]


class Thresholds(NamedTuple):
    """Of presence.

    Attributes:
        lost: below it the target is lost.
        back: below it a target that was lost stays so.
        unsure: below it a target that is not lost is ``unsure``.
    """

    lost: float
    back: float
    unsure: float


def thresholds_of(network: Network, searches: bool) -> Thresholds:
    """A network's thresholds, with the cues of the search or without."""
    if searches:
        middle = (network.search_lost_below + network.found_above) / 2
        return Thresholds(network.search_lost_below, middle, middle)
    return Thresholds(network.lost_below, network.lost_below, network.unsure_below)


class Presence:
    """Judges one target.

    Args:
        thresholds: see ``thresholds_of``.
        cues: ``ScoreAndFeatures`` or ``ScoreLooksColour``; None where nothing is judged.
        every: frames from one judgement of a tracked target to the next.

    Attributes:
        value: presence, smoothed, 0 to 1; None where nothing judges the target.
        state: one of ``runtime.types.STATES``.
        lost_frames: for how many frames the target has been lost.
        since: frames since the last judgement.
    """

    def __init__(self, thresholds: Thresholds, cues: Any = None, every: int = 1) -> None:
        self._thresholds, self.cues, self._every = thresholds, cues, every
        self._begin()

    def _begin(self) -> None:
        self.value: Optional[float] = 1.0 if self.cues is not None else None
        self.state, self.lost_frames, self.since = TRACKED, 0, 0

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Take a new target.

        Args:
            frame: of any kind.
            state: float64 [cx, cy, w, h], frame pixels.
            seen: of the first frame; None where nothing was looked at.
        """
        self._begin()
        if self.cues is not None:
            self.cues.begin(frame, state, seen)

    def watch(self, frame: AnyFrame, state: np.ndarray, seen: Seen, score: float) -> str:
        """Judge a frame in which the target was followed; returns the target's state.

        Args:
            frame: of any kind.
            state: float64 [cx, cy, w, h], where the network says that the target is.
            seen: the search region, around the state before.
            score: the network's, 0 to 1 (``Family.certain``).
        """
        if self.cues is None:
            return self.step(False)
        self.since += 1
        if self.state == TRACKED and self.since < self._every:
            return TRACKED
        now = self.cues.of(frame, state, seen, score)
        value, self.since = self.smooth(now, self.since), 0
        thresholds = self._thresholds
        lost = value < (thresholds.back if self.state == LOST else thresholds.lost)
        return self.step(lost)

    def smooth(self, now: float, frames: int = 1) -> float:
        """Take what the cues say of a frame, ``frames`` after the last; returns presence."""
        before = 1.0 if self.value is None else self.value
        self.value = before + (now - before) * (1 - KEPT**frames)
        return self.value

    def assume(self, state: str, value: Optional[float] = None) -> None:
        """Take a state that is known from elsewhere, and presence where that is known too."""
        self.state = state
        self.value = self.value if value is None else value

    def step(self, lost: bool) -> str:
        """End a frame in which the target is lost or not; returns its state."""
        if lost:
            self.state = LOST
            self.lost_frames += 1
            return LOST
        self.lost_frames = 0
        if self.state == LOST:
            self.state = FOUND
        else:
            unsure = self.value is not None and self.value < self._thresholds.unsure
            self.state = UNSURE if unsure else TRACKED
        return self.state


class ScoreAndFeatures:
    """Score times the cosine similarity of the first frame's features and this one's.

    Args:
        network: uses ``stride``.
        kernels: ``cosine_similarity`` (see ``kernels.cpu.interface``).

    Attributes:
        reference: float32 (channels,), of the first frame; None where nothing is compared.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._network, self._compare = network, kernels.cosine_similarity
        self.reference: Optional[np.ndarray] = None

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Take a new target; see ``Presence.begin``."""
        self.reference = None
        if seen is not None and seen.features is not None:
            self.reference = np.zeros(seen.features.shape[1], np.float32)
            rows, columns = cells_under(self._network, seen, 0.0, 0.0, state)
            self._compare(seen.features, rows, columns, None, self.reference)

    def of(self, frame: AnyFrame, state: np.ndarray, seen: Seen, score: float) -> float:
        """What they say of a box; arguments as in ``Presence.watch``."""
        if self.reference is None:
            return score
        scale, centre = seen.scale, seen.around
        x, y = (state[0] - centre[0]) * scale[0], (state[1] - centre[1]) * scale[1]
        rows, columns = cells_under(self._network, seen, x, y, state)
        return score * max(0.0, self._compare(seen.features, rows, columns, self.reference, None))


class ScoreLooksColour:
    """Mean of the score, of what the classifier says, and of the colours' similarity.

    The classifier learnt the target while it was tracked; it says about 1 for the target and -1 for
    all else. The colours' similarity is the Bhattacharyya coefficient of the box's histogram and
    that of the first frame, or of the frames in which the target was tracked, whichever is higher.

    Args:
        classifier: of the target; its owner begins it and lets it learn.
        colours: function (frame, state) that gives the histogram of a box.

    Attributes:
        colour: the target's histogram.
    """

    def __init__(self, classifier: Classifier, colours: Colours) -> None:
        self._classifier, self._colours = classifier, colours

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Take a new target; see ``Presence.begin``."""
        self.colour = self._colours(frame, state)
        self._recent = self._now = self.colour
        self._roots = np.sqrt(self.colour), np.sqrt(self._recent)
        self._tracked = 0  # frames since then in which the target was tracked

    def of(self, frame: AnyFrame, state: np.ndarray, seen: Seen, score: float) -> float:
        """What they say of a box; arguments as in ``Presence.watch``."""
        looks = float(self._classifier.judge(state[None], seen)[0])
        return self._mean(score + looks, frame, state)

    def best(
        self,
        frame: AnyFrame,
        states: np.ndarray,
        scores: Sequence[float],
        seen: Seen,
        needed: float,
    ) -> Tuple[int, float]:
        """The box for which the most speaks: its index, and what the cues say of it.

        No colours are read where even equal ones would not give what is needed. The answer is 0
        where no box has as much.

        Args:
            frame: of any kind.
            states: (n, 4) [cx, cy, w, h], frame pixels.
            scores: n of the network's.
            seen: the window.
            needed: the least that counts.
        """
        totals = np.array(scores, float) + self._classifier.judge(states, seen)
        chosen, most = 0, 0.0
        for index in np.argsort(-totals, kind="stable").tolist():
            if (totals[index] + 1.0) / CUES < max(needed, most):  # colours' similarity: at most 1
                break
            mean = self._mean(float(totals[index]), frame, states[index])
            if mean > most:
                chosen, most = index, mean
        return chosen, most

    def _mean(self, total: float, frame: AnyFrame, state: np.ndarray) -> float:
        """The mean, of the sum of score and looks."""
        self._learn_colours()
        self._now = self._colours(frame, state)
        root = np.sqrt(self._now)
        first, recent = self._roots
        total += max(float(first.dot(root)), float(recent.dot(root)))
        return min(max(0.0, total / CUES), 1.0)

    def learn(self) -> None:
        """The last box that was judged holds the target: learn its colours."""
        self._tracked += 1

    def _learn_colours(self) -> None:
        """Move the recent colours by ``LEARNT``, once for each frame since the last judgement."""
        if self._tracked:
            kept = (1 - LEARNT) ** self._tracked
            self._recent = self._now + (self._recent - self._now) * kept
            self._roots = self._roots[0], np.sqrt(self._recent)
            self._tracked = 0


class ColoursUnder:
    """The colours in boxes: called with (frame, state), it gives their ``histogram``.

    Args:
        network, kernels: crop the box; in C++ too where the kernels are compiled.

    Attributes:
        border: colour of the pixels outside the frame.
        project: of ``runtime.colour``, in C++ where the kernels are compiled.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        fast = colour.compiled(kernels)
        self._histogram: Any = fast.histogram if fast else colour.histogram
        self.project: Any = fast.project if fast else colour.project
        patch = np.zeros((3, colour.PATCH, colour.PATCH), np.uint8)
        self._crop, self._picture = crop_into(network, kernels, patch), patch.transpose(1, 2, 0)
        self.border = np.zeros(3, np.uint8)

    def __call__(self, frame: AnyFrame, state: np.ndarray) -> np.ndarray:
        """Of a frame of any kind and [cx, cy, w, h], frame pixels."""
        cx, cy, w, h = state.tolist()
        window = int(cx - w / 2), int(cy - h / 2), max(1, int(w)), max(1, int(h))
        self._crop(frame, window, self.border)
        return np.asarray(self._histogram(self._picture, colour.MIDDLE))


def cells_under(network: Network, seen: Seen, x: float, y: float, state: np.ndarray) -> Cells:
    """The cells under the inner part of a box, at least one: (first, end) of rows, columns.

    Args:
        network: uses ``stride``.
        seen: features (1, channels, cells) and their scale.
        x, y: the box's centre from the search region's, search pixels.
        state: only the size is used, frame pixels.
    """
    side, cell, scale = math.sqrt(seen.features.shape[2]), network.stride, seen.scale
    columns = _span(x / cell, state[2] * scale[0] * INNER / cell, side)
    return _span(y / cell, state[3] * scale[1] * INNER / cell, side), columns


def _span(centre: float, length: float, side: float) -> Tuple[int, int]:
    """Cells within half a length of a centre; in cells, cell i at i - side // 2."""
    half = max(length / 2, 0.5)
    first = math.ceil(centre - half + side // 2)
    end = math.floor(centre + half + side // 2) + 1
    first = min(max(int(first), 0), int(side) - 1)
    return first, min(max(int(end), first + 1), int(side))
