"""A whole frame on the GPU: the frame goes in, 64 bytes with the box come out.

    upload -> crop -> network -> select -> download

The target's state stays on the GPU. Select moves it, decides whether the target is lost, and plans
the next frame's crop. All that follows the upload is one CUDA graph where the driver has graphs.
Where the processor judges the target, because it searches for lost ones, the search region's
features come out too: 32 KB of kestrel's in float16.

The network is an engine with device memory, as ``runtime.engines.gpu.GpuEngine`` documents it.
``exemplar_device`` and ``search_device`` put its work on the stream and return at once. After
their first call they allocate and synchronise nothing. Several targets share one engine: each has
a ``Frame`` and features of its own.
"""

import functools
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence

import numpy as np

from kernels.cuda import frames, graphs, layout
from kernels.cuda.steps import STEPS, Slot, Steps
from kernels.cuda.target_memory import TargetMemory
from kernels.errors import NO_SCORE, GpuFailed, HotpathError, NetworkFailed
from kernels.settings import FrameSettings


class Found(NamedTuple):
    """The result of a frame.

    Attributes:
        state: float64 [cx, cy, w, h], frame pixels.
        score: of the winning cell, 0 to 1.
        cell: index of the winning cell, row-major.
        lost: whether the target is lost.
        certainty: smoothed, to the digits of float32; 0 where the target is not monitored.
    """

    state: np.ndarray
    score: float
    cell: int
    lost: bool
    certainty: float


