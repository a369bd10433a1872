"""Downloads parts of a frame on the GPU: a resized window, some pixels, or all pixels.

Only the part is downloaded.
"""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import frames, records
from hotpath.kernels.cuda.kernels import BLOCK, LOOKS_AT, crop_grid

AS_IT_IS = (0.0,) * 3, (1.0,) * 3  # mean and scale: half precision holds each value of a pixel


class Parts:
    """Downloads parts of frames.

    Args:
        device: see ``hotpath.kernels.cuda.device``.
        stream: stream of the device; all work goes there.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device: Any, stream: Any) -> None:
        self.device, self._stream = device, stream
        path = compiler.source("crop")
        path = compiler.binary(path, device.capability, device.driver_version)
        self._module = device.module(path)
        self._crop = device.kernel(self._module, "hp_crop")
        self._every = device.kernel(self._module, "hp_every")
        self._input_at = LOOKS_AT + records.SIZE_OF_LOOK
        self._given = device.pinned(self._input_at + records.SIZE_OF_INPUT)
        self._frame = records.in_memory(records.Frame, self._given, 1)[0]
        self._look = records.in_memory(records.Look, self._given[LOOKS_AT:], 1)[0]
        self._input = records.in_memory(records.Input, self._given[self._input_at :], 1)[0]
        self._given_at = device.alloc(self._given.nbytes)
        self._places: Dict[int, Tuple[int, np.ndarray]] = {}  # size -> memory of a part

    def resized(
        self,
        frame: frames.OnDevice,
        place: Sequence[float],
        border: Sequence[int],
        side: int,
        warp: bool,
    ) -> np.ndarray:
        """Return a window, resized like ``hotpath.kernels.golden``: uint8 (3, side, side), BGR.

        Args:
            frame: a frame on the GPU.
            place: (x, y, w, h) of the window, frame pixels.
            border: 3 uint8 values for the pixels outside the frame, BGR.
            side: pixels.
            warp: whether the window has fractions of pixels.
        """
        look, given = self._look, self._input
        look.window[:], look.border[:] = place, [int(value) for value in border]
        (given.mean[:], given.scale[:]), given.side, given.half = AS_IT_IS, side, 1
        given.swap, given.warp = 0, warp
        at, out = self._place(6 * side * side)
        addresses = (0, LOOKS_AT, self._input_at)
        arguments: List[Any] = [np.uint64(self._given_at + offset) for offset in addresses]
        self._send(frame)
        arguments += [np.int32(0), np.uint64(at)]
        self._launch(self._crop, crop_grid(side, 1), (32, 8, 1), arguments)
        self._fetch(out, at)
        return out.view(np.float16).reshape(3, side, side).astype(np.uint8)

    def every(self, frame: frames.OnDevice, step: int) -> np.ndarray:
        """Every ``step``-th pixel, from ``step // 2`` on: BGR uint8 (rows, columns, 3)."""
        rows, columns = (len(range(step // 2, s, step)) for s in (frame.height, frame.width))
        at, out = self._place(3 * rows * columns)
        self._send(frame)
        sizes = [np.int32(number) for number in (step, rows, columns)]
        grid = (rows * columns + BLOCK[0] - 1) // BLOCK[0], 1, 1
        arguments = [np.uint64(self._given_at), *sizes, np.uint64(at)]
        self._launch(self._every, grid, BLOCK, arguments)
        self._fetch(out, at)
        return out.reshape(rows, columns, 3).copy()

    def plane(self, address: int, rows: int, stride: int, used: int) -> np.ndarray:
        """Return rows of that many bytes: uint8 (rows, used)."""
        memory = self.device.pinned(stride * rows)
        # what follows the last row may belong to somebody else
        self._fetch(memory[: stride * (rows - 1) + used], address)
        return memory.reshape(rows, stride)[:, :used]

    def close(self) -> None:
        """Free the memory."""
        for address in [self._given_at] + [at for at, _ in self._places.values()]:
            self.device.free(address)
        self._places = {}

    def _place(self, size: int) -> Tuple[int, np.ndarray]:
        """Memory of the GPU for a part of that many bytes, and of the host."""
        if size not in self._places:
            self._places[size] = self.device.alloc(size), self.device.pinned(size)
        return self._places[size]

    def _send(self, frame: frames.OnDevice) -> None:
        """Upload the records."""
        frames.pack(frame, (0, 0, 0, 0), self._given[:0], 0, self._frame)
        self.device.upload(self._given_at, self._given, self._stream)

    def _launch(self, kernel: Any, grid: Any, block: Any, arguments: Sequence[Any]) -> None:
        self.device.launch(kernel, grid, block, arguments, self._stream)

    def _fetch(self, out: np.ndarray, address: int) -> None:
        """Download, and wait for it."""
        self.device.download(out, address, self._stream)
        self.device.synchronise(self._stream)
