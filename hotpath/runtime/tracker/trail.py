"""Follow a candidate backwards, to check whether it was beside the target before the loss.

A distractor that is found after a loss was often in the picture before it, beside the target: the
next bottle on a shelf, a team-mate. No appearance tells it from the target, but its path does. So a
``Trail`` keeps small pictures since the target was last sure, and each candidate (tentative track)
is followed through them backwards, STEPS pictures a frame, by the first network. Meanwhile it is
not verified. If it is certain in every picture, and ends far from where the target was, it is
another object: it is rejected, as by the user. If it is lost on the way, as where it was hidden or
came into the picture, nothing is known, and the identity decides alone. That it ends on the target
is no evidence: so does whatever hid the target. The last picture is looked at JUDGED times, because
a followed object is judged in one frame of JUDGED.

Where one object was rejected, there are often more. From then on, until the target is sure again or
the user confirms a box, no similarity verifies a candidate whose path does not lead to the place of
the target: it stays ``unsure``, and ``lost`` until its path is known. Where two networks follow
different objects, each of the two is followed backwards, too, even if it was never lost.

This is a forward-backward check (Kalal, Mikolajczyk, Matas: Forward-Backward Error, ICPR 2010).
"""

import math
import time
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.errors import BadBox, NetworkFailed
from hotpath.runtime.frames.pictures import AnyFrame, every_pixel
from hotpath.runtime.identity.guard import JUDGED
from hotpath.runtime.identity.identity import ACCEPTED, IdentityPhase
from hotpath.runtime.tracker.frame import FrameResults, decide_targets, run_windows
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.types import LOST, TRACKED, UNSURE, Box, Track, checked_box

SURE = 0.8  # presence of a target, from which on the paths of candidates are measured
CERTAIN = 0.8  # presence of a candidate that is followed backwards, in every picture
AWAY = 0.7  # sizes from the target's place, from which on a candidate is another object
EVERY = 8  # frames from one picture of a sure target to the next
MOST = 16  # pictures after it; then every second one is dropped
STEPS = 4  # pictures in a frame, so that most traces end before FRAMES; of a live camera 1
SHORT_SIDE = 360  # pixels of a picture, about


class SmallPicture:
    """A frame at a fraction of its size. It is made when it is needed, once for all targets.

    Args:
        frame: of any kind.
    """

    def __init__(self, frame: AnyFrame) -> None:
        self._frame, self.shape = frame, frame.shape
        self._step = max(round(min(frame.shape[:2]) / SHORT_SIDE), 1)
        self._pixels: Optional[np.ndarray] = None

    @property
    def pixels(self) -> np.ndarray:
        """BGR uint8 (H, W, 3)."""
        if self._pixels is None:
            taken = every_pixel(self._frame, self._step)
            self._pixels = taken.copy() if taken.base is not None else taken
        return self._pixels

    def scaled(self, box: Box) -> Box:
        """Return a box of the frame in pixels of this picture."""
        return Box(*(side / self._step for side in box))


class Sure(NamedTuple):
    """The last picture of a target that was sure.

    Attributes:
        pixels, box: the picture, and the target's box in it.
        shape: of the frame.
    """

    pixels: np.ndarray
    box: Box
    shape: Tuple[int, ...]


class Candidate:
    """An object that may be the target.

    Attributes:
        box: its box in the last frame, frame pixels.
        ahead: the pictures through which it is still to be followed, the next one at the end; None
            before it begins. Without any, nothing more can be known.
        origin: its box in the last picture in which it was certain, pixels of that picture.
        has_place: whether its path leads to the place where the target was.
    """

    def __init__(self, box: Box) -> None:
        self.box = box
        self.ahead: Optional[List[np.ndarray]] = None
        self.origin = box
        self.has_place = False

    @property
    def is_open(self) -> bool:
        """Whether it may still turn out to be another object."""
        return self.ahead is None or bool(self.ahead)


