"""What each family's select kernel takes before what all of them take."""

from typing import Callable, NamedTuple, Sequence, Tuple

import numpy as np

from hotpath.kernels import records
from hotpath.kernels.settings import CornersSettings, PointsSettings, SelectSettings
from hotpath.kernels.votes import hanning_window, inner_hanning_window


class Head(NamedTuple):
    """The select of a network.

    Attributes:
        source: name of the family's .cu file.
        tables: arrays that its kernel takes first: the network's numbers, and tables.
        maps: function of the addresses of the network's maps that gives those that it takes next.
    """

    source: str
    tables: Tuple[np.ndarray, ...]
    maps: Callable[[Sequence[int]], Sequence[int]]


def head(settings: SelectSettings, half: bool = False) -> Head:
    """The head of a network.

    Args:
        settings: the network's numbers.
        half: whether its maps are of half precision.
    """
    if isinstance(settings, CornersSettings):
        return _corners(settings, 2 if half else 4)
    if isinstance(settings, PointsSettings):
        return _points(settings)
    record = records.record(records.CENTRE, settings)
    return Head("centre", (record,) + _tables(inner_hanning_window(settings.size)), tuple)


def _tables(window: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """A table of weights in doubles and in floats."""
    doubles = np.ascontiguousarray(window, np.float64).ravel()
    return doubles, doubles.astype(np.float32)


def _points(settings: PointsSettings) -> Head:
    record = records.record(records.POINTS, settings, anchors=len(settings.anchors))
    window = _tables(hanning_window(settings.size) ** settings.window_power)
    if settings.anchors:
        sizes = _tables(np.array(settings.anchors))
        return Head("anchors", (record,) + window + sizes, tuple)
    # a map of quality comes third; 0 where there is none
    return Head("points", (record,) + window, lambda maps: (tuple(maps) + (0,))[:3])


def _corners(settings: CornersSettings, number_bytes: int) -> Head:
    record = records.record(records.CORNERS, settings)
    plane = (
        number_bytes * settings.size**2
    )  # bytes, from the first channel of one map to the second

    def both(maps: Sequence[int]) -> Sequence[int]:
        return maps if len(maps) == 2 else (maps[0], maps[0] + plane)

    return Head("corners", (record,), both)
