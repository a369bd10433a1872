"""Run trackers over films and store their claims. A finished run is not repeated."""

import functools
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath import kernels, runtime
from hotpath.calib import workers
from hotpath.calib.longterm.metrics import Judged
from hotpath.calib.trackers import Spec
from hotpath.runtime.track.garbage import short_collections

SOURCES = (".py", ".toml", ".cpp", ".h", ".onnx")  # files that the boxes may depend on


class Way(NamedTuple):
    """A tracker under some options."""

    name: str  # of the folder of its runs
    spec: Spec
    more: Any = None  # what the function that builds the tracker adds


class Run(NamedTuple):
    """What a tracker gave in every frame of a film; arrays of n values."""

    boxes: np.ndarray  # (n, 4) float64
    claimed: np.ndarray  # bool, whether it says that the target is in the box
    ms: np.ndarray  # float64, time of the frame; the start comes first

    def judged(self, film: Any) -> Judged:
        """The run against the film's truth."""
        return Judged(self.boxes, self.claimed, film.boxes, getattr(film, "known", None))


def follow_all(
    build: Callable[[Way], Any],
    members: Sequence[tuple[Any, Sequence[Way]]],
    out: str,
    jobs: int,
) -> None:
    """Run what is not kept in the folder ``out``: each film or clip with its ways."""
    todo = []
    for film, ways in members:
        missing = [way for way in ways if stored(way, film, out) is None]
        if missing:
            todo.append((film, (build, missing, film, out)))
    for _, error in workers.over_clips(_follow_and_store, todo, jobs):
        if error:
            raise error


def _follow_and_store(
    build: Callable[[Way], Any], ways: Sequence[Way], film: Any, out: str
) -> None:
    cv2.setNumThreads(1)
    for way, run in zip(ways, follow([build(way) for way in ways], film)):
        path, key = _place(way, film, out)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with open(str(part), "wb") as file:
            np.savez_compressed(file, key=key, **run._asdict())
        os.replace(str(part), str(path))


@short_collections()  # as hotpath.runtime.track does
def follow(trackers: Sequence[Any], film: Any) -> list[Run]:
    """Track a film with several trackers, each frame with one after another.

    Args:
        trackers: have ``init(frame, box)`` and ``update(frame)``. One claims a box unless it says
            that the target is lost.
        film: frames and ``boxes``, as a ``hotpath.runtime.track.video.clips.Clip`` has them.

    Returns:
        A ``Run`` for each.
    """
    rows: list[list[Any]] = [[] for _ in trackers]
    for index, frame in enumerate(film):
        for tracker, own in zip(trackers, rows):
            started, row = time.perf_counter(), (film.boxes[0], True)
            if index == 0:
                tracker.init(frame, film.boxes[0])
            else:
                track = tracker.update(frame)
                row = track.box, not track.lost
            own.append((*row, (time.perf_counter() - started) * 1e3))
    return [Run(*(np.array(column) for column in zip(*own))) for own in rows]


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


def _place(way: Way, film: Any, out: str) -> tuple[Path, str]:
    """(path, key) of a run."""
    parts = (way.spec.identity, repr(way.more), code_identity(), film.sha256)
    folder = Path(out) / "runs" / f"{way.name}-{way.spec.options.engine}"
    return folder / (film.name + ".npz"), hashlib.sha256("".join(parts).encode()).hexdigest()


def stored(way: Way, film: Any, out: str) -> Run | None:
    """The ``Run`` that was kept; None when there is none, or one of another key."""
    path, key = _place(way, film, out)
    try:
        with np.load(str(path)) as kept:
            if str(kept["key"]) != key:
                return None
            return Run(*(kept[field] for field in Run._fields))
    except (OSError, ValueError, KeyError, EOFError):
        return None
