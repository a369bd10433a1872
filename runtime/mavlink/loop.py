"""The frame loop as the MAVLink service sees it: views of its frames, and requests to it.

A request goes through the page's controller, which does it between two frames. The click belongs to
the frame that was seen: the controller's buffer has it, and catches up from there.
"""

import os
import threading
import time
from concurrent.futures import Future

import cv2

from runtime.errors import HotpathError
from runtime.mavlink.point import box_at
from runtime.mavlink.run import Run, View

ANSWER_S = 10.0  # of the frame loop, for a point


class Busy(HotpathError):
    """A point is being looked at; only one at a time."""


class Loop(Run):
    """Requests to a run through its controller.

    Args:
        controller: ``runtime.page.control``'s.
        captures: folder for pictures, or None.
    """

    def __init__(self, controller, captures=None):
        self._controller, self._captures = controller, captures
        self._view = None
        self._reported = None  # number of the target that is reported
        self._looking = threading.Lock()

    def view_of(self, tracked):
        """The ``View`` after a frame, for ``Service.show``; called by the frame loop."""
        tracks = tracked.tracks
        number = self._reported if self._reported in tracks else next(iter(tracks), None)
        height, width = tracked.frame.shape[:2]
        fps = self._controller.fps
        self._view = View(
            tracked.index, tracked.captured_s, (width, height), tracks.get(number), number, fps
        )
        return self._view

    def newest(self):
        return self._view

    def start_box(self, box, seen_s):
        return self._controller.call(self._start, box, seen_s)

    def start_point(self, point, radius, seen_s):
        tracked = self._controller.buffer.at(seen_s)
        if tracked is None or not self._looking.acquire(False):
            raise Busy("one point at a time")
        done = Future()
        done.set_running_or_notify_cancel()
        # GrabCut takes longer than a frame, so neither the loop nor the link waits for it
        thread = threading.Thread(
            target=self._look, args=(tracked, point, radius, done), name="point", daemon=True
        )
        thread.start()
        return done

    def stop(self):
        return self._controller.call(self._stop)

    def record(self, on):
        return self._controller.call(self._controller.record, on)

    @property
    def recording(self):
        return self._controller.can_record, self._controller.recording

    def capture(self):
        return self._controller.call(self._capture)

    @property
    def can_capture(self):
        return self._captures is not None

    # done in the frame loop

    def _start(self, box, seen_s):
        tracked = self._controller.buffer.at(seen_s)
        tracks = self._controller.newest.tracks
        number = self._reported if self._reported in tracks else next(iter(tracks), None)
        box = _inside(box, tracked.frame.shape)
        self._reported = self._controller.add_target(tracked.index, box, number)
        return self._reported

    def _stop(self):
        tracks = self._controller.newest.tracks
        number = self._reported if self._reported in tracks else next(iter(tracks), None)
        if number is not None:
            self._controller.drop_target(number)
        self._reported = None

    def _capture(self):
        """Start writing the newest frame; the frame loop does not wait for the disk."""
        tracked = self._controller.newest
        name = "{}-{:06d}.jpg".format(time.strftime("%Y%m%d-%H%M%S", time.gmtime()), tracked.index)
        path = os.path.join(self._captures, name)
        threading.Thread(target=cv2.imwrite, args=(path, tracked.frame), daemon=True).start()
        return path

    # a thread of its own

    def _look(self, tracked, point, radius, done):
        try:
            box = box_at(tracked.frame, point, radius)
            started = self._controller.call(self._start, box, tracked.captured_s)
            done.set_result(started.result(ANSWER_S))
        except Exception as error:  # told to the one who asked
            done.set_exception(error)
        finally:
            self._looking.release()


def _inside(box, shape):
    """A box cut to the frame: half a target at its border can be marked."""
    height, width = shape[:2]
    x, y = max(0.0, box[0]), max(0.0, box[1])
    return x, y, min(float(width), box[0] + box[2]) - x, min(float(height), box[1] + box[3]) - y
