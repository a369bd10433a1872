"""Read the annotations of benchmark sequences: where the target is in each frame.

| file                                | format                      | pixels counted from |
|-------------------------------------|-----------------------------|---------------------|
| ``boxes.csv``                       | frame,x,y,w,h               | 0                   |
| ``groundtruth_rect.txt``, ``.N``    | OTB, DTB70; N: a target     | 1                   |
| ``groundtruth.txt``                 | VOT, GOT-10k                | 0                   |
| the same, with LaSOT's two files    | LaSOT                       | 1                   |
| ``anno/[SET/]NAME.txt`` above       | UAV123                      | 1                   |
| ``NAME_gt.txt``, ``NAME.txt`` beside| UAV123, DTB70               | 1                   |
| ``gt.txt``                          | TLD: left,top,right,bottom  | 1                   |

The first file that exists is used, in this order. Pixels are counted from 0 here. Values are
separated by commas, tabs, blanks or semicolons. Eight values are a polygon; the result is its
upright bounding box. A mask of VOT gives the bounding box of its ones. The target is absent where a
line is empty, holds values that are not finite, or a box without area, and where a file of
``ABSENT`` in the sequence's folder says so. Every reader of boxes gets them from
``Annotation.boxes``. A file with other columns is no annotation: results of a tracker, or lines of
MOTChallenge or VisDrone with several targets.
"""

import csv
import io
import math
import os
import re
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base import text as texts
from hotpath.base.messages import counted, why_unread
from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.frame_edges import leave_frame
from hotpath.video.base import MOST_FPS, Log

MOST_FRAMES = 1000000  # in an annotation: 9 hours at 30 a second
MOST_MIB = 16  # of a file of boxes or of flags
MOST_SIDE_BYTES = 1 << 16  # of a file that states the frame rate
FIRST_LINES = 1 << 16  # bytes of a file that tell whether its first column counts the frames
LASOT = ("full_occlusion.txt", "out_of_view.txt")
ABSENT = ("absence.label", *LASOT)  # of GOT-10k and LaSOT: 1 for each frame without the target

FLAGS = {0.0: False, 1.0: True}
# "61,5;105,5": which of both separates the values?
DECIMAL_COMMAS = re.compile(r"\d,\d+[;\s]+[-\d]")
FEW, MANY = 0.1, 0.5  # shares of the boxes that leave the frame: corners, other units
FAR_PX, LEAST_TURN = 10.0, 1.0  # of corners that move together; of three on a line, px^2
ROUNDED = 1e-3  # of numbers that are written with a few digits
BEYOND = 1e9  # pixels: what is larger is judged as this
MOST_SHARE = 1.01  # of a frame's side, for the end of a box

Box = Optional[Tuple[float, ...]]
Size = Optional[Tuple[int, int]]
# the toolkit of OTB takes only these frames of five sequences: name -> (first, last) number
OTB_FRAMES = {
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}


# without the rows of the first five frames, which the toolkit leaves out
OTB_SHORT = {"Tiger1": (6, 354)}


class Misfit(BadSource):
    """The boxes of an annotation do not fit the frames, by their number or by their size."""


