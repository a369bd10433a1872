"""The events of a long film, frame by frame, drawn from its seed.

A film shows one clip, forwards and backwards alternately. Three times the target goes away:

    cut    another scene is cut in; then the clip goes on at another moment
    cover  something slides over the target and moves with it, while the camera turns
    edge   the camera turns to another scene, and comes back, or turns on all around

Clip and other scene stand side by side on a ring. The camera's view is as wide as the clip.
``view`` is the place of its left edge, in pixels from the clip's left edge. After each event the
view is another one, so that the target comes back elsewhere in the picture.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

KINDS = ("cut", "cover", "edge")
SHORTEST, LONGEST = 15, 300  # frames without the target
SHOWN = (60, 110)  # frames with the target before and after
STAYS = 40  # frames for which a look-alike stays after the target's return
SLIDE = (8, 15)  # frames in which something slides over the target
SPEED = (0.02, 0.05)  # of the camera, view widths a frame
SWAY = 0.35  # how far the view may rest from the clip's edges, view widths
APART = 1.5  # distance of the places of leaving and coming back, target sizes
VISIBLE, HIDDEN = 0.5, 0.05  # share of the target's area: present above the one, absent below


class Timeline:
    """The numbers of every frame of one film.

    Args:
        boxes: (n, 4) of the clip, pixels of the film; NaN if the target is absent.
        width, height: width and height of the clip in the film, pixels.
        scene: (frames, width) of the other scene at the clip's height.
        events: list of (kind, frames without the target).

    Attributes:
        clip: (frames,) index of the clip's frame.
        scene: (frames,) index of the other scene's frame.
        cut: (frames,) bool, only the other scene is shown.
        view: (frames,) float.
        slide: (frames,) of what covers the target: 0 if it is over it, 1 if it is one picture
            away; NaN if there is none.
        alike: (frames, 2) centre of the look-alike in the picture; NaN if there is none.
        ring: length of the ring, pixels.
        truth: (frames, 4) the target's box in the picture; NaN if it is absent.
        known: (frames,) bool, False if it is partly visible.
    """

    def __init__(
        self,
        boxes: np.ndarray,
        width: int,
        height: int,
        scene: tuple[int, int],
        events: Sequence[tuple[str, int]],
        rng: np.random.Generator,
    ) -> None:
        self._boxes, self._rng = boxes, rng
        self._width, self._height = width, height
        self._scene_frames, scene_width = scene
        self.ring = width + scene_width
        self._rows: list[Any] = []  # one a frame: clip, scene, cut, view, slide, alike x, alike y
        self._clock = int(rng.integers(2 * len(boxes)))
        self._clock = self._visible_from(self._clock)
        self._view: float = 0.0
        self._alike: np.ndarray | None = None
        self._stay(int(rng.integers(*SHOWN)))
        for kind, frames in events:
            getattr(self, "_" + kind)(frames)
            self._stay(max(STAYS, int(rng.integers(*SHOWN))))
        table = np.array(self._rows)
        self.clip, self.scene = table[:, 0].astype(int), table[:, 1].astype(int)
        self.cut, self.view, self.slide = table[:, 2].astype(bool), table[:, 3], table[:, 4]
        self.alike = table[:, 5:7]
        self._judge()

    # the events

    def _stay(self, frames: int) -> None:
        """Show the target from where the view is; a look-alike leaves after a while."""
        for index in range(frames):
            self._add(self._view, alike=self._alike if index < STAYS else None)
        self._alike = None

    def _cut(self, frames: int) -> None:
        before = self._centre(self._view)
        near = self._rng.random() < 0.5
        place = before if near else self._far_from(before)
        drift = self._rng.uniform(-0.002, 0.002, 2) * self._width
        for index in range(frames):
            self._add(self._view, cut=True, alike=place + index * drift)
        self._clock = self._visible_from(int(self._rng.integers(2 * len(self._boxes))))
        self._view = self._other_view(before)
        self._alike = self._far_from(self._centre(self._view))

    def _cover(self, frames: int) -> None:
        start = self._view
        end = self._other_view(self._centre(start))
        slide = int(self._rng.integers(*SLIDE))
        self._alike = self._far_from(self._centre(end))
        for share in np.linspace(1, 0, slide, endpoint=False):
            self._add(start, slide=share, alike=self._alike)
        for share in np.linspace(0, 1, frames):
            self._add(start + share * (end - start), slide=0.0, alike=self._alike)
        for share in np.linspace(0, 1, slide + 1)[1:]:
            self._add(end, slide=share, alike=self._alike)
        self._view = end

    def _edge(self, frames: int) -> None:
        """Turn the camera away, wait there, and turn it back or on around the ring."""
        rng, width = self._rng, self._width
        start, end = self._view, self._other_view(self._centre(self._view))
        speed = rng.uniform(*SPEED) * width
        way = 1 if rng.random() < 0.5 else -1
        if (self.ring - width) / speed < frames and rng.random() < 0.5:
            end += way * self.ring
            away = start + way * self.ring / 2
        else:
            out = self._centre(start)[0] if way > 0 else width - self._centre(start)[0]
            size = self._box()[2]
            away = start + way * (out + size + min(speed * frames / 4, width / 2))
        out, back = (max(2, math.ceil(abs(to - away) / speed)) for to in (start, end))
        hidden = sum(self._outside(view) for view in np.linspace(start, away, out))
        hidden += sum(self._outside(view) for view in np.linspace(away, end, back))
        middle = away + width * rng.uniform(0.3, 0.7)  # in sight while the camera waits
        place = np.array([middle, rng.uniform(0.3, 0.7) * self._height])
        wait = [away] * max(0, frames - int(hidden))
        for view in [*np.linspace(start, away, out), *wait, *np.linspace(away, end, back)]:
            self._add(view, alike=place - (view, 0))
        self._view = end % self.ring
        if self._view > self.ring / 2:
            self._view -= self.ring
        self._alike = self._far_from(self._centre(self._view))

    def _add(
        self, view: float, cut: bool = False, slide: float = math.nan, alike: Any = None
    ) -> None:
        x, y = (math.nan, math.nan) if alike is None else alike
        scene = _there_and_back(self._clock, self._scene_frames)
        clip = _there_and_back(self._clock, len(self._boxes))
        self._rows.append((clip, scene, cut, view, slide, x, y))
        self._clock += 1

    # places

    def _visible_from(self, clock: int) -> int:
        """The first moment from ``clock`` on at which the clip shows its target."""
        while not np.isfinite(self._boxes[_there_and_back(clock, len(self._boxes))]).all():
            clock += 1
        return clock

    def _box(self) -> np.ndarray:
        """The target's box now; if the clip has none, the next one."""
        return np.asarray(
            self._boxes[_there_and_back(self._visible_from(self._clock), len(self._boxes))]
        )

    def _centre(self, view: float) -> np.ndarray:
        x, y, w, h = self._box()
        return np.array([x + w / 2 - view, y + h / 2])

    def _outside(self, view: float) -> bool:
        """Whether no part of the target is in the view, its place on the ring as it is now."""
        x, _, w, _ = self._box()
        left = (x - view + self.ring / 2) % self.ring - self.ring / 2
        return bool(left + w <= 0 or left >= self._width)

    def _other_view(self, before: np.ndarray) -> float:
        """A view in which the target stands elsewhere than at ``before``."""
        x, _, w, h = self._box()
        best, farthest = self._view, -1.0
        for _ in range(20):
            target_x = self._rng.uniform(0.15, 0.85) * self._width
            limit = SWAY * self._width
            view = float(np.clip(x + w / 2 - target_x, -limit, limit))
            inside = x - view >= 0 and x + w - view <= self._width
            distance = np.hypot(*(self._centre(view) - before)) if inside else 0.0
            if distance >= APART * math.sqrt(w * h):
                return view
            if distance > farthest:
                best, farthest = view, distance
        return best

    def _far_from(self, centre: np.ndarray) -> np.ndarray:
        """A place in the picture's other half."""
        share = self._rng.uniform(0.1, 0.3)
        x = (1 - share if centre[0] < self._width / 2 else share) * self._width
        return np.array([x, np.clip(centre[1], 0.2 * self._height, 0.8 * self._height)])

    # the truth

    def _judge(self) -> None:
        boxes = self._boxes[self.clip].copy()
        # of the places that differ by whole rings, the one nearest to the picture
        left = boxes[:, 0] - self.view
        middle = (self._width - boxes[:, 2]) / 2
        boxes[:, 0] = left - self.ring * np.rint((left - middle) / self.ring)
        share = visible_share(boxes, self._width, self._height)
        share = np.where(np.isfinite(share) & ~self.cut, share, 0.0)
        for index in np.flatnonzero(np.isfinite(self.slide)):
            cover = cover_box(boxes[index], self.slide[index], self._width)
            share[index] *= 1 - _common(boxes[index], cover)
        self.truth = np.where(share[:, None] >= VISIBLE, boxes, np.nan)
        self.known = (share >= VISIBLE) | (share <= HIDDEN)


