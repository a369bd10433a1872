"""Track a target with two networks: it is ``tracked`` if they agree on its place.

Each network has its own windows, search, classifier and identity, and knows nothing of the other.
One network cannot notice that its box was handed over to a similar object while it was followed.
A second one seldom makes the same mistake in the same frame.

    tracked  both claim the target in the same place; or one of them claims it, and the other one,
             in the same place, doubts, but has not lost it
    unsure   both doubt, one of them has lost it, or they see it in different places
    lost     neither claims it, and what they follow is no more like it than chance

Two boxes are in the same place if they have enough in common: networks that follow the same object
often differ in its size, a head and a whole animal. A box that is nearly the whole picture is no
witness, because it agrees with every other box; the target is then unsure.

The box is that of the first network. Where their boxes differ and the first one does not claim the
target, it is that of the witness if the witness is more certain. If one of them follows something
and the other one nothing, it is the box of the one that follows. While they differ, neither learns.

Presence: in the same place, their evidence adds up. The log odds of presence are the sum of theirs,
times TOGETHER, because some mistakes are common to both. Where not both claim the target, the low
prior of an object after a loss (AFTER) is in both numbers, and must not count twice; if both doubt,
but have lost nothing, presence is at most the larger one. While one of them follows what the other
one led it to, until the end of its probation, both are one witness: here, too, it is at most the
larger one. In different places, presence is that of the network whose box is shown, and AFTER
counts against it. Where not both claim the target, presence is at most ``MOST_OF_ONE``,
and of a lost target at most ``MOST_UNVERIFIED``, as with one network.

A box that moves by more than its size in one frame, while that of the other network stays, has
hopped to another object, whatever the network's score: to one that is not the target, if that was
sure in the frame before, and else to a candidate.

After a loss they help each other: a network that follows nothing takes what the other one claims as
its candidate, and verifies it by its own memory. After both have claimed different places, it does
not, until they agree, or one of them has verified something by itself.
"""

import contextlib
import math
from concurrent.futures import wait
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from hotpath.runtime.devices.base import STEPS, Device, StepMs
from hotpath.runtime.errors import NotReady
from hotpath.runtime.identity.identity import (
    ACCEPTED,
    AFTER,
    MOST_UNVERIFIED,
    IdentityPhase,
    log_odds,
    logistic,
)
from hotpath.runtime.tracker.first_box import fills_frame
from hotpath.runtime.tracker.frame import (
    FrameResults,
    decide_targets,
    run_windows,
    tracks_or_raise,
)
from hotpath.runtime.tracker.lock import exclusive
from hotpath.runtime.tracker.one_thread import OneThread
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.tracker.tracker import NO_BOX, Tracker
from hotpath.runtime.tracker.trail import end_frame, is_sure
from hotpath.runtime.types import LOST, TRACKED, UNSURE, Box, Boxes, Track

AGREE = 0.4  # area that two boxes of one object share, of the geometric mean of both areas
MOST_OF_ONE = 0.75  # presence, at most, where only one of them claims the target
TOGETHER = 2 / 3  # share of the sum of two log odds
HOP = 1.0  # sizes that a box moves in a frame to another object, if the other network's stays


