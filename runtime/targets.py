"""Several targets in one run: each has a tracker of its own, all share one engine.

Where the network's graph allows it, the search regions of all of them go through the network in one
call (``runtime.engines.batch``); else one after the other.
"""

import time

from runtime.bundle import tracker_on


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
        self._group = None  # those that are followed together

    def add(self, frame, box):
        """Take a target; returns its number.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame.

        Raises:
            BadFrame, BadBox: see ``Tracker.init``.
        """
        tracker = tracker_on(self.network, self.engine, self.kernels)
        tracker.init(frame, box)
        number, self._next = self._next, self._next + 1
        self._trackers[number] = tracker
        self._group = None
        return number

    def drop(self, number):
        """Follow a target no more; a number that is not there is no error."""
        self._trackers.pop(number, None)
        self._group = None

    @property
    def numbers(self):
        """Numbers of the targets that are followed now."""
        return tuple(self._trackers)

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
        trackers = list(self._trackers.values())
        if len(trackers) > 1 and self._group is None:
            batch = getattr(self.engine, "batch", None)
            batch = batch(len(trackers)) if batch else None
            self._group = Together(trackers, batch) if batch else False
        if len(trackers) > 1 and self._group:
            tracks = self._group.update(frame)
        else:
            tracks = [tracker.update(frame) for tracker in trackers]
        for step in self.step_ms:
            self.step_ms[step] = sum(tracker.step_ms[step] for tracker in trackers)
        return dict(zip(self._trackers, tracks))

    def __len__(self):
        return len(self._trackers)

    def close(self):
        """Give the engine's memory back."""
        self.engine.close()


class Together:
    """Trackers whose search regions go through the network as one batch.

    Args:
        trackers: list of ``Tracker`` of one network, each with its target.
        batch: ``runtime.engines.batch.Batch`` for so many.
    """

    def __init__(self, trackers, batch):
        self._trackers, self._batch = trackers, batch
        self._croppers = [t.cropper(crop) for t, crop in zip(trackers, batch.crops)]
        self._features = [tracker.features for tracker in trackers]

    def update(self, frame):
        """Find every target in the next frame: list of ``Track``, as ``Tracker.update``'s."""
        for tracker in self._trackers:
            tracker.begin(frame)
        decoder = self._trackers[0].decoder  # all are of one family
        for index, factor in enumerate(decoder.factors):
            scales, maps = self._look(frame, factor)
            taken = [tracker.take(index, own) for tracker, own in zip(self._trackers, maps)]
        chosen = zip(self._trackers, taken, scales, self._batch.seen)
        tracks = [tracker.choose(own, scale, seen) for tracker, own, scale, seen in chosen]
        if decoder.learns:
            _, maps = self._look(frame, 1.0)
            for tracker, own in zip(self._trackers, maps):
                tracker.learn(own)
        return tracks

    def _look(self, frame, factor):
        """Run the network on all search regions: (scale of each, maps of each)."""
        batch, scales, network_ms = self._batch, [], 0.0
        for number, tracker in enumerate(self._trackers):
            scales.append(tracker.crop(frame, factor, self._croppers[number]))
            started = time.perf_counter()
            batch.start(number, self._features[number])
            network_ms += (time.perf_counter() - started) * 1e3
        started = time.perf_counter()
        maps = batch.finish()
        network_ms += (time.perf_counter() - started) * 1e3
        for tracker in self._trackers:
            tracker.step_ms["network"] += network_ms / len(self._trackers)
        return scales, maps
