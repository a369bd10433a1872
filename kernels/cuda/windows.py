"""Windows of a frame that are searched outside of the frame's graph, one or several at a time.

They have memory of their own. So the ``Frame`` of the target, alone or in a group, stays as it was.
Several windows are one upload, one launch of the crop, one call of the network and one download.
"""

import math
from typing import Any, Callable, List, Optional, Sequence, Tuple

from kernels.cuda import frames, layout
from kernels.cuda.steps import Slot, Steps
from kernels.errors import HotpathError
from kernels.settings import FrameSettings

Window = Tuple[float, float, float, float]  # x, y, w, h, frame pixels


class Windows(Steps):
    """Runs the network on windows.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``.
        most: how many windows there may be at a time.
        log: called with one sentence where there may be only one.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.

    Attributes:
        most: from ``begin`` on 1, where the engine takes one region in a call.
    """

    def __init__(
        self,
        device: Any,
        settings: FrameSettings,
        engine: Any,
        most: int = 1,
        log: Optional[Callable[[str], None]] = None,
    ) -> None:
        engine.reserve(most)
        super().__init__(device, settings, engine, targets=most, log=log)
        self.most, self._slots = most, [Slot(device)]
        records = ("pose", layout.POSE), ("monitor", layout.MONITOR)
        self._looks = {
            kind: device.pinned(most * record.itemsize).view(record) for kind, record in records
        }

    def begin(self, state: Sequence[float], border: Sequence[int], features: Any) -> None:
        """Take a target; see ``FrameKernels.begin``. ``features``: of the target."""
        kernels = self.kernels
        for number in range(kernels.targets):
            kernels.memory = kernels.own_memory.place(number)
            kernels.begin(state, border)
            self.device.synchronise(self._stream)
        kernels.memory, self._regions = kernels.own_memory, [features]
        if self.most == 1:
            return
        if self.batch is not None:
            self.batch.take([features] * self.most)
            return
        try:
            self.batch = self.engine.batch_device([features] * self.most)
        except HotpathError as error:  # no memory for it, or a broken plan
            self._log(f"a lost target is searched for one window at a time: {error}")
        if self.batch is None:
            self.most = 1

    def look(
        self, frame: frames.AnyFrame, views: Sequence[Tuple[Sequence[float], float, Window]]
    ) -> List[Tuple[Tuple[Any, ...], Any]]:
        """What windows show.

        Args:
            frame: see ``kernels.cuda.frames``.
            views: at most as many as there may be: [cx, cy, w, h] that the window is around, how
                many times as wide as usual it is, and the window itself.

        Returns:
            (maps, features of the search region) of each window.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        slot, kernels, count = self._slots[0], self.kernels, len(views)
        slot.fit(frame)
        part = frames.part_of(_around([window for _, _, window in views]), *frames.size_of(frame))
        poses, monitors = (self._looks[kind][:count] for kind in ("pose", "monitor"))
        poses["state"] = [state for state, _, _ in views]
        monitors[:] = layout.monitor()
        monitors["widened"] = [widened for _, widened, _ in views]
        try:
            slot.upload(frame, part, 0, self._stream)
            for kind, records in (("pose", poses), ("monitor", monitors)):
                self.device.upload(kernels.memory.address(kind), records, self._stream)
            kernels.aim(exemplar=False, targets=count)
            kernels.crop(slot.upload_at, exemplar=False, targets=count)
            self._network(alone=count == 1)
            return self.engine.read_regions(count)
        except HotpathError:  # what is in flight still reads the slot's memory
            self._settle()
            raise

    def close(self) -> None:
        """Free the memory."""
        self._free()


def _around(windows: Sequence[Window]) -> Tuple[int, int, int, int]:
    """What windows read, in whole pixels: of one with fractions also the pixel after the last."""
    lefts, tops, widths, heights = zip(*windows)
    left, top = int(math.floor(min(lefts))), int(math.floor(min(tops)))
    right = max(int(math.ceil(x + w)) for x, w in zip(lefts, widths))
    bottom = max(int(math.ceil(y + h)) for y, h in zip(tops, heights))
    return left, top, right + 1 - left, bottom + 1 - top
