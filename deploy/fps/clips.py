"""Clips to time: a folder of them, or a film made here, the same on every board."""

import hashlib
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.deploy.fps.evidence import PathLike
from hotpath.runtime.errors import BadSource
from hotpath.video.clips import Clip as AnnotatedClip
from hotpath.video.clips import find_clips

FILM = "film"
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


def load(folder: Optional[PathLike], most: int = MOST_FRAMES) -> List[Clip]:
    if folder is None:
        return [film(most)]
    return [_taken(clip, most) for clip in find_clips([folder])]


def film(frames: int) -> Clip:
    """Make a film of a textured square that drifts over a textured background."""
    width, height, side = 640, 480, 60
    random = np.random.RandomState(7)
    ground = random.randint(30, 90, (height, width, 3)).astype(np.uint8)
    target = np.kron(random.randint(120, 250, (6, 6, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    pictures = []
    for index in range(frames):
        x = int(width * (0.4 + 0.25 * np.sin(index / 40.0)))
        y = int(height * (0.4 + 0.2 * np.sin(index / 50.0)))
        picture = ground.copy()
        picture[y : y + side, x : x + side] = target
        pictures.append(picture)
    box = (float(int(width * 0.4)), float(int(height * 0.4)), float(side), float(side))
    return Clip(FILM, pictures, box, _sha256(pictures, box))


def _taken(clip: AnnotatedClip, most: int) -> Clip:
    frames: List[np.ndarray] = []
    box = tuple(float(v) for v in clip.boxes[0])
    for frame in clip:
        if len(frames) >= most or (len(frames) + 1) * frame.nbytes > MOST_BYTES:
            break
        frames.append(frame)
    if len(frames) < SHORTEST:
        raise BadSource(
            f"{clip.name} has {len(frames)} frames; name longer clips with --clips",
            what="too short",
        )
    return Clip(clip.name, frames, box, _sha256(frames, box))


def _sha256(frames: Sequence[np.ndarray], box: Sequence[float]) -> str:
    digest = hashlib.sha256(repr([round(v, 3) for v in box]).encode())
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()
