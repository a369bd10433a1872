"""One training pair: an exemplar crop and a search crop, as a tracker would cut them, and worse.

A pair is drawn from one picture, from two pictures of one clip or of a track through a video, or
(negative) from two that have nothing to do with each other.
"""

import collections
from typing import Any

import cv2
import numpy as np

from hotpath_research.train.bank import SEQUENCE, STILL, Bank
from hotpath_research.train.disturb import (
    add_distractor,
    add_kin,
    add_occluder,
    cut_off,
    swap_background,
)
from hotpath_research.train.effects import (
    CameraEffects,
    Light,
    Night,
    Thermal,
    enlarged,
    grey,
)
from hotpath_research.train.films import Films
from hotpath_research.train.geometry import EXEMPLAR, SEARCH, exemplar_side

ONE_PICTURE, NEGATIVE, CLIP, TRACK = 0, 1, 2, 3  # kinds of pairs
SHARES = (0.45, 0.08, 0.12, 0.35)
OFF_CENTRE = 0.18  # share of the exemplars that are cut far from the centre
TEMPER = 0.5  # a source with n pictures is drawn in proportion to n ** TEMPER
EARLIER = 0.85  # share of a track's pairs whose exemplar comes before the search crop
MIRRORED = 0.4  # share of the search crops of stills that go on beyond the picture as in a mirror

FAST = 0.18  # share of the pairs whose target moves by one to two times its size
FARTHEST = 118  # pixels from the middle of the search crop to the target's centre
FAR = 0.18  # share of the pairs whose target was 8 to 24 pixels large before it was enlarged
FAR_PIXELS = (6, 22)
CLEARER = 2.0  # the teacher sees a small target at this many times the resolution
EXEMPLAR_SHARE = 0.6  # a user draws the first box on a picture that is mostly sharp
CUT = 0.06  # share of the stills whose target the picture's border cuts
BLACK = 0.7  # share of the crops that are black outside of the picture
WHOLE = 0.85  # share of a still without boxes that the thing in it takes

# exemplar uint8 (128,128,3), search uint8 (256,256,3), kind, corners of the box in the search crop
# clear_exemplar, clear_search: the same crops before the camera's losses, for the teacher
Pair = collections.namedtuple("Pair", "exemplar search kind box clear_exemplar clear_search")


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
    linear = matrix[:, :2]
    centre = matrix @ np.array([box[0], box[1], 1.0])
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
        self.items = items
        self._chances = chances / chances[-1:]

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, rng: np.random.Generator) -> Any:
        """One item."""
        place = np.searchsorted(self._chances, rng.random(), side="right")
        return self.items[min(int(place), len(self.items) - 1)]