class Trail:
    """Follows the candidates of one target backwards, some pictures a frame.

    Args:
        follower: of the first network, without a search; it is what follows a candidate.

    Attributes:
        has_twin: whether an object like the target was rejected since the target was sure.
        has_followed: whether a candidate was followed in the last frame.
        is_begun: whether the next frame goes on with one.
    """

    def __init__(self, follower: TargetState) -> None:
        self._follower = follower
        self.begin()

    def begin(self) -> None:
        """Forget everything, also on the device: a new target, the user's word, or the end."""
        self._sure: Optional[Sure] = None
        self._pictures: List[np.ndarray] = []  # after it
        self._count, self._apart = 0, 1  # frames since the last picture; from one to the next
        self._candidates: List[Candidate] = []
        self._parts: Iterator[None] = iter(())  # of the start of the follower
        self.has_twin = self.has_followed = False
        self._follower.forget()

    @property
    def is_begun(self) -> bool:
        return any(each.ahead for each in self._candidates)

    def end_frame(
        self, small: SmallPicture, track: Track, targets: Sequence[TargetState], steps: int = STEPS
    ) -> Track:
        """End a frame, after everything else in it; returns the target's final track.

        Args:
            small: of the frame.
            track: of the target.
            targets: the ``TargetState`` of each network that follows it. They wait while their
                candidates are followed, and reject what is another object.
            steps: pictures through which a candidate may be followed in this frame.
        """
        follows = [each.identity for each in targets if each.identity.phase != IdentityPhase.GONE]
        is_disputed = len(follows) > 1 and all(each.is_disputed for each in follows)
        followed = [
            (each, each.box_of(each.state))
            for each in targets
            if each.identity.phase == IdentityPhase.TENTATIVE
            or (is_disputed and each.identity.phase in ACCEPTED)
        ]
        self._match([box for _, box in followed], small)
        self.has_followed = bool(steps) and any(each.is_open for each in self._candidates)
        another = self._follow(small, steps) if self.has_followed else None
        for target in targets:
            target.identity.is_traced = False
        is_known = False  # whether there is more than candidates whose paths are not known
        for target, box in followed:
            mine = [each for each in self._candidates if not _is_away(box, each.box)]
            is_open = any(each.is_open for each in mine)
            is_known |= not is_open or target.identity.phase != IdentityPhase.TENTATIVE
            has_place = any(each.has_place for each in mine)
            target.identity.is_traced = is_open or (self.has_twin and not has_place)
        if another is not None:
            self.reject(another, targets)
        is_known |= len(followed) < len(follows)
        if self.has_twin and track.state == UNSURE and not is_known:
            track = track._replace(state=LOST, lost=True, witnessed=track.witnessed and False)
        self._keep(small, track)
        return track

    def reject(self, box: Box, targets: Sequence[TargetState]) -> None:
        """Take note that a box of the last frame holds another object like the target."""
        self.has_twin = True
        for target in targets:
            _refuse(target, box)

    def _match(self, boxes: Sequence[Box], small: SmallPicture) -> None:
        """Take the candidates of a frame: those of the last frame, in new places, and others."""
        before, self._candidates, sure = self._candidates, [], self._sure
        for box in boxes:
            if any(not _is_away(box, each.box) for each in self._candidates):
                continue  # that of the other network
            same = [each for each in before if not _is_away(box, each.box)]
            candidate = same[0] if same else Candidate(box)
            candidate.box = box
            if sure is not None and sure.shape == small.shape:
                candidate.has_place |= not _is_away(small.scaled(box), sure.box)
            self._candidates.append(candidate)

    def _follow(self, small: SmallPicture, steps: int) -> Optional[Box]:
        """Follow a candidate some pictures further; returns its box if it is another object."""
        begun = [each for each in self._candidates if each.ahead]  # at most one
        candidate = next(iter(begun + [each for each in self._candidates if each.is_open]), None)
        if candidate is None:
            return None
        box, ahead, candidate.ahead = candidate.box, candidate.ahead, []
        sure = self._sure
        if sure is None or sure.shape != small.shape:
            return None
        try:
            if ahead is None:
                candidate.origin = small.scaled(box)
                first = checked_box(candidate.origin, small.pixels.shape)
                self._parts = self._follower.begin(small.pixels, small.pixels.shape, first)
                next(self._parts)  # it learns in the next frame
                candidate.ahead = [sure.pixels] * JUDGED + self._pictures
                return None
            for _ in self._parts:
                pass
            one = {0: self._follower}
            for _ in range(min(steps, len(ahead))):
                track = decide_targets(one, run_windows(one, ahead.pop())).get(0)
                if track is None or track.state != TRACKED or (track.presence or 0.0) < CERTAIN:
                    ahead = None
                    break
                candidate.origin = track.box
            if ahead:
                candidate.ahead = ahead
                return None
        except (BadBox, NetworkFailed):  # partly outside
            ahead = None
        is_away = _is_away(candidate.origin, sure.box)
        candidate.has_place |= not is_away
        return box if is_away and ahead is not None else None

    def _keep(self, small: SmallPicture, track: Track) -> None:
        self._count += 1
        if self._sure is not None and self._sure.shape != small.shape:
            self.begin()
        if is_sure(track):
            self.has_twin = False
            if self._pictures:
                self._pictures, self._count = [], EVERY
            if self._sure is None or self._count >= EVERY:
                self._sure = Sure(small.pixels, small.scaled(track.box), small.shape)
                self._count = 0
        elif self._sure is not None:
            if not self._pictures:
                self._apart, self._count = 1, 1
            if self._count >= self._apart:
                self._pictures.append(small.pixels)
                self._count = 0
            if len(self._pictures) == MOST:
                del self._pictures[::2]
                self._apart *= 2


