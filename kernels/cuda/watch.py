"""Launches watch.cu: whether one target is lost, by the definition in ``runtime.loss``.

Nothing of it comes back but what is in the frame's 64 bytes; what the network saw stays on the GPU.
"""

import numpy as np

from kernels.cuda import compile as compiler
from kernels.cuda import layout
from kernels.cuda.errors import GpuFailed

BLOCK = (256, 1, 1)


class Watch:
    """What is known of one target on a device.

    Args:
        device: see ``kernels.cuda.device``.
        network: the ``Network``; watched where its ``lost_below`` is above 0.
        seen: (address, shape) of the search region's features, (1, channels, cells) float32; None
            where the network gives none: then its score is all there is.
        stream: where uploads go.

    Attributes:
        active: whether the target is watched.
        address: of its ``layout.WATCH``, which aim and select read too.
    """

    def __init__(self, device, network, seen, stream):
        self.device, self.active = device, network.lost_below > 0
        self._stream, self._seen = stream, seen
        self._owned = []
        if self.active:
            path = compiler.binary(compiler.source("watch"), device.capability)
            self._module = device.module(path)
            self._kernel = device.kernel(self._module, "hp_watch_frame")
        try:
            self._make_room(network)
        except GpuFailed:
            self.close()
            raise

    def _make_room(self, network):
        device, seen = self.device, self._seen
        self._record = device.pinned(layout.WATCH.itemsize)
        self.address = self._alloc(layout.WATCH.itemsize)
        self._limits = self._alloc(layout.LIMITS.itemsize)
        self._reference = self._alloc(4 * seen[1][1]) if seen else 0
        staging = device.pinned(layout.LIMITS.itemsize)
        staging[:] = layout.limits(network, seen and seen[1]).view(np.uint8)
        device.upload(self._limits, staging, self._stream)
        device.synchronise(self._stream)

    def begin(self, state):
        """Take a target at a state; what it looks like comes with ``remember``."""
        self._record[:] = layout.watch(state).view(np.uint8)
        self.device.upload(self.address, self._record, self._stream)

    def rescale(self, factors):
        """The frame's size changed: ``factors`` of [cx, cy, w, h]. Nothing may be on the way."""
        self.device.download(self._record, self.address, self._stream)
        self.device.synchronise(self._stream)
        record = self._record.view(layout.WATCH)[0]
        record["held"] *= factors
        record["before"] *= factors
        self.device.upload(self.address, self._record, self._stream)

    def remember(self, view, pose, plan):
        """Put on the stream: what the network sees now is the target. Addresses, see ``frame``."""
        if self.active and self._seen:
            self._launch(1, view, pose, plan)

    def judge(self, view, pose, plan):
        """Put on the stream, after select: whether what was found is the target."""
        if self.active:
            self._launch(0, view, pose, plan)

    def close(self):
        """Give the memory back."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []

    def _alloc(self, size):
        self._owned.append(self.device.alloc(size))
        return self._owned[-1]

    def _launch(self, begin, view, pose, plan):
        seen = self._seen[0] if self._seen else 0
        arguments = [np.uint64(self._limits), np.uint64(view), np.int32(begin), np.uint64(seen)]
        rest = self._reference, self.address, pose, plan
        arguments += [np.uint64(address) for address in rest]
        self.device.launch(self._kernel, (1, 1, 1), BLOCK, arguments, self._stream)
