"""Targets in films of others: with boxes that we annotated, or judged by eye.

films.toml of a folder says where each film is published, and a file is taken if its sha256 fits. A
line of boxes.csv.gz beside it is target,frame,x,y,w,h,sure. A line without a box is a frame without
the target. ``sure`` is 0 where the target is half hidden or not marked with care, so that no answer
is wrong.

Of the others no boxes are annotated. A row of ``annotations.csv`` is a target: its film (a name of
``films.csv``, which says where it is published), the number of its first frame, its number of
frames, its first box, and by eye the frames in which a box is ``wrong``, counted from the first
one: the target is hidden or out of the picture, or the box of kestrel was seen to be on another
object. In all other frames the box counts as right, so that a box that is merely loose is right,
and a box that only another network takes to another object, too. The frames ``unjudged`` do not
count. ``lot`` says whether the target was kept aside, by lot, while the rules of the identity were
chosen.
"""

import csv
import functools
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.base import toml
from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import sha256_of
from hotpath.video.recorded import VideoFile
from hotpath_lab import public

Record = dict[str, Any]  # of a film
TARGETS = Path(__file__).with_suffix(".csv")
BOXES = "boxes.csv.gz"
LOTS = ("chosen on", "kept aside")


class AnnotatedTarget(NamedTuple):
    """The annotation of one target; the attributes of the arrays are for its own frames.

    Attributes:
        name, film: their names.
        first: number of its first frame in the film.
        boxes: (n, 4) float64 (x, y, w, h), NaN if the target is absent.
        sure: (n,) bool, False if no answer is wrong.
    """

    name: str
    film: str
    first: int
    boxes: np.ndarray
    sure: np.ndarray


class TargetFilm:
    """The frames of a target; it reads like a ``hotpath.video.clips.AnnotatedClip``."""

    def __init__(self, target: AnnotatedTarget, path: Path) -> None:
        self.target, self.path = target, path
        self.name, self.boxes, self.known = target.name, target.boxes, target.sure

    def __len__(self) -> int:
        return len(self.boxes)

    def in_memory(self, most_bytes: int) -> "TargetFilm":
        """The film itself: its frames are decoded each time."""
        return self

    def __iter__(self) -> Iterator[np.ndarray]:
        with VideoFile(str(self.path)) as source:
            for index in range(self.target.first + len(self)):
                frame = source.read()
                if index >= self.target.first:
                    yield np.asarray(frame)

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the film and the boxes."""
        digest = hashlib.sha256(np.ascontiguousarray(self.boxes).tobytes())
        digest.update(f"{self.target.first} {sha256_of(self.path)}".encode())
        return digest.hexdigest()


def read(folder: str | Path) -> tuple[list[Record], list[AnnotatedTarget]]:
    """Read annotations.

    Returns:
        the films of ``films.toml``, and its targets with their boxes.

    Raises:
        BadRun: a file is missing or is not of this form.
    """
    table = toml.read(Path(folder) / "films.toml", BadRun)
    try:
        films, entries = table["film"], table["target"]
        names = {film["name"] for film in films if film["sha256"]}
        boxes = _boxes(Path(folder) / BOXES)
        targets = [_target(Path(folder) / BOXES, boxes, entry, names) for entry in entries]
    except (KeyError, TypeError) as error:
        raise BadRun(f"{folder}/films.toml lacks {error}; see docs/results/real") from None
    return films, targets


def _boxes(path: Path) -> dict[str, list[dict[str, str]]]:
    """The lines of each target."""
    lines: dict[str, list[dict[str, str]]] = {}
    try:
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                lines.setdefault(row["target"], []).append(row)
    except (OSError, EOFError, KeyError, UnicodeDecodeError) as error:
        raise BadRun(f"{path} can't be read as target,frame,x,y,w,h,sure: {error}") from None
    return lines


def _target(
    path: Path, lines: dict[str, list[dict[str, str]]], entry: dict[str, str], films: set[str]
) -> AnnotatedTarget:
    if entry["film"] not in films:
        raise BadRun(f"{entry['name']}: no film is called {entry['film']}; add it to films.toml")
    try:
        rows = lines.get(entry["name"], [])
        frames = np.array([int(row["frame"]) for row in rows])
        sides = [[float(row[side] or "nan") for side in "xywh"] for row in rows]
        sure = np.array([{"0": False, "1": True}[row["sure"]] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(
            f"{path}: the lines of {entry['name']} can't be read as "
            f"target,frame,x,y,w,h,sure: {error}"
        ) from None
    boxes = np.array(sides)
    if not len(boxes) or (np.diff(frames) != 1).any() or not np.isfinite(boxes[0]).all():
        raise BadRun(
            f"{path} must hold frames of {entry['name']} without a gap, and a box in the first"
        )
    return AnnotatedTarget(entry["name"], entry["film"], int(frames[0]), boxes, sure)


def located(films: Sequence[Record], folder: str | Path) -> dict[str, Path]:
    """Find the file of each film below a folder by its sha256.

    Raises:
        BadRun: a film is not there; the sentence says where it is published.
    """
    by_hash = {film["sha256"]: film for film in films}
    endings = {Path(film["path"]).suffix for film in films}
    places = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in endings and path.is_file():
            film = by_hash.get(sha256_of(path))
            if film:
                places[film["name"]] = path
    for film in films:
        if film["name"] not in places:
            raise BadRun(
                f"{folder} does not hold {film['path']} of {film['source']} at commit "
                f"{film['commit']}; put it there"
            )
    return places


class SeenFilm(TargetFilm):
    """The frames of a target that was judged by eye.

    Attributes:
        right: (n,) bool, whether a box of that frame counts as right.
    """

    def __init__(self, target: AnnotatedTarget, path: Path, right: np.ndarray) -> None:
        super().__init__(target, path)
        self.right = right


def rows() -> list[dict[str, str]]:
    """The rows of ``annotations.csv``."""
    with open(TARGETS, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def films(folder: str | Path, lot: str) -> list[SeenFilm]:
    """Return the targets of a lot, whose films ``hotpath_lab.public --also films`` has fetched.

    Args:
        folder: that of ``--data``, or its folder of films; it is searched with all folders below.
        lot: one of ``LOTS``.

    Raises:
        hotpath.calib.errors.BadRun: a film is not there; the sentence says where it is published.
    """
    of_lot = [row for row in rows() if row["lot"] == lot]
    wanted = {row["film"] for row in of_lot}
    sources = [row for row in public.named("films") if row["name"] in wanted]
    places = located(
        [{**row, "source": public.HOST + row["repository"]} for row in sources], folder
    )
    return [_film(row, places[row["film"]]) for row in of_lot]


def _film(row: dict[str, str], path: Path) -> SeenFilm:
    boxes = np.full((int(row["frames"]), 4), np.nan)
    boxes[0] = [float(row[side]) for side in "xywh"]
    wrong, unjudged = (marked(row[name].split(), len(boxes)) for name in ("wrong", "unjudged"))
    target = AnnotatedTarget(row["name"], row["film"], int(row["first"]), boxes, ~unjudged)
    return SeenFilm(target, path, ~wrong)


def marked(intervals: Sequence[str], count: int) -> np.ndarray:
    """Return (count,) bool, true in the frames of intervals such as 20-49, both ends included.

    Example:
        >>> marked(["1-2", "4-4"], 6).astype(int).tolist()
        [0, 1, 1, 0, 1, 0]
    """
    frames = np.zeros(count, bool)
    for interval in intervals:
        first, last = map(int, interval.split("-"))
        frames[first : last + 1] = True
    return frames
