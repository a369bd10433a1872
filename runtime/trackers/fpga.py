"""The trackers whose crop and network run in the FPGA.

Select runs on the processor. It reads a few hundred bytes of maps, and takes its logarithms and
exponentials from tables. With several frames in flight the fabric computes one frame or target
while the processor reads, prepares and reports others.
"""

from collections import deque
from typing import Any, Deque, Dict, Optional, Sequence

import numpy as np

from kernels.fpga.likeness import Likeness
from runtime.engines.base import Engine
from runtime.errors import HotpathError
from runtime.frames import AnyFrame, bgr_of
from runtime.networks import Network
from runtime.trackers.base import PipelinedTracker
from runtime.trackers.host import Cropper, HostTracker
from runtime.types import Track, checked_frame


class FpgaTracker(HostTracker):
    """Follows one target; several may share an engine, which then works for one after another.

    Args:
        network: the ``Network``.
        engine: an engine that has a ``fabric``.
        kernels: select, and the crop of windows that are too wide for the fabric.
    """

    can_rehearse = False  # the program and its weights lie in memory that no cache holds

    why_no_search = "in an FPGA only its state is known"

    def __init__(self, network: Network, engine: Engine, kernels: Any) -> None:
        super().__init__(network, engine, Likeness(kernels))

    def cropper(self, out: Any) -> Cropper:
        """The function (frame, window) that shows the fabric what to crop.

        Args:
            out: ``kernels.fpga.window.Crop``.
        """
        show = out.pictures.take
        return lambda frame, window: show(bgr_of(frame), window, self._border, out.side)


class PipelinedFpgaTracker(FpgaTracker, PipelinedTracker):
    """Follows one target; takes frames before it has given the ``Track`` of earlier ones.

    The boxes are those of ``FpgaTracker``: a frame's window is known when the frame before it is
    selected, and its program starts then.

    Args:
        network, engine, kernels: as in ``FpgaTracker``.
        pipeline: frames that may be in flight at a time.
    """

    def __init__(self, network: Network, engine: Any, kernels: Any, pipeline: int) -> None:
        super().__init__(network, engine, kernels)
        if engine.queue is None:
            engine.queue = ProgramQueue(engine)
        self._queue, self._pipeline = engine.queue, pipeline
        self._jobs: Deque[_Job] = deque()  # frames in flight, the oldest first

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._jobs)

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``. Results of frames in flight are dropped."""
        self._queue.settle()
        self._jobs.clear()
        super().init(frame, box)

    def submit(self, frame: AnyFrame) -> None:
        """See ``PipelinedTracker.submit``."""
        self.check_target()
        frame = checked_frame(frame)
        if self.in_flight == self._pipeline:
            raise RuntimeError("{} frames are in flight; collect one first".format(self.in_flight))
        job = _Job(self, frame)
        self._jobs.append(job)
        self._queue.add(job)

    def collect(self) -> Track:
        """See ``PipelinedTracker.collect``."""
        if not self._jobs:
            raise RuntimeError("no frame is in flight; submit one first")
        job = self._jobs.popleft()
        self._queue.wait_for(job)
        self.step_ms.update(job.step_ms)
        return job.result()

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``PipelinedTracker.update``."""
        if self.in_flight:
            raise RuntimeError("a frame is in flight; collect its result before this update")
        self._queue.settle()
        return HostTracker.update(self, frame)

    def release(self) -> None:
        """Stop following the target; see ``Tracker.release``."""
        self._queue.settle()
        self._jobs.clear()
        super().release()


class _Job:
    """One frame of one target.

    Args:
        tracker: the ``PipelinedFpgaTracker``.
        frame: checked; it is copied when its window is not known yet.
    """

    def __init__(self, tracker: PipelinedFpgaTracker, frame: AnyFrame) -> None:
        self.tracker, self._frame = tracker, frame
        self._engine: Any = tracker.engine
        self.step_ms: Dict[str, float] = {}
        self._registers: Optional[Dict[str, int]] = None
        self._track: Optional[Track] = None
        self._failure: Optional[HotpathError] = None
        self.is_done = False

    @property
    def is_single(self) -> bool:
        """Whether one program is the whole frame."""
        decoder = self.tracker.decoder
        return len(decoder.factors) == 1 and not decoder.learns

    def keep(self) -> None:
        """Copy the frame, unless its window was copied already."""
        if self._registers is None:
            self._frame = np.array(bgr_of(self._frame))

    def prepare(self) -> None:
        """Bring the window into memory; the target's state must be that of the frame before."""
        if self._registers is None:
            tracker = self.tracker
            tracker.begin(self._frame)
            self._scale = tracker.crop(self._frame, tracker.decoder.factors[0])
            self._registers = self._engine.search_crop.pictures.registers
            self.step_ms = dict(tracker.step_ms)

    def start(self) -> None:
        """Start the program."""
        self.prepare()
        self._engine.start(self.tracker.features, self._registers)

    def finish(self) -> None:
        """Wait for the program and select."""
        tracker = self.tracker
        tracker.step_ms.update(self.step_ms)
        decoder, scale = tracker.decoder, self._scale
        maps = tracker.collect_maps(0, tracker.timed("network", self._engine.finish))
        for index, factor in enumerate(decoder.factors[1:], 1):
            scale = tracker.crop(self._frame, factor)
            found = tracker.timed("network", self._engine.search, tracker.features)
            maps = tracker.collect_maps(index, found)
        self._track = tracker.select(maps, scale, self._engine.search_features)
        if decoder.learns:
            tracker.crop(self._frame, 1.0)
            tracker.learn(tracker.timed("network", self._engine.search, tracker.features))
        self.step_ms = dict(tracker.step_ms)

    def end(self, failure: Optional[HotpathError] = None) -> None:
        """Nothing more will be done; ``failure``: what ``result`` raises."""
        self._failure, self.is_done = failure, True
        del self._frame

    def result(self) -> Track:
        """The ``Track``; raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        assert self._track is not None
        return self._track


class ProgramQueue:
    """Frames of all targets of one engine: their programs run one after another, in order.

    Args:
        engine: the engine that runs them.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._waiting: Deque[_Job] = deque()
        self._running: Optional[_Job] = None

    def add(self, job: _Job) -> None:
        """Add a frame; its program starts at once when the fabric is idle."""
        self._waiting.append(job)
        self._advance()
        if not job.is_done:
            job.keep()

    def wait_for(self, job: _Job) -> None:
        """Finish all programs up to that of a frame."""
        while not job.is_done:
            self._finish()

    def settle(self) -> None:
        """Finish all programs."""
        while self._running is not None:
            self._finish()

    def _finish(self) -> None:
        job, failure = self._running, None
        assert job is not None
        try:
            job.finish()
        except HotpathError as error:
            failure = error
        self._running = None
        job.end(failure)
        self._advance()

    def _advance(self) -> None:
        """Start the next program; prepare the one behind it while the fabric computes."""
        while self._running is None and self._waiting:
            job = self._waiting.popleft()
            try:
                job.start()
                self._running = job
            except HotpathError as error:
                job.end(error)
        if self._running is None or not self._waiting:
            return
        following = self._waiting[0]
        if following.tracker is not self._running.tracker and self._running.is_single:
            try:
                following.prepare()
            except HotpathError as error:
                self._waiting.popleft()
                following.end(error)
