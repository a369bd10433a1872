"""python -m hotpath_research.tap.judge: how well a tap finds its object, and a box becomes snug.

    python -m hotpath_research.tap.judge --clips DIR... --out taps.json
    python -m hotpath_research.tap.judge --background --pictures DIR... --out background.json

A clip is tapped in its first frame: in the middle of the true box, and at random points of its
middle 60 %. The box of the tap, of a second tap, and of loose boxes is compared with the true one.
Then the clip is tracked from each. A tap that finds nothing counts as an overlap of 0.

``--background`` taps at the points of ``background.csv``: sky, ground, walls and water, in
frames of public sequences. No object is there.
"""

import argparse
import csv
import functools
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from hotpath.calib import command
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK, load_tracker
from hotpath.runtime.boxes import overlap
from hotpath.runtime.errors import NoObject
from hotpath.runtime.tracker import Tracker
from hotpath.video.clips import Clip, find_clips
from hotpath_lab.provenance import commit, processor

NAME = "hotpath_research.tap.judge"
POINTS = Path(__file__).with_name("background.csv")
RANDOM = 5  # taps at random points of a clip
TRACKED = 2  # of them that are tracked
ENLARGED = (1.0, 1.5, 2.0)


class Row(NamedTuple):
    """One tap, or one drawn box.

    Attributes:
        clip: name.
        kind: "true", "middle", "random", or "loose 1.5".
        x, y, w, h: the box that was taken; NaN if none was.
        before: overlap of the drawn box with the true one; NaN for a tap.
        overlap: of the box that was taken.
        best_of_two: the better one of this tap and of a second one; NaN for a drawn box.
        size_px: square root of the true box's area.
        ms: processor time until the box.
        tracked: mean overlap over the next frames; NaN if it was not tracked.
    """

    clip: str
    kind: str
    x: float
    y: float
    w: float
    h: float
    before: float
    overlap: float
    best_of_two: float
    size_px: float
    ms: float
    tracked: float


def parser() -> argparse.ArgumentParser:
    cli = command.parser(NAME, __doc__)
    command.add_clip_options(cli, required=False)
    cli.add_argument("--background", action="store_true", help="tap where no object is")
    text = "folders that hold the files of --background"
    cli.add_argument("--pictures", nargs="+", default=[Path()], type=Path, metavar="DIR", help=text)
    cli.add_argument("--network", default=DEFAULT_NETWORK)
    cli.add_argument("--frames", type=int, default=100, help="tracked after the first; 0: none")
    cli.add_argument("--seed", type=int, default=11)
    cli.add_argument("--out", help="JSON file with each row")
    command.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> int:
    """Measure, print a table, and write each row; returns the exit code."""
    if bool(options.clips) == bool(options.background):
        raise BadRun("give --clips or --background, and not both")
    cv2.setNumThreads(1)
    tracker = load_tracker(
        options.network, engine=options.engine, networks_dir=options.networks_dir
    )
    with tracker:
        if options.background:
            results = background(tracker, options.pictures)
        else:
            clips = command.chosen(find_clips(options.clips), options.only)
            rows = [
                row
                for clip in tqdm(clips, "clips", unit="")
                for row in rows_of(clip, tracker, options.frames, options.seed)
            ]
            results = {"rows": [row._asdict() for row in rows], "summary": summary(rows)}
    results.update(git=commit(), processor=processor(), engine=tracker.engine.describe())
    if options.out:
        Path(options.out).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(markdown(results["summary"]))
    return 0


