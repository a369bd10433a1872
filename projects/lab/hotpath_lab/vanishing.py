"""Clips in which the target goes away for a while and comes back, made from clips where it stays.

There are two ways, neither of them random. ``cover`` paints the target over with what lies beside
it, so that the scene stays and only the target is gone. ``cut`` shows another clip meanwhile, as
films and cameras do.
"""

from typing import Any, Iterator, Optional

import cv2
import numpy as np

CUT = "cut"
KINDS = ("cover", CUT)
LENGTH = 30  # frames without the target
EVERY = 150  # frames of a clip for which it goes away once
GROWN = 0.2  # share of the box, on each side, that is painted over too: its edge and its shadow


class Vanishing:
    """A clip (see ``hotpath.video.clips.Clip``) whose target is gone at times.

    Args:
        kind: one of ``KINDS``.
        other: the ``Clip`` shown by ``CUT``.

    Attributes:
        name, boxes: as those of ``Clip``; boxes are NaN if the target is gone.
        gone: bool (frames,), True if the target was removed.
    """

    def __init__(self, clip: Any, kind: str, other: Any = None) -> None:
        self.clip, self.kind, self.other = clip, kind, other
        self.name = f"{clip.name}-{kind}"
        self.boxes = clip.boxes.copy()
        self.gone = np.zeros(len(clip), bool)
        times = max(1, len(clip) // EVERY)
        for number in range(times):
            start = int(len(clip) * (number + 1 / 3) / times)
            self.gone[start : start + LENGTH] = True
        self.boxes[self.gone] = np.nan

    def __len__(self) -> int:
        return len(self.clip)

    def __iter__(self) -> Iterator[np.ndarray]:
        substitutes, last = None, None
        for index, frame in enumerate(self.clip):
            if not self.gone[index]:
                substitutes, last = None, None
            elif self.kind == CUT:
                substitutes = substitutes or iter(self.other)
                last = next(substitutes, last)
                frame = cv2.resize(last, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
            elif np.isfinite(self.clip.boxes[index]).all():
                frame = frame.copy()  # the clip may hold it
                last = _cover(frame, self.clip.boxes[index], last)
            yield frame


def _cover(frame: np.ndarray, box: np.ndarray, side: Optional[int]) -> Optional[int]:
    """Paint over the box with what lies beside it, in place; returns the side that it came from."""
    height, width = frame.shape[:2]
    x, y, w, h = box
    left, top = max(0, int(x - GROWN * w) - 2), max(0, int(y - GROWN * h) - 2)
    right = min(width, int(x + w + GROWN * w) + 3)
    bottom = min(height, int(y + h + GROWN * h) + 3)
    w, h = right - left, bottom - top
    sides = [(w, 0), (-w, 0), (0, h), (0, -h)]
    # keep the side of the frame before, if possible
    for dx, dy in sides if side is None else [sides[side], *sides]:
        if 0 <= left + dx and right + dx <= width and 0 <= top + dy and bottom + dy <= height:
            patch = frame[top + dy : bottom + dy, left + dx : right + dx].astype(np.float32)
            share = _soft_edge(h, w)
            under = frame[top:bottom, left:right]
            under[:] = np.rint(patch * share + under * (1 - share)).astype(np.uint8)
            return sides.index((dx, dy))
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    cv2.inpaint(frame, mask, 5, cv2.INPAINT_TELEA, dst=frame)
    return side


def _soft_edge(height: int, width: int) -> np.ndarray:
    """Share of the patch: (height, width, 1) float32, 1 inside, falling to 0 at the edges."""
    edge = max(2, min(height, width) // 10)
    rows = np.minimum(np.arange(height), np.arange(height)[::-1]) / edge
    columns = np.minimum(np.arange(width), np.arange(width)[::-1]) / edge
    share = np.minimum(np.minimum.outer(rows, columns), 1).astype(np.float32)
    return share[:, :, None]
