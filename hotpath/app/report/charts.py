"""Draw charts as plain SVG: time lines, curves and bars, without a script or a library.

All charts of a report share the width and the axis of frames. A chart has at most ``COLUMNS``
columns, however long the run was: a column of a time line shows the gravest word of its frames,
and a column of a curve the range of its values.
"""

import html
import math
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.types import STATES

COLUMNS = 1000
WIDTH, LEFT, RIGHT = 1100.0, 52.0, 8.0  # of a chart, units of its viewBox
BARS_WIDTH, BAR_LENGTH = 440.0, 180.0  # of bars, which fit a phone
LINE_HEIGHT, CURVE_HEIGHT = 30.0, 96.0
TICKS = 6
STRETCHED = 'preserveAspectRatio="none" '  # a narrow screen shows the whole width, as high as ever
NICE = (1, 2, 2.5, 5, 10)


class FrameAxis:
    """The frames from ``first`` to ``last`` on the width of a chart."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, max(last, first + 1)
        self.count = self.last - self.first + 1

    def x(self, frame: float) -> float:
        """Where a frame begins, units of the chart."""
        return LEFT + (frame - self.first) * (WIDTH - LEFT - RIGHT) / self.count

    def columns(self, frames: Sequence[int]) -> np.ndarray:
        """The column of each frame: int (n,)."""
        places = (np.asarray(frames, np.int64) - self.first) * min(COLUMNS, self.count)
        return places // self.count

    def frame_of(self, column: int) -> float:
        """The first frame of a column."""
        return self.first + column * self.count / float(min(COLUMNS, self.count))


def time_line(
    axis: FrameAxis, frames: Sequence[int], words: Sequence[int], marks: Sequence[Tuple[int, str]]
) -> str:
    """A bar in the colours of the words, with a mark at each find.

    Args:
        frames, words: a frame's index, and the place of its word in ``STATES``.
        marks: frame and text of each mark.
    """
    columns = axis.columns(frames)
    gravest = np.full(min(COLUMNS, axis.count), -1)
    np.maximum.at(gravest, columns, np.asarray(words, np.int64))
    parts = []
    ends = [*(np.flatnonzero(np.diff(gravest)) + 1), len(gravest)]
    begin = 0
    for end in ends:
        if gravest[begin] >= 0:
            word = STATES[gravest[begin]]
            first, after = axis.frame_of(begin), axis.frame_of(int(end))
            title = f"{word}, frames {math.ceil(first)} to {math.ceil(after) - 1}"
            left, width = axis.x(first), axis.x(after) - axis.x(first)
            parts.append(
                f'<rect class="{word}" x="{left:.1f}" y="8" width="{max(width, 1):.1f}" '
                f'height="18"><title>{title}</title></rect>'
            )
        begin = int(end)
    for frame, text in marks:
        x = axis.x(frame)
        parts.append(
            f'<path class="mark" d="M{x:.1f} 8l-5-8h10z"><title>{html.escape(text)}</title></path>'
            f'<path class="stem" d="M{x:.1f} 8v18"/>'
        )
    return _svg(LINE_HEIGHT, "time line of the words", parts, 'class="line" ' + STRETCHED)


def curve(
    axis: FrameAxis,
    frames: Sequence[int],
    values: Sequence[float],
    name: str,
    unit: str = "",
    top: Optional[float] = None,
    mark: Optional[float] = None,
) -> str:
    """A line of one value a frame; "" where no value is known.

    Args:
        frames, values: a frame's index and its value; NaN breaks the line.
        name, unit: of the value, for the label.
        top: the largest value of the scale; by default it follows from the values.
        mark: a value at which a line of dashes is drawn.
    """
    known = np.asarray(values, float)
    finite = np.isfinite(known)
    if not finite.any():
        return ""
    most = top or round_limit(float(known[finite].max()) or 1.0)
    height = CURVE_HEIGHT - 22

    def y(value: float) -> float:
        return 6 + height - height * min(value, most) / most

    parts = []
    for value in (0.0, most / 2, most):
        parts.append(f'<path class="grid" d="M{LEFT:g} {y(value):.1f}H{WIDTH - RIGHT:g}"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{y(value) + 4:.1f}" class="end">{value:g}</text>')
    if mark is not None:
        parts.append(f'<path class="limit" d="M{LEFT:g} {y(mark):.1f}H{WIDTH - RIGHT:g}"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{y(mark) + 4:.1f}" class="end">{mark:g}</text>')
    points = _ranges(axis, frames, known)
    for line in _lines(points):
        text = " ".join(f"{axis.x(frame):.1f},{y(value):.1f}" for frame, value in line)
        parts.append(f'<polyline class="curve" points="{text}"/>')
    parts += _frame_ticks(axis, CURVE_HEIGHT - 3)
    label = f"{name}, {unit}" if unit else name
    title = f'<p class="label">{html.escape(label)}</p>'
    return title + _svg(CURVE_HEIGHT, label, parts)


def bars(rows: Sequence[Tuple[str, float, str]]) -> str:
    """Horizontal bars: name, length, text behind the bar."""
    most = max([length for _, length, _ in rows] + [1e-9])
    parts = []
    for place, (name, length, text) in enumerate(rows):
        top = 4 + 24 * place
        width = max(1.0, length / most * BAR_LENGTH)
        parts.append(f'<text x="72" y="{top + 14}" class="end">{html.escape(name)}</text>')
        parts.append(f'<rect class="bar" x="80" y="{top}" width="{width:.1f}" height="18"/>')
        parts.append(f'<text x="{88 + width:.1f}" y="{top + 14}">{html.escape(text)}</text>')
    height = 8 + 24.0 * len(rows)
    return _svg(height, "milliseconds of each step", parts, 'class="bars" ', BARS_WIDTH)


def round_limit(value: float) -> float:
    """The round number at or above a positive value, for the end of a scale."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in NICE if step * power >= value * (1 - 1e-9))


