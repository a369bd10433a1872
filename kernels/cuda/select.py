"""What every family's select is to a frame: what is launched, with which arguments.

``HeadSelect`` is one kernel. ``response.py`` has a family that needs several.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

from kernels.cuda.heads import head
from kernels.cuda.target_memory import TargetMemory
from kernels.settings import FrameSettings


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
        raise NotImplementedError


class HeadSelect(Select):
    """See ``Select``: one kernel, which takes the network's maps."""

    def __init__(self, frame: FrameSettings, tools: Tools, targets: int = 1) -> None:
        settings: Any = frame.select
        self._head = head(settings, tools.half)
        self.kernel = tools.kernel(self._head.source, self._head.kernel)
        self._tables = [tools.constant(array) for array in self._head.constants]

    def find(self, memory: TargetMemory, maps: Sequence[int]) -> List[Any]:
        """See ``Select.find``."""
        return self._tables + list(self._head.maps(maps))
