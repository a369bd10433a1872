"""Windows of a frame on the GPU: the upload, then the steps, one by one or as one graph.

A submission takes a list of windows. ``frame`` has those of one target, ``group`` those of several,
``windows`` those of a search.
"""

import functools
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from kernels.cuda import driver, frames, graphs, layout
from kernels.cuda.frame_kernels import FrameKernels
from kernels.errors import GpuFailed, HotpathError
from kernels.settings import FrameSettings

# What events time. The first begins where the frame is packed.
STEPS = ("packed", "upload", "crop", "network", "select", "download")


class Slot:
    """Buffers and events of one frame in flight; used again for every n-th frame.

    Args:
        device: see ``kernels.cuda.device``.
        timed: whether events time the frame's steps.
        targets: that the frame is searched for.

    Attributes:
        result: pinned uint8 array that a ``layout.POSE`` of each target is downloaded to.
        poses: the same memory as ``layout.POSE``; ``pose`` is the first target's.
        uploaded, done: events.
        marks: step -> the event that ends it, of ``STEPS``, where they are timed.
        upload_at: address on the GPU that the frame is uploaded to; 0: none yet.
        graph: the ``Graph`` of this slot; None: launch step by step.
        captured: what the device's counters count for one launch of the graph.
    """

    def __init__(self, device: Any, timed: bool = False, targets: int = 1) -> None:
        self._device = device
        self.result = device.pinned(layout.POSE.itemsize * targets)
        self.marks = {step: device.event() for step in STEPS} if timed else {}
        self.poses = self.result.view(layout.POSE)
        self.pose = self.poses[0]
        self.uploaded, self.done = device.event(), device.event()
        self._staging = np.zeros(0, np.uint8)  # pinned: what the frame is packed into
        self.upload_at = 0
        self._lent: Optional[frames.OnDevice] = None  # what is read where it lies, until the next
        self.graph: Optional[graphs.Graph] = None
        self.captured: Dict[str, int] = {}

    def fits(self, frame: frames.AnyFrame) -> bool:
        """Whether the buffers are large enough for a frame."""
        return self._staging.size >= frames.capacity(frame)

    def fit(self, frame: frames.AnyFrame) -> None:
        """Make the buffers large enough. A graph that used smaller ones is dropped.

        Raises:
            GpuFailed: out of memory.
        """
        if self.fits(frame):
            return
        self.close()
        size = frames.capacity(frame)
        address = self._device.alloc(size)
        try:
            self._staging = self._device.pinned(size, upload=True)
        except GpuFailed:
            self._device.free(address)
            raise
        self.upload_at = address

    def upload(
        self, frame: frames.AnyFrame, part: Tuple[int, int, int, int], sequence: int, stream: Any
    ) -> None:
        """Enqueue: copy a part of a frame to the GPU; see ``frames.pack``."""
        self._lent = frame if isinstance(frame, frames.OnDevice) else None
        used = frames.pack(frame, part, self._staging, self.upload_at, sequence)
        self.mark("packed", stream)
        self._device.upload(self.upload_at, self._staging[:used], stream)
        self.mark("upload", stream)

    def mark(self, step: str, stream: Any) -> None:
        """Enqueue the event that ends a step, where steps are timed."""
        if self.marks:
            self._device.record(self.marks[step], stream)

    def close(self) -> None:
        """Free the buffers and the graph."""
        self.drop_graph()
        if self.upload_at:
            self._device.free(self.upload_at)
        self.upload_at, self._staging, self._lent = 0, np.zeros(0, np.uint8), None

    def covered(self) -> Tuple[int, int, int, int]:
        """What the next windows of all its targets cover together: (x, y, w, h)."""
        names = "x", "y", "width", "height"
        lefts, tops, widths, heights = (self.poses[name].tolist() for name in names)
        left, top = min(lefts), min(tops)
        right, low = max(map(int.__add__, lefts, widths)), max(map(int.__add__, tops, heights))
        return left, top, right - left, low - top

    def drop_graph(self) -> None:
        """Free the graph; frames are launched step by step until it is captured again."""
        if self.graph is not None:
            self.graph.close()
            self.graph = None


