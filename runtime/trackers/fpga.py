"""The trackers whose crop and network run in the FPGA.

Select runs on the processor. With several frames in flight the fabric computes one frame or target
while the processor reads, prepares and reports others. Where the kernels are compiled, what is done
for a frame before and after the fabric's program is one call each (``kernels.fpga.frame``);
``HostTracker`` has the same steps in Python, with the same boxes bit for bit.
"""

import time
from collections import deque
from typing import Any, Deque, Dict, Optional, Sequence

import numpy as np

from kernels.fpga.frame import Features, Frames, Watched
from kernels.fpga.likeness import Likeness
from kernels.fpga.native import FrameCopies
from runtime import geometry
from runtime.engines.base import Engine
from runtime.errors import HotpathError
from runtime.frames import AnyFrame, PlanarFrame, bgr_of
from runtime.loss import loss_settings
from runtime.networks import Network
from runtime.trackers.base import PipelinedTracker
from runtime.trackers.host import Cropper, HostTracker
from runtime.types import Box, Track, checked_frame


class FpgaTracker(HostTracker):
    """Follows one target; several may share an engine, which then works for one after another.

    Args:
        network: the ``Network``.
        engine: an engine that has a ``fabric``.
        kernels: select, and the crop of windows that are too wide for the fabric.
    """

    can_rehearse = False  # the program and its weights lie in memory that no cache holds

    why_no_search = "in an FPGA only its state is known"

    engine: Any

    def __init__(self, network: Network, engine: Engine, kernels: Any) -> None:
        super().__init__(network, engine, Likeness(kernels))
        self.frames = self._compiled_frames(kernels)

    def _compiled_frames(self, kernels: Any) -> Optional[Frames]:
        """The calls of ``kernels.fpga.frame``; None where a frame's steps are taken in Python."""
        engine, network, decoder = self.engine, self.network, self.decoder
        is_single = len(decoder.factors) == 1 and not decoder.learns and not decoder.compares
        if not is_single or decoder.kernel is None or network.resample == "warp":
            return None
        if engine.map_jobs is None or not getattr(kernels, "handle", None):
            return None
        seen = engine.search_features
        features = seen and Features(engine.features_offset, seen.shape[1], seen.side)
        corner = geometry.corner_less(network)
        return Frames(
            kernels,
            engine.search_crop,
            engine.map_jobs,
            engine.maps,
            decoder.kernel,
            geometry.window_settings(network),
            loss_settings(network),
            corner,
            features,
        )

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``."""
        super().init(frame, box)
        self._hand_over()

    def _rescale(self, shape: Any) -> None:
        super()._rescale(shape)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the target to the compiled calls: it is new, or was changed in Python."""
        if self.frames is None:
            return
        monitor = self._monitor
        watched: Watched = (1.0, 1.0, self._before, None)
        if monitor is not None:
            watched = monitor.certainty, monitor.widened, monitor.held, monitor.reference
        places = self.engine.places(self.features)
        self.frames.begin(self.state, self._frame_shape, self._border, places, watched)

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``Tracker.update``."""
        if self.frames is None:
            return super().update(frame)
        self.aim(frame)
        started = time.perf_counter()
        self.engine.start_prepared(self.features, self.frames)
        work = self.engine.wait()
        self.step_ms["network"] = (time.perf_counter() - started) * 1e3
        return self.found(work)

    def aim(self, frame: AnyFrame) -> None:
        """Check a frame and show the fabric the window to search, where ``frames`` is there."""
        assert self.frames is not None, "the steps are taken in Python"
        started = time.perf_counter()
        if self._closed or self.state is None:
            self.check_target()
        if type(frame) is not np.ndarray or not self.frames.aim(frame):
            self.begin(frame)
            planes = frame.planes if isinstance(frame, PlanarFrame) else None
            if planes is None or not self.frames.aim_in_planes(planes):
                self.frames.aim_at(bgr_of(frame))  # it may lie in the fabric's memory already
        self.step_ms["crop"] = (time.perf_counter() - started) * 1e3

    def found(self, work: Any) -> Track:
        """Select in a finished program's results, where ``frames`` is there.

        Args:
            work: the target's ``kernels.fpga.fabric.Buffer``.

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        assert self.frames is not None, "the steps are taken in Python"
        started = time.perf_counter()
        certainty, widened, _, _, x, y, w, h, score, lost = self.frames.found(work.host)
        monitor, lost = self._monitor, bool(lost)
        if monitor is not None:
            monitor.certainty, monitor.widened, monitor.lost = certainty, widened, lost
        state = self._states.step(lost, certainty if monitor is not None else None)
        self.step_ms["select"] = (time.perf_counter() - started) * 1e3
        return Track(Box(x, y, w, h), score, lost, state)

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
        self.copies = FrameCopies(kernels) if getattr(kernels, "handle", None) else None
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
        return FpgaTracker.update(self, frame)

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
        self._registers: Dict[str, int] = {}
        self._is_prepared = False
        self._copy: Optional[np.ndarray] = None
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
        if self._is_prepared or isinstance(self._frame, PlanarFrame):  # planes do not change
            return
        frame, copies = bgr_of(self._frame), self.tracker.copies
        if copies is None:
            self._frame = np.array(frame)
        else:
            self._frame = self._copy = copies.take(frame)

    def prepare(self) -> None:
        """Bring the window into memory; the target's state must be that of the frame before."""
        if not self._is_prepared:
            tracker = self.tracker
            if tracker.frames is not None:
                tracker.aim(self._frame)
            else:
                tracker.begin(self._frame)
                self._scale = tracker.crop(self._frame, tracker.decoder.factors[0])
            self._registers = self._engine.search_crop.pictures.registers
            self._is_prepared = True
            self.step_ms = dict(tracker.step_ms)

    def start(self) -> None:
        """Start the program."""
        self.prepare()
        tracker = self.tracker
        if tracker.frames is not None:
            self._engine.start_prepared(tracker.features, tracker.frames)
        else:
            self._engine.start(tracker.features, self._registers)

    def finish(self) -> None:
        """Wait for the program and select."""
        tracker = self.tracker
        tracker.step_ms.update(self.step_ms)
        if tracker.frames is not None:
            self._track = tracker.found(tracker.timed("network", self._engine.wait))
            self.step_ms = dict(tracker.step_ms)
            return
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
        if self._copy is not None and self.tracker.copies is not None:
            self.tracker.copies.give_back(self._copy)
        del self._frame, self._copy

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
