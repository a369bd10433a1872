"""The tracker whose crop and network run in the FPGA.

Select runs on the processor. It reads a few hundred bytes of maps, and takes its logarithms and
exponentials from tables.
"""

from typing import Any

from kernels.fpga.likeness import Likeness
from runtime.engines.base import Engine
from runtime.networks import Network
from runtime.trackers.host import Cropper, HostTracker


class FpgaTracker(HostTracker):
    """Follows one target; several may share an engine, which then works for one after another.

    Args:
        network: the ``Network``.
        engine: an engine that has a ``fabric``.
        kernels: select, and the crop of windows that are too wide for the fabric.
    """

    def __init__(self, network: Network, engine: Engine, kernels: Any) -> None:
        super().__init__(network, engine, Likeness(kernels))

    def cropper(self, out: Any) -> Cropper:
        """The function (frame, window) that shows the fabric what to crop.

        Args:
            out: ``kernels.fpga.window.Crop``.
        """
        show = out.pictures.take
        return lambda frame, window: show(frame, window, self._border, out.side)
