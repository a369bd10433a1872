"""Several frames in flight on an FPGA: the fabric computes one, the processor works on others.

While the fabric computes a frame, the pixels and tables of the target's next one are brought into
its memory (``kernels.fpga.next_frame``). Another target's next frame is prepared completely. So
little is left to do between the end of a program and the start of the next one. A frame's window is
known when the frame before it is selected, so that the boxes are those of one frame at a time.
"""

import time
from collections import deque
from typing import Any, Deque, Dict, Optional

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.errors import FabricFailed
from kernels.fpga.native import FrameCopies
from kernels.fpga.next_frame import NextFrame, TableStore
from runtime.errors import HotpathError
from runtime.pictures import AnyFrame, Picture, PlanarFrame, bgr_of
from runtime.types import Found


class FpgaQueue:
    """The frames in flight of one target.

    Args:
        device: the ``Fpga`` of the target, with compiled ``frames``.
        kernels: compiled.

    Attributes:
        next: prepares the target's next frame.
        copies: of frames that somebody may write into.
    """

    def __init__(self, device: Any, kernels: Kernels) -> None:
        engine = device.engine
        if engine.queue is None:
            engine.queue = ProgramQueue(engine)
        self.device, self._programs = device, engine.queue
        self.copies = FrameCopies(kernels)
        pictures, store = engine.search_crop.pictures, self._programs.store
        self.next = NextFrame(kernels, device.frames, pictures, store)
        self._jobs: Deque[Job] = deque()  # the oldest first

    def submit(self, frame: AnyFrame, is_kept: bool) -> None:
        """Take a frame; see ``Device.submit``."""
        job = Job(self, frame, is_kept)
        self._jobs.append(job)
        self._programs.add(job)

    def collect(self) -> Found:
        """Wait for the oldest frame; see ``Device.collect``."""
        job = self._jobs.popleft()
        self._programs.wait_for(job)
        self.device.step_ms.update(job.step_ms)
        return job.result()

    def settle(self) -> None:
        """Finish all frames in flight, of all targets; their results are still collected."""
        self._programs.settle()

    def clear(self) -> None:
        """Finish all frames in flight, and drop those of this target."""
        self._programs.settle()
        self._jobs.clear()


class Job:
    """One frame of one target.

    Args:
        queue: of the target.
        frame: checked; it is copied when its window is not known yet.
        is_kept: whether nobody writes into the frame, so that it need not be copied.

    Attributes:
        device: of the target.
        is_prepared: whether the window is in the fabric's memory.
        is_gathered: whether the pixels around the target are there; the window is not known yet.
        is_started: whether the program was started.
        is_done: whether nothing more will be done.
    """

    def __init__(self, queue: FpgaQueue, frame: AnyFrame, is_kept: bool) -> None:
        self.device, self._queue, self._frame = queue.device, queue, frame
        self._is_kept = is_kept or isinstance(frame, Picture)  # pictures do not change
        self._engine: Any = queue.device.engine
        self.step_ms: Dict[str, float] = {}
        self.is_prepared = self.is_gathered = self.is_started = self.is_done = False
        self._copy: Optional[np.ndarray] = None
        self._found: Optional[Found] = None
        self._failure: Optional[HotpathError] = None

    def keep(self) -> None:
        """Copy the frame, unless its window was copied already."""
        if not (self.is_prepared or self._is_kept):
            self._frame = self._copy = self._queue.copies.take(bgr_of(self._frame))
            self._is_kept = True

    def gather(self) -> None:
        """Bring what the window may need into memory, where the frame stays as it is."""
        is_ready = self._is_kept and not isinstance(self._frame, PlanarFrame)
        if is_ready and not self.is_gathered:
            started = time.perf_counter()
            self.is_gathered = self._queue.next.gather(bgr_of(self._frame))
            self.step_ms["crop"] = (time.perf_counter() - started) * 1e3

    def prepare(self) -> None:
        """Bring the window into memory; the target's state must be that of the frame before."""
        if not self.is_prepared:
            self.device.prepare(self._frame)
            self.is_prepared = True
            self.step_ms = dict(self.device.step_ms)

    def start(self) -> None:
        """Start the program."""
        self.prepare()
        self._engine.start_prepared(self.device.features, self.device.frames)
        self.is_started = True

    def finish(self, following: Optional["Job"]) -> None:
        """Wait for the program and select.

        Args:
            following: the frame that comes after this one. Its program is started as soon as may
                be, where all that it needs is in memory.
        """
        device = self.device
        started = time.perf_counter()
        work = self._engine.wait()
        ended = time.perf_counter()
        if following is not None and following.is_gathered:  # so it is this target's, too
            following.is_started = self._engine.hand_on(work, self._queue.next)
        else:
            if following is not None and following.is_prepared:
                following.start()
            device.frames.found(work.host)
        self.step_ms["network"] = (ended - started) * 1e3
        self.step_ms["select"] = (time.perf_counter() - ended) * 1e3
        self._found = device.told()

    def end(self, failure: Optional[HotpathError] = None) -> None:
        """Nothing more will be done; ``failure``: what ``result`` raises."""
        self._failure, self.is_done = failure, True
        if self._copy is not None:
            self._queue.copies.give_back(self._copy)
        del self._frame, self._copy

    def result(self) -> Found:
        """What was found; raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        assert self._found is not None
        return self._found


class ProgramQueue:
    """Frames of all targets of one engine: their programs run one after another, in order.

    Args:
        engine: the engine that runs them.

    Attributes:
        store: the tables that the engine's targets share.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._waiting: Deque[Job] = deque()
        self._running: Optional[Job] = None
        self.store = TableStore(engine.fabric, engine.search_crop.side)

    def add(self, job: Job) -> None:
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

    def wait_for(self, job: Job) -> None:
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
            if following.device is self._running.device:
                following.gather()
            else:
                following.prepare()
        except HotpathError as error:
            self._waiting.popleft()
            following.end(error)
