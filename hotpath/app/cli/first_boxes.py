"""Find the targets of the first frame: --box, --point, or ground truth."""

import re
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.app.option_records import TargetOptions
from hotpath.runtime.errors import BadBox
from hotpath.runtime.frames.frame_edges import within_frame
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.types import (
    Box,
    are_corners,
    are_shares,
    checked_box,
    corners_hint,
)

if TYPE_CHECKING:
    from hotpath.video.base import Source

A_BOX = "X,Y,W,H in pixels of the frame, or in per cent of it (40%)"


def check_boxes(options: TargetOptions) -> None:
    """Refuse a box that is no box on any frame, before an engine is loaded.

    Raises:
        BadBox: not four numbers, or less than a pixel.
    """
    for text in options.box:
        parse_box("--box", text, (1, 1))
    for text in options.point:
        parse_point(text, (1, 1))


def given_boxes(
    options: TargetOptions, selects: bool, source: "Source", frame: AnyFrame
) -> Optional[List[Box]]:
    """Return the targets in the first frame that need no mouse.

    They come from --box, else from the source's ground truth. Where a link ``selects``
    targets, the list may be empty. ``frame`` is the first of ``source``, a
    ``hotpath.video.base.Source``.

    Returns:
        list of (x, y, w, h), pixels of the frame; None: the user selects one, see
        ``hotpath.app.cli.mouse``.

    Raises:
        BadBox: there is no box and no window, or a box that no target can have.
    """
    size = frame.shape[1], frame.shape[0]
    given: List[Sequence[float]] = [parse_box("--box", text, size) for text in options.box]
    if options.point and not given:
        return []
    if not given and source.first_box is not None:
        return [checked_box(source.first_box, frame.shape)]
    if not given and not selects:
        _check_window(source)
        return None
    if options.snug:
        given = [within_frame(box, frame.shape) for box in given]
    boxes = [checked_box(box, frame.shape) for box in given]
    twice = [box for number, box in enumerate(boxes) if box in boxes[:number]]
    if twice:
        box = ",".join(f"{value:g}" for value in twice[0])
        raise BadBox(f"the box {box} is given twice; give each target one box", what="given twice")
    for checked in boxes:
        if are_corners(checked, frame.shape):
            text = ",".join(f"{value:g}" for value in checked)
            source.log(f"box {text} {corners_hint(checked, frame.shape)}")
    return boxes


def given_points(options: TargetOptions, frame: AnyFrame) -> List[Tuple[float, float]]:
    """Return the points of --point, pixels of the frame.

    Raises:
        BadBox: a point is given twice.
    """
    size = frame.shape[1], frame.shape[0]
    points = [parse_point(text, size) for text in options.point]
    if len(set(points)) < len(points):
        raise BadBox("a point is given twice; give each target one --point", what="twice")
    return points


def _check_window(source: "Source") -> None:
    """Raise ``BadBox`` where no box can be drawn."""
    from hotpath.video import desktop_window

    reason = desktop_window.no_window()
    if reason:
        truth = "has no usable ground truth"
        if source.annotated:
            truth = "has no target in its first frame, by its ground truth,"
        raise BadBox(
            f"no target: {source.name} {truth} and {reason}; give --box {A_BOX}, or draw a box in "
            "a browser with --page",
            what="no target",
        )


def _numbers(text: str, size: Tuple[int, int]) -> List[float]:
    """Numbers; one with a per cent sign is a share of the frame's width or height. Else empty."""
    fields = [field for field in re.split(r"[,;\s]+", text.strip(" ,;\t")) if field]
    try:
        return [
            float(field[:-1]) * size[axis % 2] / 100 if field[-1] == "%" else float(field)
            for axis, field in enumerate(fields)
        ]
    except ValueError:
        return []


def parse_point(text: str, size: Tuple[int, int]) -> Tuple[float, float]:
    """The two numbers of a point, in pixels.

    Raises:
        BadBox: there are not two, or one is not finite.
    """
    point = _numbers(text, size)
    if len(point) != 2 or not np.isfinite(point).all():
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise BadBox(
            f"--point {shown}: not two numbers; give X,Y in pixels of the frame, or in per cent of "
            "it (50%,40%)",
            what="no point",
        )
    return point[0], point[1]


def parse_box(where: str, text: str, size: Tuple[int, int]) -> List[float]:
    """The four numbers of a box, in pixels."""
    box = _numbers(text, size)
    if len(box) != 4:
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise BadBox(f"{where} {shown}: not four numbers; give {A_BOX}", what="not four numbers")
    if "%" not in text and are_shares(box):
        shares = ",".join(f"{100 * value:g}%" for value in box)
        raise BadBox(
            f"{where} {text}: is less than a pixel; give pixels, or {shares}", what="too small"
        )
    return box
