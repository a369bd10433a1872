"""Clips to time: a folder of them, or a film made here, the same on every board."""

import hashlib
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from hotpath.deploy.doctor.bringup import film as bringup_film
from hotpath.runtime.errors import BadSource
from hotpath.video.clips import Clip as AnnotatedClip
from hotpath.video.clips import find_clips

SHORTEST = 10
MOST_FRAMES = 200  # frames that are taken of a clip; the same for every number of frames a round
MOST_BYTES = 256 << 20  # of its frames; a Nano has 2 GB for all


class Clip(NamedTuple):
    """Frames to time a tracker on.

    Attributes:
        name: of the clip.
        frames: list of BGR uint8 (H, W, 3).
        box: (x, y, w, h) in the first.
        sha256: of frames and box.
    """

    name: str
    frames: List[np.ndarray]
    box: Tuple[float, ...]
    sha256: str


def load(folder: Union[str, Path, None], most: int = MOST_FRAMES) -> List[Clip]:
    """The annotated clips of a folder, or the film."""
    if folder is None:
        return [film(most)]
    return [_beginning(clip, most) for clip in find_clips([folder])]


def film(frames: int) -> Clip:
    """Make a film of a textured patch that moves over a textured background."""
    pictures, boxes = bringup_film.film(frames)
    return _clip("film", pictures, boxes[0, 0])


def _beginning(clip: AnnotatedClip, most: int) -> Clip:
    frames = list(clip.beginning(min(most, MOST_BYTES // clip[0].nbytes)))
    if len(frames) < SHORTEST:
        raise BadSource(
            f"{clip.name} has {len(frames)} frames; name longer clips with --clips",
            what="too short",
        )
    return _clip(clip.name, frames, clip.boxes[0])


def _clip(name: str, frames: List[np.ndarray], box: Sequence[float]) -> Clip:
    box = tuple(float(v) for v in box)
    digest = hashlib.sha256(repr([round(v, 3) for v in box]).encode())
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return Clip(name, frames, box, digest.hexdigest())
