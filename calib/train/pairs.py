"""One training pair: an exemplar crop and a search crop, as a tracker would cut them, and worse.

A pair is drawn from one picture, from two pictures of one clip, or (negative) from two that have
nothing to do with each other. Its kind says what can be learnt from its box.
"""

import cv2
import numpy as np

from calib.train.geometry import EXEMPLAR, SEARCH
from calib.train.pictures import SEQUENCE, STILL, VIDEO

ONE_PICTURE, NEGATIVE, TRUE_BOX, NO_BOX = 0, 1, 2, 3  # kinds of pairs
SHARES = (0.52, 0.10, 0.24, 0.14)

_NOISE = np.random.default_rng(11).normal(0, 24, (512, 512, 3)).clip(-127, 127).astype(np.int16)
_LEVELS = np.arange(256, dtype=np.float32)


def context_side(w, h):
    """Side of the exemplar's square in frame pixels."""
    return np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def crop(picture, matrix, side, fill):
    """The square that ``matrix`` (2x3, frame to crop pixels) maps to ``side`` pixels."""
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=fill)  # fmt: skip


def square(centre, frame_side, side, angle=0.0, ratio=1.0, flip=False, shift=(0.0, 0.0)):
    """Matrix that maps a square around ``centre`` to a crop, turned, stretched and shifted.

    ``angle`` in radians, ``ratio`` stretches x against y, ``shift`` in crop pixels.
    """
    scale = side / frame_side
    c, s = np.cos(angle), np.sin(angle)
    linear = np.diag([np.sqrt(ratio), 1 / np.sqrt(ratio)]) @ np.array([[c, -s], [s, c]]) * scale
    if flip:
        linear[:, 0] *= -1
    offset = (side - 1) / 2 + np.array(shift) - linear @ np.array(centre)
    return np.hstack([linear, offset[:, None]])


def moved_box(matrix, box):
    """A box (centre, size) under the matrix, as corners; a turned box grows like an ellipse's."""
    linear, centre = matrix[:, :2], matrix @ np.array([box[0], box[1], 1.0])
    across, down = abs(linear[:, 0]) * box[2] / 2, abs(linear[:, 1]) * box[3] / 2
    half = 0.5 * (across + down) + 0.5 * np.hypot(across, down)
    upright = abs(linear[0, 1]) < 1e-6
    half = across + down if upright else half
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


class Light:
    """One draw of colours; both crops of a pair may share it."""

    def __init__(self, rng, strength):
        self.gain, self.offset, self.gamma = np.ones(3, np.float32), np.zeros(3, np.float32), 1.0
        if rng.random() < 0.7 * strength:
            self.gain = self.gain * rng.uniform(0.6, 1.4)
            self.offset = self.offset + rng.uniform(-35, 35)
        if rng.random() < 0.35 * strength:
            self.gain = self.gain * rng.uniform(0.75, 1.25, 3).astype(np.float32)
        if rng.random() < 0.25 * strength:
            self.gamma = np.exp(rng.uniform(-0.6, 0.6))
        if rng.random() < 0.15 * strength:  # flat, as in mist or a cheap thermal camera
            flat = rng.uniform(0.25, 0.7)
            self.gain, self.offset = (
                self.gain * flat,
                self.offset + (1 - flat) * rng.uniform(60, 190),
            )

    def __call__(self, image):
        levels = 255.0 * (_LEVELS / 255.0) ** self.gamma
        table = levels[:, None] * self.gain + self.offset
        return cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None])


def grey(image, invert):
    image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.cvtColor(255 - image if invert else image, cv2.COLOR_GRAY2BGR)


