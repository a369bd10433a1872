"""Several targets in one run: each has a tracker of its own, all share one engine.

They take a frame side by side where the engine has a thread for each, else in one call of the
network where its graph allows that, else one after the other (``runtime.multi.scheduling``).
"""

from runtime.bundle import tracker_on
from runtime.errors import HotpathError
from runtime.multi.pipeline import check_pipeline
from runtime.multi.scheduling import grouped


class Targets:
    """Follows any number of targets, numbered from 0 in the order in which they came.

    Args:
        network: the ``Network``.
        engine: an engine that holds it; it serves all targets.
        kernels: crop and select.
        pipeline: frames that may be on their way at a time; above 1 on a GPU alone.

    Raises:
        NoEngine: more than one frame at a time, and no GPU.

    Attributes:
        step_ms: dict of the last frame's time in each step, milliseconds, all targets together; of
            those that take it side by side, the mean of the lanes.
    """

    def __init__(self, network, engine, kernels, pipeline=1):
        if not hasattr(engine, "search_device"):
            check_pipeline(pipeline, engine)
        self.network = network
        self.engine = engine
        self.kernels = kernels
        self.pipeline = pipeline
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._trackers = {}  # number -> Tracker
        self._next = 0
        self._group = None  # of those that are followed now

    def add(self, frame, box):
        """Take a target; returns its number.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame.

        Raises:
            BadFrame, BadBox: see ``Tracker.init``.
        """
        kernels = self.kernels.clone()  # targets may be followed side by side
        tracker = tracker_on(self.network, self.engine, kernels, pipeline=self.pipeline)
        try:
            tracker.init(frame, box)
        except HotpathError:
            tracker.let_go()
            raise
        number, self._next = self._next, self._next + 1
        self._trackers[number] = tracker
        self._group = None
        return number

    def drop(self, number):
        """Follow a target no more; a number that is not there is no error."""
        tracker = self._trackers.pop(number, None)
        if tracker is not None:
            tracker.let_go()
        self._group = None

    @property
    def numbers(self):
        """Numbers of the targets that are followed now."""
        return tuple(self._trackers)

    @property
    def trackers(self):
        """dict of number -> tracker, of the targets that are followed now."""
        return dict(self._trackers)

    def follow(self, number, frame):
        """Find one target alone in a frame: one that came late catches up.

        Returns:
            ``Track``.
        """
        return self._trackers[number].update(frame)

    def update(self, frame):
        """Find every target in the next frame.

        Returns:
            dict of number -> ``Track``.
        """
        if self._group is None:
            self._group = grouped(list(self._trackers.values()), self.engine)
        tracks = self._group.update(frame)
        for step in self.step_ms:
            total_ms = sum(tracker.step_ms[step] for tracker in self._trackers.values())
            self.step_ms[step] = total_ms / self._group.lanes
        return dict(zip(self._trackers, tracks))

    def __len__(self):
        return len(self._trackers)

    def close(self):
        """Give the engine's memory back."""
        for number in self.numbers:
            self.drop(number)
        self.engine.close()
