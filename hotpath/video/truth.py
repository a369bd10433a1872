"""Decide from a whole truth file what its numbers mean, or say what speaks against it.

A single row can't tell: ``60,100,40,32,0,1`` may be a polygon, or a box with two flags. All rows of
the file can, because a flag, a class and the number of a target stay the same, a frame number grows
by a constant, and the corners of a polygon move together. Units are decided alike: two corners that
are read as x,y,w,h leave the frame, or their width grows as the target moves to the right.
``sequence.py`` finds and reads the files.
"""

import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.types import leave_frame

MOT_FIELDS = (7, 9, 10)  # numbers of a line of MOTChallenge
MOST_STATE = 2  # of the last two of ten numbers: -1 in MOTChallenge, states in VisDrone
SKEW = 0.05  # of a polygon's diagonal: by how much an annotated rectangle's corners may miss
SAME_STEP = 0.02  # of a step: rounded times grow by a constant, too
TOGETHER = 0.5  # of a column's spread: by how much the distance to the other corners may vary
SURE_ROWS = 4  # in fewer, a corner may move by the same step by chance
FLAT = 0.045  # share of its upright box that a turned rectangle covers at least
MOST_LABELS = 12  # numbers of targets, classes or states in a file
LABELS = 4  # rows for each value of a column that names targets, classes or states
FEW, MANY = 0.1, 0.5  # shares of the rows
STEADY = 0.25  # of the right edge's spread: the width's, where the numbers are corners
MOVES_PX = 3.0  # standard deviation of an edge that moves
LEAST_SIDES = 320, 240  # of a frame in which numbers up to 100 may be per cent
BEYOND = 1e9  # pixels, or milliseconds: what is larger is judged as this
MOST_SHARE = 1.01  # of a frame's side, for the end of a box
FLAGS = {"true": True, "false": False, "1": True, "0": False}


class Doubt(NamedTuple):
    """What speaks against a truth file.

    Attributes:
        what: "" for nothing, "counted" where a column numbers the frames, "wrong line", or
            "corners".
        saw: what the file holds instead, as a part of a sentence.
    """

    what: str = ""
    saw: str = ""


def doubt_of_rows(rows: Sequence[Sequence[float]]) -> Doubt:
    """Return what speaks against reading the rows as boxes and polygons of one target.

    Rows of four numbers are boxes. Rows of an even number from six on are polygons if they have the
    corners of one; rows with another number of values are not judged here.

    Args:
        rows: the numbers of each line; empty, or a single number, where the target is absent.
    """
    long = [row for row in rows if len(row) > 4]
    if len(long) < sum(len(row) == 4 for row in rows) or not long:
        return Doubt()
    if len(set(map(len, long))) > 1:
        return Doubt()
    table = np.array(long, float)
    table = table[np.isfinite(table).all(axis=1)].clip(-BEYOND, BEYOND)
    if not len(table) or (table.shape[1] == 8 and _are_rectangles(table)):
        return Doubt()
    if _counts_frames(table):
        return Doubt("counted", "its first column counts the frames")
    saw = _growing_column(table)
    if not saw and table.shape[1] % 2 == 0:
        saw = _odd_column(table) or _odd_corners(table)
    return Doubt("wrong line", saw) if saw else Doubt()


def _are_rectangles(table: np.ndarray) -> bool:
    """Whether nearly all rows (n, 8) are corners of a parallelogram, in any order."""
    corners = table.reshape(-1, 4, 2)
    extents = np.ptp(corners, axis=1)
    total = corners.sum(axis=1)
    # one corner is opposite to the first one: both pairs have the same centre
    misses = [np.hypot(*(2 * (corners[:, 0] + corners[:, k]) - total).T) for k in (1, 2, 3)]
    first, second, third = (corners[:, k] - corners[:, 0] for k in (1, 2, 3))
    # the largest triangle is half of it
    pairs = ((first, second), (first, third), (second, third))
    areas = [abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) for a, b in pairs]
    is_one = np.min(misses, axis=0) <= 2 * SKEW * np.hypot(*extents.T) + 2
    has_area = np.max(areas, axis=0) >= FLAT * extents.prod(axis=1)
    return bool((is_one & has_area).mean() >= 1 - FEW)


