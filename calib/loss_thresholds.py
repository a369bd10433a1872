"""python -m hotpath.calib.loss_thresholds: fit the certainty below which a target counts as lost.

    python -m hotpath.calib.loss_thresholds --clips DIR --networks kestrel,nanotrack_v2

The sequences are the clips of DIR, and copies in which the target goes away for a while
(``hotpath.calib.vanishing``). By definition, a target is lost if it is absent or its overlap with
the box is below 0.1. It is not lost if the overlap is above 0.3.

The table says how well ``certainty`` and, for comparison, the plain score separate the two cases:
area under the curve, precision and recall. The runs do not react to a loss. The score's threshold
is its best on these clips. The certainty's threshold for each clip is fitted on all other clips.
"""

import argparse
import copy
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib import command
from hotpath.calib.command import chosen, say
from hotpath.calib.vanishing import KINDS, Vanishing
from hotpath.runtime import DEFAULT_NETWORK, load_tracker
from hotpath.runtime.boxes import overlap
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.errors import BadClips
from hotpath.runtime.track.video.clips import Clip, find_clips
from hotpath.runtime.tracker import Tracker

BESIDE, ON = 0.1, 0.3  # overlaps with the true box
NEVER = 1e-9  # a threshold that only makes the tracker compute the certainty


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath.calib.loss_thresholds", __doc__)
    command.add_clip_options(cli)
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    return cli


def run(options: argparse.Namespace) -> None:
    """Measure every network; print and write the figures."""
    clips = chosen(find_clips(options.clips, log=say), options.only)
    report = [measure(options, name, clips) for name in options.networks.split(",")]
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


def sequences(clips: Sequence[Clip]) -> list[Any]:
    """The clips, then their copies in which the target goes away.

    A clip whose target goes away by itself gets no copy.
    """
    made = []
    for index, clip in enumerate(clips):
        if np.isfinite(clip.boxes).all():
            other = clips[(index + 1) % len(clips)]
            made += [Vanishing(clip, kind, other) for kind in KINDS]
    return [*clips, *made]


def measure(options: argparse.Namespace, name: str, clips: Sequence[Clip]) -> dict[str, Any]:
    """Run one network over all sequences; print and return the figures."""
    tracker = load_tracker(
        name, precision="fp32", engine=options.engine, networks_dir=options.networks_dir
    )
    runs = [follow(tracker, sequence) for sequence in sequences(clips)]
    report: dict[str, Any] = {"network": tracker.name, "lost_below": tracker.network.lost_below}
    report["knowing"] = knowing(runs)
    print_report(report)
    tracker.close()
    return report


class Run(NamedTuple):
    """What one tracker did on one sequence; a value a frame, the first left out."""

    clip: str  # name of the clip that the sequence was made from
    kind: str  # "clip", or one of ``KINDS``
    absent: bool  # whether the target goes away
    lost: np.ndarray  # bool
    known: np.ndarray  # bool, False where the truth is neither lost nor followed
    score: np.ndarray
    certainty: np.ndarray


def follow(tracker: Any, sequence: Any) -> Run:
    """The ``Run`` of a sequence, on the tracker's engine; nothing reacts to a loss.

    Raises:
        BadClips: it has one frame.
    """
    if len(sequence) < 2:
        raise BadClips(f"{sequence.name}: has one frame, so nothing is followed; leave it out")
    network = copy.copy(tracker.network)  # the engine's does not change
    network.__dict__.update(lost_below=network.lost_below or NEVER)
    own, rows = Tracker(Processor(network, tracker.engine, tracker.device.kernels)), []
    for index, frame in enumerate(sequence):
        if index == 0:
            own.init(frame, sequence.boxes[0])
            continue
        track = own.update(frame)
        value = own.presence.value
        rows.append((track.box, track.score, track.score if value is None else value))
    return judged(sequence, rows)


