"""The memory of one frame in flight: its pixels, its result, and the graph bound to both."""

from typing import Any, Dict, Optional

import numpy as np

from kernels.cuda import frames, layout
from kernels.cuda.errors import GpuFailed
from kernels.cuda.graphs import Graph


class Slot:
    """Buffers and events of one frame in flight; used again for every n-th frame.

    Args:
        device: see ``kernels.cuda.device``.
        marks: number of events that time the frame's steps.

    Attributes:
        result: pinned uint8 array that a ``layout.POSE`` is downloaded to.
        pose: the same memory as a ``layout.POSE``.
        uploaded, done: events.
        staging: pinned uint8 array that the frame is packed into.
        upload_at: address on the GPU that ``staging`` is copied to; 0: none yet.
        graph: the ``Graph`` of this slot; None: launch step by step.
        captured: what the device's counters count for one launch of the graph.
    """

    def __init__(self, device: Any, marks: int) -> None:
        self.result = device.pinned(layout.POSE.itemsize)
        self.marks = [device.event() for _ in range(marks)]
        self.pose = self.result.view(layout.POSE)[0]
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
