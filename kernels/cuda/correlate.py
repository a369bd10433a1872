"""Launches the correlations of correlate.cu, for networks that are cut there.

Memory on the GPU is given by address and holds float32, or float16 if ``half`` is set.
``kernels.golden`` defines the results.
"""

from typing import Any, Tuple

import numpy as np

from kernels.cuda import compile as compiler

DEPTHWISE_BLOCK, PIXELWISE_BLOCK, POSITIONS = 256, 128, 8  # the last as in correlate.cu
MOST_WEIGHTS = 48 * 1024 // 4  # shared memory holds this many of one channel of an exemplar


class Correlate:
    """Both correlations on one device.

    Args:
        device: see ``kernels.cuda.device``.
        half: whether all tensors are float16. Sums are float32 all the same.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.
    """

    def __init__(self, device: Any, half: bool = False) -> None:
        self.device, self._half = device, np.int32(half)
        self._module = device.module(
            compiler.binary(compiler.source("correlate"), device.capability, device.driver_version)
        )
        self._depthwise = device.kernel(self._module, "hp_correlate_depthwise")
        self._pixelwise = device.kernel(self._module, "hp_correlate_pixelwise")

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
            stream: of the device.

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
        blocks = (out_rows * out_columns + DEPTHWISE_BLOCK - 1) // DEPTHWISE_BLOCK
        self.device.launch(
            self._depthwise,
            (blocks, channels, count),
            (DEPTHWISE_BLOCK, 1, 1),
            arguments + [self._half, np.uint64(out)],
            stream,
            shared=4 * h * w,
        )

    def pixelwise(
        self,
        search: int,
        exemplar: int,
        out: int,
        channels: int,
        positions: int,
        pixels: int,
        stream: Any,
    ) -> None:
        """Correlate every position of the exemplar with every pixel of the search region.

        Args:
            search: address of (channels, pixels).
            exemplar: address of (channels, positions).
            out: address of (positions, pixels).
            stream: of the device.
        """
        arguments = [np.uint64(search), np.uint64(exemplar)]
        arguments += [np.int32(channels), np.int32(positions), np.int32(pixels)]
        arguments += [self._half, np.uint64(out)]
        grid = (
            (pixels + PIXELWISE_BLOCK - 1) // PIXELWISE_BLOCK,
            (positions + POSITIONS - 1) // POSITIONS,
            1,
        )
        self.device.launch(self._pixelwise, grid, (PIXELWISE_BLOCK, 1, 1), arguments, stream)
