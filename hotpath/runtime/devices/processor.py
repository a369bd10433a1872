"""The processor as a device: compiled kernels crop and select, an engine runs the network.

    crop -> features -> correlate -> head -> select

One call of the engine computes features, correlation and head for one window: calls for several
were no faster. ``hotpath.runtime.frames.geometry`` computes the window to crop.
"""

import time
from typing import Any, List, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime.devices.base import (
    STEPS,
    Device,
    Exemplar,
    StepMs,
    WindowRequest,
    copy_of_result,
)
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.geometry import Crops, KernelCrops
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult


class CpuExemplar(Exemplar):
    """A target's features.

    Args:
        border: see ``Exemplar``.
        features: features for ``Engine.search``.
    """

    def __init__(self, border: np.ndarray, features: Any) -> None:
        super().__init__(border)
        self.features = features


class CpuDevice(Device):
    """Runs windows on the processor, or on an engine with the same interface.

    Args:
        network, engine, kernels: see ``Device``. The kernels crop and select.
    """

    title = "Processor"

    def __init__(self, network: Network, engine: Engine, kernels: CpuKernels) -> None:
        super().__init__(network, engine, kernels)
        self.kernels_name = kernels.name
        self.shows_features = engine.search_features is not None
        self._crops = self.crops_into(engine.search_crop)

    def picture(self, frame: AnyFrame) -> AnyFrame:
        return frame

    def exemplar(self, frame: AnyFrame, around: np.ndarray) -> Exemplar:
        network, engine, out = self.network, self.engine, self.engine.exemplar_crop
        border = geometry.border_colour(network, frame)
        self.crops_into(out).window(frame, geometry.exemplar_window(network, around), border)
        if engine.exemplar_box is not None:
            engine.exemplar_box[...] = geometry.exemplar_box(network, around)
        return CpuExemplar(border, engine.exemplar())

    def run(
        self, frame: AnyFrame, requests: Sequence[WindowRequest]
    ) -> Tuple[List[WindowResult], StepMs]:
        if len(requests) == 1:
            shown, spent = self._one(frame, requests[0])
            return [shown], spent
        results: List[WindowResult] = []
        spent = dict.fromkeys(STEPS, 0.0)
        for request in requests:
            shown, ms = self._one(frame, request)
            results.append(copy_of_result(shown))  # the next call overwrites it
            spent = {step: spent[step] + ms[step] for step in STEPS}
        return results, spent

    def _one(self, frame: AnyFrame, request: WindowRequest) -> Tuple[WindowResult, StepMs]:
        exemplar: Any
        exemplar, around, sides, _, _ = request
        engine = self.engine
        began = time.perf_counter()

        # crop the search region around the last position
        scale = self._crops.around(frame, around, sides, exemplar.border)
        cropped = time.perf_counter()

        # features, correlation and head
        maps = engine.search(exemplar.features)
        run = time.perf_counter()

        # select the best cell
        if sides != 1.0:
            scale = scale[0] / sides, scale[1] / sides
        size = frame.shape[1], frame.shape[0]
        result = self.result(request, scale, engine.search_features, maps, size)
        return result, {
            "crop": (cropped - began) * 1e3,
            "network": (run - cropped) * 1e3,
            "select": (time.perf_counter() - run) * 1e3,
        }

    def crops_into(self, out: Any) -> Crops:
        """Return what crops windows into the input ``out`` of the engine."""
        return KernelCrops(self.network, self.kernels, out)
