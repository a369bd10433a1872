"""One training pair: an exemplar crop and a search crop, as a tracker would cut them, and worse.

A pair is drawn from one picture, from two pictures of one clip, or (negative) from two that have
nothing to do with each other. Its kind says what can be learnt from its box.
"""

import collections
from typing import Any

import cv2
import numpy as np

from calib.research.train.bank import SEQUENCE, STILL, VIDEO, Bank
from calib.research.train.disturb import add_distractor, add_kin, add_occluder, swap_background
from calib.research.train.effects import (
    Light,
    Night,
    Thermal,
    degraded,
    enlarged,
    grey,
    motion_blur,
)
from calib.research.train.geometry import CONTEXT, EXEMPLAR, SEARCH
from runtime import geometry

ONE_PICTURE, NEGATIVE, TRUE_BOX, NO_BOX = 0, 1, 2, 3  # kinds of pairs
SHARES = (0.52, 0.10, 0.24, 0.14)
OFF_CENTRE = 0.18  # share of the exemplars that are cut far from the centre
TEMPER = 0.5  # a source with n pictures is drawn in proportion to n ** TEMPER
REACH = 6  # frames between two pictures of a video, at most
MIRRORED = 0.4  # share of the search crops of stills that go on beyond the picture as in a mirror

FAST = 0.12  # share of the pairs whose target moves by one to two times its size
FARTHEST = 118  # pixels from the middle of the search crop to the target's centre
FAR = 0.18  # share of the pairs whose target was 8 to 24 pixels large before it was enlarged
FAR_PIXELS = (8, 24)
WHOLE = 0.85  # share of a still without boxes that the thing in it takes

# exemplar uint8 (127,127,3), search uint8 (255,255,3), box (x1,y1,x2,y2) float32 in search pixels,
# kind, decoy: box of another thing of its class that must not be found, zeros if there is none
Pair = collections.namedtuple("Pair", "exemplar search box kind decoy")