class Annotation(NamedTuple):
    """A file of boxes.

    Attributes:
        path: the file.
        origin: the number of the first pixel, 0 or 1.
        corners: whether a line is left,top,right,bottom instead of a box.
        folder: the sequence's folder, which may hold files of ``ABSENT``; "" for that of ``path``.
    """

    path: str
    origin: int = 0
    corners: bool = False
    folder: str = ""

    def boxes(self) -> List[Box]:
        """One entry a frame, None where the target is absent; raises ``BadSource``."""
        try:
            boxes = self._stated()
            for name in ABSENT:
                path = os.path.join(self.folder or os.path.dirname(self.path), name)
                if os.path.isfile(path):
                    boxes = _without_absent(boxes, path, self.path.endswith(".csv"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadSource(f"{self.path}: {why_unread(error)}", what="not read") from None
        return boxes

    def _stated(self) -> List[Box]:
        """The boxes of the file alone."""
        if self.path.endswith(".csv"):
            return _read_csv(self.path)
        lines = _text_of(self.path).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return [self._box(line, number) for number, line in enumerate(lines, 1)]

    def _box(self, line: str, number: int) -> Box:
        """One line as a box, or None if the target is absent."""
        text = line.strip()
        is_mask = text.startswith("m")  # VOT 2020: m x0,y0,w,h, then run lengths
        values = _numbers(text.lstrip("m"))
        if is_mask:
            box = _box_of_mask(values)
            if box is None:
                raise BadSource(
                    f"{self.path}: line {number} is not a VOT mask, m and then left, top, width, "
                    f"height and runs that fill that region: {line[:60]!r}",
                    what="wrong line",
                )
            return _checked(box)
        if not text or len(values) == 1:  # VOT's special codes (0 absent, 1 initialised)
            return None
        if len(values) == 8:
            xs, ys = values[0::2], values[1::2]
            box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        elif len(values) != 4:
            raise BadSource(
                f"{self.path}: line {number} is neither x,y,w,h nor four corners, with decimal "
                f"points: {line[:60]!r}",
                what="wrong line",
            )
        else:
            box = list(values[:4])
            if self.corners:
                box[2:] = [box[2] - box[0] + 1, box[3] - box[1] + 1]
            box[:2] = [box[0] - self.origin, box[1] - self.origin]
        return _checked(box)


def _box_of_mask(values: Sequence[float]) -> Optional[List[float]]:
    """The tight box of a mask's ones, without an area if there are none; None if it is no mask.

    Args:
        values: left, top, width and height of its region, then how many pixels are 0, 1, 0 and so
            on, row by row. VOT leaves out the last run of zeros, and masks that are rectangles may
            have no runs.
    """
    whole = [int(value) for value in values if math.isfinite(value) and value == int(value)]
    if len(whole) != len(values) or len(whole) < 4 or min(whole[2:]) < 0:
        return None
    left, top, width, height = whole[:4]
    ends = np.cumsum(whole[4:] or [0, width * height])
    if ends[-1] > width * height:
        return None
    starts, ends = ends[0::2][: len(ends) // 2], ends[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts] - 1  # the last one of a run
    if not len(starts):
        return [left, top, 0, 0]
    rows, last_rows = starts // width, ends // width
    is_split = last_rows > rows  # goes on in another row, so it has the last column and the first
    right = np.where(is_split, width - 1, ends % width).max()
    first = np.where(is_split, 0, starts % width).min()
    y = rows.min()
    return [left + first, top + y, right + 1 - first, last_rows.max() + 1 - y]


def read_boxes(folder: str) -> List[Box]:
    """The boxes of a sequence folder, of its first target.

    Returns:
        a list with one entry a frame: ``(x, y, w, h)`` in 0-based float pixels, or None if the
        target is absent. It is empty if the folder has no annotation.

    Raises:
        BadSource: the annotation exists but can't be understood.
    """
    annotation = find_annotation(folder)
    return annotation.boxes() if annotation else []


def boxes_of(
    folder: str, frames: int, log: Log = None, size: Optional[Callable[[], Size]] = None
) -> List[Box]:
    """The boxes of a sequence folder, one for each of its frames; empty without an annotation.

    Fewer boxes are no mistake where it is known whose they are: ``boxes.csv`` numbers its frames,
    one line is the box of the first frame (GOT-10k's test sequences), and the first part of a long
    UAV123 sequence begins with the first frame. OTB annotates a part of some sequences.

    Args:
        log: is told which frames have no box, where OTB leaves them out, what is odd about the
            boxes, and which file is no annotation.
        size: function that gives (width, height) of the frames, pixels, or None. It is called only
            if there are boxes.

    Raises:
        Misfit: there are more or fewer boxes than frames, and nothing says whose they are; or they
            are corners instead of a width and a height.
        BadSource: the annotation can't be understood.
    """
    annotation = find_annotation(folder)
    if annotation is None:
        odd = why_passed_over(folder)
        if odd and log:
            log(odd)
        return []
    boxes = annotation.boxes()
    check_units(annotation.path, boxes, size() if size else None, log)
    span = first, last = annotated_frames(folder, len(boxes), frames)
    name = os.path.basename(os.path.abspath(folder))
    if span != (1, frames) and log:
        log(
            f"{annotation.path}: has boxes of the frames {first} to {last} of {frames}, which the "
            f"toolkit of OTB takes of {name}"
        )
    may_be_fewer = len(boxes) == 1 or annotation.path.endswith(("boxes.csv", "_1.txt"))
    nothing: List[Box] = [None]
    boxes = nothing * (first - 1) + boxes
    if len(boxes) > frames or (len(boxes) < frames and span == (1, frames) and not may_be_fewer):
        known = OTB_FRAMES.get(name) or OTB_SHORT.get(name)
        taken = "the toolkit of OTB takes the frames {} to {}; ".format(*known) if known else ""
        raise Misfit(
            f"{annotation.path}: {counted(len(boxes), 'box', 'boxes')} for "
            f"{counted(frames, 'frame')}; {taken}it is not used until this is corrected"
        )
    return boxes + nothing * (frames - len(boxes))


def check_units(name: str, boxes: Sequence[Box], size: Size, log: Log = None) -> None:
    """Raise ``Misfit`` if all boxes of an annotation are corners instead of a width and a height.

    Args:
        name: of the annotation, for the sentence.
        boxes: of all frames.
        size: (width, height) of the frames, pixels; None if unknown, then nothing is checked.
        log: is told if the boxes leave the frame, or are shares of it.
    """
    rows = np.array([box for box in boxes if box is not None], float).reshape(-1, 4)
    rows = rows[np.isfinite(rows).all(axis=1)].clip(-BEYOND, BEYOND)
    if size is None or not len(rows):
        return
    start, end = rows[:, :2], rows[:, 2:]  # if they are corners
    leave = leave_frame(rows, size)
    frame = "the frame of {}x{}".format(*size)
    saw = f"{leave.sum()} of its {len(rows)} boxes leave {frame}"
    if leave.mean() >= FEW and ((start >= -1) & (end > start) & (end <= np.add(size, 1))).all():
        raise Misfit(
            f"{name}: {saw}, and all fit as the corners x1,y1,x2,y2; write x,y,w,h instead; it is "
            "not used until this is corrected",
            what="corners",
        )
    if log and leave.mean() > MANY:
        log(f"{name}: {saw}; write x,y,w,h in pixels of these frames")
    elif log and (rows >= 0).all() and (start + end).max() <= MOST_SHARE:
        log(f"{name}: its numbers are at most 1, as shares of {frame} are; write pixels")


def annotated_frames(folder: str, boxes: int, frames: int) -> Tuple[int, int]:
    """The numbers of the first and the last frame, from 1, that so many boxes are of."""
    name = os.path.basename(os.path.abspath(folder))
    first, last = OTB_FRAMES.get(name) or OTB_SHORT.get(name) or (1, frames)
    return (first, last) if boxes == last - first + 1 and last <= frames else (1, frames)


def targets(folder: str) -> Iterator[Tuple[str, List[Box]]]:
    """(end of the target's name, its boxes) for each target of a sequence folder."""
    annotation = find_annotation(folder)
    if annotation is None:
        return
    start, is_several = re.subn(r"\.1\.txt$", "", annotation.path)
    number = 1
    while is_several and os.path.isfile(f"{start}.{number}.txt"):
        own = annotation._replace(path=f"{start}.{number}.txt")
        yield f".{number}", own.boxes()
        number += 1
    if not is_several:
        yield "", annotation.boxes()


def find_annotation(folder: str) -> Optional[Annotation]:
    """The annotation of a sequence folder, or None."""
    there = (place for place in _places(folder) if os.path.isfile(place.path))
    return next((place for place in there if not _is_result(place.path)), None)


def why_passed_over(folder: str) -> str:
    """Why a file inside a sequence folder is not its annotation; "" where there is no such file."""
    for place in _places(folder):
        if os.path.dirname(place.path) == place.folder and os.path.isfile(place.path):
            return (
                f"{place.path}: is not used as the truth, because it has columns of results, or of "
                "several targets; write x,y,w,h of one target a line"
            )
    return ""


def _places(folder: str) -> Iterator[Annotation]:
    """Where the annotation of a sequence folder may be, in the order in which it is looked for."""
    folder = os.path.abspath(folder)
    parent, name = os.path.split(folder)
    if name in ("img", "imgs", "images", "color", "img1"):
        # the folder of the pictures: the annotation is beside it
        folder, (parent, name) = parent, os.path.split(parent)
    is_lasot = any(os.path.isfile(os.path.join(folder, name)) for name in LASOT)
    yield Annotation(os.path.join(folder, "boxes.csv"), folder=folder)
    yield Annotation(os.path.join(folder, "groundtruth_rect.txt"), 1, folder=folder)
    yield Annotation(os.path.join(folder, "groundtruth_rect.1.txt"), 1, folder=folder)
    yield Annotation(os.path.join(folder, "groundtruth.txt"), int(is_lasot), folder=folder)
    for path in _paths_beside(parent, name):
        yield Annotation(path, 1, folder=folder)
    yield Annotation(os.path.join(folder, "gt.txt"), 1, True, folder)


def _is_result(path: str) -> bool:
    """Whether a file is a tracker's results, or one of several targets, by its first lines."""
    try:
        with open(path, "rb") as file:
            lines = file.read(FIRST_LINES).decode("utf-8-sig", "replace").splitlines()
    except OSError:
        return False  # who reads it says why it can't be read
    if path.endswith(".csv"):
        return "score" in re.split(r"[,\s]+", lines[0].lower() if lines else "")
    rows = list(filter(None, map(_numbers, lines[:-1] or lines)))
    counts = {len(row) for row in rows}
    if 8 in counts and counts <= {1, 8}:  # corners, or a number of the frame and more
        return not _are_polygons(np.array([row for row in rows if len(row) == 8]))
    return bool(counts) and min(counts) > 4


def _are_polygons(rows: np.ndarray) -> bool:
    """Whether rows of eight numbers are four corners each: they move together and go around."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return True
    corners = rows.reshape(-1, 4, 2)
    sides = np.roll(corners, -1, axis=1) - corners
    if (sides == 0).all(axis=(0, 2)).any():  # two corners that are always one
        return False
    for column in corners.transpose(2, 1, 0):  # of each axis, four corners
        stands, first = np.ptp(column, axis=1) == 0, column[:, 0]
        alone = np.array([(first[stands] == value).sum() == 1 for value in first])
        if np.ptp(column, axis=1).max() > FAR_PX and (stands & alone & (first % 1 == 0)).any():
            return False  # a number of a target, a flag
    steps = np.diff(corners[:, :2, 0], axis=0)  # of the first two corners' x
    uneven = np.ptp(steps, axis=0) > ROUNDED if len(steps) > 1 else (True, True)
    if uneven[1] and not uneven[0] and abs(steps[0, 0]) > ROUNDED:
        return False  # the first column counts frames or seconds
    after = np.roll(sides, -1, axis=1)
    turns = sides[..., 0] * after[..., 1] - sides[..., 1] * after[..., 0]
    around = (turns >= -LEAST_TURN).all(axis=1) | (turns <= LEAST_TURN).all(axis=1)
    return bool(around.mean() > MANY)


def _numbers(text: str) -> List[float]:
    """The numbers of a line; empty if it holds anything else, also a decimal comma."""
    if DECIMAL_COMMAS.search(text):
        return []
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
        path = os.path.join(folder, name)
        try:
            text = texts.read(path, MOST_SIDE_BYTES) if os.path.isfile(path) else ""
        except (OSError, ValueError):  # longer than such a file, or no text
            continue
        number = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?![0-9.])"  # "1.2.3" is not a number
        matches = (re.match(rf"\s*{key}\s*[=:]\s*{number}", line) for line in text.splitlines())
        match = next(filter(None, matches), None)
        if match and 0 < float(match.group(1)) <= MOST_FPS:
            return float(match.group(1))
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


def _text_of(path: str) -> str:
    """The text of a truth file; raises ``BadSource`` where it is longer than any."""
    if os.path.getsize(path) > MOST_MIB << 20:
        raise BadSource(
            f"{path}: has more than {MOST_MIB} MiB, which no truth of one sequence has; name "
            "another file, or cut it",
            what="too large",
        )
    text = texts.read(path)
    if text.count("\n") > MOST_FRAMES:
        raise BadSource(
            f"{path}: has more than {MOST_FRAMES:,} lines; cut the sequence", what="too large"
        )
    return text


def _without_absent(boxes: List[Box], path: str, is_table: bool) -> List[Box]:
    """The boxes, None where the flags of a file of ``ABSENT`` say that the target is absent."""
    try:
        fields = re.split(r"[,;\s]+", _text_of(path).strip(" ,;\t\r\n"))
        flags = [FLAGS[float(field)] for field in filter(None, fields)]
    except UnicodeDecodeError:
        raise
    except (KeyError, ValueError):
        raise BadSource(f"{path}: is not 0 or 1 for each frame", what="wrong line") from None
    first_only = len(boxes) == 1 or is_table  # may end before the flags
    if len(flags) < len(boxes) or (len(flags) > len(boxes) and not first_only):
        raise Misfit(
            f"{path}: {counted(len(flags), 'flag')} for {counted(len(boxes), 'box', 'boxes')}; the "
            "truth is not used until this is corrected"
        )
    return [None if absent else box for box, absent in zip(boxes, flags)]


def _read_csv(path: str) -> List[Box]:
    """``boxes.csv``: header frame,x,y,w,h; a row a frame, with empty fields for an absent target.

    Rows may be missing at the end alone: a file of keyframes is refused.
    """
    boxes: Dict[int, Box] = {}
    lines: Dict[int, int] = {}  # frame -> its line
    rows = csv.DictReader(io.StringIO(_text_of(path)))
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
                ),
                what="wrong frame",
            )
        if index in boxes:
            raise BadSource(
                f"{path}: line {rows.line_num} is of frame {index}, as line {lines[index]} is; "
                "keep one line a frame, and of several targets one",
                what="frame twice",
            )
        boxes[index], lines[index] = box, rows.line_num
    frames = sorted(boxes)
    for before, index in zip([-1, *frames], frames):
        if index != before + 1:
            raise BadSource(
                f"{path}: no row of {_frames_text(before + 1, index - 1)}, and the next is of "
                f"frame {index}; write a row for each frame from 0 on, with empty fields where the "
                "target is absent",
                what="rows missing",
            )
    return [boxes[index] for index in frames]


def _frames_text(first: int, last: int) -> str:
    return f"frame {first}" if first == last else f"frames {first} to {last}"


def _checked(box: Sequence[float]) -> Box:
    """The box as a tuple of floats, or None if it has no area or is not finite."""
    finite = not any(math.isnan(value) or math.isinf(value) for value in box)
    return tuple(box) if finite and box[2] > 0 and box[3] > 0 else None
