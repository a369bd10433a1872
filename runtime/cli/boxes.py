"""Find out where the targets are in the first frame: --box, --boxes, ground truth, or the mouse."""

import argparse
from typing import Any, List, Tuple

import numpy as np

from runtime.errors import BadBox
from runtime.types import checked_box
from runtime.video import window

Box = Tuple[float, float, float, float]
GIVE_A_BOX = "give --box X,Y,W,H in pixels of the first frame"


def first_boxes(options: argparse.Namespace, source: Any, frame: np.ndarray) -> List[Box]:
    """The targets in the first frame.

    They come from --box and --boxes, else from the source's ground truth, else from the mouse.
    With --page or --mavlink the list may be empty.

    Args:
        options: has ``box``, ``boxes``, ``page`` and ``mavlink``.
        source: ``runtime.video.base.Source``.
        frame: its first frame.

    Returns:
        list of (x, y, w, h), pixels of the frame.

    Raises:
        BadBox: there is no box, or one that no target can have.
    """
    given = [_parsed_box("--box", text) for text in options.box or ()]
    if options.boxes:
        given += _boxes_in(options.boxes)
    if not given and source.first_box is not None:
        given = [source.first_box]
    if not given and not (options.page or options.mavlink):
        reason = window.no_window()
        if reason:
            raise BadBox(
                "no target: {} has no ground truth and {}; {}".format(
                    source.name, reason, GIVE_A_BOX
                )
            )
        given = [window.Window().select_box(frame)]
    return [checked_box(box, frame.shape) for box in given]


def _boxes_in(path: str) -> List[List[float]]:
    """The boxes of a file, one a line."""
    try:
        with open(path) as file:
            lines = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadBox("--boxes {}: can't be read: {}".format(path, error)) from None
    if not lines:
        raise BadBox("--boxes {}: holds no box; write one a line, X,Y,W,H".format(path))
    return [_parsed_box("--boxes " + path, line) for line in lines]


def _parsed_box(where: str, text: str) -> List[float]:
    """Four numbers with commas between them."""
    try:
        box = [float(value) for value in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        raise BadBox("{} {}: not four numbers; {}".format(where, text, GIVE_A_BOX))
    return box
