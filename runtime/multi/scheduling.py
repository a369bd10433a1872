"""How several trackers of one network take a frame: in turn, side by side, or as one batch.

Side by side wherever the engine has more than one thread: two of these small networks on a thread
each are done before one call of both on two threads, and all else in a frame is side by side too.
"""

import time

from runtime.multi.threads import Crew


def grouped(trackers, engine):
    """The group for these trackers.

    Args:
        trackers: list of ``Tracker``, each with its target.
        engine: the one that all of them were made on.

    Returns:
        an object with ``update(frame)`` -> list of ``Track``, as ``Tracker.update``'s, and
        ``lanes``, how many trackers work at a time.
    """
    count, threads = len(trackers), getattr(engine, "threads", 1)
    if count > 1 and threads > 1 and hasattr(engine, "lanes"):
        return SideBySide(trackers, engine.lanes(min(count, threads)))
    if count > 1 and hasattr(engine, "batch"):
        batch = engine.batch(count)
        if batch is not None:
            return Together(trackers, batch)
    return InTurn(trackers, engine)


class InTurn:
    """Trackers that take a frame one after the other."""

    lanes = 1

    def __init__(self, trackers, engine):
        self._trackers = trackers
        if hasattr(engine, "lanes"):
            for tracker in trackers:
                tracker.search_on(engine)

    def update(self, frame):
        """Find every target in the next frame."""
        return [tracker.update(frame) for tracker in self._trackers]


class SideBySide:
    """Trackers that take a frame at once, those of each lane in their turn.

    Args:
        trackers: list of ``Tracker``, no two with the same kernels.
        lanes: of the engine, not more than trackers.
    """

    def __init__(self, trackers, lanes):
        self.lanes = len(lanes)
        self._tracks = [None] * len(trackers)
        self._shares = [_Share(trackers[n :: self.lanes], lane) for n, lane in enumerate(lanes)]
        self._crew = Crew([share.update for share in self._shares])

    def update(self, frame):
        """Find every target in the next frame."""
        self._crew.run(frame)
        for number, share in enumerate(self._shares):
            self._tracks[number :: self.lanes] = share.tracks
        return self._tracks


class _Share:
    """The trackers of one lane. Knows nothing of the crew, which ends when nobody else knows it."""

    def __init__(self, trackers, lane):
        self._trackers, self.tracks = trackers, [None] * len(trackers)
        for tracker in trackers:
            tracker.search_on(lane)

    def update(self, frame):
        for index, tracker in enumerate(self._trackers):
            self.tracks[index] = tracker.update(frame)


class Together:
    """Trackers whose search regions go through the network as one batch.

    Args:
        trackers: list of ``Tracker`` of one network, each with its target.
        batch: ``runtime.graphs.batch.Batch`` for so many.
    """

    lanes = 1

    def __init__(self, trackers, batch):
        self._trackers, self._batch = trackers, batch
        self._croppers = [t.cropper(crop) for t, crop in zip(trackers, batch.crops)]
        self._features = [tracker.features for tracker in trackers]

    def update(self, frame):
        """Find every target in the next frame."""
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
