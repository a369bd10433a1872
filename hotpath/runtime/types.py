"""Small value types that the parts of the runtime exchange, and checks of input."""

from typing import Any, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from hotpath.runtime.errors import BadBox

TRACKED, UNSURE, LOST = STATES = "tracked", "unsure", "lost"
LEAST_INSIDE = 0.25  # share of a box that a frame must show
MOST_OF_CORNERS = 1 / 3  # of a box that may be outside the frame, where it looks like x1,y1,x2,y2
SURE = 0.8  # presence of a tracked target from which on a machine may act on the box
GIVEN = 1.0  # score and presence of a box that the user gave
SMALLEST_PX, LARGEST_PX = 1.0, 1e6  # sides of a box
MOST_OF_FRAME = 1.1  # sides of a box, by those of the frame; annotations may be a little too large
Boxes = Union[np.ndarray, Sequence[float], Sequence[Sequence[float]]]  # (n, 4), or one box


class Box(NamedTuple):
    """An upright rectangle, a tuple ``(x, y, w, h)`` in 0-based pixels of the source frame.

    Example:
        >>> box = Box(x=440, y=270, w=60, h=90)
        >>> box.centre, box.xyxy
        ((470.0, 315.0), (440, 270, 500, 360))
    """

    x: float  # left edge
    y: float  # top edge
    w: float  # width
    h: float  # height

    @property
    def xyxy(self) -> Tuple[float, float, float, float]:
        """Return the edges: left, top, right, bottom."""
        return self.x, self.y, self.x + self.w, self.y + self.h

    @property
    def centre(self) -> Tuple[float, float]:
        """Return the centre: x, y."""
        return self.x + self.w / 2, self.y + self.h / 2


class Track(NamedTuple):
    """Where the target is in a frame.

    Act on ``box`` while ``state`` is "tracked" and ``presence`` is at least .8 (or your own
    threshold). Below that, or while it is "unsure", move slowly at most. Stop while it is "lost".

    Attributes:
        box: the ``Box`` that is followed, in pixels of the frame; while lost, the last one before.
        score: how well the best location matches, 0 to 1; a similar object matches too.
        lost: whether ``state`` is "lost".
        state: "tracked": the box holds the same object, as far as the tracker can tell. "unsure":
            the box holds something that may be the target. "lost": the target is not in sight.
        class_id: number of the class that a detector gave the target; else None.
        class_name: name of that class, or "".
        velocity: smoothed velocity (x, y) of the box's centre, pixels per second; None without
            times. While unsure or lost it is not that of ``box``, but that of the last tracked
            frames, which decays to zero within two or three seconds.
        predicted: while unsure or lost, the ``Box`` of the last tracked frame, moved on with that
            decaying velocity, so that it comes to a halt; else None. It may lie outside the frame.
        presence: an estimate of the probability, 0 to 1, that the target is in ``box``
            (docs/use.md). None if the network has no thresholds for it; the state is then always
            "tracked".
        taken: how the target was selected, in its first frame: "box", "point" or "snug"; else None.
        found: whether this is the first frame of "tracked" after a loss or a jump of the box: the
            target was verified again (a re-acquisition).
        witnessed: whether a second network (the witness) follows the same object in this frame.
            False if it follows another one, or nothing. None without a witness.

    Example:
        >>> track = Track(Box(440, 270, 60, 90), score=0.9, presence=0.97)
        >>> track.state == "tracked" and track.presence > 0.8
        True
    """

    box: Box
    score: float
    lost: bool = False
    state: str = "tracked"
    class_id: Optional[int] = None
    class_name: str = ""
    velocity: Optional[Tuple[float, float]] = None
    predicted: Optional[Box] = None
    presence: Optional[float] = None
    taken: Optional[str] = None
    found: bool = False
    witnessed: Optional[bool] = None


class WindowResult(NamedTuple):
    """What a device computed for one window of a frame. All arrays are in the CPU's memory.

    Attributes:
        around: float64 [cx, cy, w, h], frame pixels: the window's centre, and the size of the
            target that gives the window its size.
        scale: (x, y), search pixels per frame pixel of this window.
        features: float32 (1, channels, cells) of the window. None if the graph has no such output,
            or if they stayed on the device.
        maps: float32 arrays for ``Family.select``; None if the device selected.
        states: float64 (n, 4) [cx, cy, w, h], frame pixels: the boxes of the places that
            ``WindowRequest.prior`` asks for, that of the best cell first
            (``hotpath.runtime.decode.shared.proposals``). None if the device did not select. If the
            network's output is not finite, ``around`` is the only one.
        scores: their n scores, 0 to 1; NaN if the network's output is not finite.
        cells: their n cells, row-major; -1 if there is none.
        pooled: float32 (n, parts * channels), the features under the boxes as ``Pooling`` averages
            them, before its mean is subtracted. None if they are to be computed of ``features``.
    """

    around: np.ndarray
    scale: Tuple[float, float]
    features: Any = None
    maps: Any = None
    states: Any = None
    scores: Sequence[float] = ()
    cells: Sequence[int] = ()
    pooled: Any = None