class WitnessedTracker(Tracker):
    """A ``Tracker`` whose target a witness follows, too. Arguments are those of ``Tracker``.

    Args:
        witness: the ``Tracker`` of another network, on a device of its own. It is closed with this
            one.

    Example:
        >>> tracker = load_tracker("kestrel", witness="kestrel_fast")
        >>> track = tracker.init(frame, (440, 270, 60, 90))
        >>> track = tracker.update(frame)
        >>> track.state, track.witnessed
        ('tracked', True)
    """

    def __init__(self, device: Device, witness: Tracker, **options: Any) -> None:
        super().__init__(device, **options)
        self.witness = witness
        witness._warns = False  # its first box has the same doubts
        witness._trail = None  # this one's follows the candidates of both
        self._pool = _thread_on(device)
        self._begin()

    @exclusive
    def init(
        self,
        frame: Any,
        box: Optional[Sequence[float]] = None,
        time_s: Optional[float] = None,
        **meant: Any,
    ) -> Track:
        """See ``Tracker.init``."""
        first = super().init(frame, box, time_s, **meant)
        try:
            self.witness.init(frame, first.box, time_s)
        except Exception:
            self._forget()  # there is no target until all of this has worked
            raise
        self.first = self.target.shown = first._replace(witnessed=True)
        self._begin()
        return self.first

    def _begin(self) -> None:
        self._found = [False, False]  # which of the two has verified it since it was last tracked
        self._before: Optional[Tuple[Any, List[Box]]] = None  # frame's shape, and both boxes in it
        self._led = [False, False]  # which of the two was led to what it follows
        self._have_differed = False  # whether both claimed different places since they agreed

    def _track_in(self, frame: Any) -> Track:
        alone = {0: self}
        tracks, self.step_ms = find_targets(alone, frame)
        return tracks_or_raise(alone, tracks)[0]

    def _tracks_of_both(self, own: Track, other: Track) -> Track:
        """Return what both say of a frame: the tracks of this network and of the witness."""
        own, other = tracks = self._with_hops(own, other)
        identities = self.target.identity, self.witness.target.identity
        for index, identity in enumerate(identities):
            is_new = identity.phase == IdentityPhase.TENTATIVE or identity.probation > 0
            self._led[index] = self._led[index] and is_new
        track = combine_tracks(
            own,
            other,
            is_witness=not any(fills_frame(each.box, self.target.shape) for each in tracks),
            is_unbroken=not any(each.is_unverified for each in identities),
            is_led=any(self._led),
            is_chance=all(t.state == LOST or i.is_chance for t, i in zip(tracks, identities)),
        )
        if track.state != TRACKED and any(each.is_traced for each in identities):
            if TRACKED not in (own.state, other.state):  # nothing is known of it yet
                track = track._replace(presence=min(track.presence or 0.0, MOST_UNVERIFIED))
        self._found = [before or t.found for before, t in zip(self._found, (own, other))]
        if track.state == TRACKED:
            claims = zip(self._found, (own, other))
            track = track._replace(found=all(found for found, t in claims if t.state == TRACKED))
            self._found = [False, False]
        for tracker in (self, self.witness):
            tracker.target.identity.is_disputed = not track.witnessed
        count = [each.state for each in tracks].count(TRACKED)
        self._have_differed |= count == 2 and not track.witnessed
        if track.state == TRACKED or any(each.found for each in tracks):
            self._have_differed = False
        if count == 1 and not track.witnessed and not self._have_differed:
            self._led[0] |= other.state == TRACKED and hand_candidate_over(self, other)
            self._led[1] |= own.state == TRACKED and hand_candidate_over(self.witness, own)
        self.target.shown = track
        return track

    def _with_hops(self, own: Track, other: Track) -> List[Track]:
        """Return both tracks; a box that hops goes to another object.

        If the target was sure in the frame before, that object is not the target. Else it is a
        candidate.
        """
        trackers, tracks = (self, self.witness), [own, other]
        boxes = [each.target.box_of(each.target.state) for each in trackers]
        before, self._before = self._before, (self.target.shape, boxes)
        if before is not None and before[0] == self.target.shape:
            hops = [_hop(*pair) for pair in zip(before[1], boxes)]
            for index, tracker in enumerate(trackers):
                is_followed = tracker.target.identity.phase in ACCEPTED
                if is_followed and hops[index] > HOP and hops[1 - index] < HOP / 10:
                    if self._trail is not None and is_sure(self.target.shown):
                        self._trail.reject(boxes[index], [each.target for each in self._each])
                    else:
                        tracker.target.identity.expect_another_object()
                    state, presence = tracker.target.identity.report()
                    tracks[index] = tracks[index]._replace(
                        state=state, lost=state == LOST, presence=presence, found=False
                    )
        return tracks

    @property
    def _each(self) -> Tuple[Tracker, ...]:
        """See ``Tracker._each``."""
        return self, self.witness

    @property
    def box(self) -> Box:
        """See ``Tracker.box``: that of the last ``Track``."""
        if self.target.state is None or self.target.shown is None:
            self._check_target()
        return self.target.shown.box  # type: ignore[union-attr]  # which has raised

    @exclusive
    def suggest(self, boxes: Boxes) -> None:
        """See ``Tracker.suggest``."""
        super().suggest(boxes)
        self.witness.suggest(boxes)

    @exclusive
    def confirm(self) -> None:
        """See ``Tracker.confirm``. The network that followed something else follows this, too."""
        for tracker, has_it in self._who_has_it():
            if not has_it:
                tracker.target.follow_candidate(self.box)
            Tracker.confirm(tracker)
        self._begin()

    @exclusive
    def reject(self) -> None:
        """See ``Tracker.reject``. A network that follows something else goes on."""
        have_it = [tracker for tracker, has_it in self._who_has_it() if has_it]
        if not have_it:  # the box is where the target was last seen
            raise NotReady(NO_BOX, what="lost")
        for tracker in have_it:
            Tracker.reject(tracker)

    def _who_has_it(self) -> List[Tuple[Tracker, bool]]:
        """Return both trackers, and whether each of them tracks what the last box shows."""
        box = self.box
        if self.target.shown is not None and self.target.shown.state == LOST:
            raise NotReady(NO_BOX, what="lost")
        return [
            (each, not target.identity.is_lost and _agree(target.box_of(target.state), box))
            for each, target in ((each, each.target) for each in self._each)
        ]

    @exclusive
    def release(self) -> None:
        """See ``Tracker.release``."""
        super().release()
        self.witness.release()
        if self._pool is not None:
            self._pool.shutdown()

    @exclusive
    def close(self) -> None:
        """See ``Tracker.close``."""
        if not self._closed:
            self.witness.close()
        super().close()


