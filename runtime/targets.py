"""Several targets in one run: each has a tracker of its own, all share one engine."""

from runtime.tracker import Tracker


class Targets:
    """Follows any number of targets, numbered from 0 in the order in which they came.

    Args:
        network: the ``Network``.
        engine: an engine that holds it; it serves all targets.
        kernels: crop and select.

    Attributes:
        step_ms: dict of the last frame's time in each step, milliseconds, all targets together.
    """

    def __init__(self, network, engine, kernels):
        self.network = network
        self.engine = engine
        self.kernels = kernels
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._trackers = {}  # number -> Tracker
        self._next = 0

    def add(self, frame, box):
        """Take a target; returns its number.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame.

        Raises:
            BadFrame, BadBox: see ``Tracker.init``.
        """
        tracker = Tracker(self.network, self.engine, self.kernels)
        tracker.init(frame, box)
        number, self._next = self._next, self._next + 1
        self._trackers[number] = tracker
        return number

    def drop(self, number):
        """Follow a target no more; a number that is not there is no error."""
        self._trackers.pop(number, None)

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
        tracks = {number: tracker.update(frame) for number, tracker in self._trackers.items()}
        for step in self.step_ms:
            self.step_ms[step] = sum(t.step_ms[step] for t in self._trackers.values())
        return tracks

    def __len__(self):
        return len(self._trackers)

    def close(self):
        """Give the engine's memory back."""
        self.engine.close()
