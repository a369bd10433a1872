"""The tracker whose crop and network run in the FPGA: same interface as ``runtime.trackers.host``.

Select is the processor's: it reads a few hundred bytes of maps, and takes its logarithms and
exponentials from tables.
"""

from kernels.fpga.likeness import Likeness
from runtime.trackers.host import Tracker


class FpgaTracker(Tracker):
    """Follows one target; several may share an engine, which then works for one after another.

    Args:
        network: the ``Network``.
        engine: ``runtime.engines.overlay.Engine``.
        kernels: select, and the crop of windows that are too wide for the fabric.
    """

    def __init__(self, network, engine, kernels):
        super().__init__(network, engine, Likeness(kernels))

    def cropper(self, out):
        """The function (frame, window) that shows the fabric what the input ``out`` is cropped of.

        Args:
            out: ``kernels.fpga.window.Crop``.
        """
        return lambda frame, window: out.take(frame, window, self._border)
