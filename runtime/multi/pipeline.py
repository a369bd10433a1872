"""Frames on their way through the tracker: one at a time, or the next one sent before the boxes of
the last one are waited for (``--pipeline``). Rows and pictures belong to their frame either way.
"""

import time
from collections import deque, namedtuple

from runtime.errors import HotpathError, NoEngine

Taken = namedtuple("Taken", "frame index time_s wait_ms")
Taken.__doc__ = """A frame that was read.

Attributes:
    frame: BGR uint8 (H, W, 3).
    index: 0-based in its source.
    time_s: of the source, or None.
    wait_ms: how long the source took for it.
"""


class Pipeline:
    """Takes frames and tells their tracks, in order.

    Args:
        targets: ``runtime.multi.targets.Targets``; as deep as its ``pipeline``.
        tell: function (``Taken``, dict of number -> ``Track``, milliseconds of the loop's time that
            the frame took).
    """

    def __init__(self, targets, tell):
        self._targets, self._tell = targets, tell
        self._sent = deque()  # _Sent, the oldest first

    @property
    def on_the_way(self):
        """How many frames were taken and not told."""
        return len(self._sent)

    def take(self, taken):
        """Take the next frame, and tell whatever is found by now.

        Raises:
            NetworkFailed, GpuFailed …: of a frame, when it would have been told; those before it
                were.
        """
        started = time.perf_counter()
        if self._targets.pipeline == 1:
            tracks = self._targets.update(taken.frame)
            self._tell(taken, tracks, (time.perf_counter() - started) * 1e3)
            return
        self._catch_up()
        self._sent.append(_Sent(taken, self._targets.trackers))
        self._sent[-1].spent_ms = (time.perf_counter() - started) * 1e3
        if self.on_the_way == self._targets.pipeline:
            self._collect()

    def empty(self):
        """Tell all that is on the way; returns how many frames that were."""
        count = self.on_the_way
        while self._sent:
            self._collect()
        return count

    def _collect(self):
        started = time.perf_counter()
        self._catch_up()
        sent = self._sent.popleft()
        tracks = sent.collect(self._targets.trackers)
        self._tell(sent.taken, tracks, sent.spent_ms + (time.perf_counter() - started) * 1e3)

    def _catch_up(self):
        """Find targets that came while frames were on the way in those frames too."""
        for sent in self._sent:
            sent.catch_up(self._targets.trackers)


class _Sent:
    """A frame whose tracks are not known yet.

    Args:
        taken: ``Taken``.
        trackers: dict of number -> tracker, of all targets followed now.
    """

    def __init__(self, taken, trackers):
        self.taken, self.spent_ms = taken, 0.0
        self._trackers, self._tracks, self._failure = {}, {}, None
        for number, tracker in trackers.items():
            try:
                tracker.submit(taken.frame)
                self._trackers[number] = tracker
            except HotpathError as error:
                self._failure = self._failure or error

    def catch_up(self, trackers):
        """Find the targets that came since."""
        for number, tracker in trackers.items():
            if self._failure or number in self._trackers or number in self._tracks:
                continue
            try:
                self._tracks[number] = tracker.update(self.taken.frame)
            except HotpathError as error:
                self._failure = error

    def collect(self, trackers):
        """dict of number -> ``Track``, of those targets that are still followed."""
        for number, tracker in self._trackers.items():
            if number not in trackers:
                continue
            try:
                self._tracks[number] = tracker.collect()
            except HotpathError as error:
                self._failure = self._failure or error
        if self._failure:
            raise self._failure
        return {number: self._tracks[number] for number in trackers if number in self._tracks}


def check_pipeline(pipeline, engine, why=None):
    """Raise ``NoEngine`` where several frames at a time are asked for and no GPU takes them."""
    if pipeline > 1:
        why = why or "{engine} runs on {device} here".format(**engine.describe())
        raise NoEngine(
            "--pipeline {} keeps frames on their way on a GPU, but {}; leave --pipeline away, or "
            "use --engine tensorrt or a --bundle that was made for a GPU".format(pipeline, why)
        )
