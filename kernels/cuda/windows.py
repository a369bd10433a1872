"""Windows of a frame that are searched outside of the frame's graph, one or several at a time.

They have memory of their own. So the ``Frame`` of the target, alone or in a group, stays as it was.
Several windows are one upload and one launch of the crop. Each is cropped into a place of its own
in the engine's input.
"""

import math
from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np

from kernels.cuda import frames, layout
from kernels.cuda.frame_kernels import FrameKernels
from kernels.cuda.steps import Slot
from kernels.settings import FrameSettings


class View(NamedTuple):
    """Where to look.

    Attributes:
        state: float64 [cx, cy, w, h], what the window is around, frame pixels.
        widened: how many times as wide as usual the window is.
        window: (x, y, w, h), the same window, frame pixels.
    """

    state: np.ndarray
    widened: float
    window: Tuple[float, float, float, float]


class Windows:
    """Crops windows into the network's inputs.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``; it must have a place for each window.
        most: how many windows there may be at a time.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any, most: int = 1) -> None:
        self._device, self._stream = device, engine.stream
        self._kernels = FrameKernels(device, settings, engine, targets=most)
        self._slot = Slot(device)
        self._most = most
        self._poses = device.pinned(most * layout.POSE.itemsize)
        self._monitors = device.pinned(most * layout.MONITOR.itemsize)

    def begin(self, state: Sequence[float], border: Sequence[int]) -> None:
        """Take a target; see ``FrameKernels.begin``."""
        kernels = self._kernels
        for number in range(self._most):
            kernels.memory = kernels.own_memory.place(number)
            kernels.begin(state, border)
            self._device.synchronise(self._stream)
        kernels.memory = kernels.own_memory

    def crop(self, frame: frames.AnyFrame, views: Sequence[View]) -> None:
        """Enqueue: upload the part of a frame that the windows cover together, and crop them.

        Wait for the device before you call it again.

        Args:
            frame: see ``kernels.cuda.frames``.
            views: of the windows, at most as many as there may be.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        slot, kernels = self._slot, self._kernels
        slot.fit(frame)
        part = frames.part_of(_around([view.window for view in views]), *frames.size_of(frame))
        slot.upload(frame, part, 0, self._stream)
        self._look(views)
        kernels.aim(exemplar=False, targets=len(views))
        kernels.crop(slot.upload_at, exemplar=False, targets=len(views))

    def _look(self, views: Sequence[View]) -> None:
        """Upload where the windows are."""
        poses, count = np.zeros(len(views), layout.POSE), len(views)
        poses["state"] = [view.state for view in views]
        monitors = np.concatenate([layout.monitor(view.widened) for view in views])
        memory = self._kernels.memory
        for kind, records, staging in (
            ("pose", poses, self._poses),
            ("monitor", monitors, self._monitors),
        ):
            part = staging[: count * records.itemsize]
            part[:] = records.view(np.uint8)
            self._device.upload(memory.address(kind), part, self._stream)

    def close(self) -> None:
        """Free the memory."""
        self._slot.close()
        self._kernels.close()


def _around(windows: Sequence[Tuple[float, float, float, float]]) -> Tuple[int, int, int, int]:
    """What windows read, in whole pixels: of one with fractions also the pixel after the last."""
    lefts, tops, widths, heights = zip(*windows)
    left, top = int(math.floor(min(lefts))), int(math.floor(min(tops)))
    right = max(int(math.ceil(x + w)) for x, w in zip(lefts, widths))
    bottom = max(int(math.ceil(y + h)) for y, h in zip(tops, heights))
    return left, top, right + 1 - left, bottom + 1 - top