def is_sure(track: Optional[Track]) -> bool:
    """Whether a target is where a track says."""
    return track is not None and track.state == TRACKED and (track.presence or 0.0) >= SURE


def _is_away(box: Box, other: Box) -> bool:
    """Whether two boxes are those of different objects: far from each other, and apart."""
    (x, y), (other_x, other_y) = box.centre, other.centre
    far = math.hypot(x - other_x, y - other_y) > AWAY * math.sqrt(other.w * other.h)
    across = min(box.x + box.w, other.x + other.w) - max(box.x, other.x)
    down = min(box.y + box.h, other.y + other.h) - max(box.y, other.y)
    return far and (across <= 0 or down <= 0)


def _refuse(target: TargetState, box: Box) -> None:
    """Let a network reject what is in a box; it goes on if it follows something else."""
    redetector = target.redetector
    if redetector is None:
        return
    own, phase = target.box_of(target.state), target.identity.phase
    if own == box or (phase == IdentityPhase.TENTATIVE and not _is_away(own, box)):
        target.identity.reject()
        redetector.reject(target.state)
    else:
        redetector.rejected.add(target.state_in(box))


def end_frame(trackers: Mapping[int, Any], results: FrameResults, tracks: Dict[int, Track]) -> None:
    """End a frame for one or more targets: their candidates are followed backwards.

    On a live camera only one candidate is followed in a frame, so that several lost targets take no
    longer than one; and none in a frame with wider windows.

    Args:
        trackers: number of a target -> its ``Tracker``.
        results: of the frame; its ``step_ms`` gets the time.
        tracks: number -> the ``Track`` of the frame, which is replaced by the final one.
    """
    began, small, steps = time.perf_counter(), None, STEPS
    traced = [number for number in tracks if trackers[number]._trail is not None]
    for number in sorted(traced, key=lambda n: not trackers[n]._trail.is_begun):
        tracker, trail = trackers[number], trackers[number]._trail
        if small is None:
            small = SmallPicture(tracker.device.picture(results.frame))
            steps = (0 if results.has_wider else 1) if tracker.device.is_live else STEPS
        targets = [each.target for each in tracker._each]
        tracks[number] = tracker.target.shown = trail.end_frame(
            small, tracks[number], targets, steps
        )
        if trail.has_followed and tracker.device.is_live:
            steps = 0
    results.step_ms["select"] += (time.perf_counter() - began) * 1e3
