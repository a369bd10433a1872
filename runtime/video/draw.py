"""Draw what the tracker found, and how fast, onto a picture of any size.

Plain OpenCV: the libraries that draw boxes well (supervision, Pillow) are heavier than all else on
a board and take longer than the tracker. Two translucent strips, above and below, say the network,
the engine, the frames per second and the milliseconds of each step; on small pictures each line
falls back to a shorter wording until it fits.
"""

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX
UNIT_PX = 22.0  # height of FONT's capitals at scale 1
STRIP_SHADE = 0.35  # how much of the picture shines through
INK = (255, 255, 255)
DARK = (24, 20, 18)
# one colour a target, BGR, told apart on grey, green and skin, and by most colour-blind eyes
TARGETS = (
    (80, 220, 60),
    (40, 170, 255),
    (255, 170, 60),
    (220, 110, 255),
    (60, 235, 245),
    (255, 235, 90),
)
LOST = (150, 150, 150)


def draw(frame, tracks, info=None):
    """Return a copy of ``frame`` with boxes and figures drawn on it.

    Args:
        frame: BGR ``uint8`` (H, W, 3); not changed.
        tracks: a ``Track``, or a list of them; box ``(x, y, w, h)`` in pixels of the frame.
        info: dict, every key optional: ``network`` and ``engine`` (text), ``fps`` (number),
            ``steps`` (ordered dict of a step's name -> milliseconds; ``total`` is shown as the
            sum, any other beside it), ``frame`` (index), ``lost`` (True, or a list of one bool a
            track), ``names`` (list of a label for each track).

    Returns:
        a new array of the same shape.
    """
    info = info or {}
    tracks = [tracks] if hasattr(tracks, "box") else list(tracks)
    picture = frame.copy()
    look = _Look(picture.shape)
    top = _fitting(look, _top_wordings(info))
    bottom = _fitting(look, _bottom_wordings(info))
    edge_top = look.strip_px if any(top) else 0
    edge_bottom = picture.shape[0] - (look.strip_px if any(bottom) else 0)
    for number, track in enumerate(tracks):
        _draw_track(picture, look, track, number, info, (edge_top, edge_bottom))
    if any(top):
        _draw_strip(picture, look, 0, top)
    if any(bottom):
        _draw_strip(picture, look, edge_bottom, bottom)
    return picture


class _Look:
    """Sizes that follow from the picture's: letters, lines, margins, all in pixels."""

    def __init__(self, shape):
        self.height, self.width = shape[:2]
        side = min(self.height, self.width * 3 // 4)
        self.letter_px = min(34.0, max(7.0, side / 48.0))  # height of a capital
        self.scale = self.letter_px / UNIT_PX
        self.line_px = max(1, int(round(self.letter_px / 7.0)))
        self.box_px = max(1, int(round(side / 240.0)))
        self.margin_px = max(2, int(round(self.letter_px * 0.55)))
        self.strip_px = int(round(self.letter_px)) + 2 * self.margin_px

    def text_width(self, text):
        """Width of one line of text, pixels."""
        return cv2.getTextSize(text, FONT, self.scale, self.line_px)[0][0] if text else 0


def _draw_track(picture, look, track, number, info, edges):
    """One target's box and its label, above the box where there is room, else inside it."""
    lost = info.get("lost", False)
    lost = bool(lost[number]) if isinstance(lost, (list, tuple)) else bool(lost)
    colour = LOST if lost else TARGETS[number % len(TARGETS)]
    x, y, w, h = track.box
    if not np.isfinite((x, y, w, h)).all():
        return
    # OpenCV's line drawing overflows far outside the picture
    corners = np.clip((x, y, x + w, y + h), -16000, 16000)
    left, top, right, bottom = (int(round(corner)) for corner in corners)
    # a dark line around the bright one: seen on any background
    cv2.rectangle(picture, (left, top), (right, bottom), DARK, look.box_px + 2)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, look.box_px)

    names = info.get("names")
    text = "{} ".format(names[number]) if names else ""
    text = _ascii(text + ("lost" if lost else "{:.2f}".format(track.score)))
    pad = max(2, look.margin_px // 2)
    width, height = look.text_width(text) + 2 * pad, int(round(look.letter_px)) + 2 * pad
    above = top - height - look.box_px // 2
    at_y = above if above >= edges[0] else bottom + look.box_px // 2
    if at_y + height > edges[1]:
        at_y = max(edges[0], min(top + look.box_px, edges[1] - height))
    at_x = max(0, min(left - look.box_px // 2, look.width - width))
    cv2.rectangle(picture, (at_x, at_y), (at_x + width, at_y + height), colour, cv2.FILLED)
    _put(picture, look, text, (at_x + pad, at_y + height - pad), DARK)


def _draw_strip(picture, look, at_y, texts):
    """A translucent dark strip across the picture, with a text at either end."""
    strip = picture[at_y : at_y + look.strip_px]
    strip[:] = cv2.addWeighted(strip, STRIP_SHADE, strip, 0, 0)
    base = at_y + look.strip_px - look.margin_px
    left, right = texts
    _put(picture, look, left, (look.margin_px, base), INK)
    at_x = look.width - look.margin_px - look.text_width(right)
    _put(picture, look, right, (at_x, base), INK)


def _put(picture, look, text, at, colour):
    """One line of text whose capitals stand on ``at``."""
    if text:
        cv2.putText(picture, text, at, FONT, look.scale, colour, look.line_px, cv2.LINE_AA)


def _fitting(look, wordings):
    """The first pair of wordings (left, right) that fits side by side."""
    gap = int(look.letter_px * 1.5)
    for left, right in wordings:
        width = look.text_width(left) + look.text_width(right) + (gap if left and right else 0)
        if width <= look.width - 2 * look.margin_px:
            return left, right
    return "", ""


def _top_wordings(info):
    """Network and engine, and the frame rate; the fullest wording first."""
    network, engine = _ascii(info.get("network") or ""), _ascii(info.get("engine") or "")
    short = network[network.rfind("_") + 1 :]  # nanotrack_v2 -> v2
    rate = "" if info.get("fps") is None else "{:.0f} FPS".format(info["fps"])
    lefts = [_joined(network, engine), _joined(short, engine), network, short, ""]
    return [(left, rate) for left in lefts] + [(short, "")]


def _bottom_wordings(info):
    """Milliseconds of each step, and of the whole frame with its index; the fullest first."""
    steps = dict(info.get("steps") or {})
    total = steps.pop("total", None)
    total = "" if total is None else _ms(total) + " ms"
    index = "" if info.get("frame") is None else "frame {}".format(info["frame"])
    names = [name for name in info.get("steps") or {} if steps.get(name) is not None]
    full = _joined(*["{} {}".format(_ascii(name), _ms(steps[name])) for name in names])
    letters = " ".join("{} {}".format(_ascii(name)[:1], _ms(steps[name])) for name in names)
    tight = " ".join("{}{}".format(_ascii(name)[:1], _ms(steps[name])) for name in names)
    return [
        (full, _joined(total, index)),
        (full, total or index),
        (letters, _joined(total, index)),
        (letters, total or index),
        (tight, total or index),
        (tight, ""),
        ("", total or index),
    ]


def _joined(*texts):
    """The texts that say something, one after the other."""
    return " | ".join(text for text in texts if text)


def _ms(value):
    """Milliseconds with two digits that matter."""
    return "{:.2f}".format(value) if value < 9.995 else "{:.1f}".format(value)


def _ascii(text):
    """OpenCV's fonts before 5.0 have no other letters."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in str(text))
