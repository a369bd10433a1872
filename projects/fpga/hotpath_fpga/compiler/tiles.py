"""Weight tiles: a layer's int8 weights as the array takes them, one tile a step."""

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from hotpath_fpga.compiler.layers import Layer, Map
from hotpath_fpga.compiler.layout import places

LANES = 16


class Block:
    """Some output blocks of a layer that one command makes.

    Attributes:
        first, count: output blocks, of the layer's result.
        in_first, in_count: input blocks, of its buffer.
        kernel: (height, width) in words. stride_x, pad_left: in words.
        tiles: (count, height, width, in_count, 16, 16) int8; None for a correlation.
    """

    def __init__(
        self,
        first: int,
        count: int,
        in_first: int,
        in_count: int,
        kernel: Tuple[int, ...],
        stride_x: int,
        pad_left: int,
        tiles: Optional[np.ndarray] = None,
    ) -> None:
        self.first, self.count, self.in_first, self.in_count = first, count, in_first, in_count
        self.kernel, self.stride_x, self.pad_left, self.tiles = kernel, stride_x, pad_left, tiles

    @property
    def number(self) -> int:
        """The number of its tiles."""
        return self.count * self.kernel[0] * self.kernel[1] * self.in_count


def blocks_of(layer: Layer, weight: Optional[np.ndarray]) -> List[Block]:
    """The blocks of a layer: output blocks that meet the same input blocks go together.

    Args:
        layer: with its maps laid out.
        weight: (outputs, inputs, height, width) int8, None for correlations.

    Returns:
        list of ``Block``.
    """
    if layer.kind == "pixelwise":
        first, count = _span(layer.inputs)
        block_count = -(-layer.output.channels // LANES)
        return [Block(0, block_count, first, count, (1, 1), 1, 0)]
    assert weight is not None
    tiles, stride_x, pad_left = _folded(layer, weight)
    used: Any = tiles.any(axis=(1, 2, 4, 5))  # (output blocks, input blocks)
    blocks = []
    at = 0
    while at < len(tiles):
        low, high = _ends(used[at])
        end = at + 1
        while end < len(tiles) and _ends(used[end]) == (low, high):
            end += 1
        part = np.ascontiguousarray(tiles[at:end, :, :, low:high])
        kernel = tiles.shape[1:3]
        blocks.append(Block(at, end - at, low, high - low, kernel, stride_x, pad_left, part))
        at = end
    return blocks


def _ends(used: np.ndarray) -> Tuple[int, int]:
    """(first, end) of the blocks used; one block if there is none."""
    where = np.flatnonzero(used)
    return (int(where[0]), int(where[-1]) + 1) if len(where) else (0, 1)


def _span(maps: Sequence[Map]) -> Tuple[int, int]:
    """(first block, number of blocks) of some maps that fill whole blocks in a row."""
    blocks, _ = places(maps)
    return blocks[0], blocks[-1] - blocks[0] + 1


def _folded(layer: Layer, weight: np.ndarray) -> Tuple[np.ndarray, int, int]:
    """All tiles of a layer, with stride and pad in words.

    A word of the result holds pixels ``made * w + j`` and one of the input ``read * w + i``; a
    weight at column kx of pixel j is in the word and at the place where its pixel lies.

    Returns:
        (tiles (output blocks, ky, kx, input blocks, 16, 16) int8, stride_x, pad_left).
    """
    source, target = layer.inputs[0].buffer, layer.output.buffer
    read, pixels_out = source.pixels, target.pixels
    overlap = read == 4  # its words begin a pixel early and hold the next word's first, too
    in_blocks, in_lanes = places(layer.inputs)
    out_blocks, out_lanes = places([layer.output])
    base = out_blocks[0]
    height, width = weight.shape[2:]
    stride_x = layer.stride[1] * pixels_out // read

    spots = []  # (pixel of the result's word, column of the kernel, word, place within it)
    for j in range(pixels_out):
        for kx in range(width):
            pixel = layer.stride[1] * j + kx * layer.dilation - layer.pad[1]
            word, place = (0, pixel + 1) if overlap else divmod(pixel, read)
            spots.append((j, kx, word, place))
    dilation = layer.dilation
    words = [kx if dilation > 1 else word for _, kx, word, _ in spots]
    first = min(words)
    count = max(words) - first + 1
    tiles = np.zeros(
        (out_blocks[-1] - base + 1, height, count, source.blocks, LANES, LANES), np.int8
    )
    # lanes between the pixels of a word: 3 channels of the crop, 8 of a pair
    in_step = 3 if overlap else LANES // read
    out_step = LANES // pixels_out
    rows, columns = np.array(out_blocks) - base, np.array(in_blocks)
    for (j, kx, _, place), word in zip(spots, words):
        lanes_out = np.array(out_lanes) + j * out_step
        lanes_in = np.array(in_lanes) + place * in_step
        for channel in range(len(rows)):
            spot = (rows[channel], slice(None), word - first, columns, lanes_out[channel], lanes_in)
            tiles[spot] = weight[channel, :, :, kx]
    return tiles, stride_x, layer.pad[1] if dilation > 1 else -first
