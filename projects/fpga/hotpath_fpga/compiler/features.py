"""The exemplar's features as weight tiles in region 1: one program writes, the other loads them.

A tile is sixteen positions of sixteen channels, which are sixteen unchanged words of the map.
"""

from hotpath.kernels.fpga import tables
from hotpath_fpga.compiler.layers import CannotCompile, Map
from hotpath_fpga.compiler.layout import LANES
from hotpath_fpga.compiler.program import ProgramWriter
from hotpath_fpga.compiler.schedule import TiledLayer

TILE = 256


class Store:
    """One map's features for a pixel-wise correlation.

    Args:
        source: the exemplar's ``Map``.
        offset: in region 1.

    Attributes:
        bytes: that it takes there.
    """

    def __init__(self, source: Map, offset: int) -> None:
        self.source, self.offset = source, offset
        self.blocks = -(-source.channels // LANES)
        self.bytes = -(-source.height * source.width // LANES) * self.blocks * TILE

    def check(self) -> None:
        """Raise ``CannotCompile`` where the map can't be stored in the order of tiles."""
        source = self.source
        if source.buffer.pixels != 1:
            raise CannotCompile(f"{source.name} has several pixels in a word")
        if LANES % source.width:
            raise CannotCompile(
                f"{source.name} is {source.width} wide; a correlation by positions needs a width "
                "of 1, 2, 4, 8 or 16"
            )

    def give(self, work: TiledLayer) -> None:
        """Tell a correlation where its tiles are."""
        work.region = tables.REGIONS["WORK"]
        work.offsets = []
        offset = self.offset
        for block in work.blocks:
            work.offsets.append(offset)
            offset += block.number * TILE

    def tasks(self, writer: ProgramWriter) -> None:
        """Add the commands that write the features to the exemplar's program."""
        source = self.source
        rows = LANES // source.width
        offset = self.offset
        for first in range(0, source.height, rows):
            for block in range(source.block, source.block + self.blocks):
                count = min(rows, source.height - first)
                writer.store("features", source.buffer, block, first, count, offset)
                offset += TILE
