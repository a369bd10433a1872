"""Connect the MAVLink service to the frame loop: views of its frames, and requests to it.

A request goes to the page's controller, which carries it out between two frames. A click belongs to
the frame that the user saw. The controller still has that frame in its buffer, starts the target on
it, and tracks it up to the newest frame.
"""

import threading
import time
from concurrent.futures import Future, TimeoutError
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.app.detect import Detector
from hotpath.app.links.control import Controller
from hotpath.app.links.mavlink.messages import View
from hotpath.app.links.mavlink.point import find_box, settled_boxes
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.pictures import bgr_of
from hotpath.runtime.types import Box, TrackedFrame

POINT_S = 1.5  # longest search for the box of a point
TURN_S = 0.02  # of it between two frames
ANSWER_S = 10.0  # longest wait for the frame loop to begin with a request


class Busy(HotpathError):
    """The request can't be carried out now; it may be repeated later."""


class Loop:
    """Sends requests to a run through its controller.

    Only the link's thread makes them. Every request returns a ``Future``. A request that fails sets
    a ``HotpathError`` in it. Where ``cancel`` returns True, it is not carried out later.

    Args:
        controller: ``Controller`` of the run.
        detector: finds the object at a point, or None.

    Attributes:
        view: what is known after the newest frame; None before the first one.
    """

    def __init__(self, controller: Controller, detector: Optional[Detector] = None) -> None:
        self._controller, self._detector = controller, detector
        self.view: Optional[View] = None
        self._looking = threading.Lock()  # held while a box is looked for at a point

    def view_of(self, tracked: TrackedFrame) -> View:
        """The ``View`` after a frame, for ``Service.show``; called by the frame loop."""
        selection = self._controller.selection
        number = selection.among(tracked.tracks)
        track = None if number is None else tracked.tracks[number]
        height, width = tracked.frame.shape[:2]
        size, fps = (width, height), self._controller.fps
        self.view = View(
            tracked.index, tracked.captured_s, size, track, number, fps, acts=selection.acts
        )
        return self.view

    def start_box(self, box: Tuple[float, float, float, float], seen_s: float) -> "Future[int]":
        """Follow the target in a box of the frame that the user saw; drop the selected target.

        Args:
            box: (x, y, w, h), 0-based pixels.
            seen_s: when the frame that the user saw was taken, seconds of the monotonic clock.
        """
        return self._controller.call(self._start, box, seen_s)

    def start_point(self, point: Tuple[float, float], seen_s: float) -> "Future[int]":
        """Follow what is at a point (x, y) of the frame that the user saw; see ``start_box``."""
        tracked = self._controller.buffer.at(seen_s)
        if tracked is None or not self._looking.acquire(False):
            raise Busy("one point at a time")
        self._controller.buffer.hold(self, tracked.index)  # more frames come than it keeps
        return _aside(self._look, tracked, point)  # it takes several frames

    def stop(self) -> "Future[None]":
        """Stop following the selected target."""
        return self._controller.call(self._stop)

    def record(self, on: bool) -> "Future[None]":
        """Start or stop writing to the run's files."""
        return self._controller.call(self._controller.record, on)

    @property
    def recording(self) -> Tuple[bool, Optional[float]]:
        """Whether the run has files, and since when it writes to them.

        Seconds of the monotonic clock; None while it does not write.
        """
        return self._controller.can_record, self._controller.recording_since

    # carried out in the frame loop

    def _newest_frame(self) -> TrackedFrame:
        newest = self._controller.newest
        if newest is None:
            raise Busy("no frame was tracked yet; try again")
        return newest

    def _start(self, box: Tuple[float, float, float, float], seen_s: float) -> int:
        """Start a target on the frame that the user saw; it replaces the selected one."""
        newest = self._newest_frame()
        tracked = self._controller.buffer.at(seen_s) or newest
        number = self._controller.selection.among(newest.tracks)
        inside = _inside(box, tracked.frame.shape)
        return self._controller.add_target(tracked.index, inside, number)

    def _stop(self) -> None:
        """Drop the selected target. No other one takes its place."""
        number = self._controller.selection.among(self._newest_frame().tracks)
        if number is not None:
            self._controller.drop_target(number)

    # carried out in its own thread

    def _look(self, tracked: TrackedFrame, point: Tuple[float, float]) -> int:
        """Find the box at a point, and start a target in it."""
        try:
            ends_s = time.monotonic() + POINT_S
            frame = bgr_of(tracked.frame)
            box = find_box(
                frame, point, lambda tried: self._settled(frame, tried, ends_s), self._detector
            )
            started: int = _answer(self._controller.call(self._start, box, tracked.captured_s))
            return started
        finally:
            self._controller.buffer.hold(self, None)
            self._looking.release()

    def _settled(
        self, frame: np.ndarray, tried: Sequence[Box], ends_s: float
    ) -> List[Optional[Box]]:
        """Where targets in these boxes end; the frame loop searches a few of them at a time."""
        found: List[Optional[Box]] = []
        while len(found) < len(tried) and (not found or time.monotonic() < ends_s):
            left = tried[len(found) :]
            targets = self._controller.targets
            call = self._controller.call(settled_boxes, targets, frame, left, TURN_S)
            found += _answer(call)
        return found


def _aside(function: Callable[..., int], *arguments: Any) -> "Future[int]":
    """Call a function in its own thread, so that neither the loop nor the link waits."""
    done: Future[int] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(function(*arguments))
        except Exception as error:  # the camera answers the command with it
            done.set_exception(error)

    threading.Thread(target=run, name=function.__name__, daemon=True).start()
    return done


def _answer(asked: "Future[Any]") -> Any:
    """The frame loop's answer to a request.

    Raises:
        Busy: it has not begun with it in time, and does not do so later.
    """
    try:
        return asked.result(ANSWER_S)
    except TimeoutError:
        if asked.cancel():
            raise Busy("the frame loop did not answer in time; try again", what="late") from None
        return asked.result()


def _inside(
    box: Tuple[float, float, float, float], shape: Sequence[int]
) -> Tuple[float, float, float, float]:
    """The part of a box inside the frame: a target may be half out of it."""
    height, width = shape[:2]
    x, y = max(0.0, box[0]), max(0.0, box[1])
    return x, y, min(float(width), box[0] + box[2]) - x, min(float(height), box[1] + box[3]) - y