def _thread_on(device: Device) -> Optional[OneThread]:
    """Return a thread for the witness, if the network is on a processor with two or more."""
    engine = device.engine
    is_processor = engine.device is None and engine.fabric is None
    return OneThread() if is_processor and engine.threads > 1 else None


def find_targets(
    trackers: Mapping[int, WitnessedTracker],
    frame: Any,
    exclude: Optional[Callable[..., None]] = None,
) -> Tuple[Dict[int, Track], StepMs]:
    """Find the targets of two networks in the next frame.

    Both look before either judges, so that both stay where they were if one of them fails.

    Args:
        trackers: number of a target -> its tracker. They share the devices of both networks.
        frame: as in ``Tracker.update``.
        exclude: function of the trackers and the tracks of each network, and of the frame's shape,
            which changes the tracks of the targets whose object is another one's.

    Returns:
        (tracks, step_ms), as of ``run_windows`` and ``decide_targets``.
    """
    networks: List[Mapping[int, Tracker]] = [trackers, {n: t.witness for n, t in trackers.items()}]
    seen = _run_both(networks, frame, next(iter(trackers.values()))._pool)
    lacking = [trackers.keys() - each.results.keys() for each in seen]
    for number in set().union(*lacking):  # no network goes on where the other one has failed
        for each in seen:
            each.results.pop(number, None)
    tracks = [decide_targets(_targets_of(each), results) for each, results in zip(networks, seen)]
    if exclude is not None:
        exclude(networks, tracks, seen[0].shape)
    own, other = tracks
    both = [number for number in own if number in other]
    agreed = {n: trackers[n]._tracks_of_both(own[n], other[n]) for n in both}
    has_wider = any(each.has_wider for each in seen)
    end_frame(trackers, seen[0]._replace(has_wider=has_wider), agreed)
    step_ms = {step: sum(each.step_ms[step] for each in seen) for step in STEPS}
    return agreed, step_ms


def _run_both(
    networks: Sequence[Mapping[int, Tracker]], frame: Any, pool: Optional[OneThread]
) -> List[FrameResults]:
    """Run both networks on a frame, the witness in a thread of its own if there is one."""
    later, targets = None, list(map(_targets_of, networks))
    if pool is not None:
        with contextlib.suppress(RuntimeError):  # Python ends, and begins no thread
            later = pool.submit(run_windows, targets[1], frame)
    if later is None:
        return [run_windows(each, frame) for each in targets]
    try:
        return [run_windows(targets[0], frame), later.result()]
    finally:
        wait([later])  # it reads the frame


