"""The annotated clips on which settings of a network are tried."""

import pathlib
from typing import List, Mapping, NamedTuple, Sequence

import numpy as np

from hotpath.runtime.errors import BadClips
from hotpath.video.clips import find_clips

SHIFT, SCALE = 0.2, 0.1  # of the box's mean side, and of the logarithm of its size
MOST_FRAMES = 300  # of a clip that are looked at
SEED = 5


class Step(NamedTuple):
    """One step of a tracker.

    Attributes:
        picture: BGR uint8 (H, W, 3).
        start: the box to start from, (4,) float64.
        box: the true box, (4,) float64.
    """

    picture: np.ndarray
    start: np.ndarray
    box: np.ndarray


class Clip(NamedTuple):
    """A clip's name, its first frame with the box, and the steps to take."""

    name: str
    first: np.ndarray
    box: np.ndarray
    steps: List[Step]


def read_clips(folders: Sequence[pathlib.Path], steps: int) -> List[Clip]:
    """Read some frames of each annotated clip of some folders.

    Args:
        folders: each one clip, or a folder of clips.
        steps: steps of all clips together, evenly spread; each clip has two or more.

    Raises:
        BadClips: a folder is not there, or there is no annotated clip in it.
    """
    clips = []
    noise = np.random.RandomState(SEED)
    usable = [clip for clip in find_clips(folders) if _known(clip.boxes)]
    if not usable:
        raise BadClips("no clip has a box in two successive frames; name others")
    for clip in usable:
        chosen = _spread(_known(clip.boxes), max(2, steps // len(usable)))
        pictures = {i: clip[i] for i in [0] + chosen}
        clips.append(_clip(clip.name, pictures, list(clip.boxes), chosen, noise))
    return clips


def _known(boxes: np.ndarray) -> List[int]:
    """The frames to step to: they have a box, and so has the frame before."""
    there = np.isfinite(boxes[:MOST_FRAMES]).all(axis=1)
    return [int(i) for i in np.flatnonzero(there[1:] & there[:-1]) + 1]


def _spread(indices: List[int], count: int) -> List[int]:
    return sorted({indices[int(i)] for i in np.linspace(0, len(indices) - 1, count)})


def _clip(
    name: str,
    pictures: Mapping[int, np.ndarray],
    boxes: Sequence[Sequence[float]],
    chosen: List[int],
    noise: np.random.RandomState,
) -> Clip:
    steps = [
        Step(pictures[i], _moved(np.array(boxes[i - 1]), noise), np.array(boxes[i])) for i in chosen
    ]
    return Clip(name, pictures[0], np.array(boxes[0]), steps)


def _moved(box: np.ndarray, noise: np.random.RandomState) -> np.ndarray:
    """A box near another one."""
    side = float(np.sqrt(box[2] * box[3]))
    centre = box[:2] + box[2:] / 2 + noise.uniform(-SHIFT, SHIFT, 2) * side
    size = box[2:] * np.exp(noise.uniform(-SCALE, SCALE))
    return np.concatenate([centre - size / 2, size])
