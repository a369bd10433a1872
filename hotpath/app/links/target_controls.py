"""Carry out what a person asks of a target, in the window, on the page or by MAVLink."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from hotpath.app.links.requests import RequestRefused
from hotpath.app.selection import Selection
from hotpath.runtime.errors import BadNetwork, BadOption, HotpathError
from hotpath.runtime.types import GIVEN, LOST, TRACKED, UNSURE, Track
from hotpath.video.base import Output, TrackedFrame

if TYPE_CHECKING:
    from hotpath.runtime.targets.targets import Targets

MOST_TARGETS = 8
SMALLEST_PX = 4.0  # side of a box
CATCH_UP_FRAMES = 30  # most frames tracked at once after a selection
# of the track of a target of which somebody just said that its box is right, or is not
CONFIRMED: Dict[str, Any] = dict(state=TRACKED, lost=False, presence=GIVEN, predicted=None)
REJECTED: Dict[str, Any] = dict(state=LOST, lost=True, presence=0.0, found=False)


def contains_point(track: Track, point: Sequence[float]) -> bool:
    """Whether a point is in the box of a target that is not lost.

    A click there means the larger object around it (``besides``), or yes if the target is unsure.
    Elsewhere the network's head finds the object (``hotpath.runtime.tracker.point_prompt``).
    """
    box = track.box
    inside = [box[axis] <= point[axis] <= box[axis] + box[axis + 2] for axis in (0, 1)]
    return not track.lost and all(inside)


class Controls(Output):
    """Selects, drops, confirms and rejects targets, in the frame loop's thread.

    Args:
        targets: ``hotpath.runtime.targets.targets.Targets``.
        selection: which target is steered after.
        write_late: function that writes a target that was selected on a frame of before.

    Attributes:
        targets, selection: as the arguments.
        newest: the newest frame, with the targets selected since; None before the first.
        on_selected: called with each target that is selected, alone in the frame of its selection.
    """

    def __init__(
        self,
        targets: "Targets",
        selection: Selection,
        write_late: Callable[[TrackedFrame], None],
    ) -> None:
        self.targets, self.selection, self._write_late = targets, selection, write_late
        self.newest: Optional[TrackedFrame] = None
        self.on_selected: Callable[[TrackedFrame], None] = lambda tracked: None

    def write(self, tracked: TrackedFrame) -> None:
        """Make a tracked frame the newest one; its picture must not be changed afterwards."""
        self.newest = tracked

    def frames_since(self, index: int) -> List[TrackedFrame]:
        """The frame of that index and the later ones; empty if it is not there any more."""
        newest = self.newest
        return [newest] if newest is not None and newest.index == index else []

    @property
    def finds_at_points(self) -> bool:
        """Whether a point selects a target."""
        return bool(self.targets.device.finds_at_points)

    def add_target(
        self,
        index: int,
        box: Optional[Sequence[float]] = None,
        replaced: Optional[int] = None,
        snug: bool = False,
        point: Optional[Sequence[float]] = None,
    ) -> int:
        """Start a target on the frame of that index, and track it up to the newest.

        Args:
            index: index of the frame on which the user drew or tapped.
            box: (x, y, w, h), pixels of the frame. None if ``point`` is given.
            replaced: number of a target to drop in exchange.
            snug: whether the object in the box replaces it, if the network has a head for that and
                this device can run it.
            point: (x, y), pixels of the frame: the object there is the target. In the box of the
                replaced target it means the larger object around it; while that target is unsure,
                it means yes, that is the target.

        Returns:
            the target's number: a new one, or the replaced one's that is confirmed.

        Raises:
            Refused: the frame or the target to replace is gone, or there are too many targets.
            BadBox: no target can have the box.
            NoObject: nothing is there.
            BadOption, BadNetwork: the network has no head, or it can't be read or run.
        """
        if box is not None and min(box[2], box[3]) < SMALLEST_PX:  # on any frame
            raise RequestRefused(
                422, f"a box must be at least {SMALLEST_PX:g} x {SMALLEST_PX:g} pixels"
            )
        frames = self.frames_since(index)
        if not frames or self.newest is None:
            raise RequestRefused(410, f"frame {index} has expired; select on a newer one")
        present = self.newest.tracks
        if replaced is not None and replaced not in present:
            raise RequestRefused(404, f"there is no target {replaced}")
        if replaced is None and len(present) >= MOST_TARGETS:
            raise RequestRefused(409, f"{MOST_TARGETS} targets are the most; drop one first")
        other = None  # where the user saw the replaced target
        if replaced is not None:
            other = frames[0].tracks.get(replaced, present[replaced])
            if point is not None and self._is_confirmed(point, replaced, other):
                return replaced
        number = self._begun(frames[0], box, snug, point, other)
        track = self.targets.first(number)
        try:
            begun = frames[0]._replace(tracks={number: track})
            self.on_selected(begun)
            self._write_late(begun)
            for tracked in _evenly_spread(frames[1:], CATCH_UP_FRAMES):
                track = self.targets.update_one(number, tracked.frame, tracked.time_s)
                self._write_late(tracked._replace(tracks={number: track}))
        except HotpathError:
            self.targets.drop(number)
            raise
        tracks = dict(present)
        tracks[number] = track
        if replaced is not None:
            self.targets.drop(replaced)
            del tracks[replaced]
        self.selection.select(number, replaced)
        self.newest = self.newest._replace(tracks=tracks)
        return number

    def _is_confirmed(self, point: Sequence[float], number: int, seen: Track) -> bool:
        """Confirm a target if a click on it, as the user saw it or as it is now, says so."""
        assert self.newest is not None, "it has targets"
        now = self.newest.tracks[number]
        is_yes = any(
            track.state == UNSURE and contains_point(track, point) for track in (seen, now)
        )
        if now.lost or not is_yes:
            return False
        self.targets.confirm(number)
        self.selection.select(number)
        self._say_of(number, CONFIRMED)
        return True

    def _begun(self, tracked: TrackedFrame, box: Any, snug: bool, point: Any, other: Any) -> int:
        """Start a target in a box or at a point; returns its number.

        Args:
            other: track of the target that is replaced, in that frame if it was there; or None.
        """
        frame, time_s = tracked.frame, tracked.time_s
        if point is None:
            snug = snug and self.finds_at_points
            try:
                return int(self.targets.add(frame, box, time_s=time_s, snug=snug))
            except (BadOption, BadNetwork):
                if not snug:
                    raise
            # the head can't run here: the box stays as the user drew it
            return int(self.targets.add(frame, box, time_s=time_s))
        besides = other.box if other is not None and contains_point(other, point) else None
        return int(self.targets.add(frame, time_s=time_s, point=point, besides=besides))

    def drop_target(self, number: int) -> None:
        """Stop tracking that target."""
        if self.newest is None or number not in self.newest.tracks:
            raise RequestRefused(404, f"there is no target {number}")
        self.targets.drop(number)
        self.selection.drop(number)
        tracks = {n: track for n, track in self.newest.tracks.items() if n != number}
        self.newest = self.newest._replace(tracks=tracks)

    def confirm(self, number: Optional[int] = None) -> None:
        """Somebody says that a target's box is right, so that steering goes on.

        Args:
            number: of the target; None for the selected one.
        """
        number = self._meant(number)
        self.targets.confirm(number)
        self.selection.confirm()
        self._say_of(number, CONFIRMED)

    def reject(self, number: Optional[int] = None) -> None:
        """Somebody says that a target's box holds another object, so that the search goes on.

        Args:
            number: of the target; None for the selected one.
        """
        number = self._meant(number)
        self.targets.reject(number)
        self._say_of(number, REJECTED)

    def _meant(self, number: Optional[int]) -> int:
        tracks = {} if self.newest is None else self.newest.tracks
        if number is None:
            number = self.selection.among(tracks)
            if number is None:
                raise RequestRefused(409, "no target is selected; select one")
        if number not in tracks:
            raise RequestRefused(404, f"there is no target {number}")
        return number

    def _say_of(self, number: int, changes: Dict[str, Any]) -> None:
        """Show the new word of a target at once, also while the run is paused."""
        assert self.newest is not None, "it has targets"
        tracks = dict(self.newest.tracks)
        tracks[number] = tracks[number]._replace(**changes)
        drawn = {n: state for n, state in self.newest.drawn.items() if n != number}
        self.newest = self.newest._replace(tracks=tracks, drawn=drawn)


def _evenly_spread(frames: List[TrackedFrame], most: int) -> List[TrackedFrame]:
    """At most ``most`` of the frames, evenly spread; the last one is among them."""
    if len(frames) <= most:
        return frames
    return [frames[int(n)] for n in np.linspace(0, len(frames) - 1, most)]
