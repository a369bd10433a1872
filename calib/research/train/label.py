"""python -m calib.research.train.label: true boxes for videos that have none, where teachers agree.

    python -m calib.research.train.label --clips DIR --out DIR --networks nanotrack_v2 nanotrack_v3

Several trackers start from the same box and follow it forwards, and then backwards from where they
got to. Frames in which all of them agree get the mean of their boxes. For each video the run with
the most movement is kept, as ``NAME.boxes.csv``. A video whose file is there is not done again.

Starting boxes come from ``NAME.boxes.csv`` beside the video. Without that file they are drawn
around things that move and stand out.
"""

import argparse
import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calib import command
from calib.clips import read_video
from calib.errors import NoTeacher
from calib.metrics import overlap
from calib.research.train.pictures import contrast_boxes, find_clips, read_boxes
from calib.research.train.sources import Sources
from runtime import load_tracker

LENGTH = 60  # frames that a run is followed for, at most
FEWEST = 12  # frames of a run that is kept
STARTS = 3  # frames of a video to start from
CANDIDATES = 2  # boxes of such a frame to start from
AGREE = 0.6  # least overlap of any tracker's box with the mean of all
RETURN = 0.5  # least overlap of the box that a tracker comes back to with the first one
STILL = 0.25  # a run in which no box overlaps the first by less than 1 - STILL shows no movement
SEED = 3


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.research.train.label", __doc__)
    cli.add_argument("--clips", nargs="+", required=True, metavar="PATH", help="videos or folders")
    cli.add_argument("--out", required=True, metavar="DIR", help="folder of the boxes")
    cli.add_argument(
        "--networks",
        nargs="+",
        default=["nanotrack_v2", "nanotrack_v3"],
        metavar="NETWORK",
        help="trackers that must agree, two at least",
    )
    cli.add_argument(
        "--licences", nargs="*", default=[], metavar="CLASS", help="only videos of these classes"
    )
    command.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> None:
    """Label every video that has no file yet."""
    if len(set(options.networks)) < 2:
        raise NoTeacher("one tracker alone can't agree; name two or more with --networks")
    cv2.setNumThreads(1)
    sources, out = Sources(options.licences), Path(options.out)
    trackers = [
        load_tracker(network=name, engine=options.engine, networks_dir=options.networks_dir)
        for name in options.networks
    ]
    out.mkdir(parents=True, exist_ok=True)
    for path in filter(sources.allow, find_clips(options.clips)[1]):
        target = out / (path.stem + ".boxes.csv")
        if target.is_file():
            continue
        boxes = label(trackers, read_video(path), rough_boxes(path))
        write_boxes(target, boxes)
        print(f"{path.name}: {len(boxes)} frames", flush=True)


def rough_boxes(path: Path) -> dict[int, Any]:
    """{frame: box} from the file beside the video, if there is one."""
    beside = path.with_name(path.stem + ".boxes.csv")
    return read_boxes(beside) if beside.is_file() else {}


def label(
    trackers: Sequence[Any], frames: Sequence[np.ndarray], rough: dict[int, Any] | None = None
) -> dict[int, Any]:
    """The boxes of the run with the most movement.

    Args:
        trackers: objects with ``init(frame, box)`` and ``update(frame)``.
        frames: list of BGR pictures of one size.
        rough: {frame: box (x, y, w, h)} to start from; empty to look for things that move.

    Returns:
        {frame: box}; empty if the trackers agree on no run that is long enough and moves.
    """
    best, most = {}, STILL
    for start in np.linspace(0, max(len(frames) - FEWEST, 0), STARTS).astype(int):
        part = frames[start : start + LENGTH]
        if len(part) < FEWEST:
            continue
        for box in starting_boxes(part, rough and rough.get(int(start)), int(start)):
            found = agreed(trackers, part, box)
            moved = movement(found)
            if len(found) >= FEWEST and moved > most:
                best, most = {int(start) + index: box for index, box in found.items()}, moved
    return best


def movement(boxes: dict[int, Any]) -> float:
    """Mean of 1 - overlap with the first box; 0 for fewer than two boxes."""
    if len(boxes) < 2:
        return 0.0
    rows = np.array(list(boxes.values()))
    return float(1 - overlap(rows, np.repeat(rows[:1], len(rows), 0)).mean())


def starting_boxes(frames: Sequence[np.ndarray], rough: Any, seed: int) -> list[np.ndarray]:
    """Boxes (x, y, w, h) to start from in the first frame: the rough one, or what moves most."""
    if rough is not None:
        return [np.array(rough)]
    rng = np.random.default_rng([SEED, seed])
    boxes = np.concatenate([contrast_boxes(frames[0], rng) for _ in range(3)])
    change = cv2.absdiff(frames[0], frames[min(5, len(frames) - 1)]).astype(np.float32).mean(2)
    total = cv2.integral(change)
    height, width = change.shape
    low = np.clip(boxes[:, :2] - boxes[:, 2:] / 2, 0, (width - 2, height - 2)).astype(int)
    high = np.clip(boxes[:, :2] + boxes[:, 2:] / 2, low + 1, (width, height)).astype(int)
    (x1, y1), (x2, y2) = low.T, high.T
    inside = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    order = np.argsort(-inside / ((x2 - x1) * (y2 - y1)))
    return [np.concatenate([low[i], (high - low)[i]]).astype(float) for i in order[:CANDIDATES]]


def follow(tracker: Any, frames: Sequence[np.ndarray], box: Any) -> np.ndarray:
    """(frames, 4) boxes of one tracker; the first is the one it starts from."""
    tracker.init(frames[0], tuple(float(value) for value in box))
    boxes = [tuple(box)] + [tuple(tracker.update(frame).box) for frame in frames[1:]]
    return np.array(boxes, float)


def agreement(tracks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(frames,) least overlap of any track's box with the mean box, and the mean boxes."""
    mean = np.mean(tracks, 0)
    return np.min([overlap(track, mean) for track in tracks], 0), mean


def agreed(trackers: Sequence[Any], frames: Sequence[np.ndarray], box: Any) -> dict[int, Any]:
    """{index: box} of the frames on which all trackers agree, forwards and backwards."""
    forwards = [follow(tracker, frames, box) for tracker in trackers]
    same, mean = agreement(forwards)
    length = sum(1 for _ in itertools.takewhile(lambda value: value >= AGREE, same))
    if length < FEWEST:
        return {}
    back = frames[:length][::-1]
    backwards = [follow(tracker, back, mean[length - 1])[::-1] for tracker in trackers]
    if min(overlap(track[:1], mean[:1])[0] for track in backwards) < RETURN:
        return {}
    same, mean = agreement([track[:length] for track in forwards] + backwards)
    return {index: mean[index] for index in range(length) if same[index] >= AGREE}


def write_boxes(path: Path, boxes: dict[int, Any]) -> None:
    """Write {frame: box} as ``frame,x,y,w,h``; an empty one says that the video was tried."""
    part = path.with_suffix(".part")
    with open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("frame", "x", "y", "w", "h"))
        for frame, box in sorted(boxes.items()):
            writer.writerow((frame, *(f"{value:.1f}" for value in box)))
    part.replace(path)


main = command.main("calib.research.train.label", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
