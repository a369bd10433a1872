"""Read the annotations of benchmark sequences: where the target is in each frame.

| file                                | format                      | pixels counted from |
|-------------------------------------|-----------------------------|---------------------|
| ``boxes.csv``                       | frame,x,y,w,h               | 0                   |
| ``groundtruth_rect.txt``, ``.N``    | OTB, DTB70; N: a target     | 1                   |
| ``groundtruth.txt``                 | VOT, GOT-10k                | 0                   |
| the same, ``out_of_view.txt``       | LaSOT                       | 1                   |
| ``anno/[SET/]NAME.txt`` above       | UAV123                      | 1                   |
| ``NAME_gt.txt``, ``NAME.txt`` beside| UAV123, DTB70               | 1                   |
| ``gt.txt``                          | TLD: left,top,right,bottom  | 1                   |

The first file that exists is used, in this order. Pixels are counted from 0 here. Values are
separated by commas, tabs, blanks or semicolons. Six or more values are a polygon; the result is its
upright bounding box. The target is absent where a line is empty, holds values that are not finite,
or a box without area, and where ``absence.label`` or ``out_of_view.txt`` say so. Results of a
tracker are no annotation: lines of MOTChallenge, or a CSV with scores.
"""

import csv
import math
import os
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from hotpath.kernels.commands import counted, why_unread
from hotpath.runtime.errors import BadSource
from hotpath.video.base import MOST_FPS

MOST_FRAMES = 10000000  # in an annotation: 92 hours at 30 a second
MOT_FIELDS = (7, 9, 10)  # numbers of a line of MOTChallenge
LONGEST_LINE = 1 << 16  # bytes

Box = Optional[Tuple[float, ...]]
# OTB annotates only these frames of five sequences: name -> (first, last) number
OTB_FRAMES = {
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}


class Misfit(BadSource):
    """An annotation has another number of boxes than there are frames."""


class Annotation(NamedTuple):
    """A file of boxes.

    Attributes:
        path: the file.
        origin: the number of the first pixel, 0 or 1.
        corners: whether a line is left,top,right,bottom instead of a box.
    """

    path: str
    origin: int = 0
    corners: bool = False

    def boxes(self) -> List[Box]:
        """One entry a frame, see ``read_boxes``; raises ``BadSource``."""
        try:
            if self.path.endswith(".csv"):
                return _read_csv(self.path)
            with open(self.path, encoding="utf-8-sig") as file:  # Excel and Notepad put a mark
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadSource(f"{self.path}: {why_unread(error)}") from None
        while lines and not lines[-1].strip():
            lines.pop()
        return [self._box(line, number) for number, line in enumerate(lines, 1)]

    def _box(self, line: str, number: int) -> Box:
        """One line as a box, or None if the target is absent."""
        text = line.strip()
        is_mask = text.startswith("m")  # VOT 2020: m x0,y0,w,h, then run lengths
        values = _numbers(text.lstrip("m"))
        if not text or len(values) == 1:  # VOT's special codes (0 absent, 1 initialised)
            return None
        if len(values) >= 6 and len(values) % 2 == 0 and not is_mask and not _is_mot(values):
            xs, ys = values[0::2], values[1::2]
            box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        elif len(values) < 4 or (len(values) != 4 and not is_mask):
            raise BadSource(
                f"{self.path}: line {number} is neither x,y,w,h nor a polygon: {line[:60]!r}"
            )
        else:
            box = list(values[:4])
            if self.corners:
                box[2:] = [box[2] - box[0] + 1, box[3] - box[1] + 1]
            box[:2] = [box[0] - self.origin, box[1] - self.origin]
        return _checked(box)


def read_boxes(folder: str) -> List[Box]:
    """The boxes of a sequence folder, of its first target.

    Returns:
        a list with one entry a frame: ``(x, y, w, h)`` in 0-based float pixels, or None if the
        target is absent. It is empty if the folder has no annotation.

    Raises:
        BadSource: the annotation exists but can't be understood.
    """
    found = find_annotation(folder)
    return _with_absent(folder, found.boxes()) if found else []