def judged(sequence: Any, rows: Sequence[Any]) -> Run:
    """The ``Run`` of a sequence; a row is the box, score and certainty of a frame."""
    boxes, score, certainty = (np.array(column) for column in zip(*rows))
    gone = ~np.isfinite(sequence.boxes[1:]).all(axis=1)
    overlaps = np.where(gone, 0.0, overlap(boxes, sequence.boxes[1:]))
    lost = overlaps < BESIDE
    source, kind = getattr(sequence, "clip", sequence).name, getattr(sequence, "kind", "clip")
    return Run(source, kind, bool(gone.any()), lost, lost | (overlaps > ON), score, certainty)


def knowing(runs: Sequence[Run]) -> dict[str, Any]:
    """Measure how well score and certainty detect a lost target, by kind of sequence."""
    thresholds = {
        clip: best_threshold([run for run in runs if run.clip != clip], "certainty")
        for clip in {run.clip for run in runs}
    }
    score_below = best_threshold(runs, "score")
    absent = {run.clip for run in runs if run.kind == "clip" and run.absent}
    groups = {"absent": [run for run in runs if run.clip in absent]}
    groups.update((kind, [run for run in runs if run.kind == kind]) for kind in KINDS)
    groups["all"] = list(runs)
    groups = {name: members for name, members in groups.items() if members}
    report: dict[str, Any] = {
        "lost_below": best_threshold(runs, "certainty"),
        "score_below": score_below,
        "held_out": [min(thresholds.values()), max(thresholds.values())],
        "groups": list(groups),
    }
    for name, members in groups.items():
        report[name] = {
            "frames": sum(int(run.lost.sum()) for run in members),
            "score": _figures(members, "score", dict.fromkeys(thresholds, score_below)),
            "certainty": _figures(members, "certainty", thresholds),
        }
    return report


def _figures(runs: Sequence[Run], what: str, thresholds: dict[str, float]) -> dict[str, Any]:
    """Area under the curve of one measure; precision and recall at its clip's threshold."""
    rows = []
    for run in runs:
        measured = getattr(run, what)[run.known]
        rows.append((measured, run.lost[run.known], measured < thresholds[run.clip]))
    values, truth, said = (np.concatenate(parts) for parts in zip(*rows))
    right = int((said & truth).sum())
    return {
        "auc": area(values, truth),
        "precision": right / max(int(said.sum()), 1),
        "recall": right / max(int(truth.sum()), 1),
    }


def area(values: np.ndarray, lost: np.ndarray) -> float:
    """Return the probability that a lost frame has a lower value than another frame, 0 to 1."""
    below, above = np.sort(values[lost]), values[~lost]
    if not len(below) or not len(above):
        return float("nan")
    left, right = np.searchsorted(below, above, "left"), np.searchsorted(below, above, "right")
    return float((left + right).mean() / 2 / len(below))


def best_threshold(runs: Sequence[Run], what: str) -> float:
    """The threshold with the highest F1; every clip weighs the same."""
    tried = np.arange(0.05, 1.0, 0.01)
    hits, said, truth = np.zeros(len(tried)), np.zeros(len(tried)), 0.0
    for run in runs:
        below, lost = getattr(run, what)[run.known][:, None] < tried, run.lost[run.known]
        hits += (below & lost[:, None]).sum(axis=0) / len(run.lost)
        said += below.sum(axis=0) / len(run.lost)
        truth += lost.sum() / len(run.lost)
    return float(tried[np.argmax(2 * hits / np.maximum(said + truth, 1e-9))])


def print_report(report: dict[str, Any]) -> None:
    """The table."""
    known = report["knowing"]
    low, high = known["held_out"]
    print(
        f"\n{report['network']}: lost below {report['lost_below']:.2f} in its TOML, "
        f"{known['lost_below']:.2f} by all these clips, {low:.2f} to {high:.2f} by all but one"
    )
    print(f"{'':<8} {'lost':>6}  {'score':^23}  {'certainty':^23}")
    print(f"{'':<8} {'frames':>6}" + 2 * f"  {'AUC':>7} {'prec.':>7} {'recall':>7}")
    for group in known["groups"]:
        row = known[group]
        print(f"{group:<8} {row['frames']:6d}", end="")
        for what in ("score", "certainty"):
            print("  {auc:7.3f} {precision:7.3f} {recall:7.3f}".format(**row[what]), end="")
        print()


main = command.main("hotpath.calib.loss_thresholds", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
