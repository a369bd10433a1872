"""Run one trial of a search: the mean score of a network with other tracking numbers."""

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from calib import metrics
from calib.clips import Clip
from calib.follow import follow
from runtime import engines
from runtime.networks import load_network, sha256_of

MOST_BYTES = 2 << 30  # of decoded frames kept in a process


class Trial:
    """Scores parameters on some clips; can be sent to another process.

    Args:
        network: name or TOML.
        engine, networks_dir: as everywhere.
    """

    def __init__(
        self, network: str, engine: str, networks_dir: str | None, clips: Sequence[Clip]
    ) -> None:
        self.network = load_network(network)  # once: a TOML that changes changes no trial
        self.engine, self.networks_dir = engine, networks_dir
        self.clips = clips
        self._parts: Any = None
        self._held: dict[tuple[str, str], Clip] | None = None

    def __getstate__(self) -> dict[str, Any]:  # engines and frames are loaded where they are needed
        return dict(self.__dict__, _parts=None, _held=None)

    def identity(self) -> str:
        """Return a text that changes with everything that the scores depend on."""
        network = self.network
        told = [
            self.engine,
            sha256_of(network.path),
            {p: sha256_of(f) for p, f in network.locate(self.networks_dir).items()},
            [clip.sha256 for clip in self.clips],
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def score(self, parameters: dict[str, float], clips: Sequence[Clip] | None = None) -> float:
        """Return the mean AO of the clips."""
        tracker, found = self._tracker(parameters), []
        for clip in self.clips if clips is None else clips:
            boxes = np.array(follow(tracker, self._decoded(clip))["boxes"])
            found.append(metrics.figures(boxes, clip.boxes)["ao"])
        return float(np.mean(found))

    def _tracker(self, parameters: dict[str, float]) -> Any:
        """Return a tracker with these numbers. The network is loaded once in each process."""
        from kernels import cpu
        from runtime.devices.processor import Processor
        from runtime.tracker import Tracker

        network = copy.copy(self.network)
        if self._parts is None:
            cv2.setNumThreads(1)
            executor = engines.create(self.engine, network, network.locate(self.networks_dir))
            self._parts = executor, cpu.load()
        for name, value in parameters.items():
            setattr(network, name, value)
        return Tracker(Processor(network, *self._parts))

    def _decoded(self, clip: Clip) -> Clip:
        """The clip, with its frames in memory while there is room."""
        self._held = {} if self._held is None else self._held
        key = str(clip.folder), clip.name
        if key not in self._held:
            taken = sum(held[0].nbytes * len(held) for held in self._held.values())
            held = clip.in_memory(MOST_BYTES - taken)
            if held is clip:
                return clip
            self._held[key] = held
        return self._held[key]
