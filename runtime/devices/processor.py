"""The processor: compiled kernels crop and select, and an engine runs the network.

    crop -> features -> correlate -> head -> select

One call of the engine computes features, correlation and head, for one window or for several.
``hotpath.runtime.geometry`` computes the window to crop.
"""

import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import geometry
from hotpath.runtime.devices.base import STEPS, Device, Exemplar, Look, StepMs
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.geometry import Cropper, Windows
from hotpath.runtime.network import Network
from hotpath.runtime.pictures import AnyFrame
from hotpath.runtime.types import Seen


class Features(Exemplar):
    """A target's features.

    Args:
        border: see ``Exemplar``.
        features: features for ``Engine.search``.
    """

    def __init__(self, border: np.ndarray, features: Any) -> None:
        super().__init__(border)
        self.features = features


class Processor(Device):
    """Runs windows on the processor, or on an engine with the same interface.

    Args:
        network, engine, kernels: see ``Device``. The kernels crop and select.
        cropper: function that takes an input of the engine and returns the function that crops into
            it. None uses ``kernels``.
    """

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Kernels,
        cropper: Optional[Callable[[Any], Cropper]] = None,
    ) -> None:
        super().__init__(network, engine, kernels)
        self.kernels_name = kernels.name
        self.windows = engine.windows
        self.shows_features = engine.search_features is not None
        self._cropper = cropper
        self._crop = self._windows_into(engine.search_crop)
        self._crops: Any = {}  # windows in a call -> what crops each of them

    def picture(self, frame: AnyFrame) -> AnyFrame:
        return frame

    def exemplar(self, frame: AnyFrame, around: np.ndarray) -> Exemplar:
        network, engine, out = self.network, self.engine, self.engine.exemplar_crop
        border = geometry.border_colour(network, frame)
        crop = self._cropper(out) if self._cropper else self._packed_into(out)
        crop(frame, geometry.exemplar_window(network, around), border)
        if engine.exemplar_box is not None:
            engine.exemplar_box[...] = geometry.exemplar_box(network, around)
        return Features(border, engine.exemplar())

    def prepare(self, wait: bool = True) -> None:
        self.engine.prepare()
        if wait and self.windows > 1:
            self.engine.batch(self.windows)

    def look(self, frame: AnyFrame, looks: Sequence[Look]) -> Tuple[List[Seen], StepMs]:
        spent: StepMs = dict.fromkeys(STEPS, 0.0)
        if len(looks) == 1:
            return [self._one(frame, looks[0], spent)], spent
        from hotpath.runtime.devices.several import copied, parts  # only for several windows

        sizes = parts(len(looks), self.windows)
        seen: List[Seen] = []
        for number, size in enumerate(sizes):
            part = looks[len(seen) : len(seen) + size]
            if size == 1:
                answers = [self._one(frame, part[0], spent)]
            else:
                answers = self._several(frame, part, spent)
            # a later call of that size overwrites what this one shows
            seen += (
                [copied(answer) for answer in answers] if size in sizes[number + 1 :] else answers
            )
        return seen, spent

    def _one(self, frame: AnyFrame, look: Look, spent: StepMs) -> Seen:
        """Run a call of one window; adds its times to ``spent``."""
        exemplar: Any
        exemplar, around, sides, _, _ = look
        engine = self.engine
        began = time.perf_counter()

        # crop the search region around the last position
        scale = self._crop(frame, around, sides, exemplar.border)
        cropped = time.perf_counter()

        # features, correlation and head
        maps = engine.search(exemplar.features)
        run = time.perf_counter()

        # select the best cell
        seen = self._seen(frame, look, scale, maps, engine.search_features)
        spent["crop"] += (cropped - began) * 1e3
        spent["network"] += (run - cropped) * 1e3
        spent["select"] += (time.perf_counter() - run) * 1e3
        return seen

    def _several(self, frame: AnyFrame, looks: Sequence[Look], spent: StepMs) -> List[Seen]:
        """Run a call of several windows; adds its times to ``spent``."""
        count = len(looks)
        scales = []
        exemplar: Any
        batch = self.engine.batch(count)
        if count not in self._crops:
            self._crops[count] = [self._windows_into(out) for out in batch.crops]
        began = time.perf_counter()
        for (exemplar, around, sides, _, _), crop in zip(looks, self._crops[count]):
            scales.append(crop(frame, around, sides, exemplar.border))
        cropped = time.perf_counter()
        for number, look in enumerate(looks):
            exemplar = look.exemplar
            batch.start(number, exemplar.features)
        maps = batch.finish()
        run = time.perf_counter()
        columns = zip(looks, scales, maps, batch.search_features)
        seen = [self._seen(frame, *row) for row in columns]
        spent["crop"] += (cropped - began) * 1e3
        spent["network"] += (run - cropped) * 1e3
        spent["select"] += (time.perf_counter() - run) * 1e3
        return seen

    def _seen(
        self, frame: AnyFrame, look: Look, scale: Tuple[float, float], maps: Any, features: Any
    ) -> Seen:
        """Make the ``Seen`` of a window; ``scale`` comes from ``geometry.search_window``."""
        _, around, sides, prior, _ = look
        if sides != 1.0:
            scale = scale[0] / sides, scale[1] / sides
        if prior is None:
            return Seen(around, scale, features, maps)
        height, width = frame.shape[:2]
        found = self.propose(look, maps, scale, width, height)
        return Seen(around, scale, features, None, *found)

    def _windows_into(self, out: Any) -> Windows:
        """Return the function that crops windows into the input ``out`` of the network."""
        crop = self._cropper(out) if self._cropper else None
        return geometry.windows_into(self.network, self.kernels, out, crop)

    def _packed_into(self, out: Any) -> Cropper:
        return geometry.packed_into(self.network, self.kernels, out)
