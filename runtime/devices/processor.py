"""The processor: crop and select by compiled kernels, the network by an engine.

    crop -> features -> correlate -> head -> select

Features, correlation and head are the engine's one call. What a family does differently
(several scales) is in ``runtime.decode``. Which window is cropped is in
``runtime.geometry``.
"""

import math
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.errors import NO_SCORE, NetworkFailed
from runtime import decode, geometry
from runtime.devices.base import Aim, Device, Group
from runtime.devices.refresh import Exemplars
from runtime.engines.base import Batch, Engine, Searcher
from runtime.errors import HotpathError
from runtime.geometry import Cropper, Windows, packed_into
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.types import Found, View


class Processor(Device):
    """One target on the processor, or on an engine that is called like one.

    Args:
        network, engine: see ``Device``.
        kernels: crop and select (see ``kernels.cpu.load``).
        cropper: function of an engine's input that gives what crops into it; None for ``kernels``.
    """

    gives_maps = can_rehearse = True
    _exemplars: Optional[Exemplars] = None  # both, where the network takes two

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Kernels,
        cropper: Optional[Callable[[Any], Cropper]] = None,
    ) -> None:
        super().__init__(network, engine)
        self.kernels, self.kernels_name = kernels, kernels.name
        self.decoder = decode.create(network, kernels)
        self.learns = network.refresh_every > 0
        self.is_plain = len(self.decoder.factors) == 1 and not self.learns
        self.features: Any = None  # of the exemplar, as the engine's search takes them
        self._cropper = cropper
        self._is_direct = self.decoder.is_direct
        self._before = np.zeros(4)  # the state before the frame
        self._size = 0, 0  # of the frames: width, height
        self._score = 0.0  # of the frame
        if network.refresh_every:
            self._exemplars = Exemplars(network, engine.exemplar_crop, kernels)
        else:
            out = engine.exemplar_crop
            self._crop_exemplar = cropper(out) if cropper else packed_into(network, kernels, out)
        self.use(engine)

    def use(self, searcher: Searcher) -> None:
        """Search on the engine, or on what stands for it."""
        self._searcher, self._crop = searcher, self.windows_into(searcher.search_crop)
        self.shows_features = searcher.search_features is not None

    def begin(
        self, frame: AnyFrame, state: np.ndarray, shape: Tuple[int, ...], compares: bool
    ) -> Optional[View]:
        """See ``Device.begin``."""
        network, self.state = self.network, state
        self._size = shape[1], shape[0]
        self.border = geometry.border_colour(network, frame)
        if self.engine.exemplar_box is not None:
            self.engine.exemplar_box[...] = geometry.exemplar_box(network, state)
        if self._exemplars is None:
            self._crop_exemplar(frame, geometry.exemplar_window(network, state), self.border)
            self.features = self.engine.exemplar()
        else:
            self._exemplars.begin(frame, state, self.border)
            self.features = self._exemplars.features(self.engine)
        if not compares or not (self.shows_features or self.decoder.compares):
            return None
        view = self.look(frame, state, 1.0)
        self.decoder.first(view.maps)
        return view

    def rescale(self, factors: Sequence[float], shape: Tuple[int, ...]) -> None:
        """See ``Device.rescale``."""
        self._size = shape[1], shape[0]

    def follow(self, frame: AnyFrame) -> Found:
        """See ``Device.follow``."""
        searcher, decoder = self._searcher, self.decoder
        crop_s = network_s = select_s = 0.0
        at = time.perf_counter()
        for index, factor in enumerate(decoder.factors):
            # crop the search region around the last position
            scale = self.show(frame, self._crop, self.state, factor, 1.0)
            cropped = time.perf_counter()

            # features, correlation and head
            maps: Any = searcher.search(self.features)
            run = time.perf_counter()
            if not self._is_direct:
                maps = decoder.look(index, maps)
            crop_s, network_s = crop_s + cropped - at, network_s + run - cropped
            at = time.perf_counter()
            select_s += at - run
        spent = self.step_ms
        spent["crop"], spent["network"] = crop_s * 1e3, network_s * 1e3

        # select the best cell and move there
        found = self.select(maps, scale, searcher.search_features)
        spent["select"] = (select_s + time.perf_counter() - at) * 1e3
        return found

    def select(self, maps: Any, scale: Tuple[float, float], features: Any) -> Found:
        """Move to the best cell.

        Args:
            maps: what the decoder's ``look`` gave for the last window.
            scale: (x, y), search pixels per frame pixel.
            features: of the search region, or None.
        """
        state, before = self.state, self._before
        before[:] = state
        best, score = self.decoder.select(maps, state, scale, *self._size)
        box = geometry.box_of(self.network, state)
        if not math.isfinite(sum(box) + score):
            state[:] = before
            raise NetworkFailed(NO_SCORE)
        view = View(before, scale, features, maps)
        self._score = score
        certain = score if self._is_direct else self.decoder.certain(score)
        return Found(box, score, certain, best, view)

    def show(
        self, frame: AnyFrame, crop: Windows, state: np.ndarray, sides: float, factor: float
    ) -> Tuple[float, float]:
        """Write a window into the network's input; returns (x, y), search pixels per frame pixel.

        Args:
            state: [cx, cy, w, h], what the window is around.
            sides: of the window, in usual ones.
            factor: by which the window is wider than the family asks for.
        """
        scale = crop(frame, state, sides, self.border)
        return scale if factor == 1.0 else (scale[0] / factor, scale[1] / factor)

    def learn(self, frame: AnyFrame) -> None:
        """See ``Device.learn``."""
        if self._exemplars is not None:
            self.step_ms["refresh"], started = 0.0, time.perf_counter()
            if self._exemplars.follow(frame, self.state, self.border, self._score):
                self.features = self._exemplars.features(self.engine)
                self.step_ms["refresh"] = (time.perf_counter() - started) * 1e3

    def aim(self, frame: AnyFrame, state: np.ndarray, factor: float) -> Tuple[float, float]:
        """Write a window into the network's input; see ``look``. Returns its scale."""
        started = time.perf_counter()
        scale = self.show(frame, self._crop, state, factor, factor)
        self.step_ms["crop"] += (time.perf_counter() - started) * 1e3
        return scale

    def look(self, frame: AnyFrame, state: np.ndarray, factor: float) -> View:
        """See ``Device.look``."""
        scale, started = self.aim(frame, state, factor), time.perf_counter()
        maps = self._searcher.search(self.features)
        self.step_ms["network"] += (time.perf_counter() - started) * 1e3
        return View(state, scale, self._searcher.search_features, maps)

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Device.rehearse``; of several windows, and of learning, only the first search."""
        scale = self.show(frame, self._crop, self.state, self.decoder.factors[0], 1.0)
        maps = self._searcher.search(self.features)
        if not self.is_plain:
            return
        self._before[:] = self.state
        try:
            self.decoder.select(maps, self.state, scale, *self._size)
        except NetworkFailed:
            pass  # the frame that was rehearsed has told it
        finally:
            self.state[:] = self._before

    def windows_into(self, out: Any) -> Windows:
        """What crops windows into the input ``out`` of the network."""
        crop = self._cropper(out) if self._cropper else None
        return geometry.windows_into(self.network, self.kernels, out, crop)

    def together(self, devices: Sequence["Processor"]) -> Optional[Group]:
        """See ``Device.together``: one call of the network; not where exemplars are refreshed.

        One call of all targets takes less time than a call each.
        """
        batch = None if self.learns else self.engine.batch(len(devices))
        return None if batch is None else ProcessorGroup(devices, batch)


class ProcessorGroup(Group):
    """Targets whose search regions go through the network in one call.

    Args:
        devices: of one network, each with its target.
        batch: of the engine, for so many.
    """

    takes_aims = True

    def __init__(self, devices: Sequence[Processor], batch: Batch) -> None:
        self._devices, self._batch = devices, batch
        self._croppers = [each.windows_into(out) for each, out in zip(devices, batch.crops)]
        self._features = [each.features for each in devices]

    def take(
        self, frame: AnyFrame, aims: Sequence[Optional[Aim]]
    ) -> List[Union[Found, View, HotpathError, None]]:
        """See ``Group.take``."""
        for index, factor in enumerate(self._devices[0].decoder.factors):  # all of one family
            scales, maps = self._search(frame, factor, aims)
            looked = [
                own if aim else each.decoder.look(index, own)
                for each, own, aim in zip(self._devices, maps, aims)
            ]
        seen: List[Union[Found, View, HotpathError, None]] = []
        rest = zip(self._devices, looked, scales, self._batch.search_features, aims)
        for each, own, scale, features, aim in rest:
            if aim is not None:
                seen.append(View(aim[0], scale, features, own))
                continue
            try:
                started = time.perf_counter()
                seen.append(each.select(own, scale, features))
                each.step_ms["select"] = (time.perf_counter() - started) * 1e3
            except NetworkFailed as error:
                seen.append(error)
        return seen

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Device.rehearse``; select, which takes little time here, is left out."""
        self._search(frame, self._devices[0].decoder.factors[0], [None] * len(self._devices))

    def _search(
        self, frame: AnyFrame, factor: float, aims: Sequence[Optional[Aim]]
    ) -> Tuple[List[Tuple[float, float]], Sequence[Any]]:
        """Run the network on a window of each target: (scale of each, maps of each)."""
        batch, scales, network_ms = self._batch, [], 0.0
        for number, (each, crop) in enumerate(zip(self._devices, self._croppers)):
            state, wider = aims[number] or (each.state, 1.0)
            started = time.perf_counter()
            scales.append(each.show(frame, crop, state, factor * wider, wider))
            cropped = time.perf_counter()
            each.step_ms["crop"] = (cropped - started) * 1e3
            batch.start(number, self._features[number])
            network_ms += (time.perf_counter() - cropped) * 1e3
        started = time.perf_counter()
        maps = batch.finish()
        network_ms += (time.perf_counter() - started) * 1e3
        for each in self._devices:
            each.step_ms["network"] = network_ms / len(self._devices)
        return scales, maps
