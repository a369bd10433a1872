"""Draw boxes onto a picture of any size.

This uses only OpenCV. The libraries that draw boxes well (supervision, Pillow) are heavier than
everything else on a board and take longer than the tracker.
"""

from functools import lru_cache
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from hotpath.kernels.planes import Planes
from hotpath.runtime.errors import BadBox
from hotpath.runtime.frames.pictures import bgr_of, checked_frame
from hotpath.runtime.types import LOST, SURE, UNSURE, Track

FONT = cv2.FONT_HERSHEY_SIMPLEX
UNIT_PX = 22.0  # height of FONT's capitals at scale 1
SMALLEST_LETTER_PX = 7.0
PAD_SHARE = 0.29  # of a letter's height, around the text of a label
DARK = (24, 20, 18)
# one colour a target, BGR, as on the page: green, blue, pink, cyan, violet, lime. None is amber or
# red, which are warnings
GREEN, BLUE, PINK = (80, 220, 60), (255, 170, 60), (220, 110, 255)
TARGETS = (GREEN, BLUE, PINK, (255, 235, 90), (255, 140, 180), (74, 245, 195))
AMBER, RED = (40, 170, 255), (70, 70, 235)
WARNINGS = {UNSURE: AMBER, LOST: RED}
DASH_PX = 7  # of the box of an unsure or a lost target, line widths
_Rectangle = Tuple[int, int, int, int]  # left, top, right, bottom
_Colour = Tuple[int, int, int]
LARGEST_PX = 16000  # OpenCV's line drawing overflows far outside the picture


def draw(
    frame: np.ndarray, tracks: Union[Track, Mapping[int, Track]], info: Any = None
) -> np.ndarray:
    """Draw boxes onto a copy of ``frame``.

    A target keeps its colour in all frames.

    Args:
        frame: BGR ``uint8`` (H, W, 3); it is not changed.
        tracks: a ``Track``, or a dict of target number -> ``Track`` from ``Targets.update``.
        info: dict; its one key ``since`` is a dict of target number -> for how long it has been
            lost, a text.

    Returns:
        A new array of the same shape.

    Raises:
        BadFrame: ``frame`` is not such an array.
        BadBox: ``tracks`` is neither, or ``info`` has another key.

    Example:
        >>> track = Track(Box(440, 270, 60, 90), score=0.9)
        >>> draw(frame, track).shape
        (480, 640, 3)
    """
    info = info or {}
    tracks = {0: tracks} if isinstance(tracks, Track) else tracks
    if not isinstance(tracks, Mapping):
        raise BadBox(
            f"draw takes what update gave, a Track or a dict of them, not {tracks!r}",
            what="not tracks",
        )
    others = sorted(set(info) - {"since"})
    if others:
        raise BadBox(
            f"draw draws boxes alone, not {', '.join(others)}; draw that with OpenCV",
            what="not drawn",
        )
    frame = bgr_of(checked_frame(frame))
    look = _DrawingSizes(frame.shape)
    drawn = np.array(frame)
    _draw_targets(_Bgr(drawn, look), tracks, info)
    return drawn


