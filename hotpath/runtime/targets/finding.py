"""Turn detections into targets: one target without a box from the user, or every object.

Every few frames the detector, or a function of the user, looks at a frame. Its boxes are matched
with the targets by overlap, then with lost targets by their colours. A box without a target becomes
one: the best box if there is no target yet, or all boxes. In a live source the detector works in a
thread, and its boxes apply to the frame that it saw. A run over a recording waits for the detector,
so that the run can be repeated.

The search for a lost target begins where the detector found objects of its class. If only one
target is wanted, the detector rests while that target is tracked.

The box of an unsure target may hold another object. So a detection on its box keeps the target, but
its appearance is not learnt from it; the target neither owns that object nor counts as a second
target on it. Without a detection on its box, an unsure target is treated like a lost one.
"""

from concurrent.futures import Future
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.runtime.errors import BadBox
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.frame_edges import leave_frame
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of
from hotpath.runtime.targets import appearance
from hotpath.runtime.targets.detections import Detections
from hotpath.runtime.tracker.one_thread import OneThread
from hotpath.runtime.types import (
    GIVEN,
    TRACKED,
    Box,
    Track,
    are_shares,
    checked_box,
)

SAME = 0.3  # overlap of a detection with its target
DRIFTED = 0.5  # overlap below which a target starts anew from its detection
DOUBLE = 0.7  # overlap of two targets that are one
MISSED = 3  # looks without a detection after which a target ends
MISSED_LOST = 15  # the same of a target that is not tracked
MOST_TARGETS = 32  # targets


class _DetectedFrame(NamedTuple):
    """A frame that the detector saw, with the targets in it."""

    frame: AnyFrame
    tracks: Dict[int, Track]
    time_s: Optional[float]


class _DetectedObject(NamedTuple):
    """What the detector found: ``named`` is its class, as arguments of ``Targets.classify``."""

    box: Box
    score: float
    named: Dict[str, Any]


