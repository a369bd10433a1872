"""What a camera showed in the last minute, and where it pointed then.

A camera that hangs shows old pictures, in a loop, below a clock, brighter or darker. So a picture
that was seen before, while the camera pointed elsewhere, shows nothing of the world.

``look_at`` makes two small views of a picture: the whole of it, and the target with what is around.
Each is cut into 3 x 4 blocks. Two views are the same if more than half of their blocks correlate.
So brightness, contrast, a small shift, and an overlay on some blocks make no new picture of an old
one. It needs both views: a stream may hang in a part of the picture only.
"""

import math
from collections import deque
from typing import Deque, List, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.runtime.pictures import AnyFrame, brightness, picture_mark
from hotpath.runtime.types import Track

KEPT, KEPT_S, EVERY_S, MARKS = 1800, 60.0, 0.03, 600  # pictures, and marks of pictures
ROWS, COLUMNS, FINE = 27, 36, 4  # cells of a view; a cell is the mean of FINE x FINE pixels
DOWN, ACROSS = 3, 4  # blocks of a view
BLOCK = ROWS // DOWN, COLUMNS // ACROSS  # cells of a block
AROUND, LEAST_PX = 3.0, 96.0  # the view around a target: sides, in sides of the box; and the least
SAME = 0.97, 0.997  # correlation of blocks of one scene: in the whole picture, around the target
KEEP = 0.03  # less is enough while there is a doubt
ELSEWHERE_DEG, LAG_S = 3.5, 0.15  # a turn that must show; and how late an attitude may be
FLAT, LEAST = 1.5, 4  # deviation of a block that shows nothing, grey levels; blocks that show some
NEAREST = 6  # pictures that are compared block by block
FADED, FADE, FEW = 0.4, 250, 20  # share of the usual contrast; pictures, and the least, for "usual"
SURE_S, BACK_S = 0.15, 0.5  # a doubt, and its end, must last so long
STILL_S = 0.3  # since the last picture with a new mark
SEEN = "the picture was seen before"


class Look(NamedTuple):
    """What an ``Album`` needs of a frame.

    Attributes:
        mark: result of ``picture_mark``.
        views: float32 (ROWS + 2, COLUMNS + 2) of grey levels: the whole picture, and the part
            around the target if there is one. The margin of a cell is for shifts.
        counts: bool (DOWN * ACROSS,) for each view: whether a block is outside the target.
    """

    mark: int
    views: List[np.ndarray]
    counts: List[np.ndarray]


def look_at(frame: AnyFrame, track: Optional[Track]) -> Look:
    """The ``Look`` of a frame and its target."""
    views = []
    counts = []
    height, width = frame.shape[:2]
    has_box = track is not None and all(map(math.isfinite, track.box))
    x, y, w, h = track.box if track is not None and has_box else (0.0,) * 4
    for around in (math.inf, AROUND)[: 1 + has_box]:
        rows, is_row = _along(y + h / 2, h, around, height, ROWS, DOWN)
        columns, is_column = _along(x + w / 2, w, around, width, COLUMNS, ACROSS)
        pixels = brightness(frame, rows, columns).reshape(ROWS + 2, FINE, COLUMNS + 2, FINE)
        views.append(pixels.mean(axis=(1, 3), dtype=np.float32))
        covered = np.outer(is_row, is_column)
        covered[:: DOWN - 1, :: ACROSS - 1] = False  # a target may fill the picture
        counts.append(~covered.ravel())
    return Look(picture_mark(frame), views, counts)