class Steps:
    """Crop, network, select and download of a list of windows, on one stream.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``.
        targets: that a frame is searched for.
        log: called with one sentence if frames can't be launched as a graph.

    Attributes:
        kernels: the ``FrameKernels``.
        batch: the network as one call for all windows; None: a call for each.
        uses_graph: whether a frame is one CUDA graph.
        seen: room for the features of each target's search region, which a frame then downloads
            too; or None.
    """

    def __init__(
        self,
        device: Any,
        settings: FrameSettings,
        engine: Any,
        targets: int = 1,
        log: Optional[Callable[[str], None]] = None,
    ) -> None:
        self.device, self.engine = device, engine
        self.uses_graph: bool = engine.capturable
        self.seen: Any = None
        self.batch: Any = None
        self._regions: List[Any] = []  # for each window, the features of its target
        self._slots: Sequence[Slot] = ()
        self._submitted = 0
        self._log = log or (lambda sentence: None)
        self._stream = self._copies = engine.stream  # of the uploads too, or they have their own
        self._handle = device.handle(self._stream)
        self.kernels = FrameKernels(device, settings, engine, targets)

    def _network(self, alone: bool = False) -> None:
        """Enqueue the network for all windows; ``alone``: for the first one."""
        if self.batch is not None and not alone:
            self.batch.run(self._handle)
            return
        for place, features in enumerate(self._regions):
            self.engine.search_device(self._handle, features, place)

    def _enqueue(self, slot: Slot) -> None:
        """Enqueue a frame's steps, after its upload."""
        kernels = self.kernels
        kernels.crop(slot.upload_at, exemplar=False)
        slot.mark("crop", self._stream)
        self._network()
        slot.mark("network", self._stream)
        kernels.select(slot.upload_at)
        slot.mark("select", self._stream)
        self.device.download(slot.result, kernels.pose, self._stream)
        if self.seen is not None:
            self.engine.download_features(self.seen)
        slot.mark("download", self._stream)

    def _send(self, slot: Slot, frame: frames.AnyFrame, part: Tuple[int, int, int, int]) -> None:
        """Put a part of a frame on the stream: its upload, and all that follows."""
        device = self.device
        try:
            slot.upload(frame, part, self._submitted, self._copies)
            if self._copies is not self._stream:
                device.record(slot.uploaded, self._copies)
                device.follow(self._stream, slot.uploaded)
            if slot.graph is not None:
                slot.graph.launch(self._handle)
                device.counters.add(slot.captured)
            else:
                self._enqueue(slot)
            device.record(slot.done, self._stream)
        except HotpathError:  # a part of the frame may be in flight; it is not counted
            self._settle()
            raise
        self._submitted += 1

    def _settle(self) -> None:
        """Wait for all work on the GPU, even if the GPU has stopped."""
        for stream in {id(s): s for s in (self._copies, self._stream)}.values():
            try:
                self.device.synchronise(stream)
            except GpuFailed:
                pass

    def _aim(self, slot: Slot) -> None:
        """Plan the next crops, and read into a slot which part of a frame they cover."""
        self.kernels.aim(exemplar=False)
        self.device.download(slot.result, self.kernels.pose, self._stream)
        self.device.synchronise(self._stream)

    def _capture(self) -> None:
        """Capture the graph of every slot that has none, where graphs are used."""
        counters = self.device.counters
        try:
            for slot in self._slots if self.uses_graph else ():
                if slot.graph is None:
                    before, body = counters.read(), functools.partial(self._enqueue, slot)
                    slot.graph = graphs.Graph(graphs.Driver(driver.load()), self._handle, body)
                    slot.captured = dict(counters.rewind(before), graph_launches=1)
        except (graphs.NoGraph, HotpathError) as error:
            self._give_up_graphs(str(error))

    def _give_up_graphs(self, why: str) -> None:
        self.uses_graph = False
        self._drop_graphs()
        self._log(f"frames are launched step by step: {why}")

    def _drop_graphs(self) -> None:
        for slot in self._slots:
            slot.drop_graph()

    def _free(self) -> None:
        """Free the graphs and the memory. No work may be in flight."""
        if self.batch is not None:
            self.batch.close()
        self.batch = None
        for slot in self._slots:
            slot.close()
        self.kernels.close()
