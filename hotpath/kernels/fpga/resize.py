"""The crop unit's tables: for each column and row of a crop, two pixels of the frame and weights.

Exactly the numbers of ``hotpath.kernels.golden.crop``, laid out as ``tables.toml`` says (targets
COLUMNS and ROWS). The driver writes them into region 2 for every window.
"""

import functools
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from hotpath.kernels import golden

ENTRY = 8  # bytes a column or row
IS_BORDER = 0x8000  # flag in a row's weights
KEPT = 64  # window sides whose weights are remembered; a target's size changes little a frame


class Fetch(NamedTuple):
    """The part of a frame that a window needs.

    Attributes:
        x0, y0: its first pixel, which FRAME points at.
        columns, rows: its size in pixels; both 0 if the whole window is outside. LINE is 3
            times the columns.
    """

    x0: int
    y0: int
    columns: int
    rows: int


_COLUMN = np.dtype(
    [("left", "<i2"), ("flags", "u1"), ("zero", "u1"), ("weight", "<u2"), ("next", "<u2")]
)
_ROW = np.dtype([("top", "<i2"), ("bottom", "<i2"), ("weight", "<u2"), ("next", "<u2")])


def bytes_of(side: int) -> Tuple[int, int]:
    """(offset of ROWS, bytes in all) of the tables of a crop of ``side`` pixels; COLUMNS is at 0.

    Both are loaded in beats of 16 bytes.
    """
    table_bytes = -(-ENTRY * side // 16) * 16
    return table_bytes, 2 * table_bytes


def tables_for(
    frame_width: int, frame_height: int, window: Sequence[int], side: int, out: np.ndarray
) -> Fetch:
    """Write the tables of one window.

    Args:
        frame_width, frame_height: width and height of the frame, pixels.
        window: (x, y, w, h) ints in frame pixels; may be partly or wholly outside.
        side: pixels a side of the crop.
        out: uint8, at least ``bytes_of(side)[1]`` bytes, C-contiguous; is written.

    Returns:
        ``Fetch``.

    Raises:
        ValueError: the window has no pixel.
    """
    x, y, width, height = (int(value) for value in window)
    if min(width, height, side) < 1:
        raise ValueError(f"a crop of {width}x{height} to {side}")
    x0, columns = _inside(x, width, frame_width)
    y0, rows = _inside(y, height, frame_height)
    rows_at, _ = bytes_of(side)

    _write_columns(out[: ENTRY * side], x - x0, width, columns)
    _write_rows(out[rows_at : rows_at + ENTRY * side], y - y0, height, rows)
    if columns == 0 or rows == 0:
        return Fetch(0, 0, 0, 0)
    return Fetch(x0, y0, columns, rows)


def _write_columns(out: np.ndarray, shift: int, width: int, columns: int) -> None:
    """Write the table of columns; the right pixel is the left one's neighbour.

    Args:
        out: uint8, ``ENTRY`` bytes for each column of the crop.
        shift: of the window's first column from the fetched ones.
        width, columns: of the window; that are fetched.
    """
    left, _, weight, beside = _weights("columns", width, len(out) // ENTRY)
    place = left + shift
    entries = out.view(_COLUMN)
    entries["left"] = np.clip(place, -1, columns)
    entries["flags"] = _outside(place, columns) | _outside(place + 1, columns) << 1
    entries["zero"] = 0
    entries["weight"], entries["next"] = weight, beside


def _write_rows(out: np.ndarray, shift: int, height: int, rows: int) -> None:
    """Write the table of rows; see ``_write_columns``."""
    top, bottom, weight, beside = _weights("rows", height, len(out) // ENTRY)
    top, bottom = top + shift, bottom + shift
    entries = out.view(_ROW)
    entries["top"], entries["bottom"] = np.clip(top, -1, rows), np.clip(bottom, -1, rows)
    entries["weight"] = weight | _outside(top, rows) * IS_BORDER
    entries["next"] = beside | _outside(bottom, rows) * IS_BORDER


def _inside(start: int, length: int, limit: int) -> Tuple[int, int]:
    """(first pixel inside, how many) of a span against 0 ... limit."""
    first = min(max(start, 0), limit)
    return first, max(0, min(start + length, limit) - first)


def _outside(place: np.ndarray, count: int) -> np.ndarray:
    return ((place < 0) | (place >= count)).astype(np.int64)


@functools.lru_cache(maxsize=KEPT)
def _weights(which: str, source: int, target: int) -> golden.Taps:
    """First and second pixel within the window and their weights, remembered."""
    return (golden._columns if which == "columns" else golden._rows)(source, target)