class TargetFinder:
    """Adds targets that a detector finds, and drops targets that it no longer finds.

    Args:
        targets: the ``hotpath.runtime.targets.targets.Targets``, which make this.
        find: function that finds objects in a BGR frame: ``Detector.detect``, or one that returns
            what ``detections_of`` takes.
        every: frames from one call of the detector to the next.
        everything: whether all objects become targets, or only one.
        background: whether the detector works in a thread.
    """

    def __init__(
        self,
        targets: Any,
        find: Callable[[np.ndarray], Any],
        *,
        every: int,
        everything: bool,
        background: bool,
    ) -> None:
        self._targets, self._find = targets, find
        self._every, self._everything = every, everything
        self._pool = OneThread() if background else None
        self._waiting: Optional[Tuple[_DetectedFrame, Future[Detections]]] = None
        self._since = 0  # frames since the last look
        # target that was found here -> looks without a detection; those of the user never end
        self._missed: Dict[int, int] = {}
        self._looks: Dict[int, Optional[np.ndarray]] = {}  # target -> what it looks like
        self._seen_once: List[np.ndarray] = []  # boxes that matched nothing in the last look
        self._found_one = self._began = False

    def first(
        self, frame: AnyFrame, tracks: Dict[int, Track], time_s: Optional[float] = None
    ) -> Dict[int, Track]:
        """Look for targets in the first frame; returns the tracks of all targets.

        Args:
            frame: BGR uint8 (H, W, 3), or a ``hotpath.runtime.frames.pictures.Picture``.
            tracks: tracks of the targets that the user gave.
            time_s: time of the frame, as in ``Tracker.update``.
        """
        self._found_one = bool(tracks)
        self._began = True
        if self._found_one and not self._everything:
            return tracks
        look = _DetectedFrame(frame, tracks, time_s)
        return self._apply(look, self._detect(frame), look, at_once=True)

    def step(
        self, frame: AnyFrame, tracks: Dict[int, Track], time_s: Optional[float] = None
    ) -> Dict[int, Track]:
        """Update the targets after a tracked frame; returns the tracks of old and new targets.

        Args:
            frame, time_s: as in ``first``.
            tracks: target number -> ``Track`` in this frame.
        """
        if not self._began:
            return self.first(frame, tracks, time_s)
        self._since += 1
        tracked = all(track.state == TRACKED for track in tracks.values())
        if self._found_one and not self._everything and tracked:
            return tracks
        now = _DetectedFrame(frame, tracks, time_s)
        if self._pool is None:
            if self._since < self._every:
                return tracks
            self._since = 0
            return self._apply(now, self._detect(frame), now)
        self._pool.check()
        if self._waiting is not None and self._waiting[1].done():
            look, future = self._waiting
            self._waiting = None
            tracks = self._apply(look, future.result(), now)
        if self._waiting is None and self._since >= self._every:
            self._since = 0
            seen = bgr_of(frame).copy()  # a source may use its buffer again
            future = self._pool.submit(self._detect, seen)
            self._waiting = _DetectedFrame(seen, dict(tracks), time_s), future
        return tracks

    def close(self) -> None:
        """Wait for the detector and end its thread."""
        if self._pool is not None:
            self._pool.shutdown()

    def _detect(self, frame: AnyFrame) -> Detections:
        """What the detector finds, without boxes that no target can have."""
        detections = detections_of(self._find(bgr_of(frame)))
        if len(detections.boxes) and all(are_shares(box) for box in detections.boxes.tolist()):
            raise BadBox(
                "a finder must give boxes x, y, w, h in pixels; each box is less than a pixel, so "
                "multiply the boxes by the frame's width and height",
                what="shares",
            )
        if _are_all_corners(detections.boxes, frame.shape):
            x, y, right, bottom = detections.boxes[0].tolist()
            raise BadBox(
                "a finder must give boxes x, y, w, h; these leave the frame, and as the corners "
                f"x1, y1, x2, y2 all fit in it, so give {x:g},{y:g},{right - x:g},{bottom - y:g} "
                f"for {x:g},{y:g},{right:g},{bottom:g}",
                what="corners",
            )
        can_be = np.array([_can_be(box, frame.shape) for box in detections.boxes], bool)
        return detections._replace(
            boxes=detections.boxes[can_be],
            scores=detections.scores[can_be],
            classes=detections.classes[can_be],
        )

    def _apply(
        self,
        look: _DetectedFrame,
        detections: Detections,
        now: _DetectedFrame,
        at_once: bool = False,
    ) -> Dict[int, Track]:
        """Add, restart and drop targets by what the detector found in ``look.frame``."""
        numbers, tracks = self._targets.numbers, dict(now.tracks)
        # tell the search for each target where objects of its class are
        for number in numbers:
            if number in tracks and tracks[number].state != TRACKED:
                self._targets.suggest(number, detections.boxes)
        if self._found_one and not self._everything:
            return tracks
        look = look._replace(tracks={n: t for n, t in look.tracks.items() if n in numbers})
        pairs, left = self._matched(look, detections.boxes)
        for number, index in pairs.items():
            found = _object(detections, index)
            tracks[number] = self._confirm(look, now, number, found, tracks[number])
        self._drop_missing(look.tracks, pairs, tracks)
        for index in left:
            if not at_once and not self._is_confirmed(detections.boxes[index]):
                continue
            if len(self._targets) < (MOST_TARGETS if self._everything else 1):
                number, track = self._add(look, now, _object(detections, index))
                tracks[number] = track
        self._seen_once = [detections.boxes[index] for index in left]
        return {number: tracks[number] for number in self._targets.numbers if number in tracks}

    def _confirm(
        self,
        look: _DetectedFrame,
        now: _DetectedFrame,
        number: int,
        found: _DetectedObject,
        track: Track,
    ) -> Track:
        """Use the object that the detector found where a target is: its looks, class and box.

        Returns the target's track in ``now``, which is ``track`` if it goes on as before.
        """
        before = look.tracks[number]
        is_sure = before.state == TRACKED
        if is_sure:
            seen = appearance.colour_description(bgr_of(look.frame), found.box)
            self._looks[number] = appearance.update_description(self._looks.get(number), seen)
        if number not in self._missed:  # the user gave it a box, and the detector a class
            if not found.named or track.class_id is not None:
                return track
            self._targets.classify(number, **found.named)
            return track._replace(**found.named)
        self._missed[number] = 0
        overlap = overlaps([before.box], [found.box])[0, 0]
        if not before.lost and overlap >= (DRIFTED if is_sure else SAME):
            return track
        self._targets.restart(number, look.frame, found.box, look.time_s)
        named = {"class_id": before.class_id, "class_name": before.class_name}
        return self._now(number, look, now, found._replace(named=named))

    def _matched(self, look: _DetectedFrame, boxes: np.ndarray) -> Tuple[Dict[int, int], List[int]]:
        """Match detections; returns (target -> index of its detection, indices left over)."""
        tracks = look.tracks
        live = [number for number, track in tracks.items() if not track.lost]
        shares = overlaps([tracks[number].box for number in live], boxes)
        # sure ones first
        sure = np.array([tracks[number].state == TRACKED for number in live], float)[:, None]
        pairs = _best_pairs(live, np.where(shares < SAME, 0.0, shares + sure), SAME)
        lost = [n for n, track in tracks.items() if track.state != TRACKED and n not in pairs]
        free = sorted(set(range(len(boxes))) - set(pairs.values())) if lost else []
        alike = np.zeros((len(lost), len(boxes)))
        for index in free:
            seen = appearance.colour_description(bgr_of(look.frame), boxes[index])
            for row, number in enumerate(lost):
                alike[row, index] = appearance.similarity(self._looks.get(number), seen)
        pairs.update(_best_pairs(lost, alike, appearance.PICTURES_ALIKE))
        # what lies on a target that has a better detection is no new object
        covered = shares.max(axis=0) >= SAME if len(live) else np.zeros(len(boxes), bool)
        taken = set(pairs.values())
        return pairs, [i for i in range(len(boxes)) if i not in taken and not covered[i]]

    def _is_confirmed(self, box: np.ndarray) -> bool:
        """Whether the last call also found an object there. A single target needs no second."""
        if not self._everything:
            return True
        return bool(self._seen_once) and bool((overlaps(self._seen_once, [box]) >= SAME).any())

    def _add(
        self, look: _DetectedFrame, now: _DetectedFrame, found: _DetectedObject
    ) -> Tuple[int, Track]:
        number = self._targets.add(look.frame, found.box, time_s=look.time_s, **found.named)
        self._targets.added.append(number)
        self._found_one = True
        self._looks[number] = appearance.colour_description(bgr_of(look.frame), found.box)
        self._missed[number] = 0
        return number, self._now(number, look, now, found)

    def _now(
        self, number: int, look: _DetectedFrame, now: _DetectedFrame, found: _DetectedObject
    ) -> Track:
        """Return a target's track in this frame when the detector saw an older one."""
        if look.frame is now.frame:
            return Track(found.box, found.score, presence=GIVEN, **found.named)
        followed: Track = self._targets.update_one(number, now.frame, now.time_s)
        return followed

    def _drop_missing(
        self, seen: Dict[int, Track], pairs: Dict[int, int], tracks: Dict[int, Track]
    ) -> None:
        """Drop targets that the detector missed too often, and the younger of two on one object."""
        if not self._everything:
            return
        for number, track in seen.items():
            if number in self._missed and number not in pairs:
                self._missed[number] += 1
                most = MISSED if track.state == TRACKED else MISSED_LOST
                if self._missed[number] >= most:
                    self._end(number, f"the finder did not find it {most} times")
        numbers = self._targets.numbers
        live = [n for n in seen if n in numbers and tracks[n].state == TRACKED]
        shares = overlaps([tracks[n].box for n in live], [tracks[n].box for n in live])
        for row, column in zip(*np.nonzero(np.triu(shares, 1) > DOUBLE)):
            younger = max(live[row], live[column])
            if younger in self._missed:
                older = min(live[row], live[column])
                self._end(younger, f"it is the same object as target {older}")

    def _end(self, number: int, why: str) -> None:
        self._targets.drop(number)
        self._targets.dropped[number] = why
        self._missed.pop(number, None)
        self._looks.pop(number, None)


