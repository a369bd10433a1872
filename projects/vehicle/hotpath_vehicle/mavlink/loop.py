"""Connect the MAVLink service to the frame loop: views of its frames, and requests to it.

A request goes to the run, which carries it out between two frames. A click belongs to the frame
that the user saw. The run still has that frame in its buffer, starts the target on
it, and tracks it up to the newest frame.
"""

from concurrent.futures import Future
from typing import Any, Optional, Sequence, Tuple

from hotpath.links import Run
from hotpath.runtime.errors import HotpathError
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.mavlink.messages import TargetView
from hotpath_vehicle.steering import Watch


class Loop:
    """Sends requests to a run.

    Only the link's thread makes them. Every request returns a ``Future``. A request that fails sets
    a ``HotpathError`` in it. Where ``cancel`` returns True, it is not carried out later.

    Args:
        run: what is asked of the frame loop.
        steers: whether something is steered by its frames.

    Attributes:
        view: what is known after the newest frame; None before the first one.
    """

    def __init__(self, run: Run, steers: bool = True) -> None:
        self._run = run
        self._watch = Watch(run.selection, steers)
        self.view: Optional[TargetView] = None

    def view_of(self, tracked: TrackedFrame) -> TargetView:
        """The ``TargetView`` after a frame, for ``Service.show``; called by the frame loop."""
        seen, (height, width) = self._watch.evidence(tracked), tracked.frame.shape[:2]
        self.view = TargetView(
            tracked.index,
            seen.captured_s,
            (width, height),
            seen.track,
            seen.number,
            self._run.fps,
            self._run.selection.acts,
            seen.doubt,
        )
        return self.view

    def start_box(self, box: Tuple[float, float, float, float], seen_s: float) -> "Future[int]":
        """Follow the target in a box of the frame that the user saw; drop the selected target.

        Args:
            box: (x, y, w, h), 0-based pixels.
            seen_s: when the frame that the user saw was taken, seconds of the monotonic clock.
        """
        return self._run.call(self._start, box, None, seen_s)

    def start_point(self, point: Tuple[float, float], seen_s: float) -> "Future[int]":
        """Follow what is at a point (x, y) of the frame that the user saw; see ``start_box``."""
        return self._run.call(self._start, None, point, seen_s)

    def stop(self) -> "Future[None]":
        """Stop following the selected target."""
        return self._run.call(self._stop)

    def record(self, on: bool) -> "Future[None]":
        """Start or stop writing to the run's files."""
        return self._run.call(self._run.record, on)

    @property
    def recording(self) -> Tuple[bool, Optional[float]]:
        """Whether the run has files, and since when it writes to them.

        Seconds of the monotonic clock; None while it does not write.
        """
        return self._run.can_record, self._run.recording_since

    @property
    def finds_at_points(self) -> bool:
        """Whether the network's head may find the object at a point."""
        return self._run.finds_at_points

    # carried out in the frame loop

    def _newest_frame(self) -> TrackedFrame:
        newest = self._run.newest
        if newest is None:
            raise HotpathError("no frame was tracked yet; try again")
        return newest

    def _start(self, box: Any, point: Optional[Tuple[float, float]], seen_s: float) -> int:
        """Start a target on the frame that the user saw; it replaces the selected one."""
        newest = self._newest_frame()
        tracked = self._run.frame_at(seen_s) or newest
        number = self._run.selection.among(newest.tracks)
        inside = None if box is None else _inside(box, tracked.frame.shape)
        return self._run.add_target(tracked.index, inside, number, point=point)

    def _stop(self) -> None:
        """Drop the selected target. No other one takes its place."""
        number = self._run.selection.among(self._newest_frame().tracks)
        if number is not None:
            self._run.drop_target(number)


def _inside(
    box: Tuple[float, float, float, float], shape: Sequence[int]
) -> Tuple[float, float, float, float]:
    """The part of a box inside the frame: a target may be half out of it."""
    height, width = shape[:2]
    x, y = max(0.0, box[0]), max(0.0, box[1])
    return x, y, min(float(width), box[0] + box[2]) - x, min(float(height), box[1] + box[3]) - y
