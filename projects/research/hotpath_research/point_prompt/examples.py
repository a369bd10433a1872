"""Examples for the head: crops around a click or around a drawn box, as a camera may show them.

A crop has the window that the runtime takes (``hotpath.runtime.tracker.point_prompt``). It shows a
thing that was clicked on, a thing in a loose box, or background that was clicked on.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.network import Network
from hotpath.runtime.tracker.point_prompt import SHARES, SNUG_SIDES
from hotpath_research.point_prompt.pictures import Picture, Weight, decoded, weights

TAP, SNUG, GROUND = KINDS = range(3)
SHARES_OF_KINDS = (0.58, 0.32, 0.10)
OF_A_PICTURE = 5  # examples
PASTED = 0.15  # share of the pictures that get things of others
MIDDLE = 0.6  # of a thing's sides: a click there means it
JPEG = 94


class Example(NamedTuple):
    """A crop and what the head should say about it.

    Attributes:
        jpeg: bytes of the crop, BGR (search, search, 3).
        box: (cx, cy, w, h) of the thing from the middle of the crop, in sides of the crop; zeros
            for background.
        drawn: (x0, y0, x1, y1) of the drawn box in the same unit; zeros for a click.
        kind: TAP, SNUG or GROUND.
    """

    jpeg: bytes
    box: tuple[float, ...]
    drawn: tuple[float, ...]
    kind: int


class Examples:
    """Draws examples from pictures.

    Args:
        pictures: a list of ``Picture``.
        network: its search windows are cropped.
        seed: of everything that is drawn.
    """

    def __init__(self, pictures: Sequence[Picture], network: Network, seed: int) -> None:
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._network = network
        self._by: dict[str, list[Picture]] = {}
        for picture in pictures:
            self._by.setdefault(picture.source, []).append(picture)
        table = dict(weights(), plain=Weight(1.0))
        self._sources = sorted(self._by)
        self._weights = [table.get(name, Weight()).weight for name in self._sources]
        self._cuts = [picture.cut for picture in pictures if picture.cut is not None]

    def __iter__(self) -> Iterator[Example]:
        """Yield examples without end."""
        rng = self._random
        while True:
            name = rng.choices(self._sources, self._weights)[0]
            picture = rng.choice(self._by[name])
            image = decoded(picture.jpeg)
            boxes = picture.boxes
            complete = picture.complete
            if self._cuts and rng.random() < PASTED:
                image, boxes = self._pasted(image, boxes)
            if rng.random() < 0.5:
                image = np.ascontiguousarray(image[:, ::-1])
                boxes = boxes.copy()
                boxes[:, 0] = image.shape[1] - boxes[:, 0] - boxes[:, 2]
            image = self._lit(image)
            for _ in range(OF_A_PICTURE):
                kind = rng.choices(KINDS, SHARES_OF_KINDS)[0]
                if not len(boxes):
                    kind = GROUND
                if kind == GROUND:
                    example = self._ground(image, boxes) if complete else None
                else:
                    example = self._thing(image, boxes, kind)
                if example is not None:
                    yield example

    def _thing(self, image: np.ndarray, boxes: np.ndarray, kind: int) -> Example | None:
        """Crop around a click on a thing, or around a loose box."""
        rng = self._random
        x, y, w, h = boxes[rng.randrange(len(boxes))]
        if kind == TAP:
            px, py = x + w * rng.uniform(0.2, 0.8), y + h * rng.uniform(0.2, 0.8)
            x, y, w, h = smallest_at(boxes, px, py, (x, y, w, h))
            size = float(np.sqrt(w * h))
            ratio = log_uniform(rng, *((0.13, 0.45) if rng.random() < 0.7 else (0.05, 1.0)))
            around = np.array([px, py, size / ratio / 4, size / ratio / 4])
            return self._crop(image, around, 1.0, (x, y, w, h), None, kind)
        ex, ey = (log_uniform(rng, 0.8, 2.3) * np.exp(rng.uniform(-0.12, 0.12)) for _ in "xy")
        if rng.random() < 0.6:
            ey = ex * np.exp(rng.uniform(-0.15, 0.15))
        dw, dh = w * ex, h * ey
        cx = x + w / 2 + rng.uniform(-0.2, 0.2) * dw
        cy = y + h / 2 + rng.uniform(-0.2, 0.2) * dh
        drawn = cx - dw / 2, cy - dh / 2, dw, dh
        return self._crop(image, np.array([cx, cy, dw, dh]), SNUG_SIDES, (x, y, w, h), drawn, kind)

    def _ground(self, image: np.ndarray, boxes: np.ndarray) -> Example | None:
        """Crop around a click on background."""
        rng = self._random
        height, width = image.shape[:2]
        for _ in range(4):
            px, py = rng.uniform(0, width), rng.uniform(0, height)
            low = boxes[:, :2] - 0.1 * boxes[:, 2:] - 5
            high = boxes[:, :2] + 1.1 * boxes[:, 2:] + 5
            if not ((low < (px, py)) & ((px, py) < high)).all(axis=1).any():
                size = log_uniform(rng, SHARES[0], SHARES[-1]) * min(height, width)
                return self._crop(image, np.array([px, py, size, size]), 1.0, None, None, GROUND)
        return None

    def _crop(
        self,
        image: np.ndarray,
        around: np.ndarray,
        sides: float,
        box: Any,
        drawn: Any,
        kind: int,
    ) -> Example | None:
        """Make the example of a window."""
        (left, top, side, _), _ = geometry.search_window(self._network, around, sides)
        if side < 20:
            return None
        crop = cropped(image, (int(left), int(top), int(side)), self._network.search)
        size = None if box is None else float(np.sqrt(box[2] * box[3])) / side
        crop = self._worn(crop, size)
        jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG])[1].tobytes()
        target, edges = np.zeros(4), np.zeros(4)
        if box is not None:
            x, y, w, h = np.array(box) / side
            target[:] = x + w / 2 - left / side - 0.5, y + h / 2 - top / side - 0.5, w, h
        if drawn is not None:
            x, y, w, h = np.array(drawn) / side
            edges[:2] = x - left / side - 0.5, y - top / side - 0.5
            edges[2:] = edges[0] + w, edges[1] + h
        return Example(jpeg, tuple(target), tuple(edges), kind)

    def _pasted(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Paste things that were cut out elsewhere; boxes that they hide go."""
        rng = self._random
        height, width = image.shape[:2]
        kept = [list(box) for box in boxes]
        for _ in range(rng.randint(1, 4)):
            thing = decoded(rng.choice(self._cuts), cv2.IMREAD_UNCHANGED)
            if rng.random() < 0.5:
                thing = thing[:, ::-1]
            scale = min(height, width) * log_uniform(rng, 0.06, 0.5) / max(thing.shape[:2])
            stretch = float(np.exp(rng.uniform(-0.25, 0.25)))
            w = max(4, int(thing.shape[1] * min(scale, 2.5) * stretch))
            h = max(4, int(thing.shape[0] * min(scale, 2.5) / stretch))
            if w >= width or h >= height:
                continue
            thing = cv2.resize(thing, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
            x, y = rng.randint(0, width - w), rng.randint(0, height - h)
            alpha = cv2.GaussianBlur(thing[:, :, 3] / 255, (0, 0), 0.7)[:, :, None]
            colour = thing[:, :, :3] * rng.uniform(0.5, 1.3) + rng.uniform(-30, 30)
            under = image[y : y + h, x : x + w]
            under[...] = np.clip(colour * alpha + under * (1 - alpha), 0, 255)
            kept = [box for box in kept if hidden(box, (x, y, w, h)) < 0.3] + [[x, y, w, h]]
        return image, np.array(kept, np.float32).reshape(-1, 4)

    def _lit(self, image: np.ndarray) -> np.ndarray:
        """Change light and colours; some pictures become grey or thermal."""
        rng = self._random
        if rng.random() < 0.15:
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            image = cv2.cvtColor(255 - grey if rng.random() < 0.35 else grey, cv2.COLOR_GRAY2BGR)
        values = np.arange(256, dtype=np.float32)
        if rng.random() < 0.5:
            values = 255 * (values / 255) ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
            values = (values - 128) * rng.uniform(0.5, 1.3) + 128 + rng.uniform(-35, 35)
        factors = [rng.uniform(0.75, 1.25) for _ in "bgr"] if rng.random() < 0.15 else [1.0] * 3
        table = np.stack([np.clip(values * factor, 0, 255) for factor in factors], axis=-1)
        return np.asarray(cv2.LUT(image, table[None].astype(np.uint8)))

    def _worn(self, crop: np.ndarray, size: float | None) -> np.ndarray:
        """Blur, noise and JPEG; some crops go through few pixels, so that the thing is small."""
        rng = self._random
        side = crop.shape[0]
        if rng.random() < 0.35:
            pixels = log_uniform(rng, 7, 32) / size if size else side * log_uniform(rng, 0.1, 1)
            pixels = max(12, int(pixels))
            if pixels < 0.9 * side:
                small = cv2.resize(crop, (pixels, pixels), interpolation=cv2.INTER_AREA)
                small = self._blurred(small, pixels / side)
                return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))
        return self._blurred(crop, 1.0)

    def _blurred(self, crop: np.ndarray, scale: float) -> np.ndarray:
        rng = self._random
        if rng.random() < 0.25:
            if rng.random() < 0.5:
                crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 2.5) * scale)
            else:
                length = max(2, int(rng.uniform(3, 14) * scale))
                kernel = np.zeros((length, length), np.float32)
                cv2.line(kernel, (0, rng.randrange(length)), (length - 1, rng.randrange(length)), 1)
                kernel = kernel.T.copy() if rng.random() < 0.5 else kernel
                crop = cv2.filter2D(crop, -1, kernel / max(float(kernel.sum()), 1e-6))
        if rng.random() < 0.2:
            noise = self._numbers.normal(0, rng.uniform(2, 12), crop.shape)
            crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
        if rng.random() < 0.2:
            quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(20, 80)]
            crop = decoded(cv2.imencode(".jpg", crop, quality)[1].tobytes())
        return crop


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def hidden(box: Sequence[float], over: Sequence[float]) -> float:
    """Return the share of a box that another one covers."""
    wide = min(box[0] + box[2], over[0] + over[2]) - max(box[0], over[0])
    high = min(box[1] + box[3], over[1] + over[3]) - max(box[1], over[1])
    return max(0.0, wide) * max(0.0, high) / (box[2] * box[3])


def smallest_at(boxes: np.ndarray, x: float, y: float, otherwise: Any) -> Any:
    """Return the smallest box whose middle holds a point."""
    away = abs(boxes[:, :2] + boxes[:, 2:] / 2 - (x, y))
    inside = (away <= MIDDLE / 2 * boxes[:, 2:]).all(axis=1)
    areas = np.where(inside, boxes[:, 2] * boxes[:, 3], np.inf)
    return tuple(boxes[int(areas.argmin())]) if inside.any() else otherwise


def cropped(image: np.ndarray, window: tuple[int, int, int], out: int) -> np.ndarray:
    """Resize a square of a picture, black outside of it, to (out, out, 3)."""
    left, top, side = window
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    crop = np.zeros((out, out, 3), np.uint8)
    scale = out / side
    a, b, c, d = (round(v * scale) for v in (x0 - left, y0 - top, x1 - left, y1 - top))
    if x1 > x0 and y1 > y0 and c > a and d > b:
        crop[b:d, a:c] = cv2.resize(image[y0:y1, x0:x1], (c - a, d - b))
    return crop
