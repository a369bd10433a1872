"""Read the annotations of benchmark sequences: where the target is in each frame.

| file                                | format            | pixels counted from        |
|-------------------------------------|-------------------|----------------------------|
| ``boxes.csv``                       | frame,x,y,w,h     | 0                          |
| ``groundtruth_rect.txt`` (``.1``)   | OTB, DTB70        | 1 (one is subtracted here) |
| ``groundtruth.txt``                 | VOT, GOT-10k      | 0, kept as found           |
| ``anno/[SET/]NAME.txt`` above       | UAV123            | 1 (one is subtracted here) |
| ``NAME_gt.txt``, ``NAME.txt`` beside| UAV123, DTB70     | 1 (one is subtracted here) |

The first file that exists is used, in this order. Values are separated by commas, tabs, blanks or
semicolons. Six or more values are a polygon; the result is its upright bounding box. The target is
absent where a line is empty, holds values that are not finite, or a box without area.
"""

import csv
import math
import os
import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from hotpath.kernels.commands import why_unread
from hotpath.runtime.errors import BadSource
from hotpath.runtime.track.video.base import MOST_FPS

MOST_FRAMES = 10000000  # in an annotation: 92 hours at 30 a second

Box = Optional[Tuple[float, ...]]


def read_boxes(folder: str) -> List[Box]:
    """The boxes of a sequence folder.

    Returns:
        a list with one entry a frame: ``(x, y, w, h)`` in 0-based float pixels, or None if the
        target is absent. It is empty if the folder has no annotation.

    Raises:
        BadSource: the annotation exists but can't be understood.
    """
    path, one_based = find_annotation(folder)
    if path is None:
        return []
    try:
        if path.endswith(".csv"):
            return _read_csv(path)
        with open(path) as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadSource(f"{path}: {why_unread(error)}") from None
    while lines and not lines[-1].strip():
        lines.pop()
    return [_box_of_line(line, one_based, path, index) for index, line in enumerate(lines)]


def find_annotation(folder: str) -> Tuple[Optional[str], bool]:
    """``(path, counted from one)`` of the annotation of a sequence folder, or ``(None, False)``."""
    folder = os.path.abspath(folder)
    parent, name = os.path.split(folder)
    if name in ("img", "imgs", "images", "color", "img1"):
        # the folder of the pictures: the annotation is beside it
        folder, (parent, name) = parent, os.path.split(parent)
    inside = ("boxes.csv", "groundtruth_rect.txt", "groundtruth_rect.1.txt", "groundtruth.txt")
    places = [(os.path.join(folder, name), "_rect" in name) for name in inside]
    places += [(path, True) for path in _paths_beside(parent, name)]
    found = [place for place in places if os.path.isfile(place[0])]
    return found[0] if found else (None, False)


def stated_fps(folder: str) -> Optional[float]:
    """Frames a second that a sequence's own files state, or None.

    ``fps=`` in VOT's ``sequence``, ``frameRate=`` in MOT's ``seqinfo.ini``, ``anno_fps: 10Hz`` in
    GOT-10k's ``meta_info.ini``.
    """
    for name, key in (
        ("sequence", "fps"),
        ("seqinfo.ini", "frameRate"),
        ("meta_info.ini", "anno_fps"),
    ):
        try:
            with open(os.path.join(folder, name)) as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        number = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?![0-9.])"  # "1.2.3" is not a number
        found = re.search(rf"^\s*{key}\s*[=:]\s*{number}", text, re.MULTILINE)
        if found and 0 < float(found.group(1)) <= MOST_FPS:
            return float(found.group(1))
    return None


def _paths_beside(parent: str, name: str) -> Iterator[str]:
    """Where UAV123 and DTB70 keep the annotation of the sequence ``parent/name``."""
    for level in (parent, os.path.dirname(parent), os.path.dirname(os.path.dirname(parent))):
        for inside in ("", os.path.basename(parent)):
            anno = os.path.join(level, "anno", inside)
            # a long UAV123 sequence has several annotations; the first one starts at frame 1
            yield os.path.join(anno, name + ".txt")
            yield os.path.join(anno, name + "_1.txt")
    yield os.path.join(parent, name + "_gt.txt")
    yield os.path.join(parent, name + ".txt")


def _read_csv(path: str) -> List[Box]:
    """``boxes.csv``: header frame,x,y,w,h; empty fields where the target is absent."""
    boxes: Dict[int, Box] = {}
    with open(path, newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            try:
                fields = [row[key] for key in ("x", "y", "w", "h")]
                index = int(row["frame"])
                box = _checked([float(v) if v else math.nan for v in fields])
            except (KeyError, TypeError, ValueError):
                raise BadSource(f"{path}: line {rows.line_num} is not frame,x,y,w,h") from None
            if not 0 <= index < MOST_FRAMES:
                raise BadSource(
                    "{}: line {} is of frame {}; frames are counted from 0 to {}".format(
                        path, rows.line_num, row["frame"][:30], MOST_FRAMES - 1
                    )
                )
            boxes[index] = box
    return [boxes.get(index) for index in range(max(boxes) + 1)] if boxes else []


def _box_of_line(line: str, one_based: bool, path: str, index: int) -> Box:
    """One line of a text annotation as a box, or None if the target is absent."""
    text = line.strip()
    if not text:
        return None
    is_mask = text.startswith("m")  # VOT 2020: m x0,y0,w,h, then run lengths
    try:
        values = [float(value) for value in re.split(r"[,;\s]+", text.lstrip("m").strip(" ,;\t"))]
    except ValueError:
        values = []
    if len(values) >= 6 and len(values) % 2 == 0 and not is_mask:
        xs, ys = values[0::2], values[1::2]
        return _checked([min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)])
    if len(values) == 1:  # VOT's special codes (0 absent, 1 initialised)
        return None
    if len(values) < 4 or (len(values) != 4 and not is_mask):
        raise BadSource(f"{path}: line {index + 1} is neither x,y,w,h nor a polygon: {line[:60]!r}")
    x, y, w, h = values[:4]
    return _checked([x - 1, y - 1, w, h] if one_based else [x, y, w, h])


def _checked(box: Sequence[float]) -> Box:
    """The box as a tuple of floats, or None if it has no area or is not finite."""
    finite = not any(math.isnan(value) or math.isinf(value) for value in box)
    return tuple(box) if finite and box[2] > 0 and box[3] > 0 else None
