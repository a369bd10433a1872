"""Measures a network's settings on annotated clips: the overlap of one step of its tracker.

The tracker takes its target in the first frame. For each of some later frames it starts from the
true box of the frame before, and takes one step. That box is first moved and scaled at random, with
a fixed seed. The mean overlap with the true box tells right settings from wrong ones within a few
dozen steps.
"""

import pathlib
import typing

import numpy as np

from kernels import cpu
from runtime import engines, geometry
from runtime.errors import BadSource, HotpathError
from runtime.networks.network import Network
from runtime.trackers.host import HostTracker
from runtime.video import recorded, sequence

SHIFT, SCALE = 0.2, 0.1  # of the box's mean side, and of the logarithm of its size
MOST_FRAMES = 300  # of a clip that are looked at

Frame = typing.Tuple[np.ndarray, np.ndarray, np.ndarray]  # picture, box before, true box


class Clip(typing.NamedTuple):
    """A clip's first frame and the frames to step in."""

    name: str
    first: np.ndarray
    box: np.ndarray
    steps: typing.List[Frame]


def read_clips(folder: pathlib.Path, steps: int) -> "typing.List[Clip]":
    """Read some frames of each annotated clip of a folder.

    Args:
        folder: one clip, or a folder of clips.
        steps: frames of each clip, evenly spread.

    Raises:
        BadSource: there is no annotated clip.
    """
    clips = []
    for place in [folder] + sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            boxes = sequence.read_boxes(str(place))
            paths = recorded.picture_paths(str(place)) or recorded.picture_paths(str(place / "img"))
        except HotpathError:
            continue
        count = min(len(boxes), len(paths), MOST_FRAMES)
        seen = [i for i in range(1, count) if boxes[i] is not None and boxes[i - 1] is not None]
        if not seen or boxes[0] is None:
            continue
        chosen = sorted({seen[int(i)] for i in np.linspace(0, len(seen) - 1, steps)})
        clips.append(
            Clip(
                place.name,
                recorded.read_picture(paths[0]),
                np.array(boxes[0]),
                [
                    (recorded.read_picture(paths[i]), np.array(boxes[i - 1]), np.array(boxes[i]))
                    for i in chosen
                ],
            )
        )
    if not clips:
        raise BadSource(
            "{} holds no annotated clip; put groundtruth.txt (x,y,w,h a line) or boxes.csv beside "
            "the frames".format(folder)
        )
    return clips


class Trial:
    """Runs one network's files with changing settings.

    Args:
        paths: dict of part -> path.
        clips: from ``read_clips``.
        engine: name of an engine, or "auto".
    """

    def __init__(
        self,
        paths: "typing.Mapping[str, pathlib.Path]",
        clips: "typing.List[Clip]",
        engine: str = "auto",
    ) -> None:
        self.paths, self.clips, self.engine = dict(paths), clips, engine
        self._kernels = cpu.load()
        self._engines: typing.Dict[typing.Any, typing.Any] = {}

    def overlap(self, network: Network, steps: "typing.Optional[int]" = None) -> float:
        """Mean of ``overlaps``."""
        return float(np.mean(self.overlaps(network, steps)))

    def overlaps(self, network: Network, steps: "typing.Optional[int]" = None) -> np.ndarray:
        """One-step overlaps of a network.

        Args:
            network: the settings.
            steps: at most so many steps of each clip; None for all.

        Returns:
            (steps of all clips,) float64, 0 to 1; zeros where it can't run with these settings.
        """
        nothing = np.zeros(sum(len(clip.steps[:steps]) for clip in self.clips))
        try:
            tracker = HostTracker(network, self._engine(network), self._kernels)
        except HotpathError:
            return nothing
        noise, overlaps = np.random.RandomState(5), []
        for clip in self.clips:
            try:
                tracker.init(clip.first, clip.box.tolist())
            except HotpathError:
                return nothing
            for picture, before, true in clip.steps[:steps]:
                start = _moved(before, noise)
                height, width = picture.shape[:2]
                tracker.state[:] = geometry.state_of(network, start, width, height)
                try:
                    overlaps.append(overlap_of(tracker.update(picture).box, true.tolist()))
                except HotpathError:
                    overlaps.append(0.0)
        return np.array(overlaps)

    def close(self) -> None:
        """Release the engines."""
        for engine in self._engines.values():
            engine.close()
        self._engines = {}

    def _engine(self, network: Network) -> typing.Any:
        """An engine for the settings that the graph depends on."""
        keys = ("family", "exemplar", "search", "map_size", "maps", "score", "quality", "output")
        name = tuple(getattr(network, key, None) for key in keys)
        if name not in self._engines:
            self._engines[name] = engines.create(self.engine, network, self.paths)
        return self._engines[name]


def _moved(box: np.ndarray, noise: np.random.RandomState) -> "typing.Tuple[float, ...]":
    """A box near another one."""
    side = float(np.sqrt(box[2] * box[3]))
    centre = box[:2] + box[2:] / 2 + noise.uniform(-SHIFT, SHIFT, 2) * side
    size = box[2:] * np.exp(noise.uniform(-SCALE, SCALE))
    return tuple(float(v) for v in np.concatenate([centre - size / 2, size]))


def overlap_of(first: "typing.Sequence[float]", second: "typing.Sequence[float]") -> float:
    """Intersection over union of two boxes (x, y, w, h)."""
    low = np.maximum(first[:2], second[:2])
    high = np.minimum(np.add(first[:2], first[2:]), np.add(second[:2], second[2:]))
    shared = float(np.prod(np.maximum(high - low, 0)))
    union = float(first[2] * first[3] + second[2] * second[3]) - shared
    return shared / union if union > 0 else 0.0