def _along(
    centre: float, side: float, around: float, limit: int, cells: int, blocks: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Pixels of a view along one side, and which of its blocks are in the target."""
    reach = min(max(around * max(side, 1.0), LEAST_PX), limit)
    start = min(max(centre - reach / 2, 0.0), limit - reach)
    pixels = (cells + 2) * FINE
    places = start + reach * (np.arange(pixels) + 0.5) / pixels
    middles = start + reach * (np.arange(blocks) + 0.5) / blocks
    return places.astype(np.intp), np.abs(middles - centre) < side / 2


class Album:
    """The pictures that one camera showed, compared with each new one."""

    def __init__(self) -> None:
        self._marks: Deque[int] = deque(maxlen=MARKS)
        # of each view; the last place is for the last picture that was seen before
        self._blocks = np.zeros((2, KEPT + 1, DOWN * ACROSS, BLOCK[0] * BLOCK[1]), np.float32)
        self._coarse = np.zeros((2, KEPT, ROWS * COLUMNS // 9), np.float32)
        # time, pitch, yaw, and their rates; the last place is of now, when one was seen before
        self._where = np.full((KEPT + 1, 5), (-np.inf, 0.0, 0.0, 0.0, 0.0))
        self._contrasts: Deque[List[float]] = deque(maxlen=FADE)
        self._path: Deque[Tuple[float, float, float]] = deque()  # time, pitch, yaw of late
        self._added = 0
        self._new_s = -math.inf
        self._last_s = -math.inf
        self._weight_s = 0.0  # of the pictures that speak for a doubt, or for its end
        self._doubt: Optional[str] = None

    def add(self, look: Look, now: float, pointing: Tuple[float, float]) -> Optional[str]:
        """Note a picture; returns why it is no evidence, or None.

        Args:
            look: result of ``look_at``.
            now: when it was taken, seconds.
            pointing: (pitch, yaw) of the camera then, degrees.
        """
        if look.mark not in self._marks:
            self._marks.append(look.mark)
            self._new_s = now
        at = self._pointed(now, pointing)
        blocks = [_blocks(cells) for cells in look.views]
        coarse = [_coarse(cells) for cells in look.views]
        contrasts = [float(look.views[view].std()) for view in (0, -1)]
        why = None
        if not 0.0 <= now - self._new_s <= STILL_S:
            why = "the picture stands still"
        elif self._was_seen(blocks, coarse, look.counts, at):
            why = SEEN
            self._blocks[0, KEPT] = blocks[0][4]
        elif len(self._contrasts) > FEW and (
            # of both: a target may come, or fill the picture, before a bland scene
            np.less(contrasts, FADED * np.median(self._contrasts, axis=0)).all()
        ):
            why = "the picture has faded"
        self._weigh(why, max(0.0, min(LAG_S, now - self._last_s)))
        self._last_s = now
        if why is None and abs(now - self._where[(self._added - 1) % KEPT, 0]) >= EVERY_S:
            n, self._added = self._added % KEPT, self._added + 1
            self._where[n] = at
            self._contrasts.append(contrasts)
            self._blocks[:, n] = self._coarse[:, n] = 0.0
            for view, _ in enumerate(blocks):
                self._blocks[view, n], self._coarse[view, n] = blocks[view][4], coarse[view]
        return self._doubt

    def turn(self, pitch: float, yaw: float) -> None:
        """Correct where all pictures were seen, by degrees, because it is known only now."""
        self._where[:, 1:3] += pitch, yaw
        self._path = deque((time_s, p + pitch, y + yaw) for time_s, p, y in self._path)

    def _weigh(self, why: Optional[str], step_s: float) -> None:
        """Begin or end the doubt when the pictures of some time say the same."""
        if self._doubt is None:
            self._weight_s = max(0.0, self._weight_s + (step_s if why else -step_s / 2))
            if self._weight_s >= SURE_S:
                self._doubt, self._weight_s = why, BACK_S
        else:
            self._weight_s = BACK_S if why else self._weight_s - step_s
            self._doubt = why or (self._doubt if self._weight_s > 0 else None)

    def _pointed(self, now: float, pointing: Tuple[float, float]) -> np.ndarray:
        """A row of ``_where``."""
        self._path.append((now, *pointing))
        while len(self._path) > 2 and not 0.0 <= now - self._path[0][0] <= LAG_S:
            self._path.popleft()
        since, pitch, yaw = self._path[0]
        step_s = now - since if now > since else math.inf
        rates = (pointing[0] - pitch) / max(step_s, 1e-3), (pointing[1] - yaw) / max(step_s, 1e-3)
        return np.array((now, *pointing, *rates))

    def _was_seen(
        self,
        blocks: List[np.ndarray],
        coarse: List[np.ndarray],
        counts: List[np.ndarray],
        at: np.ndarray,
    ) -> bool:
        """Whether one of the views was seen while the camera pointed elsewhere."""
        apart = self._where - at
        turned = (apart[:, 2] + 180.0) % 360.0 - 180.0
        turned *= math.cos(math.radians(at[1]))
        least = ELSEWHERE_DEG + LAG_S * np.hypot(apart[:, 3], apart[:, 4])
        is_elsewhere = np.hypot(apart[:, 1], turned) > least
        if self._doubt is None:  # what stopped once is compared for as long as it stands
            is_elsewhere &= np.abs(apart[:, 0]) < KEPT_S
        places = np.flatnonzero(is_elsewhere[:KEPT])
        for view, shifted in enumerate(blocks if len(places) else ()):
            alike = self._coarse[view, places].dot(coarse[view])
            nearest = places[np.argsort(alike)[-NEAREST:]]
            # an old picture may drift on; while the camera turns on, a live one would, too
            if view == 0 and self._doubt == SEEN and not is_elsewhere[KEPT]:
                nearest = np.append(nearest, KEPT)
            known = self._blocks[view, nearest]
            same = np.einsum("sbc,kbc->ksb", shifted, known)
            shows = known.any(-1)[:, None] & shifted.any(-1) & counts[view]
            is_same = shows & (same > SAME[view] - (KEEP if self._doubt else 0.0))
            count = shows.sum(-1)
            found = nearest[((count >= LEAST) & (2 * is_same.sum(-1) > count)).any(-1)]
            if (found < KEPT).any():
                self._where[KEPT] = at
            if len(found):
                return True
        return False


def _blocks(cells: np.ndarray) -> np.ndarray:
    """The blocks of a view at nine shifts of a cell, without mean and contrast; flat ones are 0."""
    parts = [cells[y : y + ROWS, x : x + COLUMNS] for y in range(3) for x in range(3)]
    shaped = np.array(parts).reshape(9, DOWN, BLOCK[0], ACROSS, BLOCK[1]).swapaxes(2, 3)
    return _normal(shaped.reshape(9, DOWN * ACROSS, -1), FLAT)


def _coarse(cells: np.ndarray) -> np.ndarray:
    """A whole view in cells of 3 x 3, by which the nearest pictures are found."""
    means = cells[1:-1, 1:-1].reshape(ROWS // 3, 3, COLUMNS // 3, 3).mean(axis=(1, 3))
    return _normal(means.ravel(), 0.0)


def _normal(values: np.ndarray, flat: float) -> np.ndarray:
    """Rows of values without mean and contrast; 0 where they deviate by no more than ``flat``."""
    values = values - values.mean(-1, keepdims=True)
    size = np.sqrt((values * values).sum(-1, keepdims=True))
    is_flat = size <= flat * math.sqrt(values.shape[-1])
    return np.where(is_flat, np.float32(0.0), values / np.maximum(size, 1e-6))
