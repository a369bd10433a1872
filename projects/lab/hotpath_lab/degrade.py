"""Pictures as poorer cameras give them: fewer pixels, motion blur, JPEG, noise, fewer frames.

Copies that begin elsewhere, or run backwards, tell how much of a figure is one start's luck.

``hotpath evaluate --degrade`` tracks degraded copies of clips. Each effect draws from a seed that
depends on the clip's name and the frame's number alone, so a copy is the same in every run.
Effects work on whole frames, before a tracker crops: all strengths are in the clip's own pixels.
"""

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.video.clips import Clip

SEED = 86
FEWEST_FRAMES = 3  # of a copy with fewer frames

Effect = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]


class Kind(NamedTuple):
    """A kind of degradation."""

    strength: tuple[float, float]  # the least and the most
    help: str
    effect: Effect | None = None  # on a frame; None: on the clip


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    """The picture in ``factor`` times the pixels a side, each a mean over an area."""
    size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def motion_blur(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Blur along a line of ``length`` pixels at ``angle`` radians."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    way = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(int(round(middle + sign * v)) for v in way) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG at this quality."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def noisy(image: np.ndarray, rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Gaussian noise, drawn for each pixel and channel."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(deviation)
    return np.asarray(np.clip(np.rint(image + noise), 0, 255).astype(np.uint8))


KINDS = {
    "scale": Kind((0.1, 1), "N times the pixels a side", lambda image, rng, n: resized(image, n)),
    "blur": Kind(
        (2, 99),
        "motion blur of N pixels, in another direction in each frame",
        lambda image, rng, n: motion_blur(image, int(n), rng.uniform(0, np.pi)),
    ),
    "jpeg": Kind((1, 100), "JPEG of quality N", lambda image, rng, n: jpeg(image, int(n))),
    "noise": Kind((0, 128), "Gaussian noise with a deviation of N grey levels", noisy),
    "every": Kind((2, 100), "only every Nth frame"),
    "from": Kind((0, 90), "from N % of the clip on"),
    "back": Kind((0, 90), "backwards, without its last N %"),
    "box": Kind((0, 45), "a first box whose edges are up to N % of its sides off"),
}
SHORT = {"half": "scale:0.5"}
STARTS = ("from", "back")
WHOLE = ("blur", "jpeg", "every")  # kinds whose strength is a whole number


class Degradation(NamedTuple):
    """A kind and its strength; a column of the report."""

    name: str  # as the command names it
    kind: str
    strength: float

    def frames(self, boxes: np.ndarray) -> np.ndarray:
        """The numbers of a clip's frames that the copy has, in its order.

        Args:
            boxes: of the clip. A copy that begins elsewhere begins with a frame that has a box.
        """
        count = len(boxes)
        numbers = np.arange(count)
        if self.kind == "every":
            return numbers[:: int(self.strength)]
        if self.kind not in STARTS:
            return numbers
        left_out = int(count * self.strength / 100)
        numbers = numbers[left_out:] if self.kind == "from" else numbers[: count - left_out][::-1]
        known = np.isfinite(boxes[numbers]).all(axis=1)
        return numbers[int(known.argmax()) if known.any() else count :]


def parse(text: str) -> list[Degradation]:
    """Read ``half,blur:9,…``.

    Raises:
        BadRun: a kind is unknown, a strength is missing, no number or outside of its range, or a
            kind is named twice in the same strength.
    """
    rows = []
    for name in text.split(","):
        kind, _, number = SHORT.get(name, name).partition(":")
        if kind not in KINDS:
            kinds = ", ".join([*SHORT, *KINDS])
            raise BadRun(
                f"--degrade {name}: there is no {name!r}; there are {kinds}", what="unknown kind"
            )
        low, high = KINDS[kind].strength
        pattern = r"\d+" if kind in WHOLE else r"\d*\.?\d+"
        strength = float(number) if re.fullmatch(pattern, number) else -1.0
        if not low <= strength <= high:
            what = "whole number" if kind in WHOLE else "number"
            raise BadRun(
                f"--degrade {name}: write {kind}:N, N a {what} from {low} to {high}",
                what="wrong number",
            )
        rows.append(Degradation(name, kind, strength))
    names = [row.name for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadRun(f"--degrade names {twice} twice; name each once", what="given twice")
    return rows


class Degraded(Clip):
    """A degraded copy of a clip, made frame by frame as it is read."""

    def __init__(self, clip: Clip, degradation: Degradation) -> None:
        self.__dict__.update(clip.__dict__)
        self._clip, self.degradation = clip, degradation
        _, kind, strength = degradation
        self._numbers = degradation.frames(clip.boxes)
        boxes = clip.boxes[self._numbers].copy()
        if len(boxes) < min(FEWEST_FRAMES, len(clip)):
            raise BadRun(
                f"{clip.name}: {degradation.name} leaves {len(boxes)} of its {len(clip)} frames; "
                "take a smaller number, or leave the clip out"
            )
        if kind == "scale":
            first = clip[0]
            small = resized(first, strength)
            x, y = (small.shape[axis] / first.shape[axis] for axis in (1, 0))
            boxes *= (x, y, x, y)
        if kind == "box":
            boxes[0] = careless(boxes[0], self.rng(0), strength / 100)
        self.boxes = boxes
        self._sha256 = None

    def rng(self, index: int) -> np.random.Generator:
        """The generator of a frame."""
        words = (self.degradation.kind + "/" + self.name).encode()
        return np.random.default_rng([SEED, zlib.crc32(words), index])

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        frame = self._clip[int(self._numbers[index])]
        _, kind, strength = self.degradation
        effect = KINDS[kind].effect
        return frame if effect is None else effect(frame, self.rng(index), strength)

    def in_memory(self, most_bytes: int) -> Clip:
        if self[0].nbytes * len(self) > most_bytes:
            return self
        held = Clip(self.name, self.folder, list(self), self.boxes)
        held._sha256 = self.sha256
        return held

    @property
    def sha256(self) -> str:
        """That of the clip, with the degradation."""
        return f"{self._clip.sha256} {self.degradation.kind} {self.degradation.strength:g} {SEED}"


def careless(box: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """A box whose edges are each off by up to ``share`` of its width or height."""
    x, y, w, h = box
    left, right = rng.uniform(-share, share, 2) * w
    top, bottom = rng.uniform(-share, share, 2) * h
    return np.array([x + left, y + top, w + right - left, h + bottom - top])