def crop(
    picture: np.ndarray, matrix: np.ndarray, side: int, fill: Any, border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """The square that ``matrix`` (2x3, frame to crop pixels) maps to ``side`` pixels."""
    size = (side, side)
    cut = cv2.warpAffine(picture, matrix, size, None, cv2.INTER_LINEAR, border, borderValue=fill)
    return np.asarray(cut)


def square(
    centre: np.ndarray,
    frame_side: float,
    side: int,
    angle: float = 0.0,
    ratio: float = 1.0,
    flip: bool = False,
    shift: Any = (0.0, 0.0),
) -> np.ndarray:
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


def moved_box(matrix: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A box (centre, size) under the matrix, as corners.

    A turned box grows less than its corners would ask: half way to the box of its ellipse.
    """
    linear, centre = matrix[:, :2], matrix @ np.array([box[0], box[1], 1.0])
    across, down = abs(linear[:, 0]) * box[2] / 2, abs(linear[:, 1]) * box[3] / 2
    half = 0.5 * (across + down) + 0.5 * np.hypot(across, down)
    upright = abs(linear[0, 1]) < 1e-6
    half = across + down if upright else half
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


class Weighted:
    """Draws one of some items; a large source does not drown a small one."""

    def __init__(self, items: Any, sources: Any) -> None:
        sources = np.asarray(sources, int)
        count = np.bincount(sources)[sources] if len(sources) else np.zeros(0)
        chances = np.cumsum(count ** (TEMPER - 1.0))
        self.items, self._chances = items, chances / chances[-1:]

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, rng: np.random.Generator) -> Any:
        """One item."""
        place = np.searchsorted(self._chances, rng.random(), side="right")
        return self.items[min(int(place), len(self.items) - 1)]


class Drawer:
    """Draws pairs from a bank; the same ``rng`` gives the same pair."""

    def __init__(self, bank: Bank, held: bool = False) -> None:
        self.bank = bank
        usable = bank.held == held
        stills = np.flatnonzero(usable & (bank.kind == STILL))
        if not len(stills):
            stills = np.flatnonzero(bank.kind == STILL)
        moving = np.flatnonzero(usable & (bank.kind != STILL))
        everything = np.concatenate([stills, moving])
        self.stills = Weighted(stills, bank.source[stills])
        self.all = Weighted(everything, bank.source[everything])
        self.kin: dict[int, list[Any]] = {}  # class -> pictures that show it
        for index in everything:
            if bank.kind[index] != SEQUENCE:
                self.kin.setdefault(bank.kin[index], []).append(index)
        self.clips = [self._clips(moving, kind) for kind in (SEQUENCE, VIDEO)]
        shares = np.array(SHARES) * [1, 1, bool(self.clips[0]), bool(self.clips[1])]
        if not self.clips[0] and self.clips[1]:  # videos take the place of sequences
            shares[NO_BOX] += SHARES[TRUE_BOX]
        self.shares = np.cumsum(shares / shares.sum())

    def _clips(self, pictures: np.ndarray, kind: int) -> Weighted:
        """Lists of the pictures of each clip of a kind."""
        mates: dict[int, list[int]] = {}
        for index in pictures[self.bank.kind[pictures] == kind]:
            mates.setdefault(self.bank.group[index], []).append(index)
        clips = [clip for clip in mates.values() if len(clip) > 1]
        return Weighted(clips, [self.bank.source[clip[0]] for clip in clips])

    def sources(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """(kind, index of the exemplar's picture, index of the search picture)."""
        kind = int(np.searchsorted(self.shares, rng.random(), side="right"))
        kind = min(kind, NO_BOX)
        if kind == ONE_PICTURE:
            first = self.stills.draw(rng)
            return kind, first, first
        if kind == NEGATIVE:
            first = second = self.all.draw(rng)
            for _ in range(100):
                if self.bank.group[first] != self.bank.group[second]:
                    break
                second = self.all.draw(rng)
            return kind, first, second
        clip = self.clips[0 if kind == TRUE_BOX else 1].draw(rng)
        first = int(rng.integers(len(clip)))
        reach = len(clip) if kind == TRUE_BOX else REACH
        second = int(np.clip(first + rng.integers(-reach, reach + 1), 0, len(clip) - 1))
        return kind, clip[first], clip[second]

    def pair(self, rng: np.random.Generator) -> Pair:
        """One ``Pair``."""
        kind, first, second = self.sources(rng)
        bank, choice = self.bank, int(rng.integers(self.bank.boxes.shape[1]))
        flip = rng.random() < 0.5
        box = bank.boxes[first][choice]
        side = geometry.context_side(box[2:], CONTEXT)
        off = 0.16 if rng.random() < OFF_CENTRE else 0.03
        centre = box[:2] + side * rng.uniform(-off, off, 2)
        matrix = square(centre, side * np.exp(rng.uniform(-0.06, 0.06)), EXEMPLAR, flip=flip)
        exemplar = crop(bank.picture(first), matrix, EXEMPLAR, bank.mean[first])
        search, box = self.search_crop(rng, kind, first, second, choice, flip)
        decoy = np.zeros(4, np.float32)
        if kind == ONE_PICTURE or (kind == NO_BOX and bank.located[second]):
            decoy = self.disturb(rng, second, search, box)
        if kind == ONE_PICTURE and bank.located[first]:
            kind = TRUE_BOX
        if rng.random() < FAR:
            share = rng.uniform(*FAR_PIXELS) / np.sqrt(np.prod(box[2:] - box[:2]))
            exemplar, search = (enlarged(each, min(share, 1.0), 1) for each in (exemplar, search))
        exemplar, search = self.spoil(rng, kind, exemplar, search)
        return Pair(exemplar, search, box, kind, decoy)

    def search_crop(
        self, rng: np.random.Generator, kind: int, first: int, second: int, choice: int, flip: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """(search crop, box of the target in it as corners)."""
        bank = self.bank
        moved = kind in (NEGATIVE, TRUE_BOX) or (bank.located[first] and bank.located[second])
        other = second if moved else first
        box = bank.boxes[other][choice]
        spread = 0.22 if rng.random() < 0.8 else 0.45
        side = geometry.context_side(box[2:], CONTEXT) * SEARCH / EXEMPLAR
        side *= np.exp(rng.uniform(-spread, spread))
        still = kind == ONE_PICTURE
        angle = rng.uniform(-0.3, 0.3) if still and rng.random() < 0.35 else 0.0
        ratio = np.exp(rng.uniform(-0.22, 0.22)) if kind != NO_BOX and rng.random() < 0.5 else 1.0
        shift = rng.uniform(-64, 64, 2) if rng.random() < 0.7 else rng.normal(0, 18, 2)
        way, blurred = rng.uniform(0, 2 * np.pi), 0
        if rng.random() < FAST:
            length = rng.uniform(1, 2) * np.sqrt(box[2] * box[3]) * SEARCH / side
            length = min(length, FARTHEST)
            shift = length * np.array([np.cos(way), np.sin(way)])
            blurred = int(length * rng.uniform(0, 0.4))
        matrix = square(box[:2], side, SEARCH, angle, ratio, flip, shift)
        mirrored = still and rng.random() < MIRRORED
        border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
        search = crop(bank.picture(second), matrix, SEARCH, bank.mean[second], border)
        search = motion_blur(search, blurred, way) if blurred > 2 else search
        return search, moved_box(matrix, box)

    def disturb(
        self, rng: np.random.Generator, index: int, search: np.ndarray, box: np.ndarray
    ) -> np.ndarray:
        """Change what is around the target in place; returns the box of another of its class."""
        chance, decoy = rng.random(), np.zeros(4, np.float32)
        if chance < 0.28:
            picture, other = self.relative(rng, index)
            if picture is not None:
                decoy = add_kin(search, box, picture, other, rng)
        elif chance < 0.40 and not self.bank.located[index]:
            picture, _ = self.thing(rng, self.all.draw(rng))
            size = np.array(picture.shape[1::-1])
            middle, side = size * rng.uniform(0.3, 0.7, 2), size.min() * rng.uniform(0.4, 1.0)
            behind = crop(picture, square(middle, side, SEARCH), SEARCH, picture.mean((0, 1)))
            swap_background(search, behind, box)
        elif chance < 0.60:
            add_distractor(search, box, *self.thing(rng, self.all.draw(rng)), rng)
        if rng.random() < 0.15:
            add_occluder(search, box, rng)
        return decoy

    def thing(self, rng: np.random.Generator, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A picture, and the box of something in it."""
        boxes = self.bank.boxes[index]
        return self.bank.picture(index), boxes[int(rng.integers(len(boxes)))]

    def relative(self, rng: np.random.Generator, index: int) -> tuple[Any, Any]:
        """The same of another thing of the class that a picture shows; (None, None) without one."""
        kin = self.kin.get(self.bank.kin[index], ())
        other = int(kin[int(rng.integers(len(kin)))]) if len(kin) else index
        if self.bank.group[other] == self.bank.group[index]:
            return None, None
        picture, box = self.thing(rng, other)
        if not self.bank.located[other]:
            size = np.array(picture.shape[1::-1])
            box = np.concatenate([size / 2, size * WHOLE])
        return picture, box

    @staticmethod
    def spoil(
        rng: np.random.Generator, kind: int, exemplar: np.ndarray, search: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Light, camera and codec for both crops."""
        strength = 1.0 if kind in (ONE_PICTURE, NEGATIVE) else 0.5
        chance, share = rng.random(), 1.0
        if chance < 0.11:
            thermal = Thermal(rng)
            exemplar, search, share = thermal(exemplar, rng), thermal(search, rng), 1.6
        elif chance < 0.25:
            exemplar, search, share = grey(exemplar), grey(search), 1.3
        elif chance < 0.31:
            night = Night(rng)
            exemplar, search = night(exemplar, rng), night(search, rng)
        if rng.random() < 0.5:  # the light of the whole pair
            light = Light(rng, 1.0)
            exemplar, search = light(exemplar), light(search)
        search = Light(rng, strength)(search)
        return degraded(exemplar, rng, 0.6 * share), degraded(search, rng, share)
