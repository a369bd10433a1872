"""The GPU memory of one target's loss monitor; loss_monitor.h has its arithmetic.

Its result comes back in the frame's 64 bytes. The features of the target stay on the GPU.
"""

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from kernels.cuda import layout
from kernels.cuda.errors import GpuFailed
from kernels.settings import LossSettings


class LossMonitor:
    """The memory of one target's loss monitor on a device.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the target is monitored if ``lost_below`` is above 0.
        features: (address, shape) of the search region's features, (1, channels, cells) float32;
            None if the network gives none: then the score alone decides.
        stream: stream of the uploads.

    Attributes:
        active: whether the target is monitored.
        address: of its ``layout.MONITOR``; valid also if the target is not monitored.
        limits: address of the ``layout.LIMITS``; 0 if the target is not monitored.
        features, reference: addresses of the search region's features and of the target's; 0 if
            they are not compared.
    """

    def __init__(
        self,
        device: Any,
        settings: LossSettings,
        features: Optional[Tuple[int, Tuple[int, ...]]],
        stream: Any,
    ) -> None:
        self.device, self._stream = device, stream
        self.active = settings.lost_below > 0
        self.limits = self.features = self.reference = 0
        self._owned: List[int] = []
        try:
            self._record = device.pinned(layout.MONITOR.itemsize)
            self.address = self._alloc(layout.MONITOR.itemsize)
            if self.active:
                self._upload_limits(settings, features)
        except GpuFailed:
            self.close()
            raise

    def begin(self, state: Sequence[float]) -> None:
        """Take a target at [cx, cy, w, h]. Its features are taken after the first search."""
        self._record[:] = layout.monitor(state).view(np.uint8)
        self.device.upload(self.address, self._record, self._stream)

    def rescale(self, factors: Sequence[float]) -> None:
        """Scale the remembered state when the frame's size changes.

        Args:
            factors: of [cx, cy, w, h]. No frame may be in flight.
        """
        self.device.download(self._record, self.address, self._stream)
        self.device.synchronise(self._stream)
        self._record.view(layout.MONITOR)[0]["held"] *= factors
        self.device.upload(self.address, self._record, self._stream)

    def close(self) -> None:
        """Free the memory."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []

    def _upload_limits(
        self, settings: LossSettings, features: Optional[Tuple[int, Tuple[int, ...]]]
    ) -> None:
        shape = features[1] if features else None
        staging = self.device.pinned(layout.LIMITS.itemsize)
        staging[:] = layout.limits(settings, shape).view(np.uint8)
        self.limits = self._alloc(layout.LIMITS.itemsize)
        self.device.upload(self.limits, staging, self._stream)
        self.device.synchronise(self._stream)
        if features:
            self.features, self.reference = features[0], self._alloc(4 * features[1][1])

    def _alloc(self, size: int) -> int:
        address: int = self.device.alloc(size)
        self._owned.append(address)
        return address
