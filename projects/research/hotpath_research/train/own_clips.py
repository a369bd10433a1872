"""A user's own annotated clips: the head learns their boxes, and other clips of theirs judge it.

Half of the pairs come from these clips, with their boxes as the target. The other half come from
everything else, with the teacher's maps, so that the head forgets nothing.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base import toml, toml_writer
from hotpath.base.messages import counted
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadImages, TrainingStopped
from hotpath.calib.one_step_overlap import Finder, Pairs, estimate
from hotpath.runtime import engines
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network, names
from hotpath.video.clips import AnnotatedClip
from hotpath_lab import evaluate
from hotpath_research.train.bank import clip_group
from hotpath_research.train.export import export
from hotpath_research.train.training_pictures import find_clips, labelled

START = "kestrel"
FEWEST = 2  # films that judge; a standard error needs two
OUTLIER = 0.1  # one-step overlap below which a label is taken for a wrong one
FARTHEST = 10  # frames
LISTED = 12  # frames of a clip in a sentence


def prepared(options: argparse.Namespace) -> list[AnnotatedClip]:
    """Set the stage and the start that ``--learn-boxes`` has; return the clips that judge.

    Raises:
        TrainingStopped: there is nothing to start from whose tracks could be compared.
        BadImages: there are too few films.
    """
    if not options.learn_boxes:
        return []
    options.start, options.stages = options.start or START, ["head"]
    if options.start not in names() and not options.start.endswith(".toml"):
        raise TrainingStopped(
            f"--learn-boxes compares with a network that tracks, and {options.start} is none; name "
            "one with --start, such as kestrel"
        )
    clips = [clip for clip, _ in find_clips(options.clips)[0]]
    films = list(dict.fromkeys(clip_group(clip.name) for clip in clips))
    held = set(films[1::2])
    if options.held_out:
        held = set(map(clip_group, options.held_out.split(",")))
    judges = [clip for clip in clips if clip_group(clip.name) in held]
    if len(held.intersection(films)) < FEWEST or len(held) == len(films):
        raise BadImages(
            f"--learn-boxes needs {FEWEST} films that judge and one to learn from, and found "
            f"{counted(len(films), 'film')} ({', '.join(films) or 'none'}); name more annotated "
            "clips with --clips, or others with --held-out"
        )
    return judges


def outliers(options: argparse.Namespace, judges: Sequence[AnnotatedClip]) -> dict[str, list[int]]:
    """The labels that the start does not find: mostly a wrong box, or a box of something else.

    Returns:
        Clip -> frames whose one-step overlap with the start is below ``OUTLIER``. They are listed
        on stderr. Nothing with ``--keep-outliers``, and without ``--learn-boxes``.
    """
    if not options.learn_boxes or options.keep_outliers:
        return {}
    network = load_network(options.start)
    files = network.locate(options.networks_dir)
    finder = Finder(network, engines.create("openvino", network, files))
    judging = {clip.name for clip in judges}
    outliers: dict[str, list[int]] = {}
    count = 0
    for clip, _ in find_clips(options.clips)[0]:
        if clip.name in judging:
            continue
        frames = labelled(clip, options.frames)
        missed = _missed(clip, finder, frames)
        count += len(frames)
        if missed:
            outliers[clip.name] = missed
            say(
                f"{clip.name}: {len(missed)} of {counted(len(frames), 'label')} overlap less than "
                f"{OUTLIER} with {network.name}: {_listed(missed)}"
            )
    if outliers:
        total = sum(map(len, outliers.values()))
        say(
            f"left out {total} of {counted(count, 'label')}; look at them: a wrong label teaches "
            "a wrong box. --keep-outliers learns them too"
        )
    return outliers


def _missed(clip: AnnotatedClip, finder: Finder, frames: Sequence[int]) -> list[int]:
    """Those of ``frames`` whose label is not found.

    The window lies around the last label that was found, since labels that are wrong often stay
    where they are. After ``FARTHEST`` frames it lies around that of the frame before.
    """
    missed, last, exemplar = [], 0, None
    for frame in frames:
        around = last - frame if frame - last <= FARTHEST else -1
        pairs = Pairs([clip], finder.network, frames=[frame], around=around)
        if frame and len(pairs):
            exemplar = finder.exemplar(pairs.exemplars[0]) if exemplar is None else exemplar
            _, box = finder.find(exemplar, pairs.searches[0])
            if pairs.overlaps_of([box])[0] < OUTLIER:
                missed.append(frame)
                continue
        last = frame
    return missed


def _listed(frames: Sequence[int]) -> str:
    """``frames 1, 4``, shortened after ``LISTED``."""
    shown = ", ".join(map(str, frames[:LISTED]))
    return f"frames {shown}" + (" ..." if len(frames) > LISTED else "")


def judged(options: argparse.Namespace, judges: Sequence[AnnotatedClip], log: Any) -> int:
    """Compare whole tracks with those of the start; write OUT/export only if they gained.

    Returns:
        0 if whole tracks gained more than one standard error over clips; else 1.
    """
    out, start = Path(options.out), load_network(options.start)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        candidate = Path(export(out / "head.pt", folder, start.name + "_own")["toml"])
        candidate.write_text(_with_numbers(toml.read(candidate, BadNetwork), start))
        tomls = [str(start.path), str(candidate)]
        table = evaluate.of_networks(tomls, judges, out / "judged", options.networks_dir)
        old, new = (
            np.array([figures["ao"] for figures in tracker["clips"].values()])
            for tracker in table["trackers"].values()
        )
        gain, error = estimate(new - old, range(len(new)))
        is_better = gain > error
        summary = f"whole tracks on {counted(len(new), 'held-out clip')}: overlap {old.mean():.3f} "
        summary += f"with {start.name}, {new.mean():.3f} now: {gain:+.4f} ± {error:.4f}"
        if is_better:
            shutil.copytree(folder, out / "export", dirs_exist_ok=True)
            say(f"{summary}\nwrote {out / 'export' / candidate.name}")
        else:
            say(
                f"{summary}\nthis is not a gain of more than one standard error, so no TOML is "
                f"written: fly {start.name}"
            )
    clips = [clip["name"] for clip in table["clips"]]
    figures = {"before": old.mean(), "after": new.mean(), "gain": gain, "error": error}
    log(
        event="own clips",
        clips=clips,
        better=is_better,
        **{k: float(v) for k, v in figures.items()},
    )
    return 0 if is_better else 1


def _with_numbers(exported: dict[str, Any], start: Any) -> str:
    """The TOML of new files with the tracking numbers of the start."""
    table = {
        **toml.read(start.path, BadNetwork),
        "file": exported["file"],
        "licence": exported["licence"],
    }
    table.pop("published", None)
    return toml_writer.to_toml(
        table, f"{start.name}, whose head learnt the boxes of clips of one's own."
    )