def draw_in_planes(
    frame: Planes, tracks: Mapping[int, Track], info: Dict[str, Any], out: Planes
) -> None:
    """Copy a frame into other planes, and draw on it there as ``draw`` does.

    Args:
        frame: ``Planes`` of the kind I420 or NV12.
        tracks, info: see ``draw``.
        out: of the kind I420, with the frame's size, which is even, matrix and range.
    """
    look = _DrawingSizes(frame.shape)
    out.planes[0][:] = frame.planes[0]
    if frame.kind == "NV12":
        pairs = frame.planes[1].reshape(look.height // 2, -1, 2)
        out.planes[1][:], out.planes[2][:] = cv2.split(pairs)
    else:
        for own, plane in zip(out.planes[1:], frame.planes[1:]):
            own[:] = plane
    _draw_targets(_InPlanes(out, look), tracks, info)


def _draw_targets(surface: Any, tracks: Mapping[int, Track], info: Dict[str, Any]) -> None:
    """All boxes, and labels over them."""
    look = surface.look
    finite = {n: track for n, track in tracks.items() if np.isfinite(track.box).all()}
    for number, track in finite.items():
        # a dark line around the bright one makes it visible on any background
        for ink, more_px in ((DARK, 2), (_colour(number, track), 0)):
            surface.box(track, ink, look.line_of(track) + more_px)
    labels: List[_Rectangle] = []
    several = len(tracks) > 1 or any(tracks)
    for number, track in finite.items():
        since = info.get("since", {}).get(number, "")
        text = _label(look, number if several else None, track, since)
        size = look.label_size(text)
        for place in _places(look, track, size):
            if not any(_touch(place, other) for other in labels):
                break
        else:
            place = next(_places(look, track, size))
        labels.append(place)
        surface.label(text, place, _colour(number, track))


class _DrawingSizes:
    """Sizes that follow from the picture's: letters, lines, margins, all in pixels."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.height, self.width = shape[:2]
        side = min(self.height, self.width * 3 // 4)
        self.letter_px = max(SMALLEST_LETTER_PX, side / 48.0)  # height of a capital
        self.scale = self.letter_px / UNIT_PX
        self.line_px = max(1, int(round(self.letter_px / 7.0)))
        self.box_px = max(1, int(round(side / 240.0)))
        self.pad_px = max(2, int(self.letter_px * PAD_SHARE))  # around the text of a label

    def line_of(self, track: Track) -> int:
        """Width of a box's line: half of it where the presence is too low for a machine to act."""
        low = track.state not in WARNINGS and track.presence is not None and track.presence < SURE
        return max(1, self.box_px // 2) if low else self.box_px

    def label_size(self, text: str) -> Tuple[int, int]:
        """Width and height of a label, pixels."""
        around, wide = 2 * self.pad_px, _text_width(text, self.scale, self.line_px)
        return wide + around, int(round(self.letter_px)) + around


@lru_cache(maxsize=256)
def _text_width(text: str, scale: float, line_px: int) -> int:
    return int(cv2.getTextSize(text, FONT, scale, line_px)[0][0]) if text else 0


def _colour(number: int, track: Track) -> _Colour:
    return WARNINGS.get(track.state, TARGETS[number % len(TARGETS)])


def _corners(box: Sequence[float]) -> Tuple[int, int, int, int]:
    """Left, top, right and bottom of a box, whole pixels that OpenCV can draw."""
    x, y, w, h = box
    left, top, right, bottom = (
        int(round(min(max(corner, -LARGEST_PX), LARGEST_PX))) for corner in (x, y, x + w, y + h)
    )
    return left, top, right, bottom


class _Bgr:
    """Draws boxes and labels on a BGR array."""

    def __init__(self, picture: np.ndarray, look: _DrawingSizes) -> None:
        self._picture, self.look = picture, look

    def box(self, track: Track, ink: _Colour, line_px: int) -> None:
        """One target's box: dashes if it is unsure or lost."""
        _draw_frame(self._picture, self.look, track, ink, line_px)

    def label(self, text: str, place: _Rectangle, colour: _Colour) -> None:
        """Text on a filled rectangle."""
        cv2.rectangle(self._picture, place[:2], place[2:], colour, cv2.FILLED)
        pad = self.look.pad_px
        _put(self._picture, self.look, text, (place[0] + pad, place[3] - pad))


class _InPlanes:
    """Draws the same in planes of the kind I420: boxes plane by plane, labels as small pictures."""

    def __init__(self, out: Planes, look: _DrawingSizes) -> None:
        self._out, self.look = out, look

    def box(self, track: Track, ink: _Colour, line_px: int) -> None:
        """As ``_Bgr.box``; lines of the colour's planes are half as thick."""
        values = _ink_in_yuv(ink, self._out.matrix, self._out.full_range)
        for plane, value in zip(self._out.planes, values):
            half = int(plane is not self._out.planes[0])
            _draw_frame(plane, self.look, track, value, (line_px + half) >> half, half)

    def label(self, text: str, place: _Rectangle, colour: _Colour) -> None:
        """As ``_Bgr.label``, with even sides."""
        look = self.look
        left, top = max(0, place[0]) & ~1, max(0, place[1]) & ~1
        right, bottom = min(look.width, place[2] + 2) & ~1, min(look.height, place[3] + 2) & ~1
        if right > left and bottom > top:
            patch = np.full((bottom - top, right - left, 3), colour, np.uint8)
            at = place[0] - left + look.pad_px, place[3] - top - look.pad_px
            _put(patch, look, text, at)
            paste(self._out, patch, left, top)


def paste(out: Planes, patch: np.ndarray, left: int, top: int) -> None:
    """Put a BGR picture into planes of the kind I420. All numbers are even."""
    yuv = np.asarray(cv2.transform(patch, _yuv_matrix(out.matrix, out.full_range)))
    half = cv2.resize(yuv, (yuv.shape[1] // 2, yuv.shape[0] // 2), interpolation=cv2.INTER_AREA)
    for number, (plane, values) in enumerate(zip(out.planes, (yuv, half, half))):
        y, x = top >> (number > 0), left >> (number > 0)
        height, width = values.shape[:2]
        plane[y : y + height, x : x + width] = values[:, :, number]


@lru_cache(maxsize=4)
def _yuv_matrix(matrix: str, full_range: bool) -> np.ndarray:
    red, blue = (0.2126, 0.0722) if matrix == "709" else (0.299, 0.114)
    black, grey, colour = (0, 1.0, 1.0) if full_range else (16, 219 / 255.0, 224 / 255.0)
    luma = np.array([blue, 1 - red - blue, red])
    u = (np.array([1.0, 0, 0]) - luma) / (2 * (1 - blue)) * colour
    v = (np.array([0, 0, 1.0]) - luma) / (2 * (1 - red)) * colour
    return np.array([[*(luma * grey), black], [*u, 128], [*v, 128]])


@lru_cache(maxsize=64)
def _ink_in_yuv(ink: _Colour, matrix: str, full_range: bool) -> Tuple[int, ...]:
    factors = _yuv_matrix(matrix, full_range)
    return tuple(int(round(value)) for value in factors.dot([*ink, 1]))


def _draw_frame(
    plane: np.ndarray, look: _DrawingSizes, track: Track, ink: Any, line_px: int, half: int = 0
) -> None:
    """A target's box in one array; ``half``: 1 in a plane of half the resolution."""
    left, top, right, bottom = _corners(track.box)
    if track.state in WARNINGS:
        _draw_dashed(plane, look, (left, top, right, bottom), ink, line_px, half)
    else:
        first, last = (left >> half, top >> half), (right >> half, bottom >> half)
        cv2.rectangle(plane, first, last, ink, line_px)


def _label(look: _DrawingSizes, number: Optional[int], track: Track, since: str) -> str:
    """Such as "#2  .96", its presence; the number is there where several targets are told apart.

    Two blanks keep a number apart from a presence. In a narrow picture the class is left out, then
    the number, so that no label is cut off.
    """
    presence = track.score if track.presence is None else track.presence  # or all that there is
    score = f"lost {since}".rstrip() if track.lost else f"{presence:.2f}".lstrip("0")
    score = f"unsure {score}" if track.state == UNSURE else score
    name = "" if number is None else f"#{number}"
    names = (f"{name} {track.class_name or ''}".strip(), name, "")
    texts = (_ascii("  ".join(filter(None, (each, score)))) for each in names)
    fitting = (text for text in texts if look.label_size(text)[0] < look.width)
    return next(fitting, _ascii(score))


def _places(look: _DrawingSizes, track: Track, size: Tuple[int, int]) -> Iterator[_Rectangle]:
    """Where a label of that size may stand, the best place first: above its box, below, inside it.

    After these come all other heights, the nearest ones first.
    """
    left, top, _, bottom = _corners(track.box)
    width, height = size
    at_x = max(0, min(left - look.box_px // 2, look.width - width))
    above, below = top - height - look.box_px // 2, bottom + look.box_px // 2
    lowest = look.height - height
    inside = max(0, min(top + look.box_px, lowest))
    for y in [*(y for y in (above, below) if 0 <= y <= lowest), inside]:
        yield at_x, y, at_x + width, y + height
    for y in sorted(range(0, lowest, 2), key=lambda y: abs(y - above)):  # where all are taken
        yield at_x, y, at_x + width, y + height


def _touch(first: _Rectangle, other: _Rectangle) -> bool:
    across = first[0] <= other[2] and other[0] <= first[2]
    return across and first[1] <= other[3] and other[1] <= first[3]


def _draw_dashed(
    plane: np.ndarray, look: _DrawingSizes, corners: _Rectangle, ink: Any, line_px: int, half: int
) -> None:
    """A rectangle of dashes; what lies outside the picture is left out."""
    dash = DASH_PX * max(1, round(min(look.height, look.width) / 240.0))
    left, top, right, bottom = corners
    for x, end in _dashes(left, right, look.width, dash):
        for y in (top, bottom):
            cv2.line(plane, (x >> half, y >> half), (end >> half, y >> half), ink, line_px)
    for y, end in _dashes(top, bottom, look.height, dash):
        for x in (left, right):
            cv2.line(plane, (x >> half, y >> half), (x >> half, end >> half), ink, line_px)


def _dashes(first: int, last: int, end: int, dash: int) -> Iterator[Tuple[int, int]]:
    """The dashes from ``first`` to ``last`` that lie in 0 to ``end``; one at each corner."""
    parts = max(3, (last - first) // dash) | 1  # dashes and gaps
    step = max(1, last - first) / float(parts)
    pair = 2 * step
    for number in range(
        int(max(-first, 0) / pair), min(parts // 2, int((end - first) // pair)) + 1
    ):
        start = first + number * pair
        yield int(round(start)), int(round(start + step))


def _put(picture: np.ndarray, look: _DrawingSizes, text: str, at: Tuple[int, int]) -> None:
    """One line of text; its capitals stand on ``at``."""
    cv2.putText(picture, text, at, FONT, look.scale, DARK, look.line_px, cv2.LINE_AA)


def _ascii(text: Any) -> str:
    """Replace letters that OpenCV's fonts before 5.0 lack."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in str(text))
