"""Measures settings of a network on annotated clips: the overlap of one step of its tracker.

The tracker takes its target in the first frame. For each of some later frames it starts from the
true box of the frame before, and takes one step. That box is first moved and scaled at random, with
a fixed seed. The mean overlap with the true box tells right settings from wrong ones within a few
dozen steps.

Settings that differ only in what happens after the network share its crops and its runs.
"""

import copy
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels import cpu
from hotpath.runtime import decode, engines, geometry
from hotpath.runtime.boxes import overlaps
from hotpath.runtime.decode.shared import conventions
from hotpath.runtime.devices.base import Look
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.network import Network
from hotpath.runtime.networks import schema
from hotpath.runtime.options import Options, usable_cores
from hotpath_lab.trial_clips import Clip

# The size of a target follows at once and nothing holds it back, so that wrong settings show.
UNSMOOTHED = {"lr": 1.0, "lr_power": 0, "penalty": 0.0, "window": 0.2}

LARGE = 1 << 26  # bytes of a network that runs on all cores

Inputs = Tuple[Any, ...]


class Trial:
    """Runs one network's files with changing settings.

    Args:
        paths: dict of part -> path.
        clips: from ``trial_clips``.
        engine: name of an engine, or "auto".

    Attributes:
        steps: list of (clip, step), in the order in which they are taken.
        unmoved: mean overlap of the boxes from which the steps start.
        problem: the last error with which settings did not run; None for none.
    """

    def __init__(
        self, paths: Mapping[str, pathlib.Path], clips: List[Clip], engine: str = "auto"
    ) -> None:
        self.paths = dict(paths)
        self.engine = engine
        most = max(len(clip.steps) for clip in clips)
        # a step of each clip, then the next one of each clip
        self.steps = [
            (clip, clip.steps[i]) for i in range(most) for clip in clips if i < len(clip.steps)
        ]
        self.unmoved = float(np.mean([overlaps(s.start, s.box)[0, 0] for _, s in self.steps]))
        self.problem: Optional[HotpathError] = None
        is_large = sum(path.stat().st_size for path in paths.values()) > LARGE
        self._threads = usable_cores() if is_large else None
        self._kernels = cpu.load()
        self._engines: Dict[Any, Any] = {}

    def overlaps(
        self, networks: Sequence[Network], first: int = 0, last: Optional[int] = None
    ) -> np.ndarray:
        """One-step overlaps of some networks.

        Args:
            networks: the settings.
            first, last: the steps to take, as in a slice of ``steps``.

        Returns:
            (networks, steps) float64, 0 to 1; zeros where it can't run with these settings.
        """
        columns = range(len(self.steps))[first:last]
        results = np.zeros((len(networks), len(columns)))
        groups: Dict[Any, List[int]] = {}
        for place, network in enumerate(networks):
            groups.setdefault((_inputs(network), _graph(network)), []).append(place)
        for places in groups.values():
            together = [_unsmoothed(networks[place]) for place in places]
            try:
                results[places] = self._group(together, columns)
            except HotpathError as error:
                self.problem = error  # nothing runs with this crop, or with these maps
        return results

    def close(self) -> None:
        """Release the engines."""
        for engine, _ in self._engines.values():
            engine.close()
        self._engines = {}

    def _group(self, networks: List[Network], columns: Sequence[int]) -> np.ndarray:
        """Overlaps of networks that crop the same pictures and run the same graph."""
        first = _unconverted(networks[0])
        engine, names = self._engine(first)
        device = Processor(first, engine, self._kernels)
        decoders: List[Any] = [decode.create(_unconverted(n), self._kernels) for n in networks]
        scales = decode.scales(first)
        factors = [conventions.factors(network) for network in networks]
        orders = [[names.index(name) for name in network.maps] for network in networks]
        results = np.zeros((len(networks), len(columns)))
        started: Optional[Clip] = None
        for column in sorted(columns, key=lambda i: self.steps[i][0].name):
            clip, step = self.steps[column]
            if clip is not started:
                started = clip
                size = clip.first.shape[1::-1]
                exemplar = device.exemplar(
                    clip.first, geometry.state_of(first, clip.box.tolist(), *size)
                )
            height, width = step.picture.shape[:2]
            state = geometry.state_of(first, tuple(step.start.tolist()), width, height)
            collected: List[Any] = [None] * len(networks)
            seen = []
            for index, sides in enumerate(scales or (1.0,)):
                (shown,), _ = device.look(step.picture, [Look(exemplar, state, sides, None)])
                seen.append(shown)
                for place, decoder in enumerate(decoders):
                    own = [shown.maps[number] for number in orders[place]] or shown.maps
                    mine = _converted(own, factors[place])
                    collected[place] = decoder.look(index, mine) if scales else mine
            scale = seen[len(seen) // 2].scale
            for place, decoder in enumerate(decoders):
                moved = state.copy()
                try:
                    decoder.select(collected[place], moved, scale, width, height)
                except HotpathError as error:
                    self.problem = error
                    continue
                boxes = geometry.box_of(networks[place], moved)
                results[place, column - columns[0]] = overlaps(boxes, step.box)[0, 0]
        return results

    def _engine(self, network: Network) -> Tuple[Any, Tuple[str, ...]]:
        """An engine for the settings that the graph depends on, and the order of its maps."""
        key = _graph(network)
        if key not in self._engines:
            engine = engines.create(
                self.engine, network, self.paths, Options(threads=self._threads)
            )
            self._engines[key] = engine, network.maps
        opened: Tuple[Any, Tuple[str, ...]] = self._engines[key]
        return opened


def _inputs(network: Network) -> Inputs:
    """The values that determine what is cropped."""
    return tuple(getattr(network, name, None) for name in schema.SECTIONS["input"])


def _graph(network: Network) -> Inputs:
    """The values that determine the graph that an engine runs; conventions and order aside."""
    maps = tuple(sorted(network.maps))
    return network.family, network.exemplar, network.search, maps, decode.shapes(network)


def _unsmoothed(network: Network) -> Network:
    """A copy without the smoothing of its tracker if it has any."""
    result = copy.copy(network)
    if hasattr(network, "lr_power"):
        vars(result).update(UNSMOOTHED)
    return result


def _unconverted(network: Network) -> Network:
    """A copy for which the graph's maps stay as the files give them."""
    result = copy.copy(network)
    for name, key in conventions.KEYS.items():
        if hasattr(result, name):
            setattr(result, name, key.default)
    return result


def _converted(
    maps: Sequence[np.ndarray], factors: Dict[int, conventions.Factors]
) -> Sequence[np.ndarray]:
    """The maps as the graph would give them with the conventions in it."""
    if not factors:
        return maps
    result = list(maps)
    for place, values in factors.items():
        result[place] = maps[place] * np.array(values, np.float32).reshape(-1, 1, 1)
    return result
