"""Run trackers over clips, here or on a cluster, and keep the result of each pair in a file."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from hotpath.base import cache, projects
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import HotpathError
from hotpath_lab import maps, trackers, workers
from hotpath_lab.clip_run import run_clip
from hotpath_lab.oracle import Oracle
from hotpath_lab.trackers import Spec

MOST_BYTES = 2 << 30  # of one clip's decoded frames
Kept = dict[str, Any]  # what ``run_clip`` returns, and ``key``


def run_missing(
    specs: Sequence[Spec], clips: Sequence[Any], out: Path, jobs: int, cluster: str | None = None
) -> list[tuple[str, str]]:
    """Run the missing pairs of tracker and clip; returns (clip's name, sentence) of failures.

    All trackers follow one clip in turns before the next begins, so that times can be compared. On
    a cluster each pair is a task of its own.
    A clip is an ``AnnotatedClip`` or a film of ``hotpath_lab.longterm.films``.

    Args:
        cluster: address of a Dask scheduler, whose workers do it in place of ``jobs`` processes.
    """
    missing = {
        clip.name: [spec for spec in specs if stored(spec, clip, out) is None] for clip in clips
    }
    todo = [(clip, (missing[clip.name], clip, out)) for clip in clips if missing[clip.name]]
    if cluster is None:
        ended = workers.over_clips(run_and_store, todo, jobs, "tracking")
    else:
        ended = _on_cluster(
            cluster, [(s, clip) for clip, _ in todo for s in missing[clip.name]], out
        )
    return sorted({(clip.name, str(error)) for clip, error in ended if error})


def path_of(spec: Spec, clip: Any, out: Path) -> Path:
    """The file of a tracker's boxes on a clip."""
    return out / "boxes" / f"{spec.name}-{spec.options.engine}" / (clip.name + ".json")


def stored(spec: Spec, clip: Any, out: Path) -> Kept | None:
    """Return stored boxes as a dict; None if there are none, or clip, network or engine differ."""
    try:
        with open(path_of(spec, clip, out)) as file:
            kept: Kept = json.load(file)
    except (OSError, ValueError):
        return None
    return kept if kept.get("key") == key(spec, clip) else None


def key(spec: Spec, clip: Any) -> str:
    """The hash of all that a result depends on."""
    return spec.identity + clip.sha256


def run_and_store(specs: Sequence[Spec], clip: Any, out: Path) -> None:
    """Track one clip by one tracker after the other and write their files."""
    held = _in_memory(clip)
    for spec in specs:
        _store(_run(spec, clip, held), spec, clip, out)


def result_of(spec: Spec, clip: Any) -> Kept:
    """Track one clip, and return what is stored of it."""
    return _run(spec, clip, _in_memory(clip))


def save_maps(specs: Sequence[Spec], clips: Sequence[Any], folder: Path) -> None:
    """Track again, and write folder/TRACKER/CLIP/000001.jpg, …: the score maps of each frame."""
    for clip, spec in itertools.product(clips, specs):
        tracker: Any = maps.MapPictures(trackers.loaded(spec), folder / spec.name / clip.name)
        run_clip(tracker, _in_memory(clip))


def _in_memory(clip: Any) -> Any:
    cv2.setNumThreads(1)
    return clip.in_memory(MOST_BYTES)


def _run(spec: Spec, clip: Any, held: Any) -> Kept:
    tracker = trackers.loaded(spec)
    if spec.oracle:
        tracker = Oracle(tracker, clip.boxes, spec.oracle)
    return {**run_clip(tracker, held), "key": key(spec, clip)}


def _store(result: Kept, spec: Spec, clip: Any, out: Path) -> None:
    path = path_of(spec, clip, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(path, json.dumps(result))


def _on_cluster(
    address: str, pairs: Sequence[tuple[Spec, Any]], out: Path
) -> Iterator[tuple[Any, HotpathError | None]]:
    """Follow pairs on a cluster's workers, and store each result when it is sent back."""
    cluster = projects.require_entry_point("lab.cluster", "--cluster").load()  # which loads Dask

    for spec, clip, result in cluster.over_pairs(address, pairs, result_of):
        if isinstance(result, HotpathError):
            yield clip, result
        elif result["key"] != key(spec, clip):
            yield clip, BadRun(f"{clip.name}: a worker has other files at its path")
        else:
            _store(result, spec, clip, out)
            yield clip, None
