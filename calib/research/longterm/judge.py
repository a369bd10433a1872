"""Run a tracker over a film and keep what it claimed; a finished run is not run again."""

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kernels
import runtime
from calib import workers
from calib.research.longterm.metrics import Judged
from runtime.garbage import short_collections

SOURCES = (".py", ".toml", ".cpp", ".h", ".onnx")  # files that the boxes may depend on


class Run(NamedTuple):
    """What a tracker gave in every frame of a film; arrays of n values."""

    boxes: np.ndarray  # (n, 4) float64
    claimed: np.ndarray  # bool, whether it says that the target is in the box
    confidence: np.ndarray  # float64, presence, or its score where nothing watches it
    ms: np.ndarray  # float64, time of the frame; the start comes first
    states: np.ndarray  # text, ``tracked`` or ``lost``, or what the tracker says itself

    def judged(self, film: Any) -> Judged:
        """The run against the film's truth."""
        known = getattr(film, "known", None)
        return Judged(self.boxes, self.claimed, self.confidence, film.boxes, known)


@short_collections()  # as runtime.track does
def follow_all(trackers: Sequence[Any], film: Any, clock: Callable[[], float]) -> list[Run]:
    """Track a film with several trackers, each frame with one after another.

    Args:
        trackers: have ``init(frame, box)`` and ``update(frame)``. One claims a box unless it says
            that the target is lost.
        film: frames and ``boxes``, as a ``calib.clips.Clip`` has them.
        clock: function that gives seconds.

    Returns:
        A ``Run`` for each.
    """
    rows: list[list[Any]] = [[] for _ in trackers]
    for index, frame in enumerate(film):
        for tracker, own in zip(trackers, rows):
            started = clock()
            if index == 0:
                tracker.init(frame, film.boxes[0])
                row = film.boxes[0], True, 1.0, "tracked"
            else:
                track = tracker.update(frame)
                presence = getattr(tracker, "presence", None)  # a peer has none
                value = presence and presence.value
                confidence = track.score if value is None else value
                row = track.box, not track.lost, confidence, state_of(track)
            own.append((*row[:3], (clock() - started) * 1e3, row[3]))
    return [_run(own) for own in rows]


def _run(rows: list[Any]) -> Run:
    boxes, claimed, confidence, ms, states = map(np.array, zip(*rows))
    return Run(boxes.astype(float), claimed, confidence, ms, states)


def state_of(track: Any) -> str:
    """The state that a ``Track`` tells: a text, "lost" where no box is claimed."""
    return "lost" if track.lost else getattr(track, "state", "tracked")


@functools.lru_cache(maxsize=1)
def code_identity() -> str:
    """sha256 of all code of the runtime and the kernels, on which every run depends."""
    digest = hashlib.sha256()
    for package in (runtime, kernels):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                digest.update(str(path.relative_to(root)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def place_of(out: str, name: str, film: Any, *parts: str) -> tuple[Path, str]:
    """(path, key) of a tracker's run over a film; ``parts`` are texts that it depends on too."""
    key = hashlib.sha256("".join((*parts, code_identity(), film.sha256)).encode())
    return Path(out) / "runs" / name / (film.name + ".npz"), key.hexdigest()


def run_all(follow: Callable[..., None], todo: Sequence[Any], jobs: int) -> None:
    """Call ``follow`` with what is still to be tracked, (film, arguments), in some processes."""
    for _, error in workers.over_clips(follow, todo, jobs):
        if error:
            raise error


def stored(path: Path, key: str) -> Run | None:
    """The ``Run`` that was kept in a file; None when there is none, or one of another key."""
    try:
        with np.load(str(path)) as kept:
            if str(kept["key"]) != key:
                return None
            return Run(*(kept[field] for field in Run._fields))
    except (OSError, ValueError, KeyError, EOFError):
        return None


def store(run: Run, path: Path, key: str) -> None:
    """Keep a run, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with open(str(part), "wb") as file:
        np.savez_compressed(file, key=key, **run._asdict())
    os.replace(str(part), str(path))
