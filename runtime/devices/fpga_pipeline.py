"""Several frames in flight on an FPGA: the fabric computes one, the processor works on others.

While the fabric computes a frame, the pixels and tables of the target's next one are brought into
its memory (``kernels.fpga.next_frame``). Another target's next frame is prepared completely. So
little is left to do between the end of a program and the start of the next one.
"""

import time
from collections import deque
from typing import Any, Deque, Dict, Optional, Sequence

import numpy as np

from kernels.errors import FabricFailed
from kernels.fpga.native import FrameCopies
from kernels.fpga.next_frame import NextFrame, TableStore
from runtime.devices.fpga import FpgaTracker
from runtime.errors import HotpathError
from runtime.networks import Network
from runtime.pictures import AnyFrame, Picture, PlanarFrame, bgr_of
from runtime.tracker import SEVERAL_IN_FLIGHT, PipelinedTracker
from runtime.types import Track, checked_frame


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
        self.next: Optional[NextFrame] = None
        if self.frames is not None:
            pictures, store = engine.search_crop.pictures, self._queue.store
            self.next = NextFrame(kernels, self.frames, pictures, store)
        self._jobs: Deque[_Job] = deque()  # frames in flight, the oldest first

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._jobs)

    @property
    def why_no_search(self) -> str:  # type: ignore[override]  # read only here
        """See ``Tracker.why_no_search``."""
        return SEVERAL_IN_FLIGHT

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``. Results of frames in flight are dropped."""
        self._queue.settle()
        self._jobs.clear()
        super().init(frame, box)

    def submit(self, frame: AnyFrame, is_kept: bool = False) -> None:
        """See ``PipelinedTracker.submit``."""
        self.check_target()
        frame = checked_frame(frame)
        if self.in_flight == self._pipeline:
            raise RuntimeError(f"{self.in_flight} frames are in flight; collect one first")
        job = _Job(self, frame, is_kept)
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
        is_kept: whether nobody writes into the frame, so that it need not be copied.

    Attributes:
        is_prepared: whether the window is in the fabric's memory.
        is_gathered: whether the pixels around the target are there; the window is not known yet.
        is_started: whether the program was started.
        is_done: whether nothing more will be done.
    """

    def __init__(self, tracker: PipelinedFpgaTracker, frame: AnyFrame, is_kept: bool) -> None:
        self.tracker, self._frame = tracker, frame
        self._is_kept = is_kept or isinstance(frame, Picture)  # pictures do not change
        self._engine: Any = tracker.engine
        self.step_ms: Dict[str, float] = {}
        self._registers: Dict[str, int] = {}
        self.is_prepared = self.is_gathered = self.is_started = self.is_done = False
        self._copy: Optional[np.ndarray] = None
        self._track: Optional[Track] = None
        self._failure: Optional[HotpathError] = None

    @property
    def is_single(self) -> bool:
        """Whether one program is the whole frame."""
        decoder = self.tracker.decoder
        return len(decoder.factors) == 1 and not decoder.learns

    def keep(self) -> None:
        """Copy the frame, unless its window was copied already."""
        if self.is_prepared or self._is_kept:
            return
        frame, copies = bgr_of(self._frame), self.tracker.copies
        if copies is None:
            self._frame = np.array(frame)
        else:
            self._frame = self._copy = copies.take(frame)
        self._is_kept = True

    def gather(self) -> None:
        """Bring what the window may need into memory, where the frame stays as it is."""
        is_ready = self._is_kept and not isinstance(self._frame, PlanarFrame)
        if not is_ready or self.is_gathered or self.tracker.next is None:
            return
        started = time.perf_counter()
        self.is_gathered = self.tracker.next.gather(bgr_of(self._frame))
        self.step_ms["crop"] = (time.perf_counter() - started) * 1e3

    def prepare(self) -> None:
        """Bring the window into memory; the target's state must be that of the frame before."""
        if not self.is_prepared:
            tracker = self.tracker
            if tracker.frames is not None:
                tracker.aim(self._frame)
            else:
                tracker.begin(self._frame)
                self._scale = tracker.crop(self._frame, tracker.decoder.factors[0])
            self._registers = self._engine.search_crop.pictures.registers
            self.is_prepared = True
            self.step_ms = dict(tracker.step_ms)

    def start(self) -> None:
        """Start the program."""
        self.prepare()
        tracker = self.tracker
        if tracker.frames is not None:
            self._engine.start_prepared(tracker.features, tracker.frames)
        else:
            self._engine.start(tracker.features, self._registers)
        self.is_started = True

    def finish(self, following: Optional["_Job"]) -> None:
        """Wait for the program and select.

        Args:
            following: the frame that comes after this one. Its program is started as soon as may
                be, where all that it needs is in memory.
        """
        tracker = self.tracker
        if tracker.frames is None:
            self._finish_in_python()
            return
        started = time.perf_counter()
        work = self._engine.wait()
        ended = time.perf_counter()
        if following is not None and following.is_gathered and following.tracker is tracker:
            following.is_started = self._engine.hand_on(work, tracker.next)
        else:
            if following is not None and following.is_prepared:
                following.start()
            tracker.frames.found(work.host)
        self.step_ms["network"] = (ended - started) * 1e3
        self.step_ms["select"] = (time.perf_counter() - ended) * 1e3
        self._track = tracker.told()

    def _finish_in_python(self) -> None:
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
        self._store: Optional[TableStore] = None

    @property
    def store(self) -> TableStore:
        """The tables that the engine's targets share; made when first asked for."""
        if self._store is None:
            self._store = TableStore(self._engine.fabric, self._engine.search_crop.side)
        return self._store

    def add(self, job: _Job) -> None:
        """Add a frame; its program starts at once when the fabric is idle."""
        self._waiting.append(job)
        self._advance()
        if job.is_done or job is self._running:
            return
        try:
            job.keep()
        except HotpathError as error:
            self._waiting.remove(job)
            job.end(error)
        self._prepare_next()

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
        following = self._waiting[0] if self._waiting else None
        try:
            job.finish(following)
        except HotpathError as error:
            failure = error
        except BaseException:  # Ctrl-C: the next call must not take the results of ``following``
            if following is not None and following.is_started:
                self._running = self._waiting.popleft()
                job.end(FabricFailed("the frame was interrupted; go on with the next one"))
            raise
        has_next = following is not None and following.is_started
        self._running = self._waiting.popleft() if has_next else None
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
        self._prepare_next()

    def _prepare_next(self) -> None:
        """Bring what the next frame needs into memory, as far as that is known."""
        if self._running is None or not self._waiting:
            return
        following = self._waiting[0]
        try:
            if following.tracker is self._running.tracker:
                following.gather()
            elif self._running.is_single:
                following.prepare()
        except HotpathError as error:
            self._waiting.popleft()
            following.end(error)
