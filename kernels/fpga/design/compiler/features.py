"""The exemplar's features as weight tiles in region 1: one program writes, the other loads them.

For a pixel-wise correlation a tile is sixteen positions of sixteen channels, which are sixteen
words of the map as it is. For a depthwise one a tile has a channel's weight on its diagonal and
zeros beside: sixteen words of one channel each, which a convolution by selecting tiles makes.
"""

import numpy as np

from kernels.fpga import tables
from kernels.fpga.design.compiler.layers import CannotCompile, Map
from kernels.fpga.design.compiler.layout import LANES, Buffer
from kernels.fpga.design.compiler.program import Writer
from kernels.fpga.design.compiler.schedule import Work
from kernels.fpga.design.compiler.tasks import Data, Params, Task, Weights

TILE = 256


class Store:
    """One map's features for one kind of correlation.

    Args:
        source: the exemplar's ``Map``.
        kind: "pixelwise" or "depthwise".
        offset: in region 1.

    Attributes:
        bytes: that it takes there.
    """

    def __init__(self, source: Map, kind: str, offset: int) -> None:
        self.source, self.kind, self.offset = source, kind, offset
        self.blocks = -(-source.channels // LANES)
        self.positions = source.height * source.width
        tiles = -(-self.positions // LANES) if kind == "pixelwise" else self.positions
        self.bytes = tiles * self.blocks * TILE

    def check(self) -> None:
        """Raise ``CannotCompile`` where the map can't be stored in the order of tiles."""
        source = self.source
        if source.lane != 0 or source.buffer.pixels != 1:
            raise CannotCompile(f"{source.name} shares words with another map")
        if self.kind == "pixelwise" and LANES % source.width:
            raise CannotCompile(
                f"{source.name} is {source.width} wide; a correlation by positions needs a width "
                "of 1, 2, 4, 8 or 16"
            )

    def give(self, work: Work) -> None:
        """Tell a correlation where its tiles are."""
        work.region = tables.REGIONS["WORK"]
        work.offsets, offset = [], self.offset
        for block in work.blocks:
            work.offsets.append(offset)
            offset += block.number * TILE

    def tasks(self, writer: Writer, data: Data) -> None:
        """Add the commands that write the features to the exemplar's program."""
        if self.kind == "pixelwise":
            self._positions(writer)
        else:
            self._channels(writer, data)

    def _positions(self, writer: Writer) -> None:
        source = self.source
        rows = LANES // source.width
        offset = self.offset
        for first in range(0, source.height, rows):
            for block in range(source.block, source.block + self.blocks):
                count = min(rows, source.height - first)
                writer.store("features", source.buffer, block, first, count, offset)
                offset += TILE

    def _channels(self, writer: Writer, data: Data) -> None:
        source = self.source
        tiles = np.zeros((LANES, LANES, LANES), np.int8)  # tile o keeps channel o alone
        tiles[np.arange(LANES), np.arange(LANES), np.arange(LANES)] = 1
        weights = Weights(LANES, tables.REGIONS["BUNDLE"], data.add(tiles.tobytes()))
        params = Params(bytes(80 * LANES))
        width = source.width
        for block in range(self.blocks):
            spread = Buffer(f"{source.name}, tiles {block}", 1, source.height, 16 * width)
            for column in range(width):
                self._select(writer, spread, block, column, weights, params)
            offset = self.offset + block * self.positions * TILE
            writer.store("features", spread, 0, 0, source.height, offset)

    def _select(
        self,
        writer: Writer,
        spread: Buffer,
        block: int,
        column: int,
        weights: Weights,
        params: Params,
    ) -> None:
        """Each channel of a column's words into a word of its own."""
        source = self.source
        buffer = source.buffer
        task = Task(
            "CONV",
            "features",
            [(buffer, 0, source.height)],
            [(spread, 0, source.height)],
            in_split=buffer.split,
            in_row_pitch=buffer.row_pitch,
            in_height=source.height,
            in_width=1,
            in_blocks=1,
            kernel_height=1,
            kernel_width=1,
            stride_y=1,
            stride_x=1,
            dilation=1,
            out_row_pitch=spread.row_pitch,
            out_block_pitch=1,
            out_height=source.height,
            out_width=1,
            out_blocks=LANES,
        )
        task.made = lambda: {
            "in_base": buffer.base + (source.block + block) * buffer.width + column,
            "out_base": spread.base + LANES * column,
            "weight_tile": weights.tile,
            "param_entry": params.entry,
        }
        task.weights, task.params = weights, params
        writer.add(task)
