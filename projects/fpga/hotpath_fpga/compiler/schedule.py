"""Orders the work of a part as commands; strips of the crop come first."""

import copy
from typing import Any, Callable, List, Optional, Tuple

import numpy as np

from hotpath.kernels.fpga import resize, tables
from hotpath_fpga.compiler import quantise, timing
from hotpath_fpga.compiler.graph import CompiledGraph
from hotpath_fpga.compiler.layers import CannotCompile, Layer
from hotpath_fpga.compiler.layout import LANES, MapBuffer
from hotpath_fpga.compiler.program import ProgramWriter, rows_needed, strip_buffer
from hotpath_fpga.compiler.tasks import Command, Data, Params, Weights
from hotpath_fpga.compiler.tiles import Block, blocks_of
from hotpath_fpga.model import MOST_COLUMNS, PARAMS_BYTES, TILE

Made = Tuple[bytes, List[Command], float, int]  # program, commands, cycles, words
Pieces = List[Tuple[Block, Weights]]

STRIPS = (4, 6, 8, 12, 16, 24, 32, 64)  # rows of the first layer's result in a strip, to be tried


class TiledLayer:
    """A layer with its numbers and tiles."""

    def __init__(self, layer: Layer, numbers: quantise.Numbers, data: Data) -> None:
        self.layer, self.numbers = layer, numbers
        self.blocks = blocks_of(layer, numbers.weight)
        self.region = tables.REGIONS["BUNDLE"]
        self.offsets: List[Any] = [  # ints, but None for a correlation until ``Store.give``
            data.add(block.tiles.tobytes()) if block.tiles is not None else None
            for block in self.blocks
        ]
        self._entries = -(-layer.output.channels // LANES)

    def macs(self) -> int:
        """Multiplications that the network asks for."""
        layer = self.layer
        output = layer.output
        if layer.features is None:
            per_pixel = int(np.count_nonzero(layer.weight))
        else:
            features = layer.features
            per_pixel = features.channels * features.height * features.width
        return per_pixel * output.height * output.width

    def params(self) -> bytes:
        """The bytes of the layer's entries."""
        bias = np.zeros(self._entries * LANES, "<i4")
        shift = np.zeros(self._entries * LANES, np.uint8)
        output = self.layer.output
        for j in range(output.buffer.pixels):
            place = j * (LANES // output.buffer.pixels)
            bias[place : place + output.channels] = self.numbers.bias
            shift[place : place + output.channels] = self.numbers.shift
        entries = [
            bias[i : i + LANES].tobytes() + shift[i : i + LANES].tobytes()
            for i in range(0, len(bias), LANES)
        ]
        return b"".join(entry.ljust(PARAMS_BYTES, b"\0") for entry in entries)


class ScheduledLayer:
    """A layer with what its commands load, and how many rows of its result they make so far."""

    def __init__(self, work: TiledLayer, pieces: Pieces, params: Params) -> None:
        self.work, self.done = work, 0
        self._pieces, self._params = pieces, params

    def add(
        self,
        writer: ProgramWriter,
        rows: Optional[Tuple[int, int]] = None,
        source: Optional[Tuple[MapBuffer, int]] = None,
    ) -> None:
        """Add the commands of some rows, or of all; see ``ProgramWriter.convolution``."""
        work = self.work
        for block, weights in self._pieces:
            writer.convolution(work.layer, block, work.numbers, weights, self._params, rows, source)
        self.done = rows[1] if rows else work.layer.output.height


class Scheduler:
    """Makes the best program of one part.

    Args:
        part: ``graph.CompiledGraph``, laid out.
        works: list of ``TiledLayer`` in order.
        network: uses ``mean``, ``channels``.
    """

    def __init__(
        self,
        part: CompiledGraph,
        works: List[TiledLayer],
        size: tables.Size,
        data: Data,
        network: Any,
    ) -> None:
        self.part, self.works, self.size, self.data = part, works, size, data
        self._pixels = quantise.pixels(network)
        if part.picture.width > MOST_COLUMNS:
            raise CannotCompile(
                f"a crop of {part.picture.width} pixels; the engine's tables have {MOST_COLUMNS}"
            )

    def best(self, finish: Callable[[ProgramWriter], None]) -> Made:
        """The fastest program over all heights of strips.

        Args:
            finish: function of a ``ProgramWriter`` that adds what comes after the layers.

        Returns:
            (bytes, commands, cycles, words of the map memory).
        """
        best: Optional[Made] = None
        refused: Optional[CannotCompile] = None
        for rows in STRIPS:
            try:
                candidate = self._made(rows, finish)
            except CannotCompile as error:
                refused = refused or error
                continue
            if best is None or candidate[2] < best[2]:
                best = candidate
            if rows >= self.works[0].layer.output.height:
                break
        if best is None:
            assert refused is not None
            raise refused
        return best

    def _made(self, rows: int, finish: Callable[[ProgramWriter], None]) -> Made:
        writer = ProgramWriter(
            self.size, self.data, self._pixels, resize.bytes_of(self.part.picture.width)
        )
        self._tasks(writer, rows)
        finish(writer)
        program, commands = writer.finish()
        return program, commands, timing.estimate(commands, self.size), writer.map_words

    def _tasks(self, writer: ProgramWriter, rows: int) -> None:
        stages = [
            ScheduledLayer(work, self._pieces(work), Params(work.params())) for work in self.works
        ]
        chain, behind = stages[: self._on_strips()], stages[self._on_strips() :]
        first, number = chain[0], 0
        layer, height = first.work.layer, first.work.layer.output.height
        while first.done < height:
            end = min(first.done + rows, height)
            low, high = rows_needed(layer, first.done, end)
            strip = strip_buffer(self.part.picture.buffer, number, high - low)
            writer.crop(self.part, strip, low, high - low)
            first.add(writer, (first.done, end), (strip, low))
            number += 1
            for before, stage in zip(chain, chain[1:]):
                end = _available(stage.work.layer, before.done, self.size["lanes"])
                if end > stage.done:
                    stage.add(writer, (stage.done, end))
        for stage in behind:
            stage.add(writer)

    def _on_strips(self) -> int:
        """Number of layers that work on strips: as many as keep the array busy beside the crop."""
        count = 1
        cycles = 0.0
        crop = self.part.picture.height * self.part.picture.width / self.size["crop_lanes"]
        for work, following in zip(self.works, self.works[1:]):
            layer = following.layer
            words = work.layer.output.height * work.layer.output.buffer.width
            for block in work.blocks:  # a step a tile and group of rows, or a drained word
                cycles += max(block.number * words / self.size["lanes"], words * block.count)
            alone = all(source.layer is work.layer for source in layer.inputs)
            if cycles >= crop or not alone or layer.kind != "conv":
                break
            count += 1
        return count

    def _pieces(self, work: TiledLayer) -> Pieces:
        """The blocks of a layer with their weights."""
        pieces: Pieces = []
        for block, offset in zip(work.blocks, work.offsets):
            pieces += self._cut(block, offset, work.region)
        return pieces

    def _cut(self, block: Block, offset: int, region: int) -> Pieces:
        """A block, cut by its output blocks where the weight memory holds no two of its size."""
        tiles = block.number // block.count
        most = max(1, self.size["weight_tiles"] // 2 // tiles)
        if block.count <= most:
            return [(block, Weights(block.number, region, offset))]
        pieces = []
        for first in range(0, block.count, most):
            part = copy.copy(block)
            part.first, part.count = block.first + first, min(most, block.count - first)
            pieces.append((part, Weights(part.number, region, offset + first * tiles * TILE)))
        return pieces


def _available(layer: Layer, rows: int, lanes: int) -> int:
    """Rows of a layer's result that so many rows of its input allow, whole groups of lanes."""
    height = layer.output.height
    if rows >= layer.inputs[0].height:
        return height
    end = height
    while end > 0 and (end % lanes or rows_needed(layer, end - 1, end)[1] > rows):
        end -= 1
    return end
