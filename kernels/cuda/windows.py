"""Windows of a frame that are searched one by one, outside of the frame's graph.

They have memory of their own. So the ``Frame`` of the target, alone or in a group, stays as it was.
"""

import math
from typing import Any, Sequence, Tuple

from kernels.cuda import frames
from kernels.cuda.frame_kernels import FrameKernels
from kernels.cuda.slot import Slot
from kernels.settings import FrameSettings


class Windows:
    """Crops windows into the network's input.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any) -> None:
        self._device, self._stream = device, engine.stream
        self._kernels = FrameKernels(device, settings, engine)
        self._slot = Slot(device, 0)

    def begin(self, state: Sequence[float], border: Sequence[int]) -> None:
        """Take a target; see ``FrameKernels.begin``."""
        self._kernels.begin(state, border)
        self._device.synchronise(self._stream)

    def crop(
        self,
        frame: frames.AnyFrame,
        state: Sequence[float],
        widened: float,
        window: Tuple[float, float, float, float],
    ) -> None:
        """Enqueue: upload the window's part of a frame, and crop it.

        Wait for the device before you call it again.

        Args:
            frame: see ``kernels.cuda.frames``.
            state: [cx, cy, w, h], what the window is around, frame pixels.
            widened: how many times as wide as usual the window is.
            window: (x, y, w, h), the same window, frame pixels.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        slot, kernels = self._slot, self._kernels
        slot.fit(self._device, frames.capacity(frame))
        part = frames.part_of(_around(window), *frames.size_of(frame))
        used = frames.pack(frame, part, slot.staging, slot.upload_at, 0)
        self._device.upload(slot.upload_at, slot.staging[:used], self._stream)
        kernels.look(state, widened)
        kernels.aim(exemplar=False)
        kernels.crop(slot.upload_at, exemplar=False)

    def close(self) -> None:
        """Free the memory."""
        self._slot.close(self._device)
        self._kernels.close()


def _around(window: Tuple[float, float, float, float]) -> Tuple[int, int, int, int]:
    """What a window reads, in whole pixels: of one with fractions also the pixel after the last."""
    x, y, w, h = window
    left, top = int(math.floor(x)), int(math.floor(y))
    return left, top, int(math.ceil(x + w)) + 1 - left, int(math.ceil(y + h)) + 1 - top
