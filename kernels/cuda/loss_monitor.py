"""The loss monitor's part of a frame on the GPU; loss_monitor.h has its arithmetic.

Its result comes back in the frame's 64 bytes. The features of the target stay on the GPU.
"""

from typing import Any, Callable

import numpy as np

from kernels.cuda import layout
from kernels.cuda.target_memory import TargetMemory
from kernels.settings import LossSettings


class LossMonitor:
    """The loss monitor of one target, or of several.

    Args:
        engine: see ``kernels.cuda.frame``.
        settings: the target is monitored if ``lost_below`` is above 0.
        constant: function of an array that copies it to the device and gives its address.

    Attributes:
        active: whether the target is monitored.
        sizes: bytes of each kind of memory of a target: its ``layout.MONITOR``, which is needed
            also if it is not monitored, and the features that it is compared with.
        limits: address of the ``layout.LIMITS``; 0 if the target is not monitored.
    """

    def __init__(
        self, engine: Any, settings: LossSettings, constant: Callable[[np.ndarray], int]
    ) -> None:
        self._device, self._engine = engine.device, engine
        self.active, features = settings.lost_below > 0, engine.search_features_device
        self.limits, self.sizes = 0, {"monitor": layout.MONITOR.itemsize}
        self._record = self._device.pinned(layout.MONITOR.itemsize)
        if self.active:
            self.limits = constant(layout.limits(settings, features[1] if features else None))
            if features:
                self.sizes["reference"] = 4 * features[1][1]

    @property
    def features(self) -> int:
        """Address of the search region's features; 0 if they are not compared."""
        if "reference" not in self.sizes:
            return 0
        address: int = self._engine.search_features_device[0]
        return address

    def begin(self, memory: TargetMemory) -> None:
        """Take a target. Its features are taken after the first search."""
        self._record[:] = layout.monitor().view(np.uint8)
        self._device.upload(memory.address("monitor"), self._record, self._engine.stream)
