"""Select for networks that respond to the target at several sizes: kernels and their memory."""

from typing import Any, List, Sequence, Tuple

import numpy as np

from kernels import records
from kernels.cuda import layout
from kernels.cuda.select import Select, Tools
from kernels.cuda.target_memory import TargetMemory
from kernels.golden import hanning_window
from kernels.settings import FrameSettings, ResponseSettings

SOURCE = "response"
ENLARGE_BLOCK = (32, 8, 1)
ENLARGE_ROWS = 16  # rows of the enlarged response that one thread writes, as in response.cu
PLACE_BLOCK = (256, 1, 1)
PLACES = 64  # blocks that look for the best place
HEIGHTS_BYTES = RANK_BYTES = 16  # of the structures in response.cu and votes.h


def tables(settings: ResponseSettings) -> List[np.ndarray]:
    """What the kernels take that stays the same while a target is followed.

    Returns:
        one ``records.RESPONSE``; one ``layout.CUBIC`` for each column or row of the enlarged
        response; the damping of each size's response, float64; the Hanning window's axis in doubles
        and in floats, with the sum of its outer product, and the inverse of that, behind it.
    """
    head = records.record(records.RESPONSE, settings, scales=len(settings.damping))
    side = settings.size * settings.upsample
    total = hanning_window(side).sum()
    share = 1 / total if total > 0 else 0.0
    line = np.append(np.hanning(side), (total, share))
    damping = np.array(settings.damping, np.float64)
    return [head, cubic_taps(settings.size, side), damping, line, line.astype(np.float32)]


def cubic_taps(size: int, side: int) -> np.ndarray:
    """Taps of a cubic enlargement, as ``hp_cubic_tap`` in families.h computes them."""
    scale = 1.0 / (float(side) / float(size))
    place = ((np.arange(side) + 0.5) * scale - 0.5).astype(np.float32)
    whole, a, one = np.floor(place), np.float32(-0.75), np.float32(1)
    x = place - whole
    y, far = one - x, x + one
    taps = np.zeros(side, layout.CUBIC)
    taps["first"] = whole.astype(np.int32) - 1
    weight = taps["weight"]
    five, eight, four = (np.float32(number) * a for number in (5, 8, 4))
    weight[:, 0] = ((a * far - five) * far + eight) * far - four
    for column, near in ((1, x), (2, y)):
        weight[:, column] = ((a + np.float32(2)) * near - (a + np.float32(3))) * near * near + one
    weight[:, 3] = one - weight[:, 0] - weight[:, 1] - weight[:, 2]
    return taps


def enlarge_grid(settings: ResponseSettings) -> Tuple[int, int, int]:
    """Blocks of hp_enlarge; the first two numbers' product is the number of its parts."""
    side, rows = settings.size * settings.upsample, ENLARGE_ROWS * ENLARGE_BLOCK[1]
    columns = ENLARGE_BLOCK[0]
    return (side + columns - 1) // columns, (side + rows - 1) // rows, len(settings.damping)


class Response(Select):
    """See ``Select``."""

    sizes = {"first_peak": 8}

    def __init__(self, frame: FrameSettings, tools: Tools, targets: int = 1) -> None:
        settings: Any = frame.select
        self._launch, self._half = tools.launch, np.int32(tools.half)
        self._enlarge, self._place, self._remember, self.kernel = (
            tools.kernel(SOURCE, name)
            for name in ("hp_enlarge", "hp_place", "hp_remember_peak", "hp_select_response")
        )
        given = [tools.constant(array) for array in tables(settings)]
        self._head, self._taps, self._damping, self._line, self._rough_line = given
        columns, rows, scales = enlarge_grid(settings)
        self._grid = columns, rows, scales * targets
        self._count, self._targets = np.int32(columns * rows), targets
        side = settings.size * settings.upsample
        self._enlarged = tools.alloc(4 * scales * side * side * targets)
        self._parts = tools.alloc(HEIGHTS_BYTES * scales * columns * rows * targets)
        self._found = tools.alloc(RANK_BYTES * PLACES * targets)

    def remember(self, memory: TargetMemory, maps: Sequence[int]) -> None:
        """Enqueue: take the peak of the response that the network gave last as the target's."""
        self._enlarge_all(maps[0])
        first = memory.address("first_peak")
        arguments = self._head, self._damping, self._parts, self._count, first
        self._launch(self._remember, (1, 1, 1), (1, 1, 1), arguments)

    def find(self, memory: TargetMemory, maps: Sequence[int]) -> List[Any]:
        """See ``Select.find``. The responses of all sizes lie one after the other."""
        self._enlarge_all(maps[0])
        arguments: Sequence[Any] = (self._head, self._damping, self._line, self._rough_line)
        arguments = tuple(arguments) + (self._enlarged, self._parts, self._count, self._found)
        self._launch(self._place, (PLACES, self._targets, 1), PLACE_BLOCK, arguments)
        last = [self._head, self._damping, self._parts, self._count, self._found]
        return last + [np.int32(PLACES), memory.address("first_peak")]

    def _enlarge_all(self, responses: int) -> None:
        arguments = self._head, self._taps, responses, self._half, self._enlarged, self._parts
        self._launch(self._enlarge, self._grid, ENLARGE_BLOCK, arguments)