def markdown(table: dict[str, dict[str, float]]) -> str:
    """A summary as a table of Markdown; a row of "true" or of a kind of background each."""
    columns = list(next(iter(table.values())))
    lines = [
        "| | " + " | ".join(columns).replace("_", " ") + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for kind, values in table.items():
        cells = ["–" if np.isnan(values[name]) else f"{values[name]:.4g}" for name in columns]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rows_of(clip: Clip, tracker: Tracker, frames: int, seed: int) -> Iterator[Row]:
    """Yield the rows of a clip."""
    rng = random.Random(f"{seed} {clip.name}")
    frame, true = clip[0], clip.boxes[0].tolist()
    x, y, w, h = true
    points = [(x + w / 2, y + h / 2)]
    draw = functools.partial(rng.uniform, 0.2, 0.8)
    points += [(x + w * draw(), y + h * draw()) for _ in range(RANDOM)]
    begun = [dict(box=true)]
    begun += [dict(point=_inside(point, frame)) for point in points]
    for factor in ENLARGED:
        grown = x + w / 2 * (1 - factor), y + h / 2 * (1 - factor), w * factor, h * factor
        begun.append(dict(box=_cut(grown, frame) if factor > 1 else true, snug=True))
    kinds = ["true", "middle", *["random"] * RANDOM, *[f"loose {f:g}" for f in ENLARGED]]
    of_kind: dict[str, int] = {}
    for kind, how in zip(kinds, begun):
        of_kind[kind] = of_kind.get(kind, 0) + 1
        row = _row(clip, kind, tracker, frame, true, how)
        if frames and of_kind[kind] <= TRACKED:
            row = row._replace(tracked=_tracked(clip, tracker, row, frames))
        yield row


def _inside(point: tuple[float, float], frame: np.ndarray) -> tuple[float, float]:
    """The nearest point in the frame: an annotated box may leave it."""
    height, width = frame.shape[:2]
    return min(max(point[0], 0.0), width - 1.0), min(max(point[1], 0.0), height - 1.0)


def _cut(box: Sequence[float], frame: np.ndarray) -> tuple[float, ...]:
    """The part of a box in the frame, as a user would draw it."""
    height, width = frame.shape[:2]
    x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
    return x0, y0, min(box[0] + box[2], width) - x0, min(box[1] + box[3], height) - y0


def _row(
    clip: Clip, kind: str, tracker: Tracker, frame: np.ndarray, true: Sequence[float], how: Any
) -> Row:
    """Start a target as the user would; returns what was taken."""
    drawn = how.get("box")
    before = float(overlap(drawn, true)) if drawn is not None else float("nan")
    second = [float("nan")] * 4
    began = time.process_time()
    try:
        box = list(tracker.init(frame, **how).box)
        ms = (time.process_time() - began) * 1e3
    except NoObject:
        box, ms = [float("nan")] * 4, (time.process_time() - began) * 1e3
    if "point" in how and np.isfinite(box).all():
        try:
            second = list(tracker.init(frame, besides=box, **how).box)
        except NoObject:
            pass
    first, other = (np.nan_to_num(float(overlap(b, true))) for b in (box, second))
    best = max(first, other) if "point" in how else float("nan")
    size = float((true[2] * true[3]) ** 0.5)
    x, y, w, h = box
    return Row(clip.name, kind, x, y, w, h, before, first, best, size, ms, float("nan"))


def _tracked(clip: Clip, tracker: Tracker, row: Row, frames: int) -> float:
    """Track from the box of a row; returns the mean overlap, 0 if there is no box."""
    if not np.isfinite(row.w):
        return 0.0
    tracker.init(clip[0], row[2:6])
    values = []
    for index in range(1, min(len(clip), frames + 1)):
        track = tracker.update(clip[index])
        if np.isfinite(clip.boxes[index]).all():
            values.append(float(overlap(track.box, clip.boxes[index])))
    return float(np.mean(values)) if values else float("nan")


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Mean values of each kind of row."""
    table = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        part = [row for row in rows if row.kind == kind]
        values = {
            "rows": len(part),
            "before": _mean(row.before for row in part),
            "overlap": _mean(row.overlap for row in part),
            "above_half": _mean(float(row.overlap > 0.5) for row in part),
            "best_of_two": _mean(row.best_of_two for row in part),
            "nothing": _mean(float(not np.isfinite(row.w)) for row in part),
            "ms": float(np.median([row.ms for row in part])),
            "tracked": _mean(row.tracked for row in part),
        }
        table[kind] = {name: round(value, 4) for name, value in values.items()}
    return table


def _mean(values: Any) -> float:
    """The mean of the values that are finite; NaN without any."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def background(tracker: Tracker, folders: Sequence[Path], table: Path = POINTS) -> dict[str, Any]:
    """Tap on points without an object; returns in how many a target was made.

    Args:
        folders: where the pictures of the table are.
        table: CSV of file, x, y and what is there.
    """
    rows = []
    with open(table, encoding="utf-8") as file:
        for entry in csv.DictReader(file):
            paths = [Path(folder) / entry["file"] for folder in folders]
            frame = next((cv2.imread(str(path)) for path in paths if path.is_file()), None)
            if frame is None:
                raise BadRun(f"{entry['file']} can't be read; name its folder with --pictures")
            try:
                tracker.init(frame, point=(float(entry["x"]), float(entry["y"])))
                has_target = True
            except NoObject:
                has_target = False
            rows.append({**entry, "target": has_target})
    shares = {}
    for kind in [*dict.fromkeys(row["shows"] for row in rows), "all"]:
        part = [bool(row["target"]) for row in rows if kind in (row["shows"], "all")]
        shares[kind] = {"points": len(part), "targets": round(float(np.mean(part)), 3)}
    return {"rows": rows, "summary": shares}


main = command.main(NAME, run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
