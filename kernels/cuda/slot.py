"""The memory of one frame in flight: its pixels, its result, and the graph bound to both."""

from typing import Any, Callable, Dict, Optional

import numpy as np

from kernels.cuda import driver, frames, layout
from kernels.cuda.graphs import Driver, Graph
from kernels.errors import GpuFailed


class Slot:
    """Buffers and events of one frame in flight; used again for every n-th frame.

    Args:
        device: see ``kernels.cuda.device``.
        marks: number of events that time the frame's steps.
        targets: that the frame is searched for.

    Attributes:
        result: pinned uint8 array that a ``layout.POSE`` of each target is downloaded to.
        poses: the same memory as ``layout.POSE``; ``pose`` is the first target's.
        uploaded, done: events.
        staging: pinned uint8 array that the frame is packed into.
        upload_at: address on the GPU that ``staging`` is copied to; 0: none yet.
        graph: the ``Graph`` of this slot; None: launch step by step.
        captured: what the device's counters count for one launch of the graph.
    """

    def __init__(self, device: Any, marks: int, targets: int = 1) -> None:
        self.result = device.pinned(layout.POSE.itemsize * targets)
        self.marks = [device.event() for _ in range(marks)]
        self.poses = self.result.view(layout.POSE)
        self.pose = self.poses[0]
        self.uploaded, self.done = device.event(), device.event()
        self.staging = np.zeros(0, np.uint8)
        self.upload_at = 0
        self.graph: Optional[Graph] = None
        self.captured: Dict[str, int] = {}

    def fits(self, frame: frames.AnyFrame) -> bool:
        """Whether the buffers are large enough for a frame."""
        return self.staging.size >= frames.capacity(frame)

    def fit(self, device: Any, size: int) -> None:
        """Make the buffers hold that many bytes. A graph that used smaller ones is dropped.

        Raises:
            GpuFailed: out of memory.
        """
        if self.staging.size >= size:
            return
        self.close(device)
        address = device.alloc(size)
        try:
            self.staging = device.pinned(size, upload=True)
        except GpuFailed:
            device.free(address)
            raise
        self.upload_at = address

    def capture(self, device: Any, handle: Any, body: Callable[[], None]) -> None:
        """Capture the work of a frame, which ``body`` puts on the stream.

        Raises:
            NoGraph: the driver refuses.
        """
        before = device.counters.read()
        self.graph = Graph(Driver(driver.load()), handle, body)
        self.captured = device.counters.rewind(before)
        self.captured["graph_launches"] = 1

    def close(self, device: Any) -> None:
        """Free the buffers and the graph."""
        self.drop_graph()
        if self.upload_at:
            device.free(self.upload_at)
        self.upload_at, self.staging = 0, np.zeros(0, np.uint8)

    def drop_graph(self) -> None:
        """Free the graph; frames are launched step by step until it is captured again."""
        if self.graph is not None:
            self.graph.close()
            self.graph = None
