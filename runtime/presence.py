"""Presence: a number from 0 to 1, and the word that it decides.

    tracked   from ``LIKELY`` on: the box holds the target; after a loss it is proven
    found     the first such frame after another word
    unsure    something that may be the target is followed
    lost      nothing like the target is followed

The score of a network says how well the best cell fits. It does not say that this cell is the
target. When the target is gone, another cell is the best one, often with a high score. So presence
combines the score with other cues and smooths them over the frames. There are two sets of cues:

    ScoreAndFeatures   score * cosine similarity of the mean features under the box, in the first
                       frame and in this one. It is only the score if a graph has no such output.
    ScoreLooksColour   mean of the score, the classifier of ``hotpath.runtime.learner`` and the
                       similarity of colours. It is used if the tracker searches for lost targets,
                       and is defined in ``hotpath.runtime.search.cues``.

The TOML of a network has the thresholds for each set of cues (docs/networks.md).
"""

import math
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime.network import Network
from hotpath.runtime.pictures import AnyFrame
from hotpath.runtime.proof import FEWEST_FRAMES, STRICT, Proof
from hotpath.runtime.types import FOUND, LOST, TRACKED, UNSURE, Seen

LIKELY = 0.5  # presence from which a target is tracked
USUAL_SLOPE = 10.0  # of the curve from the cues to presence, where a network's TOML has none
UNPROVEN = 0.4  # presence of a suspect, at most
CONFIRMED = 2  # frames in succession that must agree on another place
KEPT_PRESENCE = 0.6  # share of the last frame's presence in this one's
INNER = 0.8  # share of the box's sides whose cells are averaged: its corners are background
Cells = Tuple[Tuple[int, int], Tuple[int, int]]


class Thresholds(NamedTuple):
    """The thresholds of presence.

    Attributes:
        lost: below it a target becomes lost.
        back: below it a lost target stays lost.
        unsure: below it a target that is not lost is ``unsure``.
        found: from it on, one frame's cues confirm a target in another place.
        proof: arguments of ``hotpath.runtime.proof.Proof``.
        curve: slope and middle of the logistic curve from presence to the probability that the box
            holds the target.
    """

    lost: float
    back: float
    unsure: float
    found: float
    proof: Tuple[float, int, float] = (0.0, FEWEST_FRAMES, 0.0)
    curve: Tuple[float, float] = (USUAL_SLOPE, 0.5)


def thresholds_of(network: Network, searches: bool, strict: bool = False) -> Thresholds:
    """Return a network's thresholds for the cues of the search, or for those without a search.

    A ``strict`` suspect needs ``strict_share`` over ``STRICT`` frames or more.
    """
    if searches:
        middle = (network.search_lost_below + network.found_above) / 2
        proof = network.same_share, network.same_frames, network.same_until
        if strict:
            proof = network.strict_share, STRICT, network.same_until
        curve = network.presence_slope or USUAL_SLOPE, network.presence_middle or middle
        lost, found = network.search_lost_below, network.found_above
        return Thresholds(lost, middle, middle, found, proof, curve)
    lost, unsure = network.lost_below, network.unsure_below
    return Thresholds(lost, lost, unsure, 1.0, curve=(USUAL_SLOPE, unsure or lost))


def curved(value: float, curve: Tuple[float, float]) -> float:
    """Return the presence that a value of the cues gives by a ``Thresholds.curve``."""
    slope, middle = curve
    return 1.0 / (1.0 + math.exp(slope * (middle - value)))


def word_of(presence: Optional[float], is_like_it: bool, before: str) -> str:
    """Return the one of ``STATES`` that a frame's presence decides.

    Args:
        presence: 0 to 1; None if a network cannot tell.
        is_like_it: whether what is followed looks like the target at all: the smoothed cues reach
            ``Thresholds.lost``.
        before: the word of the frame before it.

    Example:
        >>> word_of(0.49, True, "tracked")
        'unsure'
    """
    if presence is None or presence >= LIKELY:
        return TRACKED if before in (TRACKED, FOUND) else FOUND
    return UNSURE if is_like_it else LOST


