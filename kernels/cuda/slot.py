"""The memory of one frame on its way: its pixels, its result, and the graph bound to both."""

import numpy as np

from kernels.cuda import layout, pictures
from kernels.cuda.errors import GpuFailed


class Slot:
    """See above.

    Args:
        device: see ``device``.
        marks: how many events to time its steps with.

    Attributes:
        result: uint8 array that a ``layout.POSE`` is downloaded to, ``pose`` the same as one.
        uploaded, done: events.
        staging: uint8 array that the frame is packed into; ``picture`` is its address on the GPU.
        graph, captured: the ``Graph``, and what the device's counters count for it; None for none.
    """

    def __init__(self, device, marks):
        self.result = device.pinned(layout.POSE.itemsize)
        self.marks = [device.event() for _ in range(marks)]
        self.pose = self.result.view(layout.POSE)[0]
        self.uploaded, self.done = device.event(), device.event()
        self.staging = np.zeros(0, np.uint8)
        self.picture = 0
        self.graph = self.captured = None

    def fits(self, frame):
        """Whether there is room for a frame: cameras give one kind, but may change it."""
        return self.staging.size >= pictures.capacity(frame)

    def fit(self, device, size):
        """Have room for so many bytes; what was captured with the old room is forgotten."""
        if self.staging.size >= size:
            return
        self.close(device)
        picture = device.alloc(size)
        try:
            self.staging = device.pinned(size)
        except GpuFailed:
            device.free(picture)
            raise
        self.picture = picture

    def close(self, device):
        """Give all of it back."""
        self.forget_graph()
        if self.picture:
            device.free(self.picture)
        self.picture, self.staging = 0, np.zeros(0, np.uint8)

    def forget_graph(self):
        """Launch step by step, or capture anew."""
        if self.graph is not None:
            self.graph.close()
            self.graph = None