def _ranges(axis: FrameAxis, frames: Sequence[int], values: np.ndarray) -> List[Any]:
    """Points (frame, value) of a curve, at most two a column; None where the line breaks."""
    columns = axis.columns(frames)
    points: List[Any] = []
    before = None
    starts: Any = np.flatnonzero(np.diff(np.concatenate(([-1], columns)))) if len(columns) else []
    for begin, end in zip(starts, [*starts[1:], len(columns)]):
        part = values[begin:end]
        if before is not None and frames[begin] > before + 1:
            points.append(None)
        before = frames[end - 1]
        if not np.isfinite(part).any():
            points.append(None)
            continue
        low, high = int(np.nanargmin(part)), int(np.nanargmax(part))
        for place in sorted({low, high}):
            points.append((frames[begin + place] + 0.5, float(part[place])))
    return points


def _lines(points: Sequence[Any]) -> List[List[Tuple[float, float]]]:
    """The parts of a curve between its breaks; a single point becomes a short line."""
    lines: List[List[Tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            lines.append([])
        else:
            lines[-1].append(point)
    return [line if len(line) > 1 else line * 2 for line in lines if line]


def _frame_ticks(axis: FrameAxis, y: float) -> List[str]:
    step = max(1, int(round_limit(axis.count / float(TICKS))))
    first = -(-axis.first // step) * step
    return [
        f'<text x="{axis.x(frame):.1f}" y="{y:g}" class="tick">{"" if place else "frame "}{frame}'
        "</text>"
        for place, frame in enumerate(range(first, axis.last + 1, step))
        if axis.x(frame) < WIDTH - 20
    ]


def _svg(
    height: float, label: str, parts: Sequence[str], more: str = "", width: float = WIDTH
) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg {more}{size} role="img" aria-label="{html.escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
