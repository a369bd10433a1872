"""Boxes of any tracker as text files: DIR/TRACKER/SEQUENCE.txt, or DIR/SEQUENCE.txt of one tracker.

GOT-10k's toolkit and VOT's write SEQUENCE/SEQUENCE_001.txt instead, which is read, too.

A line is x,y,w,h of one frame, with commas, tabs or spaces between the numbers. The first line is
the first frame's. Pixels count from ``origin``: from 1 in a public data set, as in the files that
its authors annotated, and from 0 in clips. A line of ``nan`` is a frame without a box.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hotpath.base.messages import counted, why_unread
from hotpath.base.text import read as read_text
from hotpath.calib.command_line import say
from hotpath.runtime.errors import BadClips
from hotpath.runtime.frames.boxes import overlap
from hotpath.video.clips import AnnotatedClip
from hotpath.video.sequence import MOST_MIB

Boxes = dict[str, np.ndarray]  # a clip's name -> (frames, 4)
Convert = Callable[[np.ndarray], np.ndarray]
ENDING = ".txt"
FIRST_RUN = "_001"  # behind a sequence's name, of toolkits that repeat a run
GIVEN, GOOD = 0.7, 0.5  # overlap of the given box, and of a good tracker's
FAR = 0.1  # overlap of a first row that is another box than the given one
LESS = 0.5  # of the overlap of another form, which x,y,w,h have at most
SPACE = re.compile(r"\s*,\s*|\s+")  # between numbers
FORMS: dict[str, Convert] = {  # what the rows may be instead -> their x,y,w,h
    "the corners x1,y1,x2,y2": lambda rows: _between(rows[:, :2], rows[:, 2:]),
    "the corners y1,x1,y2,x2": lambda rows: _between(rows[:, 1::-1], rows[:, :1:-1]),
    "the centre of the box and its size": lambda rows: (
        rows - rows[:, [2, 3, 2, 3]] * (0.5, 0.5, 0, 0)
    ),
    "y,x,h,w": lambda rows: rows[:, [1, 0, 3, 2]],
}


def read(
    folder: Path, clips: Sequence[AnnotatedClip], names: Iterable[str], origin: int
) -> dict[str, Boxes]:
    """Return a dict of tracker -> its boxes on the clips, 0-based pixels of the frame.

    Args:
        folder: of the trackers' folders, or of one tracker's files.
        clips: whose boxes are wanted. A tracker need not have all of them.
        names: of all sequences. A file of another name is no sequence's, which is said.
        origin: the number of the first pixel in the files.

    Raises:
        BadClips: it is no folder, a tracker has no boxes of these clips, or a file is not one box
            for each frame.
    """
    if not folder.is_dir():
        raise BadClips(
            f"--boxes {folder} is not a folder; it holds TRACKER/SEQUENCE{ENDING}",
            what="not a folder",
            where=folder,
        )
    own = bool(_files_in(folder))
    folders = [folder] if own else sorted(path for path in folder.iterdir() if path.is_dir())
    boxes_of = {
        directory.resolve().name: _of_tracker(directory, clips, names, origin)
        for directory in folders
    }
    if not boxes_of:
        raise BadClips(
            f"--boxes {folder} is empty; it holds TRACKER/SEQUENCE{ENDING}",
            what="empty",
            where=folder,
        )
    return boxes_of


def _of_tracker(
    folder: Path, clips: Sequence[AnnotatedClip], names: Iterable[str], origin: int
) -> Boxes:
    """Return the boxes of one tracker."""
    files = {_plain(name): path for name, path in _files_in(folder).items()}
    names_plain = {_plain(name) for name in names}
    unmatched = [path.name for plain, path in files.items() if plain not in names_plain]
    again = [path for path in files.values() if path.stem.endswith(FIRST_RUN)]
    again = [
        path for path in again if path.with_name(path.name.replace(FIRST_RUN, "_002")).exists()
    ]
    if again:
        say(f"{folder}: several runs of {counted(len(again), 'sequence')}; the first one counts")
    if unmatched:
        more = f" and {len(unmatched) - 1} more" * (len(unmatched) > 1)
        say(f"{folder}: no sequence is named as {unmatched[0]}{more}")
    held = [(clip, files[_plain(clip.name)]) for clip in clips if _plain(clip.name) in files]
    if not held:
        raise BadClips(
            f"{folder} has boxes of none of these {counted(len(clips), 'sequence')}; the first "
            f"would be {clips[0].name}{ENDING}",
            what="no sequence",
        )
    return {clip.name: _fitted(path, clip, origin) for clip, path in held}


def _files_in(folder: Path) -> dict[str, Path]:
    """Return a tracker's files: a sequence's name -> its file, or that of its first run."""
    files = {path.stem: path for path in sorted(folder.glob("*" + ENDING))}
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        first = inside / (inside.name + FIRST_RUN + ENDING)
        if first.is_file():
            files.setdefault(inside.name, first)
    return files


def _plain(name: str) -> str:
    """Return a sequence's name as it is compared: "Jogging.1", "jogging-1", "jogging_1" are one."""
    return re.sub(r"[-. ]", "_", name.lower())