def damaged(image, rng, share):
    """Blur of lens or motion, low resolution, noise, JPEG blocks; each with its own chance."""
    if rng.random() < 0.16 * share:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.5))
    if rng.random() < 0.14 * share:
        length = int(rng.integers(3, 16))
        angle, kernel = rng.uniform(0, np.pi), np.zeros((length, length), np.float32)
        way = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
        middle = (length - 1) / 2
        ends = [tuple(int(round(middle + sign * v)) for v in way) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if rng.random() < 0.18 * share:
        side, factor = image.shape[0], np.exp(rng.uniform(np.log(0.18), np.log(0.8)))
        small = max(int(side * factor), 8)
        way = cv2.INTER_AREA if rng.random() < 0.5 else cv2.INTER_LINEAR
        image = cv2.resize(image, (small, small), interpolation=way)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.22 * share:
        y, x = rng.integers(0, 512 - image.shape[0], 2)
        patch = _NOISE[y : y + image.shape[0], x : x + image.shape[0]]
        if rng.random() < 0.4:
            patch = patch[:, :, :1]
        amount = rng.uniform(0.08, 0.6)
        image = np.clip(image + patch * np.float32(amount), 0, 255).astype(np.uint8)
    if rng.random() < 0.07 * share:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


class Drawer:
    """Draws pairs from a bank; the same ``rng`` gives the same pair."""

    def __init__(self, bank, held=False):
        self.bank = bank
        usable = bank.held == held
        self.of_kind = [
            np.flatnonzero(usable & (bank.kind == kind)) for kind in (STILL, SEQUENCE, VIDEO)
        ]
        if not len(self.of_kind[STILL]):
            self.of_kind[STILL] = np.flatnonzero(bank.kind == STILL)
        self.all = np.concatenate(self.of_kind)
        self.mates = {}
        for index in np.concatenate(self.of_kind[1:]):
            self.mates.setdefault((bank.kind[index], bank.group[index]), []).append(index)
        self.clips = [
            [mates for (of, _), mates in self.mates.items() if of == kind and len(mates) > 1]
            for kind in (SEQUENCE, VIDEO)
        ]
        shares = np.array(SHARES) * [1, 1, bool(self.clips[0]), bool(self.clips[1])]
        self.shares = np.cumsum(shares / shares.sum())

    def sources(self, rng):
        """(kind, index of the exemplar's picture, index of the search picture)."""
        kind = int(np.searchsorted(self.shares, rng.random(), side="right"))
        kind = min(kind, NO_BOX)
        if kind == ONE_PICTURE:
            first = rng.choice(self.of_kind[STILL])
            return kind, first, first
        if kind == NEGATIVE:
            first = rng.choice(self.all)
            others = self.all[self.bank.group[self.all] != self.bank.group[first]]
            return kind, first, rng.choice(others if len(others) else self.all)
        mates = self.clips[0 if kind == TRUE_BOX else 1]
        mates = mates[rng.integers(len(mates))]
        first = int(rng.integers(len(mates)))
        reach = len(mates) if kind == TRUE_BOX else 6
        second = int(np.clip(first + rng.integers(-reach, reach + 1), 0, len(mates) - 1))
        return kind, mates[first], mates[second]

    def pair(self, rng):
        """One pair.

        Returns:
            exemplar uint8 (127,127,3), search uint8 (255,255,3), box (x1,y1,x2,y2) float32 in
            search pixels, kind.
        """
        kind, first, second = self.sources(rng)
        bank, choice = self.bank, int(rng.integers(bank_boxes(self.bank)))
        flip = rng.random() < 0.5
        box = bank.boxes[first][choice]
        side = context_side(*box[2:])
        jitter = side * rng.uniform(-0.03, 0.03, 2)
        matrix = square(
            box[:2] + jitter, side * np.exp(rng.uniform(-0.06, 0.06)), EXEMPLAR, flip=flip
        )
        exemplar = crop(bank.picture(first), matrix, EXEMPLAR, bank.mean[first])
        search, box = self.search_crop(rng, kind, first, second, choice, flip)
        if kind == ONE_PICTURE:
            self.disturb(rng, search, box)
        exemplar, search = self.spoil(rng, kind, exemplar, search)
        return exemplar, search, box, kind

    def search_crop(self, rng, kind, first, second, choice, flip):
        bank = self.bank
        other = second if kind in (NEGATIVE, TRUE_BOX) else first
        box = bank.boxes[other][choice]
        spread = 0.22 if rng.random() < 0.8 else 0.45
        side = context_side(*box[2:]) * SEARCH / EXEMPLAR * np.exp(rng.uniform(-spread, spread))
        still = kind == ONE_PICTURE
        angle = rng.uniform(-0.3, 0.3) if still and rng.random() < 0.35 else 0.0
        ratio = np.exp(rng.uniform(-0.22, 0.22)) if kind != NO_BOX and rng.random() < 0.5 else 1.0
        shift = rng.uniform(-64, 64, 2) if rng.random() < 0.7 else rng.normal(0, 18, 2)
        matrix = square(box[:2], side, SEARCH, angle, ratio, flip, shift)
        search = crop(bank.picture(second), matrix, SEARCH, bank.mean[second])
        return search, moved_box(matrix, box)

    def disturb(self, rng, search, box):
        """Another background, something alike beside the target, or something before it."""
        chance = rng.random()
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        if chance < 0.18:
            self.swap_background(rng, search, centre, half)
        elif chance < 0.48:
            self.paste_distractor(rng, search, centre, half)
        if rng.random() < 0.15:
            size = (half * 2 * rng.uniform(0.15, 0.5, 2)).astype(int) + 1
            start = np.clip((centre + rng.uniform(-1, 1, 2) * half).astype(int), 0, SEARCH - 1)
            region = search[start[1] : start[1] + size[1], start[0] : start[0] + size[0]]
            region[:] = rng.integers(0, 255, 3) if rng.random() < 0.5 else region[::-1, ::-1].copy()

    def swap_background(self, rng, search, centre, half):
        other = rng.choice(self.all)
        picture = self.bank.picture(other)
        size = np.array(picture.shape[1::-1])
        matrix = square(size * rng.uniform(0.3, 0.7, 2), size.min() * rng.uniform(0.4, 1.0), SEARCH)
        behind = crop(picture, matrix, SEARCH, self.bank.mean[other])
        cells = np.arange(SEARCH, dtype=np.float32)
        x = (abs(cells - centre[0]) / (half[0] * 1.05)) ** 4
        y = (abs(cells - centre[1]) / (half[1] * 1.05)) ** 4
        weight = np.clip((1.25 - x[None] - y[:, None]) / 0.35, 0, 1).astype(np.float32)[:, :, None]
        search[:] = search * weight + behind * (1 - weight)

    def paste_distractor(self, rng, search, centre, half):
        other = rng.choice(self.all)
        box = self.bank.boxes[other][int(rng.integers(bank_boxes(self.bank)))]
        factor = np.sqrt(4 * half.prod() / (box[2] * box[3])) * np.exp(rng.uniform(-0.3, 0.3))
        size = np.clip(box[2:] * factor, 8, 200).astype(int)
        at = rng.uniform(0, SEARCH, 2)
        if not (abs(at - centre) > half * 0.7 + size * 0.35).any():
            return
        scale = size / np.maximum(box[2:], 1)
        matrix = np.array([[scale[0], 0, size[0] / 2 - scale[0] * box[0]],
                           [0, scale[1], size[1] / 2 - scale[1] * box[1]]])  # fmt: skip
        patch = cv2.warpAffine(self.bank.picture(other), matrix, tuple(int(v) for v in size),
                               flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        start = (at - size / 2).astype(int)
        low, high = np.maximum(start, 0), np.minimum(start + size, SEARCH)
        if (high > low).all():
            inner = patch[
                low[1] - start[1] : high[1] - start[1], low[0] - start[0] : high[0] - start[0]
            ]
            search[low[1] : high[1], low[0] : high[0]] = inner

    @staticmethod
    def spoil(rng, kind, exemplar, search):
        strength = 1.0 if kind in (ONE_PICTURE, NEGATIVE) else 0.5
        if rng.random() < 0.5:  # the light of the whole pair
            light = Light(rng, 1.0)
            exemplar, search = light(exemplar), light(search)
        search = Light(rng, strength)(search)
        chance = rng.random()
        if chance < 0.22:
            invert = chance < 0.05
            exemplar, search = grey(exemplar, invert), grey(search, invert)
        both = 1.6 if chance < 0.12 else 1.0  # like a thermal camera: grey and soft
        return damaged(exemplar, rng, 0.6 * both), damaged(search, rng, both)


def bank_boxes(bank):
    """How many boxes every picture of the bank has."""
    return bank.boxes.shape[1]
