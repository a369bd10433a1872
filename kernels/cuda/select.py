"""What every family's select is to a frame: what is launched, with which arguments.

``HeadSelect`` is one kernel. ``response.py`` has a family that needs several.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from kernels import records
from kernels.cuda.target_memory import TargetMemory
from kernels.golden import hanning_window, inner_hanning_window
from kernels.settings import (
    CornersSettings,
    FrameSettings,
    PointsSettings,
    SelectSettings,
)


class Tools(NamedTuple):
    """How a select reaches the device.

    Attributes:
        kernel: function (source, name) that gives a kernel.
        constant: function of an array that copies it to the device and gives its address.
        alloc: function of a number of bytes that gives an address.
        launch: function (kernel, grid, block, arguments); an argument is an address or a
            ``numpy.int32``.
        half: whether the network gives half precision.
    """

    kernel: Callable[[str, str], Any]
    constant: Callable[[np.ndarray], int]
    alloc: Callable[[int], int]
    launch: Callable[..., None]
    half: bool = False


class Select:
    """The select of one network, for one target or several.

    Args:
        frame: the network's numbers.
        tools: how it reaches the device.
        targets: of each launch.

    Attributes:
        kernel: the last kernel. It takes what ``find`` gives, then the frame's own arguments.
        sizes: bytes of each kind of memory that a target needs between frames.
    """

    sizes: Dict[str, int] = {}
    kernel: Any = None

    def __init__(self, frame: FrameSettings, tools: Tools, targets: int = 1) -> None:
        raise NotImplementedError

    def remember(self, memory: TargetMemory, maps: Sequence[int]) -> None:
        """Enqueue: take what the network gave last as the target's.

        Args:
            memory: of the target.
            maps: addresses of the maps of the first search.
        """

    def find(self, memory: TargetMemory, maps: Sequence[int]) -> List[Any]:
        """Enqueue all kernels but the last; return what the last one takes first."""
        raise NotImplementedError


class HeadSelect(Select):
    """See ``Select``: one kernel, which takes the network's maps."""

    def __init__(self, frame: FrameSettings, tools: Tools, targets: int = 1) -> None:
        settings: Any = frame.select
        source, constants, self._maps = head(settings, tools.half)
        self.kernel = tools.kernel(source, "hp_select_" + source)
        self._tables = [tools.constant(array) for array in constants]

    def find(self, memory: TargetMemory, maps: Sequence[int]) -> List[Any]:
        """See ``Select.find``."""
        return self._tables + list(self._maps(maps))


# Name of a family's .cu file; arrays that its kernel takes first, the network's numbers and tables;
# function of the addresses of the network's maps that gives those that it takes next.
Head = Tuple[str, Tuple[np.ndarray, ...], Callable[[Sequence[int]], Tuple[int, ...]]]


def head(settings: SelectSettings, half: bool = False) -> Head:
    """The head of a network.

    Args:
        settings: the network's numbers.
        half: whether its maps are of half precision.
    """
    if isinstance(settings, CornersSettings):
        return _corners(settings, 2 if half else 4)
    return _points(settings) if isinstance(settings, PointsSettings) else _centre(settings)


def _tables(window: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """A table of weights in doubles and in floats."""
    doubles = np.ascontiguousarray(window, np.float64).ravel()
    return doubles, doubles.astype(np.float32)


def _points(settings: PointsSettings) -> Head:
    record = records.record(records.POINTS, settings, anchors=len(settings.anchors))
    window = _tables(hanning_window(settings.size) ** settings.window_power)
    if settings.anchors:
        sizes = _tables(np.array(settings.anchors))
        return "anchors", (record,) + window + sizes, tuple
    # a map of quality comes third; 0 where there is none
    return "points", (record,) + window, lambda maps: (tuple(maps) + (0,))[:3]


def _centre(settings: Any) -> Head:
    record = records.record(records.CENTRE, settings)
    window = _tables(inner_hanning_window(settings.size))
    return "centre", (record,) + window, tuple


def _corners(settings: CornersSettings, number_bytes: int) -> Head:
    cells = settings.size**2
    apart = {"one_map": 2 * cells, "two_maps": cells}.get(settings.output, 4)
    record = records.record(records.CORNERS, settings, apart=apart)
    plane = number_bytes * cells  # bytes, from the first channel of one map to the second

    def both(maps: Sequence[int]) -> Tuple[int, ...]:
        return tuple(maps) if len(maps) == 2 else (maps[0], maps[0] + plane)

    return "corners", (record,), both