class Presence:
    """Judges whether one target is there.

    Args:
        thresholds: see ``thresholds_of``.
        cues: ``ScoreAndFeatures`` or ``ScoreLooksColour``. None judges nothing.
        every: frames from one judgement of a tracked target to the next.

    Attributes:
        value: smoothed presence, 0 to 1; None without cues.
        state: one of ``hotpath.runtime.types.STATES``.
        lost_frames: frames for which the target has been lost.
        since: frames since the last judgement.
        doubted: frames that must confirm the place before it is claimed; 0 if there is no doubt.
        proof: the ``Proof`` of the object that is followed after a loss.
    """

    def __init__(self, thresholds: Thresholds, cues: Any = None, every: int = 1) -> None:
        self._thresholds, self.cues, self._every = thresholds, cues, every
        self.proof = Proof(*thresholds.proof)
        self._begin()

    def _begin(self) -> None:
        self.value: Optional[float] = 1.0 if self.cues is not None else None
        self.state = self._word = TRACKED
        self.lost_frames = 0
        self.since = 0
        self.doubted = 0
        self.proof.begin()

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Start with a new target, [cx, cy, w, h] in frame pixels.

        ``seen`` is the ``Seen`` of the first frame; None if the device did not look at it.
        """
        self._begin()
        if self.cues is not None:
            self.cues.begin(frame, state, seen)

    def watch(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        seen: Seen,
        score: float,
        looks: Optional[float] = None,
    ) -> str:
        """Judge a frame in which the target was followed; returns one of ``STATES``.

        Args:
            frame, state: the frame, and [cx, cy, w, h] where the network found the target.
            seen: the ``Seen`` of the search region around the previous state.
            score: score of the network, 0 to 1 (``Family.certain``).
            looks: the classifier's value of the box, if the search has asked for it; else None.
        """
        if self.cues is None:
            return self.step(False)
        self.since += 1
        if self.state == TRACKED and self.since < self._every and not self.doubted:
            return TRACKED
        now = self.cues.of(frame, state, seen, score, looks)
        value = self.smooth(now, self.since)
        self.since = 0
        thresholds = self._thresholds
        if self.proof.asks and self.state != LOST and not self.doubted:
            proof, strict = self.cues.proof()
            if self.state == TRACKED:
                self.proof.learn(proof)
            if self.proof.drifted(proof, strict):
                return self.step(True)
        if self.proof.pending:
            return self._suspect(value)
        if self.doubted and value >= thresholds.lost:
            self.doubted = self.doubted - 1 if now >= thresholds.found else CONFIRMED
            if self.doubted:
                self.state = LOST  # ``lost_frames`` stays, so that no search begins
                return LOST
            return self.step(False)
        self.doubted = 0
        lost = value < (thresholds.back if self.state == LOST else thresholds.lost)
        return self.step(lost)

    def _suspect(self, value: float) -> str:
        """Judge a frame in which a suspect was followed."""
        if self.doubted:  # another object is followed now
            self.proof.reject()
        self.doubted = 0
        if value < self._thresholds.lost:
            self.proof.reject()
            return self.step(True)
        return self.step(False)

    @property
    def shown(self) -> Optional[float]:
        """Presence for the user; after a find times the probability that this is the target."""
        if self.value is None:
            return None
        if self.state == LOST:
            return min(curved(self.value, self._thresholds.curve), UNPROVEN)
        return self.proof.likely * curved(self.value, self._thresholds.curve)

    @property
    def suspects(self) -> bool:
        """Whether what is followed has not proven yet to be the target."""
        return self.state == LOST

    def say(self) -> Tuple[str, Optional[float]]:
        """End a frame; returns its word and its presence."""
        presence = self.shown
        is_like_it = self.value is None or self.value >= self._thresholds.lost
        self._word = word_of(presence, is_like_it, self._word)
        return self._word, presence

    def doubt(self) -> None:
        """Doubt the place of the next ``watch``: the box has jumped to another object.

        The target counts as lost until ``CONFIRMED`` frames in succession reach the threshold
        ``found``, or until presence is so low that the target is lost in any case.
        """
        self.doubted = CONFIRMED

    def smooth(self, now: float, frames: int = 1) -> float:
        """Smooth a new value of the cues, ``frames`` after the last one; returns presence."""
        before = 1.0 if self.value is None else self.value
        self.value = before + (now - before) * (1 - KEPT_PRESENCE**frames)
        return self.value

    def assume(self, state: str, value: Optional[float] = None) -> None:
        """Set a state that is known from elsewhere, and presence if it is known."""
        self.state = state
        self.doubted = 0
        self.proof.reject()
        self.value = self.value if value is None else value

    def step(self, lost: bool) -> str:
        """End a frame in which the target was lost or not; returns one of ``STATES``.

        An object that is followed after a loss is the target once it is proven.
        """
        if lost:
            self.state = LOST
            self.lost_frames += 1
            return LOST
        self.lost_frames = 0
        if self.state == LOST:
            self.state = FOUND if self.proof.add(*self.cues.proof()) else LOST
        else:
            unsure = self.value is not None and self.value < self._thresholds.unsure
            self.state = UNSURE if unsure else TRACKED
        return self.state


class ScoreAndFeatures:
    """Multiplies the score with the cosine similarity of the first and this frame's features.

    Args:
        network: only ``stride`` is used.
        kernels: only ``cosine_similarity`` is used (see ``hotpath.kernels.cpu.interface``).

    Attributes:
        reference: float32 (channels,), mean features of the first frame; None if the graph gives
            no features.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._network, self._compare = network, kernels.cosine_similarity
        self.reference: Optional[np.ndarray] = None

    def begin(self, frame: AnyFrame, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Start with a new target; see ``Presence.begin``."""
        self.reference = None
        if seen is not None and seen.features is not None:
            self.reference = np.zeros(seen.features.shape[1], np.float32)
            rows, columns = cells_under(self._network, seen, 0.0, 0.0, state)
            self._compare(seen.features, rows, columns, None, self.reference)

    def proof(self) -> Tuple[float, float]:
        """Return twice 1: these cues prove nothing, so that each object passes."""
        return 1.0, 1.0

    def of(
        self,
        frame: AnyFrame,
        state: np.ndarray,
        seen: Seen,
        score: float,
        looks: Optional[float] = None,
    ) -> float:
        """Return the value of the cues for a box; arguments as in ``Presence.watch``."""
        if self.reference is None:
            return score
        scale, centre = seen.scale, seen.around
        x, y = (state[0] - centre[0]) * scale[0], (state[1] - centre[1]) * scale[1]
        rows, columns = cells_under(self._network, seen, x, y, state)
        return score * max(0.0, self._compare(seen.features, rows, columns, self.reference, None))


def cells_under(network: Network, seen: Seen, x: float, y: float, state: np.ndarray) -> Cells:
    """Return the cells under the inner part of a box, at least one: (first, end) of rows, columns.

    Args:
        network: only ``stride`` is used.
        seen: gives the features (1, channels, cells) and their scale.
        x, y: the box's centre relative to the centre of the search region, search pixels.
        state: [cx, cy, w, h], frame pixels; only the size is used.
    """
    side = math.sqrt(seen.features.shape[2])
    cell = network.stride
    scale = seen.scale
    columns = _span(x / cell, state[2] * scale[0] * INNER / cell, side)
    return _span(y / cell, state[3] * scale[1] * INNER / cell, side), columns


def _span(centre: float, length: float, side: float) -> Tuple[int, int]:
    """Return (first, end) of the cells within half a length of a centre.

    Lengths are in cells. Cell i is at i - side // 2.
    """
    half = max(length / 2, 0.5)
    first = math.ceil(centre - half + side // 2)
    end = math.floor(centre + half + side // 2) + 1
    first = min(max(int(first), 0), int(side) - 1)
    return first, min(max(int(end), first + 1), int(side))
