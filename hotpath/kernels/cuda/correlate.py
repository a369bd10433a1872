"""Launches the correlation of correlate.cu, for networks that are cut there.

Memory on the GPU is given by address and holds float32, or float16 if ``half`` is set.
``hotpath.kernels.golden`` defines the results.
"""

from typing import Any, Tuple

import numpy as np

from hotpath.kernels.cuda import compile as compiler

BLOCK = 256  # threads
MOST_WEIGHTS = 48 * 1024 // 4  # shared memory holds this many of one channel of an exemplar


class Correlate:
    """The correlation on one device.

    Args:
        device: see ``hotpath.kernels.cuda.device``.
        half: whether all tensors are float16. Sums are float32 even then.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device: Any, half: bool = False) -> None:
        self.device = device
        self._half = np.int32(half)
        self._module = device.module(
            compiler.binary(compiler.source("correlate"), device.capability, device.driver_version)
        )
        self._depthwise = device.kernel(self._module, "hp_correlate_depthwise")

    def depthwise(
        self,
        search: int,
        exemplar: int,
        out: int,
        search_shape: Tuple[int, int, int],
        exemplar_shape: Tuple[int, int, int, int],
        padding: int,
        stream: Any,
    ) -> None:
        """Slide each exemplar over the search region, each channel separately.

        Args:
            search, exemplar, out: addresses; ``out`` is (count, C, H + 2*padding - h + 1,
                W + 2*padding - w + 1).
            search_shape: (C, H, W).
            exemplar_shape: (count, C, h, w).
            padding: zeros on each side of the search region.
            stream: stream of the device.

        Raises:
            ValueError: the exemplar is larger than the search region or than shared memory.
        """
        channels, rows, columns = search_shape
        count, same, h, w = exemplar_shape
        out_rows, out_columns = rows + 2 * padding - h + 1, columns + 2 * padding - w + 1
        if same != channels or min(out_rows, out_columns) < 1 or h * w > MOST_WEIGHTS:
            raise ValueError(f"{exemplar_shape} over {search_shape}")
        sizes = rows, columns, h, w, padding
        arguments = [np.uint64(search), np.uint64(exemplar)] + [np.int32(size) for size in sizes]
        blocks = (out_rows * out_columns + BLOCK - 1) // BLOCK
        self.device.launch(
            self._depthwise,
            (blocks, channels, count),
            (BLOCK, 1, 1),
            arguments + [self._half, np.uint64(out)],
            stream,
            shared=4 * h * w,
        )