def boxes_of(folder: str, frames: int) -> List[Box]:
    """The boxes of a sequence folder, one for each of its frames; empty without an annotation.

    Fewer boxes are no mistake where it is known whose they are: ``boxes.csv`` numbers its frames,
    one line is the box of the first frame (GOT-10k's test sequences), and the first part of a long
    UAV123 sequence begins with the first frame.

    Raises:
        Misfit: there are more or fewer boxes than frames, and nothing says whose they are.
        BadSource: the annotation can't be understood.
    """
    found = find_annotation(folder)
    if found is None:
        return []
    boxes = read_boxes(folder)
    first, _ = annotated_frames(folder, len(boxes), frames)
    may_be_fewer = first > 1 or len(boxes) == 1 or found.path.endswith(("boxes.csv", "_1.txt"))
    nothing: List[Box] = [None]
    boxes = nothing * (first - 1) + boxes
    if len(boxes) > frames or (len(boxes) < frames and not may_be_fewer):
        raise Misfit(
            f"{found.path}: {counted(len(boxes), 'box', 'boxes')} for {counted(frames, 'frame')}; "
            "it is not used until this is corrected"
        )
    return boxes + nothing * (frames - len(boxes))


def annotated_frames(folder: str, boxes: int, frames: int) -> Tuple[int, int]:
    """The numbers of the first and the last frame, from 1, that so many boxes are of."""
    first, last = OTB_FRAMES.get(os.path.basename(os.path.abspath(folder)), (1, frames))
    return (first, last) if boxes == last - first + 1 and last <= frames else (1, frames)


def targets(folder: str) -> Iterator[Tuple[str, List[Box]]]:
    """(end of the target's name, its boxes) for each target of a sequence folder."""
    found = find_annotation(folder)
    if found is None:
        return
    start, is_several = re.subn(r"\.1\.txt$", "", found.path)
    number = 1
    while is_several and os.path.isfile(f"{start}.{number}.txt"):
        one = found._replace(path=f"{start}.{number}.txt")
        yield f".{number}", _with_absent(folder, one.boxes())
        number += 1
    if not is_several:
        yield "", read_boxes(folder)


def find_annotation(folder: str) -> Optional[Annotation]:
    """The annotation of a sequence folder, or None."""
    folder = os.path.abspath(folder)
    parent, name = os.path.split(folder)
    if name in ("img", "imgs", "images", "color", "img1"):
        # the folder of the pictures: the annotation is beside it
        folder, (parent, name) = parent, os.path.split(parent)
    is_lasot = os.path.isfile(os.path.join(folder, "out_of_view.txt"))
    places = [
        Annotation(os.path.join(folder, "boxes.csv")),
        Annotation(os.path.join(folder, "groundtruth_rect.txt"), 1),
        Annotation(os.path.join(folder, "groundtruth_rect.1.txt"), 1),
        Annotation(os.path.join(folder, "groundtruth.txt"), int(is_lasot)),
    ]
    places += [Annotation(path, 1) for path in _paths_beside(parent, name)]
    places += [Annotation(os.path.join(folder, "gt.txt"), 1, True)]
    for place in places:
        if os.path.isfile(place.path) and not _is_result(place.path):
            return place
    return None


def _with_absent(folder: str, boxes: List[Box]) -> List[Box]:
    """The boxes, with None in the frames that GOT-10k or LaSOT mark as absent."""
    for name in ("absence.label", "out_of_view.txt"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path) as file:
                flags = [int(text) for text in re.findall(r"[0-9]+", file.read())]
            flags += [0] * (len(boxes) - len(flags))
            boxes = [None if absent else box for box, absent in zip(boxes, flags)]
    return boxes


def _is_result(path: str) -> bool:
    """Whether a file is a tracker's results, as ``--results`` writes them, by its first line."""
    try:
        with open(path, "rb") as file:
            line = file.readline(LONGEST_LINE).decode("utf-8-sig", "replace")
    except OSError:
        return False  # who reads it says why it can't be read
    if path.endswith(".csv"):
        return "score" in re.split(r"[,\s]+", line.lower())
    return _is_mot(_numbers(line))


def _is_mot(values: Sequence[float]) -> bool:
    """Whether numbers are a line of MOTChallenge: frame, target, box, score and more."""
    return len(values) in MOT_FIELDS and all(v >= 1 and v == int(v) for v in values[:2])


def _numbers(text: str) -> List[float]:
    """The numbers of a line; empty if it holds anything else."""
    try:
        return [float(value) for value in re.split(r"[,;\s]+", text.strip(" ,;\t\r\n"))]
    except ValueError:
        return []


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
    with open(path, newline="", encoding="utf-8-sig") as file:
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


def _checked(box: Sequence[float]) -> Box:
    """The box as a tuple of floats, or None if it has no area or is not finite."""
    finite = not any(math.isnan(value) or math.isinf(value) for value in box)
    return tuple(box) if finite and box[2] > 0 and box[3] > 0 else None
