"""Keep two targets from following the same object.

Targets that begin to overlap follow the same object. The object belongs to the target that moves as
before and has the higher presence. The other target is placed where its own motion would take it.
It becomes ``unsure`` and is searched for from there. After ``HELD`` frames it is lost. No target is
found in the box of another one. Targets that overlap from the start, such as a head and its body,
do not change.

Where a witness follows the targets, too, both networks decide together (``refused``). A target of
which one network follows an object of its own is not refused: only the other network, which has
taken another target's object, gives it up.

The three numbers were chosen on MOTChallenge's TUD-Stadtmitte, KITTI-17 and MOT16-09.
"""

import math
from collections import deque
from typing import (
    AbstractSet,
    Deque,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import LOST, UNSURE, Box, Track

SAME = 0.6  # overlap from which two targets follow the same object
MOTION = 10  # frames that a target's velocity is the mean of
MOVED_ON = 0.1  # presence of a target that is taken to move on as before, unseen
HELD = 10  # frames for which a target without an object is taken to move on as before


class Decision(NamedTuple):
    """The decision for one target in a frame.

    Attributes:
        track: its ``Track``.
        held: float64 [cx, cy, w, h], frame pixels: the assumed place while another target owns the
            object in its box; None if it keeps its own.
        rivals: (n, 4) boxes of other targets where it must not be found; None if unchanged.
    """

    track: Track
    held: Optional[np.ndarray] = None
    rivals: Optional[np.ndarray] = None


class Exclusion:
    """Decides after each frame which targets of a network have lost their object to another one."""

    def __init__(self) -> None:
        self._paths: Dict[int, _TargetMotion] = {}
        self._apart: Set[Tuple[int, int]] = set()  # pairs that did not overlap in some frame

    def forget(self, number: int) -> None:
        """Forget a target that is gone or has a new box."""
        self._paths.pop(number, None)
        self._apart = {pair for pair in self._apart if number not in pair}

    def is_lost(self, number: int) -> bool:
        """Whether a target has been without an object for so long that it counts as lost."""
        path = self._paths.get(number)
        return path is not None and path.held > HELD

    def assign_objects(
        self,
        trackers: Mapping[int, Tracker],
        tracks: Mapping[int, Track],
        shape: Tuple[int, ...],
        losers: AbstractSet[int],
    ) -> Dict[int, Decision]:
        """Decide for each target, so that no two claim the same object.

        Args:
            trackers: the trackers of all targets; they are only read.
            tracks: their tracks in this frame.
            shape: shape of the frame, (height, width, ...).
            losers: the targets that have no object of their own, of ``targets_without_object``.
        """
        live = _live(trackers)
        owned = {n: _own_box(trackers[n]) for n in live if n not in losers}
        decided = {}
        for number, track in tracks.items():
            path = self._paths.setdefault(number, _TargetMotion())
            tracker = trackers[number]
            held = rivals = None
            if number in losers:
                held = path.hold(number in live, shape)
                if held is None:
                    last = path.state  # the box in this frame holds another target
                    box = track.box if last is None else tracker.target.box_of(last)
                    track = track._replace(box=box, lost=True, state=LOST, presence=0.0)
                else:
                    box = tracker.target.box_of(held)
                    track = Track(box, track.score, False, UNSURE, presence=MOVED_ON)
            elif number in owned:
                path.step(tracker.target.state)
            else:
                path.held = 0
            if number not in owned:
                others = [box for other, box in owned.items() if other != number]
                rivals = np.reshape(others, (-1, 4))
            path.suspected = number not in live
            decided[number] = Decision(track, held, rivals)
        return decided

    def is_held(self, number: int) -> bool:
        """Whether a target had no object of its own in the last frame."""
        path = self._paths.get(number)
        return path is not None and path.held > 0

    def contested(self, trackers: Mapping[int, Tracker]) -> Set[Tuple[int, int]]:
        """Return the pairs of targets that follow the same object, the older one first."""
        live = _live(trackers)
        boxes = [_own_box(trackers[number]) for number in live]
        shares = overlaps(boxes, boxes)
        pairs = set()
        for row, column in zip(*np.nonzero(np.tri(len(live), k=-1))):
            pair = live[column], live[row]
            if shares[row, column] < SAME:
                self._apart.add(pair)
            elif pair in self._apart:
                pairs.add(pair)
        return pairs

    def ownership_doubt(self, number: int, tracker: Tracker) -> float:
        """Rate how doubtful it is that a target owns the object in its box."""
        path = self._paths.get(number)
        if path is None or path.state is None:
            return 0.0
        if path.suspected:
            return math.inf
        x, y, w, h = path.next
        jump = math.hypot(tracker.target.state[0] - x, tracker.target.state[1] - y) / math.sqrt(
            w * h
        )
        return jump - (tracker.target.identity.value or 0.0)


def targets_without_object(
    exclusions: Sequence[Exclusion], networks: Sequence[Mapping[int, Tracker]]
) -> List[Set[int]]:
    """Decide once for all networks which targets have no object of their own in this frame.

    Args:
        exclusions: of each network.
        networks: of each network, the trackers of the targets.

    Returns:
        the numbers of those targets, for each network.
    """
    lives = [set(_live(trackers)) for trackers in networks]
    contested = [each.contested(trackers) for each, trackers in zip(exclusions, networks)]
    losers: Set[int] = set()
    for pair in sorted(set.union(*contested), key=lambda pair: pair[::-1]):
        if losers.isdisjoint(pair):
            doubts = {
                number: sum(
                    each.ownership_doubt(number, trackers[number])
                    for each, trackers, live in zip(exclusions, networks, lives)
                    if live.issuperset(pair)
                )
                for number in pair
            }
            losers.add(max(pair, key=lambda n: doubts[n]))
    of_each = [{n for pair in pairs for n in pair if n in losers} for pairs in contested]
    for number in networks[0]:
        is_loser = number in losers or any(each.is_held(number) for each in exclusions)
        has_own = any(number in live - out for live, out in zip(lives, of_each))
        if is_loser and not has_own:
            for out in of_each:
                out.add(number)
    return of_each


def _live(trackers: Mapping[int, Tracker]) -> List[int]:
    """Return the numbers of the targets that follow an object that is not to be verified."""
    return [n for n, tracker in trackers.items() if not tracker.target.identity.is_unverified]


def _own_box(tracker: Tracker) -> Box:
    """Return the box of what a tracker holds, whatever the convention of the drawn box."""
    return geometry.box_of(tracker.network, tracker.target.state)


class _TargetMotion:
    """How one target moves.

    Attributes:
        state: [cx, cy, w, h] in the last frame, frame pixels; None before the first one.
        held: frames since it lost its object.
        suspected: whether it was lost or unverified in the last frame.
    """

    def __init__(self) -> None:
        self.state: Optional[np.ndarray] = None
        self.held = 0
        self.suspected = False
        self._velocity = np.zeros(2)
        self._centres: Deque[np.ndarray] = deque(maxlen=MOTION)

    @property
    def next(self) -> np.ndarray:
        """Extrapolate the state to the next frame by the target's velocity."""
        assert self.state is not None, "the target has not moved yet"
        state: np.ndarray = self.state.copy()
        state[:2] += self._velocity
        return state

    def step(self, state: np.ndarray) -> None:
        """Record the state of a target that has its own object."""
        if self.held:
            self.held = 0
            self._centres.clear()
        self.state = state.copy()
        self._centres.append(self.state[:2])
        if len(self._centres) > 1:
            self._velocity = (self._centres[-1] - self._centres[0]) / (len(self._centres) - 1)

    def hold(self, live: bool, shape: Tuple[int, ...]) -> Optional[np.ndarray]:
        """Move a target without an object; returns its state, None if it is lost.

        ``live`` says whether it claims an object: one that was just verified in another target's
        box is refused.
        """
        found = live and self.suspected
        self.held = HELD if self.state is None or found else self.held
        self.held += 1
        if self.held > HELD:
            return None
        self.state = self.next
        self.state[:2] = np.clip(self.state[:2], 0, (shape[1], shape[0]))
        return self.state