class Drawer:
    """Draws pairs from a bank and the tracks of its films; the same ``rng`` gives the same pair.

    With ``boxes``, half of them are of annotated clips, whose boxes are to be learnt.
    """

    def __init__(
        self, bank: Bank, films: Films | None = None, held: bool = False, boxes: bool = False
    ) -> None:
        self.bank, self.boxes = bank, boxes
        usable = bank.held == held
        stills = np.flatnonzero(usable & (bank.kind == STILL))
        if not len(stills):
            stills = np.flatnonzero(bank.kind == STILL)
        everything = np.concatenate([stills, np.flatnonzero(usable & (bank.kind != STILL))])
        self.stills = Weighted(stills, bank.source[stills])
        self.all = Weighted(everything, bank.source[everything])
        self.kin: dict[int, list[Any]] = {}  # class -> pictures that show it
        for index in everything:
            if bank.kind[index] != SEQUENCE:
                self.kin.setdefault(bank.kin[index], []).append(index)
        self.clips = self._clips(np.flatnonzero(usable & (bank.kind == SEQUENCE)))
        tracks = films.tracks if films and not held else []
        self.tracks = Weighted(tracks, [bank.source[int(track[0, 0])] for track in tracks])
        shares = np.array(SHARES) * [1, 1, len(self.clips) > 0, len(self.tracks) > 0]
        if boxes and len(self.clips):
            shares[CLIP] = shares.sum() - shares[CLIP]
        self.shares = np.cumsum(shares / shares.sum())

    def _clips(self, pictures: np.ndarray) -> Weighted:
        """Lists of the pictures of each annotated clip."""
        mates: dict[int, list[int]] = {}
        for index in pictures:
            mates.setdefault(self.bank.group[index], []).append(index)
        clips = [clip for clip in mates.values() if len(clip) > 1]
        return Weighted(clips, [self.bank.source[clip[0]] for clip in clips])

    def sources(self, rng: np.random.Generator) -> tuple[int, list[tuple[int, np.ndarray]]]:
        """(kind, [(index of a picture, box in it) of the exemplar and of the search crop])."""
        bank = self.bank
        kind = int(np.searchsorted(self.shares, rng.random(), side="right"))
        highest = NEGATIVE
        if len(self.tracks):
            highest = TRACK
        elif len(self.clips):
            highest = CLIP
        kind = min(kind, highest)
        if kind == TRACK:
            track = self.tracks.draw(rng)
            first, second = rng.choice(len(track), 2)
            if first > second and rng.random() < EARLIER:
                first, second = second, first
            return kind, [(int(track[k, 0]), track[k, 1:].astype(float)) for k in (first, second)]
        if kind == CLIP:
            first, second = rng.choice(self.clips.draw(rng), 2)
        elif kind == ONE_PICTURE:
            first = second = self.stills.draw(rng)
        else:
            first = second = self.all.draw(rng)
            for _ in range(100):
                if bank.group[first] != bank.group[second]:
                    break
                second = self.all.draw(rng)
        choice = int(rng.integers(bank.boxes.shape[1]))
        return kind, [(index, bank.boxes[index][choice]) for index in (first, second)]

    def pair(self, rng: np.random.Generator) -> Pair:
        """One ``Pair``."""
        kind, ((first, box), (second, other)) = self.sources(rng)
        flip = rng.random() < 0.5
        side = exemplar_side(box[2:])
        off = 0.16 if rng.random() < OFF_CENTRE else 0.03
        centre = box[:2] + side * rng.uniform(-off, off, 2)
        matrix = square(centre, side * np.exp(rng.uniform(-0.06, 0.06)), EXEMPLAR, flip=flip)
        exemplar = crop(self.bank.picture(first), matrix, EXEMPLAR, self.fill(rng, first))
        search, box, motion = self.search_crop(rng, kind, second, other, flip)
        if kind == ONE_PICTURE:
            self.disturb(rng, second, search, box)
        exemplar, search, share = self.lit(rng, kind, exemplar, search)
        crops = clear = [exemplar, search]
        if rng.random() < FAR:
            factor = rng.uniform(*FAR_PIXELS) / np.sqrt(np.prod(box[2:] - box[:2]))
            crops = [enlarged(image, min(factor, 1.0), 1) for image in crops]
            clear = [enlarged(image, min(CLEARER * factor, 1.0), 1) for image in clear]
        cameras = CameraEffects(rng, EXEMPLAR_SHARE * share), CameraEffects(rng, share, motion)
        spoilt = [camera(image, rng) for camera, image in zip(cameras, crops)]
        return Pair(spoilt[0], spoilt[1], kind, box, clear[0], clear[1])

    def fill(self, rng: np.random.Generator, index: int) -> Any:
        """The colour outside a picture: black, as the teacher has it, or the picture's mean."""
        return (0, 0, 0) if rng.random() < BLACK else self.bank.mean[index]

    def search_crop(
        self, rng: np.random.Generator, kind: int, index: int, box: np.ndarray, flip: bool
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """(search crop, box of the target in it as corners, length and angle of its motion blur).

        The crop itself is sharp. Most targets have no motion blur of their own: None.
        """
        spread = 0.22 if rng.random() < 0.8 else 0.45
        side = 2 * exemplar_side(box[2:]) * np.exp(rng.uniform(-spread, spread))
        still = kind == ONE_PICTURE
        angle = rng.uniform(-0.3, 0.3) if still and rng.random() < 0.35 else 0.0
        ratio = np.exp(rng.uniform(-0.3, 0.3)) if kind != TRACK and rng.random() < 0.5 else 1.0
        shift = rng.uniform(-64, 64, 2) if rng.random() < 0.7 else rng.normal(0, 18, 2)
        way = rng.uniform(0, 2 * np.pi)
        motion = None
        if rng.random() < FAST:
            length = rng.uniform(1, 2) * np.sqrt(box[2] * box[3]) * SEARCH / side
            length = min(length, FARTHEST)
            shift = length * np.array([np.cos(way), np.sin(way)])
            motion = length * rng.uniform(0, 0.4), way
        matrix = square(box[:2], side, SEARCH, angle, ratio, flip, shift)
        mirrored = still and rng.random() < MIRRORED
        border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
        search = crop(self.bank.picture(index), matrix, SEARCH, self.fill(rng, index), border)
        return search, moved_box(matrix, box), motion

    def disturb(
        self, rng: np.random.Generator, index: int, search: np.ndarray, box: np.ndarray
    ) -> None:
        """Change what is around the target of a search crop, in place."""
        chance = rng.random()
        if chance < 0.28:
            picture, other = self.relative(rng, index)
            if picture is not None:
                add_kin(search, box, picture, other, rng)
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
        if rng.random() < CUT:
            cut_off(search, box, self.fill(rng, index), rng)

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
    def lit(
        rng: np.random.Generator, kind: int, exemplar: np.ndarray, search: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Light and the kind of camera for both crops, and the factor on the chance of each."""
        strength = 1.0 if kind in (ONE_PICTURE, NEGATIVE) else 0.5
        chance = rng.random()
        share = 1.0
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
        return exemplar, search, share