def detections_of(answer: Any) -> Detections:
    """Check what the user's function found, and return it as ``Detections``.

    Args:
        answer: (n, 4) boxes (x, y, w, h), 0-based pixels, as an array or a list. Or a tuple of
            boxes, scores (n,), classes (n,) and names of the classes, such as ``Detections``; the
            last entries may be left out.

    Raises:
        BadBox: it is something else.
    """
    try:
        first = answer[0] if isinstance(answer, tuple) and answer else None
        in_parts = first is not None and (np.ndim(first) == 2 or len(first) == 0)
        parts: Tuple[Any, ...] = answer if in_parts else (answer,)
        boxes = np.asarray(parts[0], float).reshape(-1, 4)
        count = len(parts[0])
        scores = np.asarray(parts[1] if len(parts) > 1 else np.ones(count), float).reshape(count)
        classes = np.asarray(parts[2] if len(parts) > 2 else np.full(count, -1)).reshape(count)
        if len(boxes) != count:
            raise ValueError
        names = parts[3] if len(parts) > 3 and parts[3] is not None else ()
        return Detections(boxes, scores, classes.astype(int), names)
    except (TypeError, ValueError):
        raise BadBox(
            "a finder must give (n, 4) boxes x, y, w, h, or a tuple of them with scores, classes "
            f"and names; not {str(answer)[:60]}",
            what="not boxes",
        ) from None


def _object(detections: Detections, index: int) -> _DetectedObject:
    kind, names = int(detections.classes[index]), detections.names
    named: Dict[str, Any] = {}
    if kind >= 0:
        named = {"class_id": kind, "class_name": names[kind] if kind < len(names) else ""}
    return _DetectedObject(
        Box(*detections.boxes[index].tolist()), float(detections.scores[index]), named
    )


def _are_all_corners(boxes: np.ndarray, shape: Tuple[int, ...]) -> bool:
    """Whether all boxes fit in the frame as corners, and one as x, y, w, h leaves it clearly."""
    height, width = shape[:2]
    start, extent = boxes[:, :2], boxes[:, 2:]
    fit = (start >= 0) & (start < extent) & (extent <= (width, height))
    return bool(len(boxes) and fit.all() and leave_frame(boxes, (width, height)).any())


def _can_be(box: np.ndarray, shape: Tuple[int, ...]) -> bool:
    """Whether a target in a frame of that shape can have the box."""
    try:
        checked_box(box, shape)
    except BadBox:
        return False
    return True


def _best_pairs(numbers: List[int], values: np.ndarray, least: float) -> Dict[int, int]:
    """Pair each number with a column, the highest values first; none below ``least``."""
    pairs: Dict[int, int] = {}
    for place in np.argsort(-values, axis=None, kind="mergesort"):
        row, column = np.unravel_index(place, values.shape)
        if values[row, column] < least:
            break
        if numbers[row] not in pairs and int(column) not in pairs.values():
            pairs[numbers[row]] = int(column)
    return pairs