def _fitted(path: Path, clip: AnnotatedClip, origin: int) -> np.ndarray:
    """Return the boxes of a file, (frames, 4) float64; the first one is that which was given."""
    rows = _rows(path)
    if len(rows) != len(clip):
        raise BadClips(
            f"{path} has {counted(len(rows), 'box', 'boxes')} for {len(clip)} frames of "
            f"{clip.name}; write one line for each frame, the first one too"
        )
    rows = np.where(np.isfinite(rows).all(axis=1)[:, None], rows, 0.0)
    rows[:, :2] -= origin
    _check_form(path, rows, clip)
    rows[0] = clip.boxes[0]
    return rows


def _check_form(path: Path, rows: np.ndarray, clip: AnnotatedClip) -> None:
    """Refuse rows that fit the given box, which is the first row, or the truth in another form."""
    there = [index for index, box in enumerate(clip.boxes) if box is not None]
    given, truth = rows[there], np.array([clip.boxes[index] for index in there])
    own = _fit(path, given[:1], truth[:1], GIVEN, "the first row, which is the given box")
    _fit(path, given, truth, GOOD, "the truth")
    if own < FAR and rows[0].any():
        say(
            f"{path}: its first row is not the given box; if it is not the tracker's own answer, "
            "the rows are not x,y,w,h in pixels of these frames"
        )


def _fit(path: Path, rows: np.ndarray, truth: np.ndarray, least: float, by: str) -> float:
    """The mean overlap of rows; refuses them if another form has ``least``, and they much less."""
    own = float(overlap(rows, truth).mean())
    fits = {form: float(overlap(convert(rows), truth).mean()) for form, convert in FORMS.items()}
    best = max(fits, key=lambda form: fits[form])
    if fits[best] >= least and own <= LESS * fits[best]:
        raise BadClips(
            f"{path}: its rows are {best}, by {by} (overlap {fits[best]:.2f}, and {own:.2f} "
            "as x,y,w,h); write x,y,w,h",
            what="another form",
            where=path,
        )
    return own


def _between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.concatenate([first, last - first], axis=1)


def _rows(path: Path) -> np.ndarray:
    """Return the numbers of a file, (lines, 4) float64."""
    try:
        lines = read_text(str(path), MOST_MIB << 20).splitlines()
    except (OSError, ValueError) as error:
        raise BadClips(f"{path}: {why_unread(error)}, with x,y,w,h of a frame a line") from None
    while lines and not lines[-1].strip():
        lines.pop()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            x, y, w, h = map(float, SPACE.split(line.strip()))
        except ValueError:
            raise BadClips(f"{path}: line {number} is not x,y,w,h: {line[:60]!r}") from None
        rows.append((x, y, w, h))
    return np.array(rows, float).reshape(-1, 4)


def write(folder: Path, results: Mapping[str, Boxes], origin: int) -> None:
    """Write FOLDER/TRACKER/SEQUENCE.txt with one decimal, which ``read`` takes.

    Args:
        folder: made if it is not there.
        results: tracker -> clip's name -> boxes (frames, 4), 0-based pixels of the frame.
        origin: the number of the first pixel in the files.
    """
    for tracker, of_clips in results.items():
        (folder / tracker).mkdir(parents=True, exist_ok=True)
        for name, boxes in of_clips.items():
            rows = np.asarray(boxes, float) + (origin, origin, 0, 0)
            lines = (",".join(f"{value:.1f}".removesuffix(".0") for value in row) for row in rows)
            (folder / tracker / (name + ENDING)).write_text("\n".join(lines) + "\n")
