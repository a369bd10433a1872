"""The FPGA as a device: the fabric crops and runs the network, the processor selects.

The fabric takes one window a call and crops it itself. Everything else is as on a processor.
"""

from typing import Any, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.geometry import Crops
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of
from hotpath.runtime.network import Network


class FpgaDevice(CpuDevice):
    """Runs windows in an FPGA.

    Args:
        engine: ``hotpath.runtime.engines.overlay.OverlayEngine``.
        kernels: they select, and crop windows that are too wide for the fabric.
    """

    title = "Fpga"

    def crops_into(self, out: Any) -> Crops:
        return FabricCrops(self.network, self.kernels, out)


class FabricCrops(Crops):
    """Shows the fabric windows, which it crops itself.

    Args:
        network: as for ``Crops``.
        kernels: convert planes.
        crop: the engine's input, ``hotpath.kernels.fpga.fabric_window.Crop``.
    """

    def __init__(self, network: Network, kernels: CpuKernels, crop: Any) -> None:
        super().__init__(network)
        self._kernels, self._crop = kernels, crop

    def window(self, frame: AnyFrame, window: Any, border: np.ndarray) -> None:
        pixels, inside = self._pixels(frame, window)
        self._crop.take(pixels, inside, border)

    def _pixels(self, frame: AnyFrame, window: Sequence[Any]) -> Tuple[np.ndarray, Sequence[Any]]:
        """Return BGR pixels of the frame that contain a window, and the window within them.

        If the frame has planes, only the window is converted.
        """
        if isinstance(frame, PlanarFrame):
            planes, (x, y, width, height) = frame.planes, window
            left, top = max(x, 0), max(y, 0)
            columns = min(x + width, planes.width) - left
            rows = min(y + height, planes.height) - top
            if columns > 0 and rows > 0:
                part, left, top = planes.part(left, top, columns, rows)
                return self._kernels.to_bgr(part), (x - left, y - top, width, height)
        return bgr_of(frame), window
