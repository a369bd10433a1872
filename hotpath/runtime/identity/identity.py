"""Decide in every frame whether the box still holds the target: its phase and its presence.

The target is followed from the box that the user drew. As long as it is not lost, the object in the
box is taken to be the same, and the state is ``tracked``. Suppose that the target is then hidden
for two seconds. Its certainty (``value``), the smoothed mean of the network's score, the
classifier's answer and the similarity of the colours, falls, and within a few frames the target is
``unsure`` and then ``lost``. For BEFORE_SEARCH frames only the usual window is examined, because
most targets return there; then the search goes through the whole picture. An object that it finds
is followed as a candidate (a tentative track), and it is ``unsure`` until it is verified. In each
frame, its similarity says how much it resembles the target, from 0 (what 95 % of all other objects
reach by chance) to 1. If the mean over at least FRAMES and at most MOST_FRAMES frames reaches a
share of REFERENCE, the candidate is verified: it is ``tracked``, and ``track.found`` is true. For
PROBATION frames nothing is learnt from it. If it is not verified within PATIENCE frames, it is
given up, and the search begins again, elsewhere first. An object that merely follows the target's
path (``target_path.py``) is never verified, and none is verified while it is still followed
backwards (``hotpath.runtime.tracker.trail``). The bar is the same for all targets, because a bar
that followed the appearance of the box was lowered by whatever hid the target.

    CONFIRMED  followed since the first box, or verified after a loss
    VERIFIED   the frame in which it was verified; CONFIRMED from the next one on
    DOUBTFUL   as CONFIRMED, with a low value or a low similarity
    TENTATIVE  followed after a loss or a jump, and not verified yet
    GONE       nothing that resembles the target is followed

    CONFIRMED, VERIFIED, DOUBTFUL, TENTATIVE   value < lost                      -> GONE
    CONFIRMED, VERIFIED, DOUBTFUL, GONE        the box jumps to another object   -> TENTATIVE
    GONE                                       value >= unsure, or the search    -> TENTATIVE
    TENTATIVE                                  mean similarity >= share          -> VERIFIED
    TENTATIVE                                  for PATIENCE frames               -> GONE

Presence is the probability that the box holds the target. It is the product of two probabilities:
that an object is there at all (a curve of the smoothed value), and that it is the same object. The
second one starts high at the first box and low after a loss, because the number of look-alikes
differs from film to film: of the objects that were found again, nine of ten were the target on
public sequences, and none on motorways. Only similarity raises it. Further frames of one object add
little, because they resemble each other, so that time alone is no evidence; ``HALF`` frames count
for half of the evidence. Until an object is verified, presence is at most ``MOST_UNVERIFIED``. No
appearance can verify one of several identical objects; there the user decides (``confirm``,
``reject``). Any target whose presence falls below that of an unverified object is unsure, and
nothing is learnt.
"""

import math
from collections import deque
from enum import Enum
from typing import Any, Deque, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.runtime.identity.target_path import TargetPath
from hotpath.runtime.network import Network
from hotpath.runtime.types import LOST, TRACKED, UNSURE, WindowResult


class IdentityPhase(Enum):
    """What is known of the object that is followed; see above."""

    CONFIRMED = "confirmed"
    VERIFIED = "verified"
    DOUBTFUL = "doubtful"
    TENTATIVE = "tentative"
    GONE = "gone"


ACCEPTED = (IdentityPhase.CONFIRMED, IdentityPhase.VERIFIED, IdentityPhase.DOUBTFUL)
UNVERIFIED_PHASES = (IdentityPhase.TENTATIVE, IdentityPhase.GONE)


KEPT = 0.6  # share of the last frame's value in this one's
BEFORE_SEARCH = 16  # frames after a loss in which only the usual window is looked at
MOST_FRAMES = 30  # of a tentative object, whose mean counts
FRAMES = 3  # that a verification takes at least
PATIENCE = 240  # unverified frames until a candidate is given up
PROBATION = 60  # frames until a verified object is learnt, and for which the user's word holds
# A similarity is 0 for what 95 % of other objects reach by chance, and 1 for the target itself
LEAST_RANGE = 0.1  # from chance to 1, and from ``lost`` to ``found``
COLOURS_DENY = 0.15  # weight of other colours; equal ones say nothing: on snow, all is white
REFERENCE = 0.75  # mean similarity of a target, of which a share verifies
# share of a frame in what is recent: a similarity; a score; a velocity
RECENT = 0.3
# share of the recent score: a frame below it is not "tracked", since it may show a jerk or a cut
SUDDEN = 0.35
# Presence. That something is there: log odds where the value is ``lost``; their rise to ``found``
ODDS, RISE = {"held": -0.9, "gone": -1.3}, 2.5
# That it is the same object: log odds before any evidence, since the first box and after a loss;
# what similarity adds beyond CHANCE, in parts of REFERENCE; frames that are worth half of all
FIRST, AFTER = 2.0, -1.15
SLOPE, CHANCE, HALF = 4.4, 0.19, 3.0
MOST_UNVERIFIED = 0.4  # at most, before an object is verified