def _counts_frames(table: np.ndarray) -> bool:
    """Whether the first column numbers the frames, as in results and files of several targets.

    A row of MOTChallenge tells it by its length. Else the column grows by 1 in each row; or it
    begins with 0 or 1, and where it does not grow by 1, the second one names another target.
    """
    first, begins = table[0], table[0, 0] in (0, 1)
    if (table[:, 0] % 1).any():
        return False
    numbered = all(value >= 1 and value == int(value) for value in first[:2])
    has_form = len(first) in MOT_FIELDS and (len(first) % 2 or table[:, 8:].max() <= MOST_STATE)
    if has_form and (begins or numbered):
        return True
    steps = np.diff(table[:, :2], axis=0)
    if not len(steps):
        return False
    if (steps[:, 0] == 1).all():
        return begins or len(table) > 2
    is_next = (steps[:, 0] == 1) | ((steps[:, 0] <= 0) & (steps[:, 1] != 0))
    return bool(begins and (steps[:, 0] == 1).any() and is_next.all()) and not (
        (table[:, 1] % 1).any()
    )


def _along_border(table: np.ndarray) -> np.ndarray:
    """Which columns are an edge along the border of the picture: two corners share an end."""
    is_one = np.zeros(table.shape[1], bool)
    for first in (0, 1):
        axis = table[:, first::2]
        fixed = np.ptp(axis, axis=0) == 0
        for end in (axis.min(), axis.max()):
            at_end = fixed & (axis[0] == end)
            is_one[first::2] |= at_end & (at_end.sum() > 1)
    return is_one


def _growing_column(table: np.ndarray) -> str:
    """Which column grows by a constant while the corners do not go with it; "" for none."""
    if len(table) < SURE_ROWS:
        return ""
    steps = np.diff(table, axis=0)
    usual = steps.mean(axis=0)
    even = (np.abs(steps - usual).max(axis=0) <= SAME_STEP * np.abs(usual)) & (usual != 0)
    border = _along_border(table)
    for number in np.flatnonzero(even):
        axis = np.arange(number % 2, table.shape[1], 2)
        axis = axis[~border[axis]]
        column = table[:, number]
        apart = (table[:, axis[axis != number]] - column[:, None]).std(axis=0)
        if not even[axis].all() and (apart > TOGETHER * column.std()).all():
            first = ", ".join(f"{value:g}" for value in column[:3])
            return (
                f"its column {number + 1} grows by a constant ({first} …) and no other with it, as "
                "the number or the time of a frame does"
            )
    return ""


def _odd_column(table: np.ndarray) -> str:
    """What a column has that no corner of a polygon has; "" for none."""
    count, border = len(table), _along_border(table)
    different = [len(np.unique(column)) for column in table.T]
    for number in np.flatnonzero(~border):
        column, more = table[:, number], max(different[number % 2 :: 2])
        least, most = column.min(), column.max()
        where = f"its column {number + 1} is"
        if -1 <= least and most <= 1:
            between = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            return f"{where} {between} in all lines, as a flag, a score or the number of a target"
        if different[number] == 1 and count > 1 and (more > 1 or (most % 1 == 0 and most <= 10)):
            return f"{where} {most:g} in all lines, while others change"
        labels = different[number]
        is_label = not (column % 1).any() and labels * LABELS <= count
        if is_label and labels <= MOST_LABELS and more > 2 * labels:
            return f"{where} one of {labels} values, as the number of a target or class"
    return ""


