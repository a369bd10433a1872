"""Targets of films that others published, which were judged by eye. No boxes are annotated.

A row of ``annotations.csv`` is a target: its film (a name of ``films.csv``, which says where it is
published), the number of its first frame, its number of frames, its first box, and by eye the
frames in which a box is ``wrong``, counted from the first one: the target is hidden or out of the
picture, or the box of kestrel was seen to be on another object. In all other frames the box counts
as right, so that a box that is merely loose is right, and a box that only another network takes to
another object, too. The frames ``unjudged`` do not count. ``lot`` says whether the target was kept
aside, by lot, while the rules of the identity were chosen.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hotpath_lab import public
from hotpath_lab.longterm import similar

TARGETS = Path(__file__).with_suffix(".csv")
LOTS = ("chosen on", "kept aside")


class SeenFilm(similar.TargetFilm):
    """The frames of a target that was judged by eye.

    Attributes:
        right: (n,) bool, whether a box of that frame counts as right.
    """

    def __init__(self, target: similar.Target, path: Path, right: np.ndarray) -> None:
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
    places = similar.located(
        [{**row, "source": public.HOST + row["repository"]} for row in sources], folder
    )
    return [_film(row, places[row["film"]]) for row in of_lot]


def _film(row: dict[str, str], path: Path) -> SeenFilm:
    boxes = np.full((int(row["frames"]), 4), np.nan)
    boxes[0] = [float(row[side]) for side in "xywh"]
    wrong, unjudged = (marked(row[name].split(), len(boxes)) for name in ("wrong", "unjudged"))
    target = similar.Target(row["name"], row["film"], int(row["first"]), boxes, ~unjudged)
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