class IdentityRules(NamedTuple):
    """The numbers of one network, from [tracking] of its TOML.

    Attributes:
        lost: value below which a target becomes lost.
        unsure: below it a target that is not lost is doubtful, and a lost one stays lost.
        found: presence counts from ``lost`` to it.
        share: of ``REFERENCE`` that verifies a candidate; 0: any object, after ``frames`` frames.
        frames: that a verification takes at least.
    """

    lost: float
    unsure: float
    found: float
    share: float = 0.0
    frames: int = FRAMES


def rules_of(network: Network) -> IdentityRules:
    """Return a network's rules."""
    lost, found = network.search_lost_below, network.found_above
    return IdentityRules(lost, (lost + found) / 2, found, network.same_share, FRAMES)


class Identity:
    """Judges whether what is followed is the target.

    Args:
        rules: of its network.
        cues: measure a box: ``value`` gives that of a frame, 0 to 1, and ``chances`` what other
            objects reach by chance. None: the network cannot tell; the target is always tracked.
        every: frames from one judgement of a confirmed target to the next.

    Attributes:
        phase: see above.
        value: smoothed value of the cues, 0 to 1; None without cues.
        since: frames since the last judgement.
        found: whether this frame is the first one of "tracked" after a loss or a jump.
        gone_frames: frames for which the target has been gone.
        probation: frames until something is learnt after the last verification.
        is_disputed: whether a witness follows something else, so that nothing is learnt.
        is_traced: whether a candidate is still followed backwards, so that it is not verified yet.
        mean_similarity: mean similarity since the last loss until the probation ended, in parts of
            ``REFERENCE``; infinite before a loss.
    """

    def __init__(self, rules: IdentityRules, cues: Any = None, every: int = 1) -> None:
        self.rules, self.cues, self._every = rules, cues, every
        self._similarities: Deque[float] = deque(maxlen=MOST_FRAMES)  # while tentative
        # mean similarity and frames of a candidate that reached the bar while it is traced
        self._alike: Optional[Tuple[float, int]] = None
        self._path = TargetPath()
        self._reset()

    def _reset(self) -> None:
        self.phase = IdentityPhase.CONFIRMED
        self.found = self._was_lost = self.is_disputed = self.is_traced = False
        self._is_tracked = True
        self.value: Optional[float] = None if self.cues is None else 1.0
        self.since = self.gone_frames = 0
        self._score: Optional[float] = None  # recent score of the network
        self._has_collapsed = False  # whether that of this frame is far below it
        self._is_absent = False  # whether presence is that of an unverified object
        self._trusted = 0  # frames for which the user's word outweighs a low similarity
        self._recent = REFERENCE  # similarity of the last frames while the target was accepted
        self.mean_similarity, self._weighed = math.inf, 0  # and of how many frames
        self._path.begin()
        self._forget()

    def begin(self, frame: Any, state: np.ndarray, result: Optional[WindowResult]) -> None:
        """Start with a new target: the user gave its box, [cx, cy, w, h] in frame pixels.

        ``result`` is the ``WindowResult`` of the first frame; None if the device did not look at
        it.
        """
        self._reset()
        if self.cues is not None:
            self.cues.begin(frame, state, result)

    # the evidence of a frame: ``observe`` (and ``expect_another_object`` before it), or
    # ``end_search_frame``

    def expect_another_object(self) -> None:
        """Take note that the next ``observe`` is of another object, which may be a look-alike."""
        self._similarities.clear()  # no evidence for another object
        self._alike = None
        if self.phase != IdentityPhase.TENTATIVE:
            self._forget()
            self.phase = IdentityPhase.TENTATIVE

    def observe(
        self,
        frame: Any,
        state: np.ndarray,
        result: WindowResult,
        score: float,
        appearance: Optional[float] = None,
    ) -> None:
        """Judge the box that is followed.

        Args:
            frame, state: the frame, and [cx, cy, w, h] where the network found the target.
            result: the ``WindowResult`` of the search region around the previous state.
            score: score of the network, 0 to 1.
            appearance: the classifier's value of the box, if the search has asked for it; else
                None.
        """
        self.since += 1
        before = score if self._score is None else self._score
        self._score = before + (score - before) * RECENT
        self._has_collapsed = score < SUDDEN * before
        if self.rules.share > 0:
            self._path.step(state, self._is_tracked)
        if self.cues is None or (
            self.phase == IdentityPhase.CONFIRMED and self.since < self._every
        ):
            return
        rules, now = self.rules, self.cues.value(frame, state, result, score, appearance)
        frames, self.since = self.since, 0
        value = self.smooth(now, frames)
        if self.phase in ACCEPTED:
            if rules.share > 0:
                self._compare(frames)
            if value < rules.lost:
                self._lose()
            else:
                self.phase = (
                    IdentityPhase.DOUBTFUL
                    if value < rules.unsure or self._is_unlike
                    else IdentityPhase.CONFIRMED
                )
        elif value < (rules.unsure if self.phase == IdentityPhase.GONE else rules.lost):
            self._lose()
        else:
            self._judge_tentative()

    def end_search_frame(self, state: np.ndarray, value: Optional[float]) -> None:
        """End a frame of the search, which follows ``state``.

        ``value`` is that of an object that the search has found there; None if it has not.
        """
        if self.rules.share > 0:
            self._path.step(state, self._is_tracked)
        if value is None:
            self._lose()
        else:
            self.value = value
            self._forget()
            self._judge_tentative()

    def rescale(self) -> None:
        """Adapt to a new frame size: earlier places do not apply to the new frames."""
        self._path.begin()

    def confirm(self) -> None:
        """Take the user's word that what is followed is the target.

        For PROBATION frames, unless it is gone, a low certainty does not make it unsure, and its
        appearance is learnt.
        """
        self._forget()
        self._trusted, self._is_absent, self.is_disputed = PROBATION, False, False
        self.phase, self.mean_similarity, self.gone_frames = IdentityPhase.CONFIRMED, math.inf, 0
        self.value, self._recent = None if self.value is None else 1.0, REFERENCE

    def reject(self) -> None:
        """Take the user's word that this is not the target: it is lost, and searched for."""
        self._lose(BEFORE_SEARCH + 1)
        self.value = None if self.value is None else 0.0

    def propose(self) -> None:
        """Take note that another candidate is followed from now on, which something points at."""
        self.yield_to_other(IdentityPhase.TENTATIVE)
        self.value, self.gone_frames = max(self.value or 0.0, self.rules.unsure), 0

    def yield_to_other(self, phase: IdentityPhase = IdentityPhase.GONE) -> None:
        """Take note that the box holds another target's object."""
        self.phase = phase
        self._forget()

    # the rules

    def smooth(self, now: float, frames: int = 1) -> float:
        """Smooth the value of a frame that comes ``frames`` after the last one; returns it."""
        before = 1.0 if self.value is None else self.value
        self.value = before + (now - before) * (1 - KEPT**frames)
        self._trusted = max(self._trusted - frames, 0) if self.phase in ACCEPTED else 0
        if self._trusted and now >= self.rules.lost:
            self.value = max(self.value, self.rules.unsure)
        return self.value

    def _forget(self) -> None:
        """Drop the evidence for what was followed."""
        self._similarities.clear()
        self._alike = None
        self._unverified = 0  # frames of a tentative object, with jumps
        self.probation = 0

    def _lose(self, frames: int = 1) -> None:
        self.phase, self.gone_frames = IdentityPhase.GONE, self.gone_frames + frames
        self._forget()

    def _judge_tentative(self) -> None:
        """Verify a candidate by the mean of its frames; after PATIENCE frames it is given up."""
        self.phase, self.gone_frames = IdentityPhase.TENTATIVE, 0
        self._unverified += 1
        if self.rules.share > 0:
            self._similarities.append(0.0 if self._path.comes_after else self._similarity())
        else:
            self._similarities.append(REFERENCE)
        count = len(self._similarities)
        mean_similarity = sum(self._similarities) / count / REFERENCE
        is_alike = count >= self.rules.frames and mean_similarity >= self.rules.share
        if is_alike and self._alike is None:
            self._alike = mean_similarity, count
        if self._alike is not None and not self.is_traced:
            self.mean_similarity, self._weighed = self._alike
            self._forget()
            self.phase, self._recent = IdentityPhase.VERIFIED, REFERENCE
            self.probation = PROBATION if self.rules.share > 0 else 0
        elif self._unverified >= PATIENCE:
            self._lose(BEFORE_SEARCH + 1)

    def _compare(self, frames: int) -> None:
        """Update the similarity of an accepted target, ``frames`` after the last time."""
        similarity = self._similarity()
        if self.probation:
            self._weighed += 1
            self.mean_similarity += (similarity / REFERENCE - self.mean_similarity) / self._weighed
            self.probation = max(self.probation - frames, 0)
        self._recent += (similarity - self._recent) * RECENT

    @property
    def _is_unlike(self) -> bool:
        """Whether the recent similarity speaks against the target."""
        return self.rules.share > 0 and not self._trusted and self._recent < CHANCE * REFERENCE

    def _similarity(self) -> float:
        """Return how much the box resembles the target, less what other colours count."""
        appearance, colours = map(
            above_chance, (self.cues.appearance, self.cues.alike), self.cues.chances()
        )
        denied: float = min(colours - appearance, 0.0) * COLOURS_DENY
        return appearance + denied

    # what follows from the phase

    def report(self) -> Tuple[str, Optional[float]]:
        """End a frame; returns the state, and presence: the probability that the box is right."""
        self.found = False
        if self.value is None:
            return TRACKED, None
        rules = self.rules
        scaled = (self.value - rules.lost) / max(rules.found - rules.lost, LEAST_RANGE)
        kind = "gone" if self.phase == IdentityPhase.GONE else "held"
        presence = logistic(ODDS[kind] + RISE * scaled) * self._probability_of_target
        self._is_absent = presence < MOST_UNVERIFIED and not self._trusted
        is_doubted = self._has_collapsed or self._is_absent
        self._is_tracked = (
            self.phase in (IdentityPhase.CONFIRMED, IdentityPhase.VERIFIED) and not is_doubted
        )
        self._has_collapsed = False
        if self._is_tracked:
            self.found, self._was_lost = self._was_lost, False
            return TRACKED, presence
        self._was_lost |= self.phase in UNVERIFIED_PHASES
        return LOST if self.is_lost else UNSURE, presence

    @property
    def _probability_of_target(self) -> float:
        """The probability that what is followed is the target, and not another object."""
        log_odds, frames, share = AFTER, self._weighed, self.mean_similarity
        if self.phase in UNVERIFIED_PHASES:
            frames = len(self._similarities)
            share = sum(self._similarities) / max(frames, 1) / REFERENCE
        elif math.isinf(share):
            log_odds, frames, share = FIRST, MOST_FRAMES, self._recent / REFERENCE
        gain = SLOPE * (share - CHANCE) * frames / (frames + HALF)
        same = logistic(log_odds + gain) if self.rules.share > 0 else 1.0
        return min(same, MOST_UNVERIFIED) if self.phase in UNVERIFIED_PHASES else same

    @property
    def learns(self) -> bool:
        """Whether this box may be learnt, because it certainly holds the target."""
        unsure = self.probation or self._is_absent or self.is_disputed
        return self.phase == IdentityPhase.CONFIRMED and not unsure

    @property
    def wants_search(self) -> bool:
        """Whether the search shall begin: the usual window has been examined for long enough."""
        return self.phase == IdentityPhase.GONE and self.gone_frames > BEFORE_SEARCH

    @property
    def is_lost(self) -> bool:
        """Whether nothing in the box resembles the target."""
        return self.value is not None and self.value < self.rules.lost

    @property
    def is_unverified(self) -> bool:
        """Whether what is followed has not been verified to be the target."""
        return self.phase in UNVERIFIED_PHASES

    @property
    def is_chance(self) -> bool:
        """Whether a candidate is followed that is no more like the target than chance."""
        if self.phase != IdentityPhase.TENTATIVE or not self._similarities:
            return False
        return sum(self._similarities) <= CHANCE * REFERENCE * len(self._similarities)


def log_odds(probability: Optional[float]) -> float:
    """Return the log odds of a probability; None is 0."""
    share = min(max(probability or 0.0, 1e-9), 1 - 1e-9)
    return math.log(share / (1 - share))


def logistic(odds: float) -> float:
    """Return the probability of log odds."""
    return 1.0 / (1.0 + math.exp(-max(odds, -30.0)))


def above_chance(value: float, chance: Optional[float]) -> float:
    """Return 0 for what chance explains, 1 for the target; infinite where chance is unknown."""
    return math.inf if chance is None else (value - chance) / max(1 - chance, LEAST_RANGE)
