"""How several trackers of one network take a frame: sequentially, in threads, or as one batch.

The rule, by ``python -m tests.fps ways`` with kestrel_small, 2 to 16 targets, an x86-64
computer at rest:

- On one thread one call of all targets takes less time than a call each: 3 to 10 % less in float32,
  and in INT8 17 to 29 % less on OpenVINO and 6 to 9 % on ONNX Runtime. So the targets are a batch
  where the graph allows that, and take turns where it does not.
- On two threads of OpenVINO the batch ends first too: it takes 3 to 5 % less time than a thread for
  each of two targets, and 20 % less with three. On ONNX Runtime a thread for each target takes 2 to
  7 % less time than the batch in INT8, and 6 to 9 % more in float32. It takes less of the
  processor there, since the batch's threads spin (``Engine.batches_on_threads``).

On a GPU the targets are a group wherever the family allows it: then a frame is as many launches as
for one target, and the network one call where the engine has a batch.
"""

import time
from typing import Any, List, Sequence, Tuple

from kernels.cuda.group import Group
from kernels.errors import GpuFailed, NotOnGpu
from runtime.devices.gpu import GpuTracker, as_uploaded, checked_size
from runtime.devices.processor import HostTracker
from runtime.engines.base import Batch, Engine, Lane
from runtime.errors import HotpathError
from runtime.pictures import AnyFrame
from runtime.targets.threads import ThreadGroup
from runtime.tracker import Tracker
from runtime.types import Track


def schedule(trackers: Sequence[Tracker], engine: Engine) -> "Schedule":
    """The way in which these trackers take a frame.

    Args:
        trackers: each has its target, and kernels of its own.
        engine: the one that all of them were made on.
    """
    on_gpu = [t for t in trackers if isinstance(t, GpuTracker) and t.can_join]
    if 1 < len(trackers) == len(on_gpu):
        try:
            return Grouped(on_gpu)
        except (NotOnGpu, GpuFailed) as error:
            return Sequential(trackers, str(error))
    on_host = [tracker for tracker in trackers if isinstance(tracker, HostTracker)]
    count = len(trackers)
    if 1 < count == len(on_host):
        batch_first = engine.threads == 1 or engine.batches_on_threads
        batch = engine.batch(count) if batch_first else None
        lanes = engine.lanes(min(count, engine.threads)) if batch is None else ()
        if len(lanes) > 1:
            return Threaded(on_host, lanes)
        batch = batch or engine.batch(count)
        if batch is not None:
            return Batched(on_host, batch)
    for tracker in on_host:
        tracker.search_on(engine)
    return Sequential(trackers)


class Schedule:
    """A way in which several trackers take a frame.

    Attributes:
        lanes: how many trackers work at a time.
        sentence: why the targets are no batch; empty where they are, or need not be.
    """

    lanes = 1
    sentence = ""

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        raise NotImplementedError

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``."""

    def close(self) -> None:
        """Let the trackers go on without it."""


class Sequential(Schedule):
    """Trackers that take a frame one after the other.

    Args:
        trackers: any.
        sentence: why they are no batch.
    """

    def __init__(self, trackers: Sequence[Tracker], sentence: str = "") -> None:
        self._trackers, self.sentence = trackers, sentence

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        return [tracker.update(frame) for tracker in self._trackers]

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``."""
        for tracker in self._trackers:
            tracker.rehearse(frame)


class Threaded(Schedule):
    """Trackers that take a frame in threads; those of one lane take it one after the other.

    Args:
        trackers: no two with the same kernels.
        lanes: of the engine, at most as many as trackers.
    """

    def __init__(self, trackers: Sequence[HostTracker], lanes: Sequence[Lane]) -> None:
        self.lanes = len(lanes)
        self._count = len(trackers)
        self._shares = [_Share(trackers[n :: self.lanes], lane) for n, lane in enumerate(lanes)]
        self._threads = ThreadGroup([share.work for share in self._shares])

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        self._threads.run((frame, False))
        tracks: List[Any] = [None] * self._count
        for number, share in enumerate(self._shares):
            tracks[number :: self.lanes] = share.tracks
        return tracks

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``."""
        self._threads.run((frame, True))


class _Share:
    """The trackers of one lane. It holds no reference to the threads, so that they can end."""

    def __init__(self, trackers: Sequence[HostTracker], lane: Lane) -> None:
        self._trackers = trackers
        self.tracks: List[Track] = []
        for tracker in trackers:
            tracker.search_on(lane)

    def work(self, argument: Tuple[AnyFrame, bool]) -> None:
        """Take a frame, or rehearse it."""
        frame, is_rehearsal = argument
        if is_rehearsal:
            for tracker in self._trackers:
                tracker.rehearse(frame)
        else:
            self.tracks = [tracker.update(frame) for tracker in self._trackers]


class Batched(Schedule):
    """Trackers whose search regions go through the network in one call.

    Args:
        trackers: of one network, each with its target.
        batch: of the engine, for so many.
    """

    def __init__(self, trackers: Sequence[HostTracker], batch: Batch) -> None:
        self._trackers, self._batch = trackers, batch
        self._croppers = [t.cropper(crop) for t, crop in zip(trackers, batch.crops)]
        self._features = [tracker.features for tracker in trackers]

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        for tracker in self._trackers:
            tracker.begin(frame)
        decoder = self._trackers[0].decoder  # all are of one family
        for index, factor in enumerate(decoder.factors):
            scales, maps = self._search(frame, factor)
            taken = [t.collect_maps(index, own) for t, own in zip(self._trackers, maps)]
        found = zip(self._trackers, taken, scales, self._batch.search_features)
        tracks = [tracker.select(own, scale, features) for tracker, own, scale, features in found]
        if decoder.learns:
            _, maps = self._search(frame, 1.0)
            for tracker, own in zip(self._trackers, maps):
                tracker.learn(own)
        return tracks

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``; select, which takes little time here, is left out."""
        self._search(frame, self._trackers[0].decoder.factors[0])

    def _search(
        self, frame: AnyFrame, factor: float
    ) -> Tuple[List[Tuple[float, float]], Sequence[Any]]:
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


class Grouped(Schedule):
    """Trackers of a GPU whose targets are cropped and selected in one launch each.

    Args:
        trackers: of one engine, each with its target.

    Raises:
        NotOnGpu: the family has no group.
        GpuFailed: out of memory.
    """

    def __init__(self, trackers: Sequence[GpuTracker]) -> None:
        self._trackers = trackers
        self._group = Group([tracker.frame for tracker in trackers])
        if not self._group.batched:
            self.sentence = (
                "the network runs once for each target: this graph or engine takes one search "
                "region at a time; crop and select take all targets at once"
            )

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        for tracker in self._trackers:
            tracker.check_target()
        picture: Any = as_uploaded(frame)
        checked_size(picture)
        placed = {i: t.state for i, t in enumerate(self._trackers) if t.prepare(picture)}
        results = self._group.update(picture, placed)
        seen = self._group.seen
        tracks, failure = [], None
        for index, (tracker, found) in enumerate(zip(self._trackers, results)):
            try:
                tracks.append(tracker.tell(found, None if seen is None else seen[index]))
            except HotpathError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return tracks

    def close(self) -> None:
        """Let the trackers go on without it."""
        self._group.close()
