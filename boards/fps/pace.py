"""An emulated camera in this process: frames at a fixed rate, decoded in the source's thread."""

import time

import cv2

from hotpath.runtime.errors import HotpathError
from hotpath.runtime.track.video.base import WAITING
from hotpath.runtime.track.video.live import LiveSource

QUALITY = 85  # of the JPEG pictures
LONGEST_WAIT_S = 2.0
LEARNING = 10  # first frames of a run, in which the source's rate is learned; not counted


class PacedCamera:
    """Gives a clip's frames at a fixed rate, each decoded from JPEG as a USB camera's are."""

    name = "paced"

    def __init__(self, frames, fps):
        settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        self._pictures = [cv2.imencode(".jpg", frame, settings)[1] for frame in frames]
        self._fps = fps

    def open(self):
        """The device's capture; it starts with the second picture."""
        self._place = 0
        self._due = time.monotonic()
        return self

    def get(self, _):
        """The only property that is asked for is the frame rate."""
        return self._fps

    def read(self):
        """Wait until the next frame is due, then decode it: (True, frame)."""
        self._due += 1.0 / self._fps
        self._place = self._place % len(self._pictures) + 1
        time.sleep(max(0.0, self._due - time.monotonic()))
        return True, cv2.imdecode(self._pictures[self._place % len(self._pictures)], 1)

    def release(self):
        """Nothing is held."""


class PacedLoop:
    """As ``hotpath.boards.fps.loop.Loop``, with frames that come at a camera's pace."""

    def __init__(self, tracker, frames, box, fps):
        self.tracker, self._box = tracker, box
        self._first = frames[0]
        self._camera = PacedCamera(frames, fps)
        self.processor_ms = 0.0  # of the whole process, a frame of the last run

    def run(self, count):
        tracker = self.tracker
        tracker.init(self._first, self._box)
        steps = {"total": [], "arrival_to_box": []}
        boxes = []
        source = LiveSource(self._camera)
        began_s = time.process_time()
        with source:
            while len(boxes) < count:
                frame = source.read(LONGEST_WAIT_S)
                if frame is WAITING or frame is None:
                    raise HotpathError("the paced frames stopped; the machine is too busy")
                started = time.monotonic()
                track = tracker.update(frame)
                ended = time.monotonic()
                steps["total"].append((ended - started) * 1e3)
                steps["arrival_to_box"].append((ended - source.arrived_s) * 1e3)
                for name, value in tracker.step_ms.items():
                    steps.setdefault(name, []).append(value)
                boxes.append((len(boxes) + 1, tuple(float(v) for v in track.box)))
        self.processor_ms = (time.process_time() - began_s) * 1e3 / count
        return {name: ms for name, ms in steps.items() if name == "total" or any(ms)}, boxes
