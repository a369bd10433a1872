"""Record each target of a run: its numbers in each frame, and pictures of its events."""

import math
from array import array
from typing import Dict, List, NamedTuple, Optional

from hotpath.app.report.thumbnails import cut, jpeg, shrunk
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.runtime.types import STATES, TRACKED, UNSURE, Box, Track
from hotpath.video.base import TrackedFrame
from hotpath.video.drawing import draw

PICTURE_PX = 224  # side of a target's picture
OVERVIEW_PX = 960  # largest width of the picture of a whole frame
MOST_PICTURES = 60  # of what follows a selection; later ones are listed without a picture
# Frames of an unsure target after which a picture shows what its box holds; and how many there are.
UNSURE_AFTER = frozenset(10 * 4**power for power in range(8))
MOST_UNSURE = 24
FRAME_PX = 480  # largest width of the picture of a whole frame at an event
# A candidate is followed after a loss, and given up before it was verified.
SELECTED, LOSS, FIND, GIVEN_UP, DOUBT = "selected", "lost", "found", "given-up", "unsure"


class RunEvent(NamedTuple):
    """A moment that a person wants to look at.

    Attributes:
        kind: ``SELECTED``, ``LOSS``, ``FIND``, ``GIVEN_UP`` or ``DOUBT``.
        frame: index of the frame in its source.
        time_s: time of the frame, seconds, or None.
        box: the target's box in that frame, pixels. At a loss the last one that was followed.
        picture: JPEG of the target with its surroundings; empty where too many came before.
        whole: JPEG of the whole frame with its boxes; empty in the same frames.
    """

    kind: str
    frame: int
    time_s: Optional[float]
    box: Box
    picture: bytes
    whole: bytes


class TargetHistory:
    """One target: a value for each frame in which it was followed, oldest first.

    Attributes:
        frames: indices.
        words: places in ``STATES``.
        presence: 0 to 1; NaN where the network has no thresholds for it.
        size: square root of the box's area, pixels.
        speed: of the box's centre, pixels a second; NaN without times.
        events: the ``RunEvent``s.
        name: name of its class, or "".
    """

    def __init__(self) -> None:
        self.frames, self.words = array("q"), array("b")
        self.presence, self.size, self.speed = array("f"), array("f"), array("f")
        self.events: List[RunEvent] = []
        self.name = ""
        self.is_missing = False  # lost, and not verified since
        self.unsure = 0  # frames in a row, up to the last one

    def add(self, index: int, track: Track) -> None:
        """Add the numbers of a frame."""
        self.frames.append(index)
        self.words.append(STATES.index(track.state))
        self.unsure = self.unsure + 1 if track.state == UNSURE else 0
        self.presence.append(math.nan if track.presence is None else track.presence)
        self.size.append(math.sqrt(max(0.0, track.box[2] * track.box[3])))
        self.speed.append(math.hypot(*track.velocity) if track.velocity else math.nan)
        self.name = track.class_name or self.name

    def count(self, kind: str) -> int:
        """How many events are of a kind."""
        return sum(event.kind == kind for event in self.events)


class RunHistory:
    """Remembers a run for its report. It keeps numbers, and pictures of events only.

    Attributes:
        targets: number -> ``TargetHistory``.
        frames: how many frames were written.
        first, last: indices of the first and the last frame; None before the first.
        size: (width, height) of the frames.
        overview: JPEG of the first frame that had a target, with the boxes.
    """

    def __init__(self) -> None:
        self.targets: Dict[int, TargetHistory] = {}
        self.frames = 0
        self.first: Optional[int] = None
        self.last: Optional[int] = None
        self.size = (0, 0)
        self.overview = b""
        self._pictures = 0

    def write(self, tracked: TrackedFrame) -> None:
        """Add a frame with its tracks."""
        self.frames += 1
        index = tracked.index
        self.size = tracked.frame.shape[1], tracked.frame.shape[0]
        self.first = index if self.first is None else min(self.first, index)
        self.last = index if self.last is None else max(self.last, index)
        self.write_late(tracked)

    def write_late(self, tracked: TrackedFrame) -> None:
        """Add the tracks of a frame that was counted before."""
        if tracked.tracks and not self.overview:
            self.overview = _whole(tracked, OVERVIEW_PX)
        for number, track in tracked.tracks.items():
            past = self.targets.get(number)
            kind = ""
            if past is None:
                past = self.targets[number] = TargetHistory()
                kind = SELECTED
            elif track.lost and STATES[past.words[-1]] != track.state:
                kind = GIVEN_UP if past.is_missing else LOSS
                past.is_missing = True
            elif track.found or (past.is_missing and track.state == TRACKED):
                kind = FIND
            past.is_missing = past.is_missing and track.state != TRACKED
            past.add(tracked.index, track)
            if not kind and past.unsure in UNSURE_AFTER and past.count(DOUBT) < MOST_UNSURE:
                kind = DOUBT
            if kind:
                past.events.append(self._event(kind, tracked, track))

    def _event(self, kind: str, tracked: TrackedFrame, track: Track) -> RunEvent:
        picture = whole = b""
        if kind in (SELECTED, DOUBT) or self._pictures < MOST_PICTURES:
            picture = cut(tracked.frame, track.box, PICTURE_PX)
            whole = _whole(tracked, FRAME_PX)
            self._pictures += kind not in (SELECTED, DOUBT)
        return RunEvent(kind, tracked.index, tracked.time_s, track.box, picture, whole)


def _whole(tracked: TrackedFrame, most_px: int) -> bytes:
    """The whole frame with its boxes, scaled down."""
    return jpeg(shrunk(draw(bgr_of(tracked.frame), tracked.tracks), most_px))