def visible_share(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Share of each box's area that lies in the picture: (n,), NaN if the box is."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.minimum(high, (width, height)) - np.maximum(low, 0)
    return np.asarray(np.prod(np.maximum(sides, 0), axis=1) / np.prod(boxes[:, 2:], axis=1))


def cover_box(box: np.ndarray, slide: float, width: int) -> tuple[float, float, float, float]:
    """(x, y, w, h) of what slides over a target: 1.6 times as large, ``slide`` pictures away."""
    x, y, w, h = box
    return x - 0.3 * w + slide * width, y - 0.3 * h, 1.6 * w, 1.6 * h


def _common(box: np.ndarray, cover: Sequence[float]) -> float:
    """Share of the box's area that is covered."""
    sides = [
        min(box[a] + box[a + 2], cover[a] + cover[a + 2]) - max(box[a], cover[a]) for a in (0, 1)
    ]
    if not np.isfinite(sides).all():
        return 0.0
    return float(max(0.0, sides[0]) * max(0.0, sides[1]) / (box[2] * box[3]))


def _there_and_back(clock: int, frames: int) -> int:
    """0, 1 … frames - 1, frames - 2 … 1, 0, 1 …"""
    if frames == 1:
        return 0
    place = clock % (2 * frames - 2)
    return place if place < frames else 2 * frames - 2 - place