def _odd_corners(table: np.ndarray) -> str:
    """Why three or four corners of most rows are no polygon's; "" where they are one."""
    corners = table.reshape(len(table), -1, 2)
    if corners.shape[1] == 3:
        a, b, c = corners.transpose(1, 0, 2)
        for share, name in ((1.0, "the right and bottom edge"), (0.5, "the centre")):
            if np.abs(a + share * b - c).max() <= 1:
                return f"its last two numbers are {name} of the box before them"
    if corners.shape[1] == 4:
        crossed = [_cross(*row) or _cross(row[1], row[2], row[3], row[0]) for row in corners]
        if np.mean(crossed) > MANY:
            return "the corners of its lines do not go around"
    return ""


def _cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Whether the line from a to b crosses that from c to d."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def doubt_of_units(
    boxes: Sequence[Optional[Sequence[float]]], size: Tuple[int, int]
) -> Tuple[Doubt, str]:
    """Judge all boxes of a sequence by the size of its frames.

    Args:
        boxes: (x, y, w, h), 0-based pixels, or None where the target is absent.
        size: (width, height) of the frames, pixels.

    Returns:
        (what speaks against them, a part of a sentence to tell the user). The first is "corners"
            where the numbers are x1,y1,x2,y2; the second is "" where nothing is to be told.
    """
    rows = np.array([box for box in boxes if box is not None], float).reshape(-1, 4)
    rows = rows[np.isfinite(rows).all(axis=1)].clip(-BEYOND, BEYOND)
    if not len(rows):
        return Doubt(), ""
    sides = np.array(size, float)
    start, extent = rows[:, :2], rows[:, 2:]
    leaves = leave_frame(rows, size)
    of_frame = "the frame of {}x{}".format(*size)
    fit = (extent > start) & (extent <= sides + 1) & (start >= -1)
    if fit.all():
        moves = start.std(axis=0) > MOVES_PX
        width_is_steady = (extent - start).std(axis=0) < STEADY * extent.std(axis=0)
        saw = ""
        if leaves.mean() >= FEW:
            text = ",".join(f"{value:g}" for value in rows[int(np.argmax(leaves))])
            saw = f"{leaves.sum()} of its {len(rows)} boxes leave {of_frame}, such as {text}"
        elif moves.all() and width_is_steady.all():
            saw = "the width and the height grow with x and y"
        if saw:
            return Doubt(
                "corners",
                f"as x,y,w,h {saw}; as the corners x1,y1,x2,y2 all fit, so write the width x2 - x1 "
                "and the height y2 - y1 instead",
            ), ""
    if leaves.mean() > MANY:
        return Doubt(), (
            f"{leaves.sum()} of its {len(rows)} boxes leave {of_frame}; write x,y,w,h in pixels of "
            "these frames"
        )
    is_small = (rows >= 0).all() and (start + extent).max() <= 101
    if is_small and (start + extent).max() <= MOST_SHARE:
        return Doubt(), (
            f"its numbers are at most 1, as shares of {of_frame} are; write x,y,w,h in pixels"
        )
    if is_small and min(np.subtract(size, LEAST_SIDES)) >= 0 and (rows % 1 > 0).any(axis=1).all():
        return Doubt(), (
            f"all of its numbers are at most 100 in {of_frame}; if they are per cent, write "
            "x,y,w,h in pixels"
        )
    return Doubt(), ""


def absences(text: str) -> List[bool]:
    """Return the flags of a file such as ``absence.label``, one for each frame.

    Raises:
        ValueError: an entry is not 0, 1, true or false; the text says which.
    """
    flags = []
    for number, line in enumerate(text.splitlines(), 1):
        for field in filter(None, re.split(r"[,;\s]+", line)):
            flag = FLAGS.get(field.lower())
            if flag is None:
                try:
                    flag = {0.0: False, 1.0: True}[float(field)]
                except (KeyError, ValueError):
                    raise ValueError(
                        f"line {number} is not 0 or 1 for each frame: {field[:30]!r}"
                    ) from None
            flags.append(flag)
    return flags
