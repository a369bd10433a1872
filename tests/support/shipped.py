"""What the shipped default does on films that everybody can get, for ``tests/test_shipped.py``.

    python -m tests.support.shipped        writes tests/shipped.json anew

The films are the clip of ``make track``, and what is made of it: the target goes away, the scene
changes, the camera turns away, and something hits the camera.
"""

import json
import sys
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from hotpath.runtime import load_tracker
from hotpath.runtime.frames.boxes import overlap
from hotpath.video.sources import open_source
from tests.support import ROOT

CLIP = ROOT / ".cache" / "bigbuckbunny.mp4"
FILE = ROOT / "tests" / "shipped.json"
BOX = (328, 342, 82, 118)  # of the Makefile: the rabbit's face
MODELS = ROOT.parent / "shared" / "models"
NETWORKS = {  # None: the default, with its witness
    "default-int8": (None, "int8"),
    "default-fp32": (None, "fp32"),
    "kestrel-int8": ("kestrel", "int8"),
    "kestrel-fp32": ("kestrel", "fp32"),
    "nanotrack_v2": ("nanotrack_v2", "fp32"),
}
GONE = range(40, 75)  # frames without the target
EVERY = 10  # frames: a box of so many is kept
WORDS = ("tracked", "unsure", "lost")


class FilmRun(NamedTuple):
    """A run on a film.

    Attributes:
        boxes: every tenth box, pixels.
        words: frames of each word.
        finds: frames in which the target was found again.
        presence: mean over the frames.
    """

    boxes: list
    words: dict
    finds: list
    presence: float


@lru_cache(maxsize=1)
def clip():
    """The frames of the clip, (720, 1280, 3) each."""
    with open_source(str(CLIP)) as source:
        return [source.read() for _ in range(130)]


def calm(index):
    """The frame of the calm first second, which is played forth and back."""
    return clip()[24 - abs(24 - index % 48)]


def scaled(index, frame):
    """The whole picture, half as large."""
    return cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA), (0, 0, 0.5)


def covered(index, frame):
    """The target is painted over with what lies beside it."""
    picture, view = scaled(index, frame)
    if index in GONE:
        picture[:, 140:230] = picture[:, 50:140]
    return picture, view


def cut(index, frame):
    """Another scene is shown, as after a cut: the clip upside down and blurred."""
    picture, view = scaled(index, calm(index))
    return (cv2.blur(picture[::-1, ::-1], (9, 9)) if index in GONE else picture), view


def pan(index, frame):
    """The camera turns away from the target, and back."""
    frame = calm(index)
    away = np.interp(index, (25, 45, 60, 80), (0, 1, 1, 0))
    return view_at(frame, int(60 + 560 * away), 200)


def jerk(index, frame):
    """The camera is hit every fifteen frames, so that the target jumps by up to its own width."""
    step, frame = index // 15, calm(index)
    return view_at(frame, 60 + (0, 110, 20, 140)[step % 4], 200 + (0, 60, 110)[step % 3])


def view_at(frame, x, y):
    """A part of the picture, as a camera of a narrow view sees it."""
    return np.ascontiguousarray(frame[y : y + 360, x : x + 640]), (x, y, 1.0)


FILMS = {"whole": scaled, "covered": covered, "cut": cut, "pan": pan, "jerk": jerk}


def run(network, film):
    """Follow the target through a film; returns a ``FilmRun``."""
    views = [FILMS[film](index, frame) for index, frame in enumerate(clip())]
    x, y, scale = views[0][1]
    box = ((BOX[0] - x) * scale, (BOX[1] - y) * scale, BOX[2] * scale, BOX[3] * scale)
    name, number_format = NETWORKS[network]
    where = MODELS if network == "nanotrack_v2" else None
    boxes, tracks = [], []
    options = {"precision": number_format, "engine": "onnxruntime", "networks_dir": where}
    with load_tracker(name, threads=1, **options) as tracker:
        for index, (frame, _) in enumerate(views):
            track = tracker.update(frame, index / 25) if index else tracker.init(frame, box)
            tracks.append(track)
            if index % EVERY == 0:
                boxes.append([round(float(value), 1) for value in track.box])
    words = {word: sum(track.state == word for track in tracks) for word in WORDS}
    finds = [index for index, track in enumerate(tracks) if track.found]
    presence = float(np.mean([track.presence for track in tracks]))
    return FilmRun(boxes, words, finds, round(presence, 4))


def why_not(network):
    """Why a network can't run here, or can't run as where the runs were kept; else ""."""
    if network == "nanotrack_v2" and not MODELS.is_dir():
        return f"development data in ../{MODELS.relative_to(ROOT.parent)}"
    return ""


def differences(kept, now):
    """How a run differs from the one that is kept: a list of phrases."""
    least = float(np.min(overlap(kept["boxes"], now.boxes)))
    messages = [f"a box overlaps the kept one by {least:.2f}"] if least < 0.95 else []
    for name in ("words", "finds"):
        if kept[name] != getattr(now, name):
            messages.append(f"{name} are {getattr(now, name)}, not {kept[name]}")
    if abs(kept["presence"] - now.presence) > 0.002:
        messages.append(f"the mean presence is {now.presence}, not {kept['presence']}")
    return messages


def main():
    """Write the file of all runs."""
    runs = {f"{net} {film}": run(net, film)._asdict() for net in NETWORKS for film in FILMS}
    lines = [f'  "{name}": {json.dumps(values)}' for name, values in runs.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    sys.exit(main())
