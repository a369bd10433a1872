"""Clips to time: a folder of them, or a film made here, the same on every board."""

import hashlib
import os
from collections import namedtuple

import numpy as np

from runtime.errors import BadSource
from runtime.video.sources import open_source

FILM = "film"
SHORTEST = 10
MOST = 200  # frames that are taken of a clip; the same for every number of frames a round
MOST_BYTES = 256 << 20  # of its frames; a Nano has 2 GB for all

# frames: list of BGR uint8 (H, W, 3); box: (x, y, w, h) in the first; sha256: of both
Clip = namedtuple("Clip", "name frames box sha256")


def load(folder, most=MOST):
    """Clips of a folder, decoded."""
    if folder is None:
        return [film(most)]
    entries = sorted(os.path.join(folder, name) for name in _listed(folder))
    clips, problem = [], None
    for path in [folder] + entries:
        try:
            clips.append(_open(path, most))
        except (BadSource, OSError) as error:
            problem = problem or error
        if clips and path == folder:
            break
    if not clips:
        raise BadSource(
            f"no clip with a first box in {folder} ({problem}); name a folder of sequences with "
            "--clips, or "
            "leave --clips away"
        )
    return clips


def film(frames, width=640, height=480, side=60):
    """Make a film of a textured square that drifts over a textured background."""
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


def _listed(folder):
    try:
        return os.listdir(folder)
    except NotADirectoryError:
        return []
    except OSError as error:
        raise BadSource(f"{folder}: {error.strerror}; name a folder of clips") from None


def _open(path, most):
    with open_source(path) as source:
        if source.live or source.first_box is None:
            raise BadSource(f"{path} has no first box")
        box, frames = tuple(float(v) for v in source.first_box), []
        frame = source.read()
        while frame is not None:
            frames.append(frame)
            frame = None if _enough(frames, most) else source.read()
    if len(frames) < SHORTEST or not np.isfinite(box).all():
        raise BadSource(f"{path} is too short, or its first frame has no box")
    return Clip(os.path.basename(os.path.abspath(path)), frames, box, _sha256(frames, box))


def _enough(frames, most):
    return len(frames) >= most or (len(frames) + 1) * frames[0].nbytes > MOST_BYTES


def _sha256(frames, box):
    digest = hashlib.sha256(repr([round(v, 3) for v in box]).encode())
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()
