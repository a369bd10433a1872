"""python -m calib.mot: how well several targets are found and told apart, as MOTChallenge measures.

    python -m runtime.track --video CLIP/img --detector yolox_nano --class person --all \\
        --results yolox.txt
    python -m calib.mot --truth CLIP/gt.txt --results yolox.txt

Truth and results are MOTChallenge files: frame,id,left,top,width,height,… in each line, counted
from 1. The figures are those of TrackEval: HOTA (Luiten et al., IJCV 2020) and its two factors,
detection and association; MOTA and the number of switched identities (CLEAR, Bernardin and
Stiefelhagen 2008); IDF1 (Ristani et al., 2016). The boxes of a frame fit from an overlap of 0.5 on.
"""

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from calib import command
from calib.errors import BadClips, Missing
from runtime.detect.boxes import overlaps

Boxes = dict[int, dict[int, tuple[float, ...]]]  # frame -> target -> x, y, w, h
COLUMNS = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "recall", "precision", "switches", "targets")


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.mot", __doc__)
    cli.add_argument("--truth", required=True, metavar="FILE", help="gt.txt of the clip")
    cli.add_argument("--results", required=True, nargs="+", metavar="FILE")
    cli.add_argument("--frames", type=int, metavar="N", help="only the first N frames")
    return cli


def run(options: argparse.Namespace) -> None:
    """Print a row for each file of results."""
    truth = read(options.truth)
    wide = max(len(path) for path in options.results) + 2
    print(" " * wide + "".join(f"{title:>10}" for title in COLUMNS))
    for path in options.results:
        found = figures(truth, read(path), options.frames)
        cells = ("{:>10.3f}" if isinstance(found[key], float) else "{:>10}" for key in COLUMNS)
        row = "".join(cell.format(found[key]) for cell, key in zip(cells, COLUMNS))
        print(path.ljust(wide) + row)


def read(path: Path) -> Boxes:
    """The boxes of a MOTChallenge file: dict of frame -> dict of target -> (x, y, w, h).

    A line whose seventh value is 0 is left out: such a truth is to be ignored.

    Raises:
        BadClips: the file can't be read, or a line has no six numbers.
    """
    boxes: Boxes = {}
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadClips(f"{path}: can't be read: {error}") from None
    for number, line in enumerate(filter(str.strip, lines), 1):
        try:
            frame, target, *box = (float(value) for value in line.split(",")[:7])
        except ValueError:
            box = []
        if len(box) < 4:
            raise BadClips(f"{path}, line {number}: is not frame,id,left,top,width,height,…")
        if len(box) < 5 or box[4] != 0:
            boxes.setdefault(int(frame), {})[int(target)] = tuple(box[:4])
    return boxes


def figures(truth: Boxes, results: Boxes, frames: int | None = None) -> dict[str, float]:
    """dict of ``COLUMNS`` for one clip; ``truth`` and ``results`` as ``read`` gives them."""
    metrics = _toolkit()
    frames = frames or max([*truth, *results, 1])
    data = _data(truth, results, frames)
    with contextlib.redirect_stdout(io.StringIO()):  # each prints its settings
        hota, clear, identity = metrics.HOTA(), metrics.CLEAR(), metrics.Identity()
    hota, clear, identity = (metric.eval_sequence(data) for metric in (hota, clear, identity))
    return {
        "HOTA": float(np.mean(hota["HOTA"])),
        "DetA": float(np.mean(hota["DetA"])),
        "AssA": float(np.mean(hota["AssA"])),
        "MOTA": float(clear["MOTA"]),
        "IDF1": float(identity["IDF1"]),
        "recall": float(clear["CLR_Re"]),
        "precision": float(clear["CLR_Pr"]),
        "switches": int(clear["IDSW"]),
        "targets": data["num_tracker_ids"],
    }


def _toolkit() -> Any:
    try:
        from trackeval import metrics
    except ImportError:
        raise Missing("the figures need TrackEval; run `pip install trackeval`") from None
    return metrics


def _data(truth: Boxes, results: Boxes, frames: int) -> dict[str, Any]:
    """What TrackEval's metrics take: lists with a value for each frame; identities from 0."""
    ids, boxes = {}, {}
    totals: dict[str, Any] = {}
    for name, table in (("gt", truth), ("tracker", results)):
        rows = [table.get(frame, {}) for frame in range(1, frames + 1)]
        known = {
            target: number for number, target in enumerate(sorted({t for r in rows for t in r}))
        }
        ids[name] = [np.array([known[target] for target in row], int) for row in rows]
        boxes[name] = [np.array(list(row.values()), float).reshape(-1, 4) for row in rows]
        totals[f"num_{name}_ids"] = len(known)
        totals[f"num_{name}_dets"] = sum(map(len, rows))
    similar = [overlaps(one, two) for one, two in zip(boxes["gt"], boxes["tracker"])]
    return dict(
        totals,
        num_timesteps=frames,
        gt_ids=ids["gt"],
        tracker_ids=ids["tracker"],
        similarity_scores=similar,
    )


main = command.main("calib.mot", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
