"""hotpath convert: boxes of --results for the tools that annotate and evaluate.

    hotpath track --video drone.mp4 --box 440,270,60,90 --results boxes.csv
    hotpath convert boxes.csv coco.json --video drone.mp4
    hotpath convert boxes.csv region.txt --target 0

    .json   COCO with video_id and track_id, as TAO has it: pycocotools, FiftyOne, CVAT
    .zip    MOT with labels, where CVAT keeps the tracks: CVAT ("MOT 1.1"), Datumaro
    .txt    VOT: one target, one region x,y,w,h a frame: the toolkits of VOT and GOT-10k

The pictures that COCO names are those of `ffmpeg -i drone.mp4 -start_number 0 %06d.jpg`.

A lost target has no box in COCO and MOT, and the region nan,nan,nan,nan in VOT. MOTChallenge's file
of results, for TrackEval, is what --results FILE.txt writes itself.
"""

import argparse
import csv
import io
import json
import math
import os
import zipfile
from typing import Any, Dict, List, Optional

from hotpath.calib import command
from hotpath.calib.errors import BadRun
from hotpath.kernels.commands import why_unread
from hotpath.runtime.track.video.output_file import why_not
from hotpath.runtime.track.video.sources import open_source

NEEDED = ("frame", "x", "y", "w", "h", "score", "target", "lost")
Rows = List[Dict[str, str]]


def read_rows(path: str) -> Rows:
    """The rows of a CSV of --results.

    Raises:
        BadRun: no such file, or it is no such CSV.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRun(f"{path}: {why_unread(error)}") from None
    whole = bool(rows) and all(row.get(name) is not None for row in rows for name in NEEDED)
    try:
        for row in rows if whole else ():
            int(row["frame"]), int(row["target"])
            whole &= all(math.isfinite(float(row[n] or 0)) for n in (*"xywh", "score"))
    except ValueError:
        whole = False
    if not whole:
        raise BadRun(f"{path}: is no whole CSV of --results; write it again with `hotpath track`")
    return rows


def _is_claimed(row: Dict[str, str]) -> bool:
    """Whether a row has a box, and the target is in it."""
    return bool(row["x"]) and row["lost"] in ("0", "False")


def coco(rows: Rows, video: str) -> Dict[str, Any]:
    """Convert rows to a COCO dictionary. The video gives the size of the frames."""
    with open_source(video) as source:
        frame = source.read()
    if frame is None:
        raise BadRun(f"{video}: holds no frame")
    height, width = frame.shape[:2]
    size = {"width": width, "height": height}
    frames = sorted({int(row["frame"]) for row in rows})
    images = [
        {"id": n + 1, "video_id": 1, "frame_index": n, "file_name": f"{n:06d}.jpg", **size}
        for n in frames
    ]
    annotations: List[Dict[str, Any]] = []
    for row in filter(_is_claimed, rows):
        box = [float(row[name]) for name in "xywh"]
        entry = {"id": len(annotations) + 1, "video_id": 1, "category_id": 1, "bbox": box}
        entry.update(image_id=int(row["frame"]) + 1, track_id=int(row["target"]) + 1)
        entry.update(area=box[2] * box[3], segmentation=[], iscrowd=0)
        annotations.append({**entry, "score": float(row["score"] or 0)})
    targets = sorted({int(row["target"]) + 1 for row in rows})
    return {
        "videos": [{"id": 1, "name": os.path.basename(video), **size}],
        "images": images,
        "categories": [{"id": 1, "name": "target"}],
        "tracks": [{"id": target, "video_id": 1, "category_id": 1} for target in targets],
        "annotations": annotations,
    }


def mot(rows: Rows) -> bytes:
    """The rows as an archive for CVAT: 0-based pixels, frames and targets from 1, one class."""
    lines = []
    for row in filter(_is_claimed, rows):
        numbers = [str(int(row[name]) + 1) for name in ("frame", "target")]
        lines.append(",".join([*numbers, *(row[name] for name in "xywh"), "1,1,1\n"]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gt/gt.txt", "".join(lines))
        archive.writestr("gt/labels.txt", "target\n")
    return packed.getvalue()


def vot(rows: Rows, target: Optional[int]) -> str:
    """The regions of one target, a line for each frame from its first to the last.

    Raises:
        BadRun: there are several targets and none is named, or the named one is not there.
    """
    there = sorted({int(row["target"]) for row in rows})
    if target is None and len(there) == 1:
        target = there[0]
    if target not in there:
        names = " ".join(map(str, there))
        raise BadRun(f"name one of the targets {names} with --target")
    own = {int(row["frame"]): row for row in rows if int(row["target"]) == target}
    lines = []
    for number in range(min(own), max(own) + 1):
        row = own.get(number)
        seen = row is not None and _is_claimed(row)
        lines.append(",".join(row[n] for n in "xywh") if row and seen else "nan,nan,nan,nan")
    return "\n".join(lines) + "\n"


def convert(options: argparse.Namespace) -> None:
    """Write the file that the command line names."""
    ending = os.path.splitext(options.out)[1].lower()
    if ending not in (".json", ".zip", ".txt"):
        raise BadRun(f"{options.out}: must end with .json (COCO), .zip (MOT) or .txt (VOT)")
    rows = read_rows(options.rows)
    if ending == ".json" and not options.video:
        raise BadRun("COCO states the size of the frames; name what was tracked with --video")
    if ending == ".json":
        data = json.dumps(coco(rows, options.video), indent=1).encode("utf-8")
    else:
        data = mot(rows) if ending == ".zip" else vot(rows, options.target).encode("ascii")
    try:
        with open(options.out, "wb") as file:
            file.write(data)
    except OSError as error:
        raise BadRun(why_not(options.out, error)) from None
    command.wrote(options.out)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = command.parser("hotpath convert", __doc__)
    cli.usage = "%(prog)s FILE.csv OUT [--video SOURCE] [--target N]"
    cli.add_argument("rows", metavar="FILE.csv", help="of --results")
    cli.add_argument("out", metavar="OUT", help="a name that ends with .json, .zip or .txt")
    cli.add_argument("--video", metavar="SOURCE", help="what was tracked; for .json")
    cli.add_argument("--target", type=int, metavar="N", help="which one of several; for .txt")
    return cli


main = command.main("hotpath convert", convert, parser)

if __name__ == "__main__":
    raise SystemExit(main())
