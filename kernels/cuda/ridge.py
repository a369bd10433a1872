"""Select for networks on whose features a ridge regression is learnt: kernels and their memory."""

from typing import Any, List, NamedTuple, Sequence

import numpy as np

from kernels.cuda import layout
from kernels.cuda.select import Plan, Select, Tools
from kernels.cuda.target_memory import TargetMemory
from kernels.errors import NotOnGpu
from kernels.settings import FrameSettings, RidgeSettings

SOURCE = "ridge"
BLOCK = (256, 1, 1)
MOST_LINES = 8  # warps of a block, each with a line
WARP = 32
SHARED_BYTES = 48 << 10  # that a block may share
RANK_BYTES = NUMBER_BYTES = 16  # hp_rank; a complex number of two hp_pair
REACH = 0.5  # the target moves by half of the largest window at most, and so does the one around it


class Tables(NamedTuple):
    """What the kernels take that stays the same while a target is followed.

    Attributes:
        head: one ``layout.RIDGE``.
        waves: float32 (side, 2), cosine and sine of -2 pi i / side.
        window: float32 (side, side).
        label: ``layout.NUMBER`` (columns, side).
    """

    head: np.ndarray
    waves: np.ndarray
    window: np.ndarray
    label: np.ndarray


def tables(settings: RidgeSettings) -> Tables:
    """The tables of a network.

    Raises:
        NotOnGpu: more sizes are tried than the kernels have room for.
    """
    if len(settings.damping) > layout.MOST_WINDOWS:
        raise NotOnGpu(f"the GPU tries {layout.MOST_WINDOWS} sizes at most")
    head = np.zeros(1, layout.RIDGE)
    for name in ("smallest", "largest", "least_side", "regularisation", "rate", "side", "channels"):
        head[name] = getattr(settings, name)
    head["damping"][0, : len(settings.damping)] = settings.damping
    head["scales"] = len(settings.damping)
    head["inner_first"], head["inner_end"] = settings.inner
    turns = -2 * np.pi * np.arange(settings.side) / settings.side
    waves = np.stack((np.cos(turns), np.sin(turns)), axis=1).astype(np.float32)
    label = np.ascontiguousarray(settings.label.T, np.complex64).view(layout.NUMBER)
    return Tables(head, waves, np.ascontiguousarray(settings.window, np.float32), label)


def lines_of(side: int) -> int:
    """Lines of a block: as many as it has memory for."""
    return max(1, min(MOST_LINES, (SHARED_BYTES - NUMBER_BYTES * side) // (16 * side)))


class Ridge(Select):
    """See ``Select``. It learns from the target in every frame, so targets take turns."""

    learns = True
    groups = False

    def __init__(self, frame: FrameSettings, tools: Tools, targets: int = 1) -> None:
        settings: Any = frame.select
        self._launch = tools.launch
        self._rows, self._respond, self._response, self.kernel, self._learn, self._means, aim = (
            tools.kernel(SOURCE, name)
            for name in (
                "hp_ridge_rows",
                "hp_ridge_respond",
                "hp_ridge_response",
                "hp_select_ridge",
                "hp_ridge_learn",
                "hp_ridge_means",
                "hp_ridge_aim",
            )
        )
        self._aim = aim
        given = [tools.constant(array) for array in tables(settings)]
        self._head, self._waves, self._window, self._label = given
        side, channels, self._scales = settings.side, settings.channels, len(settings.damping)
        columns, lines = side // 2 + 1, lines_of(side)
        self._channels, self._columns = channels, columns
        self._blocks = -(-((side + 1) // 2) // lines)  # of pairs of rows
        self._block = WARP * lines, 1, 1
        self._shared = 16 * lines * side, (16 * lines + NUMBER_BYTES) * side
        plane = 8 * columns * side  # bytes of a spectrum of one channel
        self._spectra = tools.alloc(plane * channels * self._scales)
        self._back = tools.alloc(plane * self._scales)
        self._found = tools.alloc(RANK_BYTES * self._blocks * self._scales)
        self._exemplar = tools.alloc(plane * channels)
        self._filter = tools.alloc(2 * plane)
        self._usual, self._wanted, self._now = (tools.alloc(4 * channels) for _ in range(3))
        self._target = tools.alloc(layout.RIDGE_TARGET.itemsize)
        self._learn_view = tools.constant(layout.view(frame.window))

    @staticmethod
    def view(frame: FrameSettings) -> np.ndarray:
        """See ``Select.view``. What is uploaded holds the window to learn from too."""
        select: Any = frame.select
        smallest = select.least_side * (1 + 2 * frame.window.search_margin)
        margin = 2 + int(np.ceil(smallest * max(frame.factors)))
        return layout.view(frame.window, frame.factors, REACH, margin)

    def remember(
        self, memory: TargetMemory, maps: Sequence[int], features: Sequence[int], plan: Plan
    ) -> None:
        """Enqueue: solve the regression on the exemplar's features."""
        self._follow(features[0], plan.pose, self._wanted, True)
        self._aim_at(plan, True)

    def find(self, memory: TargetMemory, maps: Sequence[int]) -> List[Any]:
        """See ``Select.find``."""
        self._transform_rows(maps[0], self._scales)
        given = self._head, self._waves
        spectra = self._spectra, self._exemplar, self._filter, self._back
        grid = self._columns, self._scales, 1
        self._launch(self._respond, grid, self._block, given + spectra, self._shared[1])
        grid, found = (self._blocks, self._scales, 1), (self._back, self._found)
        self._launch(self._response, grid, self._block, given + found, self._shared[0])
        last = [self._head, self._found, np.int32(self._blocks), self._target]
        return last + [self._learn_view]

    def learn(self, memory: TargetMemory, maps: Sequence[int], plan: Plan) -> None:
        """See ``Select.learn``."""
        self._follow(maps[0], plan.pose, self._now, False)
        self._aim_at(plan, False)

    def _aim_at(self, plan: Plan, first: bool) -> None:
        """Compare the means with the target's, and plan the next crop."""
        means = self._head, self._now, self._wanted, np.int32(first), self._target
        self._launch(self._aim, (1, 1, 1), BLOCK, means + tuple(plan))

    def _follow(self, features: int, pose: int, means: int, first: bool) -> None:
        """Move the regression towards features, and write their means."""
        self._transform_rows(features, 1)
        given = self._head, self._waves, self._label, self._spectra, pose, np.int32(first)
        grid, shared = (self._columns, 1, 1), self._shared[1]
        known = self._exemplar, self._filter
        self._launch(self._learn, grid, self._block, given + known, shared)
        arguments = self._head, features, np.int32(first), self._usual, means
        self._launch(self._means, (self._channels, 1, 1), BLOCK, arguments)

    def _transform_rows(self, features: int, sets: int) -> None:
        grid = self._blocks, self._channels, sets
        arguments = self._head, self._waves, self._window, features, self._spectra
        self._launch(self._rows, grid, self._block, arguments, self._shared[0])
