"""Score the numbers of a network's TOML for ``hotpath tune``: the mean overlap of whole tracks."""

import copy
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.kernels import cpu
from hotpath.runtime import engines
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.errors import BadClips
from hotpath.runtime.network import Network
from hotpath.runtime.networks import sha256_of
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_lab import metrics
from hotpath_lab.clip_run import run_clip
from hotpath_lab.conventions import OWN, Conventions

SEARCH = ("search_lost_below", "look_above", "found_above")
PEAKS = ("peak_share",)  # it needs the search
Numbers = dict[str, Any]  # parameter -> its number, or the name of a convention


def held(clips: Sequence[Any], most_bytes: int) -> list[Any]:
    """Clips in memory, as far as they have at most so many bytes together.

    Raises:
        BadClips: a clip has one frame.
    """
    for clip in clips:
        if len(clip) < 2:
            raise BadClips(f"{clip.name}: has one frame, so nothing is followed; leave it out")
    return [clip.in_memory(most_bytes // len(clips)) for clip in clips]


class Scorer:
    """Scores numbers of one network.

    Args:
        network: the network.
        options: ``engine`` and ``networks_dir`` of the command.
        names: the keys of [tracking] that will change. The tracker searches for a lost target if
            they have thresholds of the search, or of the choice among its peaks.
        conventions: of the network; its questions may be among the numbers that are scored.

    Attributes:
        depends: what the scores depend on besides numbers and clips.
    """

    def __init__(
        self, network: Network, options: Any, names: Sequence[str], conventions: Conventions
    ) -> None:
        self._network, self._conventions = network, conventions
        self._engine, self._paths = options.engine, network.locate(options.networks_dir)
        files = {part: sha256_of(path) for part, path in self._paths.items()}
        self.depends = [options.engine, sha256_of(network.path), files]
        cv2.setNumThreads(1)
        self._parts = engines.create(options.engine, network, self._paths), cpu.load()
        self._other: tuple[Any, Network, Any] | None = None  # answers, network, engine
        self._searches = not set(names).isdisjoint(SEARCH + PEAKS)
        if self._searches:
            above_0 = dict.fromkeys(set(names).intersection(SEARCH), 0.5)  # there is a threshold
            why = self._tracker(above_0).why_no_search
            if why:
                raise BadRun(f"{network.name} can't search for a lost target: {why}")

    def score(self, numbers: Numbers, clips: Sequence[Any]) -> float:
        """The mean overlap of whole tracks, over the clips."""
        overlaps = []
        for clip in clips:
            boxes = run_clip(self._tracker(numbers), clip)["boxes"]
            overlaps.append(metrics.figures(boxes, clip.boxes)["ao"])
        return float(np.nan_to_num(np.mean(overlaps)))

    def _tracker(self, numbers: Numbers) -> Tracker:
        answers = {key: value for key, value in numbers.items() if isinstance(value, str)}
        network, engine = self._with(answers)
        network = copy.copy(network)  # the engine's does not change
        vars(network).update({key: numbers[key] for key in set(numbers) - set(answers)})
        device = CpuDevice(network, engine, self._parts[1])
        return Tracker(device, recover=self._searches)

    def _with(self, answers: dict[str, str]) -> tuple[Network, Any]:
        """The network with other conventions, and its engine. The last one stays open."""
        if set(answers.values()) <= {OWN}:
            return self._network, self._parts[0]
        if self._other is None or self._other[0] != answers:
            if self._other is not None:
                self._other[2].close()
                self._other = None
            network = self._conventions.network(answers)
            engine = engines.create(self._engine, network, self._paths)
            self._other = answers, network, engine
        return self._other[1:]
