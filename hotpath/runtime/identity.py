"""Is it my target? A target's ``Identity`` answers in every frame. This page is the whole answer.

A frame gives evidence: the network's score, the classifier's value, colours, size. The evidence
moves one phase. The phase decides the word, what is learnt, and where the tracker looks next.

    CONFIRMED  followed since the first box, or proven after a loss
    PROVEN     the frame of the proof; CONFIRMED from the next one on
    DOUBTFUL   as CONFIRMED, with poor evidence
    JUMPED     the box jumped to another object; CONFIRM good frames make it TENTATIVE
    TENTATIVE  followed after a loss, and not proven yet; after LONG frames a search runs beside it
    GONE       nothing like the target is followed; after FOLLOWED frames the search begins

    CONFIRMED, PROVEN, DOUBTFUL, JUMPED, TENTATIVE   value < lost, or it drifted     -> GONE
    CONFIRMED, PROVEN, DOUBTFUL, GONE                the box jumps                   -> JUMPED
    GONE                                             value >= back, or the search    -> TENTATIVE
    TENTATIVE                                        mean proof >= share of its own  -> PROVEN

As long as a target is followed without a loss, its continuous way says that it is the same object.
After a loss nothing says so but its looks. The network's score is no part of a proof, because it is
high for each object of the target's kind. The mean over many frames counts, and not the best ones:
who is followed for long enough looks like the target once. What comes after the target on its way
proves nothing.
"""

import math
from collections import deque
from typing import Any, Deque, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.runtime.network import Network
from hotpath.runtime.types import LOST, TRACKED, UNSURE, Seen
from hotpath.runtime.way import Way

CONFIRMED, PROVEN, DOUBTFUL = CLAIMED = "confirmed", "proven", "doubtful"
JUMPED, TENTATIVE, GONE = UNPROVEN = "jumped", "tentative", "gone"

KEPT = 0.6  # share of the last frame's value in this one's
FOLLOWED = 16  # frames after a loss in which only the usual window is looked at
CONFIRM = 2  # frames in succession that must agree with a jump, or with a place of the search
MOST_FRAMES = 30  # of a tentative object, whose mean counts
FRAMES, STRICT_FRAMES = 3, 15  # that a proof takes at least, and a strict one
LONG = PROBATION = 60  # unproven frames until a search beside; good ones until a find is learnt
GOOD = 0.65  # share of the target's own proof that suffices in the long run
# A proof is 0 for what 95 % of other objects reach by chance, and 1 for the target itself
LEAST_RANGE = 0.1  # from chance to 1, and from ``lost`` to ``found``
COLOURS_DENY = 0.15  # weight of other colours; equal ones prove nothing: on snow, all is white
STRICT_COLOURS = 0.6  # strict: colours that suffice, and the weight of what they lack
RESIZED = 0.3  # the change of size that is allowed, a logarithm
# The target's own proof: at first; share of a frame in it; most that a frame moves it
USUAL, LEARNT, MOST_STEP = 0.75, 0.1, 0.2
RECENT = 0.3  # share of a frame in what is recent: a proof, which tells a drift; a velocity
# Presence: log odds where the value is ``lost``; by how much they rise until it is ``found``
ODDS, RISE = {"followed": -0.9, GONE: -1.3}, 2.5


class Rules(NamedTuple):
    """The numbers of one network, from [tracking] of its TOML.

    Attributes:
        lost: value below which a target becomes lost.
        unsure: below it a target that is not lost is doubtful, and a lost one stays lost.
        found: from it on, one frame agrees with a jump.
        share: of the target's own proof that proves a tentative object; 0: each is the target.
        frames: that a proof takes at least.
        drift: share of the target's own proof below which what is claimed is another object.
        strict: whether the strict proof counts.
    """

    lost: float
    unsure: float
    found: float
    share: float = 0.0
    frames: int = FRAMES
    drift: float = 0.0
    strict: bool = False


def rules_of(network: Network, strict: bool = False) -> Rules:
    """Return a network's rules."""
    lost, found = network.search_lost_below, network.found_above
    proof = network.same_share, FRAMES
    if strict:
        proof = network.strict_share, STRICT_FRAMES
    return Rules(lost, (lost + found) / 2, found, *proof, network.same_until, strict)


