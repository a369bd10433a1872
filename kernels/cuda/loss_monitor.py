"""Launches loss_monitor.cu, which decides whether one target is lost.

The result comes back in the frame's 64 bytes. The features of the target stay on the GPU.
"""

from typing import Any, Optional, Sequence, Tuple

import numpy as np

from kernels.cuda import compile as compiler
from kernels.cuda import layout
from kernels.cuda.errors import GpuFailed
from kernels.settings import LossSettings

BLOCK = (256, 1, 1)


class LossMonitor:
    """The memory of one target's loss monitor on a device.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the target is monitored if ``lost_below`` is above 0.
        features: (address, shape) of the search region's features, (1, channels, cells) float32;
            None if the network gives none: then the score alone decides.
        stream: stream of the uploads and launches.

    Attributes:
        active: whether the target is monitored.
        address: of its ``layout.MONITOR``, which the kernels of select read too.
    """

    def __init__(
        self,
        device: Any,
        settings: LossSettings,
        features: Optional[Tuple[int, Tuple[int, ...]]],
        stream: Any,
    ) -> None:
        self.device, self.active = device, settings.lost_below > 0
        self._stream, self._features = stream, features
        self._owned = []
        if self.active:
            path = compiler.binary(compiler.source("loss_monitor"), device.capability)
            self._module = device.module(path)
            self._kernel = device.kernel(self._module, "hp_monitor_loss")
        try:
            self._allocate(settings)
        except GpuFailed:
            self.close()
            raise

    def _allocate(self, settings):
        device, features = self.device, self._features
        self._record = device.pinned(layout.MONITOR.itemsize)
        self.address = self._alloc(layout.MONITOR.itemsize)
        self._limits = self._alloc(layout.LIMITS.itemsize)
        self._reference = self._alloc(4 * features[1][1]) if features else 0
        staging = device.pinned(layout.LIMITS.itemsize)
        staging[:] = layout.limits(settings, features and features[1]).view(np.uint8)
        device.upload(self._limits, staging, self._stream)
        device.synchronise(self._stream)

    def begin(self, state: Sequence[float]) -> None:
        """Take a target at [cx, cy, w, h]. ``remember`` takes its features later."""
        self._record[:] = layout.monitor(state).view(np.uint8)
        self.device.upload(self.address, self._record, self._stream)

    def rescale(self, factors: Sequence[float]) -> None:
        """Scale the remembered states when the frame's size changes.

        Args:
            factors: of [cx, cy, w, h]. No frame may be in flight.
        """
        self.device.download(self._record, self.address, self._stream)
        self.device.synchronise(self._stream)
        record = self._record.view(layout.MONITOR)[0]
        record["held"] *= factors
        record["before"] *= factors
        self.device.upload(self.address, self._record, self._stream)

    def remember(self, view: int, pose: int, plan: int) -> None:
        """Enqueue: remember the features that the network gave last as the target's.

        Args:
            view, pose, plan: addresses of the frame's structures, see frame.h.
        """
        if self.active and self._features:
            self._launch(1, view, pose, plan)

    def judge(self, view: int, pose: int, plan: int) -> None:
        """Enqueue, after select: decide whether the box that was found holds the target."""
        if self.active:
            self._launch(0, view, pose, plan)

    def close(self) -> None:
        """Free the memory."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []

    def _alloc(self, size):
        self._owned.append(self.device.alloc(size))
        return self._owned[-1]

    def _launch(self, begin, view, pose, plan):
        features = self._features[0] if self._features else 0
        arguments = [np.uint64(self._limits), np.uint64(view), np.int32(begin), np.uint64(features)]
        rest = self._reference, self.address, pose, plan
        arguments += [np.uint64(address) for address in rest]
        self.device.launch(self._kernel, (1, 1, 1), BLOCK, arguments, self._stream)