def given_track(box: Box, taken: str) -> Track:
    """Return the ``Track`` of the frame in which the user gave the target."""
    return Track(box, GIVEN, presence=GIVEN, taken=taken)


def checked_boxes(boxes: Boxes) -> np.ndarray:
    """Return boxes as float64 (n, 4) of (x, y, w, h); ``BadBox`` if they are something else."""
    try:
        array = np.asarray(boxes, np.float64).reshape(-1, 4)
    except (TypeError, ValueError, OverflowError):
        raise BadBox("boxes are rows of four numbers x,y,w,h", what="not four numbers") from None
    if not np.isfinite(array).all():
        raise BadBox("a number of a box is not finite; leave that box out", what="not finite")
    return array


def checked_box(box: Any, frame_shape: Sequence[int]) -> Box:
    """Return ``box`` as a ``Box`` if a target can have it in a frame of that shape.

    Args:
        box: four numbers ``(x, y, w, h)``, 0-based frame pixels.
        frame_shape: (height, width, ...).

    Raises:
        BadBox: not four numbers, not finite, not positive, less than a pixel (such as fractions of
            the frame), larger than the frame, less than ``LEAST_INSIDE`` of it is inside the frame,
            or more than ``MOST_OF_CORNERS`` is outside of what looks like two corners.
    """
    try:
        if isinstance(box, (str, bytes, bytearray, set, dict)):  # no numbers, or without an order
            raise TypeError
        x, y, w, h = (float(value) for value in box)
    except (TypeError, ValueError, OverflowError):
        raise BadBox(
            f"a box is four numbers x,y,w,h, not {box!r}", what="not four numbers"
        ) from None
    text = f"box {x:g},{y:g},{w:g},{h:g}"
    if not np.isfinite((x, y, w, h)).all():
        raise BadBox(f"{text}: a number is not finite; give x,y,w,h in pixels", what="not finite")
    if max(abs(x), abs(y), w, h) > LARGEST_PX:
        raise BadBox(f"{text}: no frame is that large; give x,y,w,h in pixels", what="too large")
    if w <= 0 or h <= 0:
        raise BadBox(f"{text}: width and height must be above zero", what="empty")
    height, width = frame_shape[:2]
    if are_shares((x, y, w, h)):
        pixels = f"{x * width:g},{y * height:g},{w * width:g},{h * height:g}"
        raise BadBox(
            f"{text}: is less than a pixel; of a frame of {width}x{height} give {pixels}",
            what="too small",
        )
    if w < SMALLEST_PX or h < SMALLEST_PX:
        raise BadBox(f"{text}: is less than a pixel; give x,y,w,h in pixels", what="too small")
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BadBox(f"{text} lies outside the frame of {width}x{height}; draw it inside")
    if w > MOST_OF_FRAME * width or h > MOST_OF_FRAME * height:
        raise BadBox(
            f"{text} is larger than the frame of {width}x{height}; give x,y,w,h in pixels",
            what="too large",
        )
    inside = (min(x + w, width) - max(x, 0.0)) * (min(y + h, height) - max(y, 0.0))
    if inside < (1 - MOST_OF_CORNERS) * w * h and are_corners((x, y, w, h), frame_shape):
        raise BadBox(f"{text} {corners_hint((x, y, w, h), frame_shape)}", what="corners")
    if inside < LEAST_INSIDE * w * h:
        raise BadBox(
            f"{text}: only {100 * inside / (w * h):.2g}% of it lies in the frame of "
            f"{width}x{height}; give x,y,w,h of the part that is seen",
            what="outside",
        )
    return Box(x, y, w, h)


def are_corners(box: Sequence[float], frame_shape: Sequence[int]) -> bool:
    """Whether a box leaves the frame on the right or below, but read as x1,y1,x2,y2 would fit."""
    x, y, w, h = box
    height, width = frame_shape[:2]
    return 0 <= x < w <= width and 0 <= y < h <= height and (x + w > width or y + h > height)


def corners_hint(box: Sequence[float], frame_shape: Sequence[int]) -> str:
    """The rest of a sentence about a box for which ``are_corners`` holds."""
    x, y, w, h = box
    height, width = frame_shape[:2]
    return (
        f"leaves the frame of {width}x{height}; a box is x,y,w,h with its width and height: if "
        f"these are two corners, give {x:g},{y:g},{w - x:g},{h - y:g}"
    )


def are_shares(box: Sequence[float]) -> bool:
    """Whether four numbers are fractions of a frame, 0 to 1, instead of pixels."""
    return all(0 <= value <= 1 for value in box) and min(box[2:]) > 0
