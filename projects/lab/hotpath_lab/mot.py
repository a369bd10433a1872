"""python -m hotpath_lab.mot: MOTA, IDF1 and HOTA of runs with several targets.

    python -m hotpath_lab.mot TRUTH.txt RESULTS.txt RESULTS.txt...

All are files of MOTChallenge: frame, target, left, top, width, height. `hotpath track --results
boxes.txt` writes such a file. Rows of the truth whose seventh number is 0 do not count, as there.
TrackEval computes the figures.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base.messages import counted, missing_package_text, why_unread
from hotpath.base.text import read as read_text
from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun, MissingLibrary
from hotpath.runtime.frames.boxes import overlaps
from hotpath_lab import forms

Rows = dict[int, dict[int, list[float]]]  # frame -> target -> x, y, w, h
MOST_BYTES = 1 << 26  # of a file, over a million boxes
GOOD = 0.5  # overlap of good boxes
NAMES = ("MOTA", "IDF1", "HOTA", "DetA", "AssA", "IDSW")


def read(path: Path, is_truth: bool = False) -> Rows:
    """The boxes of a MOTChallenge file.

    Raises:
        BadRun: it can't be read, a line is not of that form, or a target is twice in a frame.
    """
    rows: Rows = {}
    try:
        lines = list(csv.reader(read_text(str(path), MOST_BYTES).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise BadRun(f"{path}: {why_unread(error)}") from None
    for number, line in enumerate(lines, 1):
        try:
            values = [float(value) for value in line]
            frame, target, box = int(values[0]), int(values[1]), values[2:6]
        except (ValueError, IndexError, OverflowError):
            values, box = [], []
        if len(box) < 4 or not np.isfinite(values[:6]).all():
            raise BadRun(
                f"{path}: line {number} is not frame,target,left,top,width,height; name a file "
                "that `hotpath track --results boxes.txt` writes"
            )
        if frame < 1:
            raise BadRun(
                f"{path}: line {number} is of frame {frame}; MOTChallenge counts frames from 1, so "
                "add 1 to each"
            )
        if (frame, target) != (values[0], values[1]):
            raise BadRun(
                f"{path}: line {number} has the frame {values[0]:g} and the target {values[1]:g}, "
                "which are not whole numbers; correct the file"
            )
        if is_truth and len(values) > 6 and values[6] == 0:
            continue
        if target in rows.setdefault(frame, {}):
            raise BadRun(f"{path}: target {target} is twice in frame {frame}; correct the file")
        rows[frame][target] = box
    if not rows:
        raise BadRun(f"{path} has no box; name another file")
    return rows


def _check_frames(truth: Rows, results: Rows, path: Path) -> None:
    """Refuse results of other frames than the truth's; say it where less than half are common."""
    common = len(set(truth) & set(results))
    spans = [
        f"{counted(len(rows), 'frame')} from {min(rows)} to {max(rows)}"
        for rows in (truth, results)
    ]
    sentence = (
        f"{path}: only {common} of its frames are frames of the truth ({spans[1]}; the truth has "
        f"{spans[0]}); count the frames of both files alike, from 1 in steps of 1"
    )
    if not common:
        raise BadRun(sentence)
    if 2 * common < max(len(truth), len(results)):
        say(sentence)


def _check_form(truth: Rows, results: Rows, path: Path) -> None:
    """Refuse boxes of another form than the truth's."""
    pairs = [
        (np.array(list(truth[frame].values())), np.array(list(results[frame].values())))
        for frame in sorted(set(truth) & set(results))
        if truth[frame] and results[frame]
    ]

    def fit(convert: forms.Convert) -> float:
        best = [overlaps(boxes, convert(rows)) for boxes, rows in pairs]
        of_truth, of_results = ([o.max(axis).mean() for o in best] or [0.0] for axis in (1, 0))
        return float(max(np.mean(of_truth), np.mean(of_results)))

    forms.check(path, fit, GOOD, "the truth", BadRun)


def figures(truth: Rows, results: Rows) -> dict[str, float]:
    """The figures of ``NAMES``; all but ``IDSW`` are shares, and MOTA may be below 0.

    Raises:
        Missing: TrackEval is not installed.
    """
    try:
        from trackeval import metrics
    except ImportError as error:
        raise MissingLibrary(
            missing_package_text("these figures", "trackeval", error, "lab")
        ) from None
    data = _data(truth, results)
    values: dict[str, Any] = {}
    quiet = {"PRINT_CONFIG": False}
    for metric in (metrics.HOTA(), metrics.CLEAR(quiet), metrics.Identity(quiet)):
        values.update(metric.eval_sequence(data))
    return {name: float(np.mean(values[name])) for name in NAMES}


def _data(truth: Rows, results: Rows) -> dict[str, Any]:
    """Both files as TrackEval takes a sequence: targets numbered from 0, overlaps of each frame."""
    frames = sorted(set(truth) | set(results))
    ids = [sorted({t for row in rows.values() for t in row}) for rows in (truth, results)]
    data: dict[str, Any] = {"num_timesteps": len(frames), "similarity_scores": []}
    for side, rows, targets in zip(("gt", "tracker"), (truth, results), ids):
        places = {target: place for place, target in enumerate(targets)}
        in_frames = [np.array([places[t] for t in rows.get(f, {})], int) for f in frames]
        data[f"{side}_ids"] = in_frames
        data[f"num_{side}_ids"] = len(targets)
        data[f"num_{side}_dets"] = sum(map(len, in_frames))
    for frame in frames:
        pair = [
            np.array(list(rows.get(frame, {}).values()), float).reshape(-1, 4)
            for rows in (truth, results)
        ]
        data["similarity_scores"].append(overlaps(*pair))
    return data


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.mot", __doc__)
    cli.add_argument("truth", type=Path, metavar="TRUTH.txt", help="the annotation")
    cli.add_argument("results", type=Path, nargs="+", metavar="RESULTS.txt", help="of a run")
    return cli


def run(options: argparse.Namespace) -> None:
    """Print one line for each run."""
    truth = read(options.truth, is_truth=True)
    for path in options.results:
        results = read(path)
        _check_frames(truth, results, path)
        _check_form(truth, results, path)
    rows = {path: figures(truth, read(path)) for path in options.results}
    width = max(len(str(path)) for path in rows)
    print(" " * width, *(f"{name:>6}" for name in NAMES))
    for path, values in rows.items():
        cells = [f"{values[name]:6.3f}" for name in NAMES[:-1]]
        print(f"{path!s:{width}}", *cells, f"{values['IDSW']:6.0f}")


main = command_line.main("hotpath_lab.mot", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