class Identity:
    """Judges whether what is followed is the target.

    Args:
        rules: of its network.
        cues: measure a box: ``of`` gives the value of a frame, 0 to 1, and ``chances`` what other
            objects reach by chance. None: the network cannot tell; the target is always tracked.
        every: frames from one judgement of a confirmed target to the next.

    Attributes:
        phase: see above.
        value: smoothed value of the cues, 0 to 1; None without cues.
        since: frames since the last judgement.
        found: whether this frame is the first one of "tracked" after a loss.
        gone_frames: frames for which the target has been gone.
        own: mean proof of the target while it was confirmed.
        probation: good frames until something is learnt after the last proof.
        worth: mean proof since the last loss until the probation ended, in parts of ``own``;
            infinite before a loss.
        evidence: what presence is made of: a key of ``ODDS``; 0 at ``lost``, 1 at ``found``.
    """

    def __init__(self, rules: Rules, cues: Any = None, every: int = 1) -> None:
        self.rules, self.cues, self._every = rules, cues, every
        self._proofs: Deque[float] = deque(maxlen=MOST_FRAMES)  # while tentative
        self._way = Way()
        self._reset()

    def _reset(self) -> None:
        self.phase = CONFIRMED
        self.found = self._was_lost = False
        self._is_tracked, self.evidence = True, ("followed", 0.0)
        self.value: Optional[float] = None if self.cues is None else 1.0
        self.since = self.gone_frames = 0
        self._confirm = 0  # frames that must still agree with a jump
        self._trusted = 0  # frames for which poor looks are less than the user's word
        self.own = self._recent = USUAL
        self.worth, self._weighed = math.inf, 0  # and of how many frames
        self._way.begin()
        self._forget()

    def begin(self, frame: Any, state: np.ndarray, seen: Optional[Seen]) -> None:
        """Start with a new target: the user gave its box, [cx, cy, w, h] in frame pixels.

        ``seen`` is the ``Seen`` of the first frame; None if the device did not look at it.
        """
        self._reset()
        if self.cues is not None:
            self.cues.begin(frame, state, seen)

    # the evidence of a frame: ``watch`` (and ``jump`` before it), or ``searched``

    def jump(self) -> None:
        """Take note that the next ``watch`` is of another object, which may be a look-alike."""
        if self.phase not in (JUMPED, TENTATIVE):
            self._forget()
        self._proofs.clear()  # no evidence for another object
        if self.phase != TENTATIVE:
            self.phase, self._confirm = JUMPED, CONFIRM

    def watch(
        self,
        frame: Any,
        state: np.ndarray,
        seen: Seen,
        score: float,
        looks: Optional[float] = None,
    ) -> None:
        """Judge the box that is followed.

        Args:
            frame, state: the frame, and [cx, cy, w, h] where the network found the target.
            seen: the ``Seen`` of the search region around the previous state.
            score: score of the network, 0 to 1.
            looks: the classifier's value of the box, if the search has asked for it; else None.
        """
        self.since += 1
        if self.rules.share > 0:
            self._way.step(state, self._is_tracked)
        if self.cues is None or (self.phase == CONFIRMED and self.since < self._every):
            return
        rules, now = self.rules, self.cues.of(frame, state, seen, score, looks)
        frames, self.since = self.since, 0
        value = self.smooth(now, frames)
        self._unproven += 1
        if self.phase in CLAIMED:
            drifted = rules.share > 0 and self._drifted(frames) and not self._trusted
            if drifted or value < rules.lost:
                self._lose()
            else:
                self.phase = DOUBTFUL if value < rules.unsure else CONFIRMED
        elif value < (rules.unsure if self.phase == GONE else rules.lost):
            self._lose()
        elif self.phase == JUMPED and now < rules.found and self._unproven < LONG:
            self._confirm = CONFIRM
        elif self.phase == JUMPED and self._confirm > 1:
            self._confirm -= 1
        else:
            self._judge_tentative()

    def searched(self, state: np.ndarray, value: Optional[float]) -> None:
        """End a frame of the search, which follows ``state``.

        ``value`` is that of an object that the search has found there; None if it has not.
        """
        if self.rules.share > 0:
            self._way.step(state, self._is_tracked)
        if self.phase == PROVEN:  # ``beside`` has just proven what was followed
            return
        if value is not None:
            self.value = value
            self._forget()
            self._judge_tentative()
        elif self.phase != TENTATIVE:
            self._lose()

    def beside(self, now: float) -> bool:
        """Judge a tentative object beside the search; returns whether that proves it."""
        self._unproven += 1
        if self.smooth(now) < self.rules.lost:
            self._lose()
        else:
            self._judge_tentative()
        return self.phase == PROVEN

    def rescale(self) -> None:
        """Adapt to a new frame size: places of before are none of the new frames."""
        self._way.begin()

    def confirm(self) -> None:
        """The user says that what is followed is the target: for LONG frames, unless it is gone.

        Meanwhile poor looks make it neither unsure nor another object; the own proof follows them.
        """
        self._forget()
        self._trusted = LONG
        self.phase, self.worth, self.gone_frames = CONFIRMED, math.inf, 0
        self.value, self._recent = None if self.value is None else 1.0, self.own

    def displace(self, phase: str = GONE) -> None:
        """Take note that the box holds another target's object."""
        self.phase = phase
        self._forget()

    # the rules

    def smooth(self, now: float, frames: int = 1) -> float:
        """Smooth the value of a frame that comes ``frames`` after the last one; returns it."""
        before = 1.0 if self.value is None else self.value
        self.value = before + (now - before) * (1 - KEPT**frames)
        self._trusted = max(self._trusted - frames, 0) if self.phase in CLAIMED else 0
        if self._trusted and now >= self.rules.lost:
            self.value = max(self.value, self.rules.unsure)
        return self.value

    def _forget(self) -> None:
        """Drop the evidence for what was followed."""
        self._proofs.clear()
        self._unproven = 0  # frames since the loss in which nothing was proven, with jumps
        self.probation = 0

    def _lose(self) -> None:
        self.phase, self.gone_frames = GONE, self.gone_frames + 1
        self._forget()

    def _judge_tentative(self) -> None:
        """Prove a tentative object by the mean of its frames, in parts of the target's own."""
        self.phase, self.gone_frames = TENTATIVE, 0
        if self.rules.share > 0:
            self._proofs.append(0.0 if self._way.comes_after else self._proof())
            count, total = len(self._proofs), sum(self._proofs)
            if count < self.rules.frames or total < count * (self._share * self._own):
                return
            self.worth, self._weighed = total / count / self._own, count
        self._forget()
        self.phase, self._recent = PROVEN, self.own
        self.probation = PROBATION if self.rules.share > 0 else 0

    def _drifted(self, frames: int) -> bool:
        """Whether what is claimed left the target some frames ago; learns the own proof."""
        proof = self._proof()
        if self.probation:
            self._weighed += 1
            self.worth += (proof / self._own - self.worth) / self._weighed
            if proof >= GOOD * self._own:
                self.probation = max(self.probation - frames, 0)
        if self.phase == CONFIRMED and not (self.probation or self.cues.is_cut):
            self.own += min(max(proof - self.own, -MOST_STEP), MOST_STEP) * LEARNT
        self._recent += (proof - self._recent) * RECENT
        return self._recent < self.rules.drift * self.own

    @property
    def _share(self) -> float:
        """Of the own proof that proves: it falls while the same box is followed as at the loss."""
        share = self.rules.share
        if self.rules.strict or self._way.has_changed:
            return share
        late = (self._unproven - STRICT_FRAMES) / (LONG - STRICT_FRAMES)
        return share + (min(share, GOOD) - share) * min(max(late, 0.0), 1.0)

    @property
    def _own(self) -> float:
        return max(self.own, GOOD * USUAL)  # else all would prove where the target hardly does

    @property
    def proves(self) -> bool:
        """Whether the last judged box alone looks proven."""
        return self._proof() >= self.rules.share * self._own

    def _proof(self) -> float:
        """Return how far looks prove the box, denied by colours and size."""
        looks, colours = map(beyond, (self.cues.looks, self.cues.alike), self.cues.chances())
        enough, denies = looks, COLOURS_DENY
        if self.rules.strict:
            enough = denies = STRICT_COLOURS
        resized: float = max(self.cues.resized - RESIZED, 0.0)
        return looks + min(colours - enough, 0.0) * denies - resized

    # what follows from the phase

    def say(self) -> Tuple[str, Optional[float]]:
        """End a frame; returns its word, and presence: the probability that the box is right."""
        self.found = False
        if self.value is None:
            return TRACKED, None
        rules = self.rules
        is_claimed = self.phase in CLAIMED and not (rules.strict and self.worth < rules.share)
        scaled = (self.value - rules.lost) / max(rules.found - rules.lost, LEAST_RANGE)
        kind = GONE if self.phase == GONE else "followed"
        # what is not claimed may be another object that looks perfect
        self.evidence = kind, scaled if is_claimed else min(scaled, 1.0)
        presence = 1.0 / (1.0 + math.exp(-ODDS[kind] - RISE * self.evidence[1]))
        self._is_tracked = is_claimed and self.phase != DOUBTFUL
        if self._is_tracked:
            self.found, self._was_lost = self._was_lost, False
            return TRACKED, presence
        self._was_lost |= self.phase in UNPROVEN
        return LOST if self.is_lost else UNSURE, presence

    @property
    def learns(self) -> bool:
        """Whether this box may be learnt: it is the target's, and the edge doesn't cut it."""
        return self.phase == CONFIRMED and not (self.probation or self.cues.is_cut)

    @property
    def wants_search(self) -> bool:
        """Whether the usual window was looked at for long enough."""
        for_long = self.phase == TENTATIVE and self._unproven >= LONG
        return for_long or self.phase == GONE and self.gone_frames > FOLLOWED

    @property
    def is_lost(self) -> bool:
        """Whether nothing like the target is followed."""
        return self.value is not None and self.value < self.rules.lost

    @property
    def is_unproven(self) -> bool:
        """Whether what is followed is not proven to be the target."""
        return self.phase in UNPROVEN


def beyond(value: float, chance: Optional[float]) -> float:
    """Return 0 for what chance explains, 1 for the target; infinite where chance is unknown."""
    return math.inf if chance is None else (value - chance) / max(1 - chance, LEAST_RANGE)
