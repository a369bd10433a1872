"""The FPGA: crop and network are one program of the fabric, select runs on the processor.

The fabric takes one window a call and crops it itself. Everything else is as on a processor.
"""

from typing import Any, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime.camera_frames import PlanarFrame
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.geometry import Cropper
from hotpath.runtime.network import Network
from hotpath.runtime.pictures import AnyFrame, bgr_of


class Fpga(Processor):
    """Runs windows in an FPGA.

    Args:
        engine: ``hotpath.runtime.engines.overlay.Engine``.
        kernels: they select, and crop windows that are too wide for the fabric.
    """

    def __init__(self, network: Network, engine: Engine, kernels: Kernels) -> None:
        super().__init__(network, engine, kernels, self._cropper_into)

    def _cropper_into(self, crop: Any) -> Cropper:
        """Return the function that shows the fabric a window; ``crop`` belongs to the input."""

        def show(frame: AnyFrame, window: Any, border: np.ndarray) -> None:
            pixels, inside = self._pixels(frame, window)
            crop.take(pixels, inside, border)

        return show

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
                return self.kernels.to_bgr(part), (x - left, y - top, width, height)
        return bgr_of(frame), window
