"""The heads of all families on the GPU: which kernel selects, and the numbers that it is given."""

from typing import Any, Callable, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from kernels.cuda import layout
from kernels.golden import hanning_window, inner_hanning_window
from kernels.settings import (
    OUTPUTS,
    QUALITIES,
    RELATIVES,
    SCORES,
    CentreSettings,
    CornersSettings,
    PointsSettings,
    SelectSettings,
)


class Head(NamedTuple):
    """A family's select.

    Attributes:
        source: name of the .cu file.
        kernel: name of the kernel in it.
        constants: arrays that it takes first: the network's numbers, then tables.
        maps: function of the addresses of the network's maps; gives those that it takes next.
    """

    source: str
    kernel: str
    constants: Tuple[np.ndarray, ...]
    maps: Callable[[Sequence[int]], Tuple[int, ...]]


def head(settings: SelectSettings, half: bool = False) -> Head:
    """The head of a network.

    Args:
        settings: the network's numbers.
        half: whether its maps are of half precision.
    """
    if isinstance(settings, CornersSettings):
        return _corners(settings, 2 if half else 4)
    made: Head = _HEADS[type(settings)](settings)
    return made


def _tables(window: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """A table of weights in doubles and in floats."""
    doubles = np.ascontiguousarray(window, np.float64).ravel()
    return doubles, doubles.astype(np.float32)


def _points(settings: PointsSettings) -> Head:
    record = np.zeros(1, layout.POINTS)
    for name in ("stride", "penalty", "influence", "rate", "quality_share", "size", "power"):
        record[name] = getattr(settings, name)
    record["score"], record["quality"] = SCORES[settings.score], QUALITIES[settings.quality]
    record["inclusive"], record["anchors"] = settings.inclusive, len(settings.anchors)
    record["bounds"] = layout.bounds(settings.limits)
    window = _tables(hanning_window(settings.size) ** settings.window_power)
    if settings.anchors:
        sizes = _tables(np.array(settings.anchors))
        return Head("anchors", "hp_select_anchors", (record,) + window + sizes, tuple)
    return Head("points", "hp_select_points", (record,) + window, _with_quality)


def _with_quality(maps: Sequence[int]) -> Tuple[int, ...]:
    return tuple(maps) if len(maps) == 3 else tuple(maps) + (0,)


def _centre(settings: CentreSettings) -> Head:
    record = np.zeros(1, layout.CENTRE)
    record["min_score"], record["size"] = settings.min_score, settings.size
    record["score"] = SCORES[settings.score]
    record["relative"] = RELATIVES[settings.relative_to]
    record["bounds"] = layout.bounds(settings.limits)
    record["geometry"] = layout.geometry(settings.window)
    window = _tables(inner_hanning_window(settings.size))
    return Head("centre", "hp_select_centre", (record,) + window, tuple)


def _corners(settings: CornersSettings, number_bytes: int) -> Head:
    record = np.zeros(1, layout.CORNERS)
    for name in ("cell_centre", "size", "search"):
        record[name] = getattr(settings, name)
    record["output"], record["bounds"] = OUTPUTS[settings.output], layout.bounds(settings.limits)
    cells = settings.size**2
    record["apart"] = {"box": 4, "one_map": 2 * cells, "two_maps": cells}[settings.output]
    plane = number_bytes * cells  # bytes, from the first channel of one map to the second

    def both(maps: Sequence[int]) -> Tuple[int, ...]:
        return tuple(maps) if len(maps) == 2 else (maps[0], maps[0] + plane)

    return Head("corners", "hp_select_corners", (record,), both)


_HEADS: Dict[Any, Callable[[Any], Head]] = {
    PointsSettings: _points,
    CentreSettings: _centre,
}