class Frame(Steps):
    """The frames of one target.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see above; opened on the same device.
        slots: frames that may be in flight at a time. With more than one, whole frames are
            uploaded, because the next search region is not known yet. The uploads have a stream of
            their own, so that they overlap with the frame before.
        graph: whether frames may be a CUDA graph, which the engine must be ``capturable`` for. The
            graph of the first target's first frame must give the same bits as its steps, or all
            frames are launched step by step.
        profile: whether to time each step, without a graph; see ``step_ms``.
        log: called with one sentence if frames can't be launched as a graph.
        keeps_features: whether a frame downloads the features of its search region too.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.

    Attributes:
        size: (width, height) of the last frame.
        seen: those features, (1, 1, channels, cells), of the frame whose result was taken last.
    """

    def __init__(
        self,
        device: Any,
        settings: FrameSettings,
        engine: Any,
        slots: int = 1,
        graph: bool = True,
        profile: bool = False,
        log: Optional[Callable[[str], None]] = None,
        keeps_features: bool = False,
    ) -> None:
        super().__init__(device, settings, engine, log=log)
        self._unproven = True
        self.uses_graph = graph and engine.capturable and not profile
        self.seen = engine.room_for_features(1) if keeps_features else None
        self._newest: Optional[Slot] = None  # the slot that was submitted last
        self._collected = 0
        self._group: Any = None  # that has the target's memory
        self._was_moved = False  # since the last crop was planned here
        self._captured_at = engine.moves
        self.size = (0, 0)
        self.features: Any = None
        if slots > 1:
            self._copies = device.stream()
        try:
            self.features = engine.new_features()
            self._regions = [self.features]
            self._slots = [Slot(device, profile) for _ in range(slots)]
        except HotpathError:
            self.close()
            raise
        self._timed = self._slots[0]  # the slot of the result that was taken last

    def begin(self, frame: frames.AnyFrame, state: Sequence[float], border: Sequence[int]) -> None:
        """Take a target: crop its exemplar, run that part of the network, plan the first search.

        Args:
            frame: see ``frames``.
            state: [cx, cy, w, h], frame pixels.
            border: 3 uint8 values for the pixels outside a frame, BGR.

        Raises:
            GpuFailed: out of memory, or a kernel failed.
        """
        self._drain()
        if self._was_moved or self._captured_at != self.engine.moves:
            self._drop_graphs()
        self._was_moved = False
        self._newest = None  # there is no target until all of this has worked
        self._submitted = self._collected = 0
        self._fit(frame)
        slot = self._slots[0]
        kernels = self.kernels
        kernels.begin(state, border)
        slot.upload(frame, (0, 0) + self.size, self._submitted, self._stream)
        kernels.aim(exemplar=True)
        kernels.crop(slot.upload_at, exemplar=True)
        self.engine.exemplar_device(self._handle, self.features)
        kernels.aim(exemplar=False)
        # Run the search once before it is captured: libraries initialise in their first call.
        kernels.crop(slot.upload_at, exemplar=False)
        self._network()
        kernels.remember()
        self.device.download(slot.result, kernels.pose, self._stream)
        self.device.synchronise(self._stream)
        self._newest = slot
        self._capture()
        if self._unproven and slot.graph is not None:
            self._prove(slot, slot.graph, state)

    def submit(self, frame: frames.AnyFrame) -> None:
        """Send the next frame and return at once; ``result`` waits for its result.

        Args:
            frame: as in ``begin``. If its size has changed, the target is scaled with it.

        Raises:
            GpuFailed: the GPU refused; the target stays as it was.
            RuntimeError: there is no target, or all slots are in flight.
        """
        if self._newest is None:
            raise RuntimeError("there is no target yet; call begin first")
        if self.in_flight == len(self._slots):
            raise RuntimeError(f"{len(self._slots)} frames are in flight; take a result")
        room = all(slot.fits(frame) for slot in self._slots)
        if frames.size_of(frame) != self.size or not room:
            self.rescale(frame)
        # aim and capture again, if a group has moved the target or the engine its memory
        if self._was_moved:
            self.kernels.aim(exemplar=False)
        if self._was_moved or self._captured_at != self.engine.moves:
            self._was_moved = False
            self._drop_graphs()
            self._capture()
        slot = self._slots[self._submitted % len(self._slots)]
        part = (0, 0) + self.size
        if self._copies is self._stream:  # upload no more than the search region covers
            part = frames.part_of(self._newest.covered(), *self.size)
        self._send(slot, frame, part)
        self._newest = slot

    def result(self) -> Found:
        """Wait for the oldest frame in flight.

        Raises:
            NetworkFailed: the network gave nothing finite; the target stays where it was.
            GpuFailed: a kernel failed.
            RuntimeError: no frame is in flight.
        """
        if not self.in_flight:
            raise RuntimeError("no frame is in flight; submit one")
        slot = self._timed = self._slots[self._collected % len(self._slots)]
        self._collected += 1
        self.device.synchronise(slot.done)
        return _found(slot.pose)

    def step_ms(self) -> Dict[str, float]:
        """Milliseconds of upload, crop, network, select and download, of the last result's frame.

        Needs ``profile``. Read it before you submit the next frame.
        """
        marks, elapsed_ms = self._timed.marks, self.device.elapsed_ms
        return {end: elapsed_ms(marks[begin], marks[end]) for begin, end in zip(STEPS, STEPS[1:])}

    # in a group of targets, which takes the frames (see ``kernels.cuda.group``)

    def join(self, group: Any, memory: TargetMemory) -> None:
        """Move the target's memory to a place of a group's.

        Raises:
            RuntimeError: there is no target, or a frame is in flight.
        """
        if self._newest is None or self.in_flight:
            raise RuntimeError("only a target without a frame in flight joins a group")
        self.kernels.memory.copy_to(memory, self._stream)
        self.kernels.memory, self._group, self._was_moved = memory, group, True

    def leave(self, group: Any) -> None:
        """Move the target's memory back, if it is in this group."""
        if self._group is not group:
            return
        self.kernels.memory.copy_to(self.kernels.own_memory, self._stream)
        self.kernels.memory, self._group = self.kernels.own_memory, None

    def accept(self, row: Any) -> Found:
        """Take what a group found: a ``layout.POSE``.

        Raises:
            NetworkFailed, GpuFailed: as ``result``.
        """
        assert self._newest is not None
        self._newest.poses[0] = row
        return _found(row)

    def rescale(self, frame: frames.AnyFrame) -> None:
        """Scale the target, because the frames' resolution or kind has changed."""
        assert self._newest is not None
        self._drain()
        width, height = self.size
        self._fit(frame)
        x, y = float(self.size[0]) / width, float(self.size[1]) / height
        self.kernels.move(self._newest.pose["state"] * (x, y, x, y))
        self._aim_anew()

    def _fit(self, frame: frames.AnyFrame) -> None:
        """Make every slot large enough for frames of this kind and size."""
        for slot in self._slots:
            slot.fit(frame)
        self.size = frames.size_of(frame)

    def _capture(self) -> None:
        super()._capture()
        self._captured_at = self.engine.moves

    @property
    def in_flight(self) -> int:
        """Number of frames that were submitted and whose results were not taken yet."""
        return self._submitted - self._collected

    def close(self) -> None:
        """Free the graphs and the memory. Nothing else may be called afterwards."""
        self._settle()
        self._free()
        self._group = None
        if self.features is not None:
            self.engine.free_features(self.features)
        self._newest = self.features = None
        self._submitted = self._collected = 0

    def place(self, frame: frames.AnyFrame, state: Sequence[float]) -> None:
        """Put the target where somebody else has found it.

        Args:
            frame: the next one, as in ``begin``; it is not searched yet.
            state: [cx, cy, w, h], pixels of that frame.

        Raises:
            RuntimeError: there is no target.
        """
        if self._newest is None:
            raise RuntimeError("there is no target yet; call begin first")
        self._drain()
        self._fit(frame)
        self.kernels.move(state)
        self.kernels.watch()
        self._aim_anew()

    def _aim_anew(self) -> None:
        """Plan the next crop around a state that was just uploaded."""
        # Download into the next slot: the others may hold results that were not read yet.
        following = self._slots[self._submitted % len(self._slots)]
        self._aim(following)
        self._newest = following
        self._capture()

    def _prove(self, slot: Slot, graph: graphs.Graph, state: Sequence[float]) -> None:
        """Search the first frame step by step and as a graph; use the graph if both agree."""
        kernels, results = self.kernels, []
        steps = functools.partial(self._enqueue, slot)
        for search in (steps, functools.partial(graph.launch, self._handle)):
            search()
            self.device.synchronise(self._stream)
            results.append(slot.result.tobytes())
            kernels.move(state)
            kernels.watch()
            self._aim(slot)
        self._unproven = False
        if results[0] != results[1]:
            self._give_up_graphs("as a graph the first frame has another result")

    def _drain(self) -> None:
        """Wait for all frames in flight; their results can still be read."""
        if self.in_flight:
            self.device.synchronise(self._stream)


def _found(pose: Any) -> Found:
    """What a ``layout.POSE`` says; see ``Frame.result``."""
    flags = int(pose["flags"])
    if flags & layout.NOT_UPLOADED:
        raise GpuFailed("the search region was not uploaded; take the target again")
    if flags & (layout.NO_SCORE | layout.NOT_FINITE):
        raise NetworkFailed(NO_SCORE)
    return Found(
        state=pose["state"].copy(),
        score=float(pose["score"]),
        cell=int(pose["cell"]),
        lost=bool(flags & layout.LOST),
        certainty=float(pose["certainty"]),
    )
