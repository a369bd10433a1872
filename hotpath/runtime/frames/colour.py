"""Compare the colours of boxes, and find the target's colours in a picture.

Pixels are sorted into bins of hue and brightness. Grey pixels are sorted only by brightness.
"""

from typing import Iterable, Optional, Tuple

import cv2
import numpy as np

from hotpath.runtime.frames.pictures import AnyFrame, every_pixel

PATCH = 24  # pixels a side of the picture that a histogram is made of
HUES, LEVELS, GREYS = 15, 4, 8
BINS = HUES * LEVELS + GREYS
GREY = 40  # saturation below which a pixel has no hue
SAMPLES = 5  # along the target's shorter side, of the map
MOST_SAMPLES = 160  # samples along the longer side of the picture

_VALUES = np.arange(256)
# tables of a byte: the first bin of a hue, what a brightness adds to it, and the bin of a grey
_HUES = (np.minimum(_VALUES * HUES // 180, HUES - 1) * LEVELS).astype(np.uint8)
_LEVELS = (_VALUES * LEVELS // 256).astype(np.uint8)
_GREYS = (HUES * LEVELS + _VALUES * GREYS // 256).astype(np.uint8)
_STEP = (np.arange(PATCH) + 0.5) / PATCH - 0.5
MIDDLE = np.clip(0.6 - np.hypot(_STEP[:, None], _STEP), 0, None).ravel()


def colour_bins(picture: np.ndarray) -> np.ndarray:
    """The bin of each pixel: uint8 (H, W) from BGR uint8 (H, W, 3)."""
    hsv = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2HSV)
    hue, saturation, value = cv2.split(hsv)
    coloured = cv2.add(cv2.LUT(hue, _HUES), cv2.LUT(value, _LEVELS))
    return np.asarray(np.where(saturation < GREY, cv2.LUT(value, _GREYS), coloured))


def histogram(picture: np.ndarray) -> np.ndarray:
    """Hue and brightness in a box, where the middle weighs more: float64 (BINS,), sum 1.

    Args:
        picture: BGR uint8 (PATCH, PATCH, 3), the box resized.
    """
    counts = np.bincount(colour_bins(picture).ravel(), MIDDLE, minlength=BINS)
    return np.asarray(counts / counts.sum())


def grey_histograms(histograms: np.ndarray) -> np.ndarray:
    """Return the histograms of the same boxes in a picture without colours, about: (n, BINS)."""
    levels = histograms[:, : HUES * LEVELS].reshape(-1, HUES, LEVELS).sum(axis=1)
    share = GREYS // LEVELS
    greys = histograms[:, HUES * LEVELS :] + np.repeat(levels, share, axis=1) / share
    return np.concatenate([np.zeros((len(greys), HUES * LEVELS)), greys], axis=1)


def back_project(picture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How much of the target each pixel tells (back-projection): float32 (H, W), 0 to 1.

    Source: Swain and Ballard, "Color Indexing", IJCV 1991: a bin tells the more of the target, the
    rarer it is in the rest of the picture.

    Args:
        picture: BGR uint8 (H, W, 3).
        target: its ``histogram``.
    """
    index = colour_bins(picture)
    scene = np.bincount(index.ravel(), minlength=BINS) / float(index.size)
    told = np.zeros(256, np.float32)
    told[:BINS] = target / np.maximum(target + scene, 1e-9)
    return np.asarray(cv2.LUT(index, told))


class ColourMap:
    """Where in a frame the target's colours are.

    Args:
        frame: frame of any kind; few of its pixels are read.
        size: (w, h) of the target, frame pixels.
        target: its ``histogram``.

    Attributes:
        alike: float32 (rows, columns), mean of ``back_project`` over a box of the target's size.
        step: frame pixels from one place of the map to the next.
    """

    def __init__(self, frame: AnyFrame, size: np.ndarray, target: np.ndarray) -> None:
        height, width = frame.shape[:2]
        step = int(max(1, min(size) // SAMPLES, max(height, width) // MOST_SAMPLES))
        self.step = min(step, height, width)  # so that there are pixels in a narrow picture too
        cells = max(1, int(size[0] / self.step)), max(1, int(size[1] / self.step))
        self.alike = cv2.boxFilter(back_project(every_pixel(frame, self.step), target), -1, cells)

    def best(
        self, visited: Iterable[Tuple[float, float]], apart: float
    ) -> Optional[Tuple[float, float]]:
        """The place with the colours that are most like the target's.

        Args:
            visited: centres (x, y) of places to leave out, frame pixels.
            apart: half a side of what is left out around each, frame pixels.

        Returns:
            (x, y), frame pixels; None if all is left out.
        """
        step = self.step
        alike = self.alike.copy()
        for x, y in visited:
            columns = slice(max(0, int((x - apart) / step)), max(0, int((x + apart) / step) + 1))
            rows = slice(max(0, int((y - apart) / step)), max(0, int((y + apart) / step) + 1))
            alike[rows, columns] = 0.0
        row, column = divmod(int(alike.argmax()), alike.shape[1])
        if alike[row, column] <= 0.0:
            return None
        return (column + 0.5) * step, (row + 0.5) * step

    def highest(self, centres: np.ndarray, sides: Tuple[float, float]) -> np.ndarray:
        """The most that the map has around each place: float32 (n,).

        Args:
            centres: (n, 2) x, y; frame pixels.
            sides: (w, h) of the surroundings, frame pixels.
        """
        reach = [max(1, int(side / self.step)) for side in sides]
        most = cv2.dilate(self.alike, np.ones(reach[::-1], np.uint8))
        rows, columns = most.shape
        at = (centres / self.step).astype(np.intp)
        return np.asarray(most[at[:, 1].clip(0, rows - 1), at[:, 0].clip(0, columns - 1)])