def _targets_of(trackers: Mapping[int, Tracker]) -> Dict[int, TargetState]:
    return {number: tracker.target for number, tracker in trackers.items()}


def hand_candidate_over(tracker: Tracker, track: Track) -> bool:
    """Let a network that follows nothing take what the other one claims; returns whether it does.

    It is the candidate of that network.
    """
    redetector = tracker.target.redetector
    is_rejected = redetector is not None and redetector.rejected.has(track.box)
    if tracker.target.identity.phase != IdentityPhase.GONE or is_rejected:
        return False
    tracker.target.follow_candidate(track.box)
    return True


def combine_tracks(
    own: Track,
    other: Track,
    *,
    is_witness: bool = True,
    is_unbroken: bool = False,
    is_led: bool = False,
    is_chance: bool = False,
) -> Track:
    """Return the track of a target that two networks follow.

    Args:
        own: the track of the network whose box is reported.
        other: the track of the witness.
        is_witness: whether their boxes can agree at all.
        is_unbroken: whether each of them has followed the target without a loss, or has verified
            it since; then the claim of one of them is enough.
        is_led: whether one of them was led to what it follows, and has not followed it for long;
            then both are one witness.
        is_chance: whether neither follows anything that is more like the target than chance.

    Example:
        >>> own, other = (Track(Box(0, 0, w, 9), 0.9, presence=0.7) for w in (8, 9))
        >>> combine_tracks(own, other).state, round(combine_tracks(own, other).presence, 2)
        ('tracked', 0.76)
        >>> combine_tracks(own, other._replace(box=Box(50, 0, 9, 9))).state
        'unsure'
        >>> doubtful = other._replace(state="unsure")
        >>> [combine_tracks(own, doubtful, is_unbroken=each).state for each in (False, True)]
        ['unsure', 'tracked']
    """
    a, b = log_odds(own.presence), log_odds(other.presence)
    states = own.state, other.state
    claims, losses = states.count(TRACKED), states.count(LOST)
    is_same_place = is_witness and _agree(own.box, other.box)
    agrees = is_same_place and not losses

    # whose box
    track = own
    if losses:
        track = other if own.state == LOST and losses == 1 else own
    elif not is_same_place and own.state != TRACKED and b > a:
        track = other

    # the presence
    if not agrees:
        presence = min(logistic((a if track is own else b) + AFTER), MOST_OF_ONE)
    elif claims < 2:
        presence = min(logistic(TOGETHER * (a + b) - AFTER), MOST_OF_ONE)
    else:
        presence = logistic(TOGETHER * (a + b))
    if agrees and (is_led or (not claims and is_unbroken)):
        presence = min(presence, logistic(max(a, b)))

    # the state
    state = UNSURE
    if agrees and presence >= MOST_UNVERIFIED and (claims == 2 or claims and is_unbroken):
        state = TRACKED
    elif not claims and (is_chance or losses == 2):
        state, agrees, presence = LOST, False, min(presence, MOST_UNVERIFIED)
    return track._replace(
        state=state, lost=state == LOST, presence=presence, found=False, witnessed=agrees
    )


def _hop(before: Box, box: Box) -> float:
    """Return how far a box has moved, in its sizes."""
    (x, y), (to_x, to_y) = before.centre, box.centre
    return math.hypot(to_x - x, to_y - y) / math.sqrt(before.w * before.h)


def _agree(first: Box, second: Box) -> bool:
    """Whether two networks with these boxes follow something in the same place."""
    (x, y, w, h), (other_x, other_y, other_w, other_h) = first, second
    across = min(x + w, other_x + other_w) - max(x, other_x)
    down = min(y + h, other_y + other_h) - max(y, other_y)
    # without arrays, which take ten times as long
    return min(across, down) > 0 and across * down >= AGREE * math.sqrt(w * h * other_w * other_h)
