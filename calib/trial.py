"""Run one trial of a search: the mean score of a network with other tracking numbers."""

import copy
import hashlib
import json
from collections.abc import Sequence

import cv2
import numpy as np

from calib import metrics
from calib.clips import Clip
from calib.follow import follow
from kernels import cpu
from runtime import engines
from runtime.devices.processor import Processor
from runtime.networks import load_network, sha256_of
from runtime.tracker import Tracker

MOST_BYTES = 2 << 30  # of decoded frames


class Trial:
    """Scores parameters on some clips.

    Args:
        network: name or TOML.
        engine, networks_dir: as everywhere.

    Attributes:
        identity: a text that changes with everything that the scores depend on.
    """

    def __init__(
        self, network: str, engine: str, networks_dir: str | None, clips: Sequence[Clip]
    ) -> None:
        self.network = load_network(network)  # once: a TOML that changes changes no trial
        paths = self.network.locate(networks_dir)
        files = {part: sha256_of(path) for part, path in paths.items()}
        told = [engine, sha256_of(self.network.path), files, [clip.sha256 for clip in clips]]
        self.identity = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        self._clips = [clip.in_memory(MOST_BYTES // len(clips)) for clip in clips]
        cv2.setNumThreads(1)
        self._parts = engines.create(engine, self.network, paths), cpu.load()

    def score(self, parameters: dict[str, float], clips: Sequence[Clip] = ()) -> float:
        """Return the mean AO of the clips, or of other ones."""
        network = copy.copy(self.network)
        vars(network).update(parameters)
        tracker, found = Tracker(Processor(network, *self._parts)), []
        for clip in clips or self._clips:
            boxes = np.array(follow(tracker, clip)["boxes"])
            found.append(metrics.figures(boxes, clip.boxes)["ao"])
        return float(np.mean(found))
