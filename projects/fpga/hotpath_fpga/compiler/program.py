"""Turns layers into commands: their order, addresses and waits.

The order is that of the layers, except at the start of a frame. There the crop is cut into strips,
and the first layers work on each strip while the next one is made. ``loads`` decides when weights
are loaded. A place is reserved, row by row, for as long as its contents are needed. The waits
follow from the places (``hazards.waits``).
"""

from typing import Dict, List, Optional, Tuple

import numpy as np

from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.tables import Fields
from hotpath_fpga.compiler import hazards
from hotpath_fpga.compiler.arena import Arena
from hotpath_fpga.compiler.graph import CompiledGraph
from hotpath_fpga.compiler.layers import CannotCompile, Layer
from hotpath_fpga.compiler.layout import MapBuffer
from hotpath_fpga.compiler.loads import Ahead, Loads, load, load_data
from hotpath_fpga.compiler.quantise import Numbers
from hotpath_fpga.compiler.tasks import Command, Data, Params, Task, Weights
from hotpath_fpga.compiler.tiles import Block

Times = Dict[MapBuffer, Dict[int, List[int]]]  # bank's row -> first and last task

_ZEROS = {
    name: {field: 0 for field in fields if field != "opcode"}
    for name, fields in tables.FIELDS.items()
}


class ProgramWriter:
    """Makes the program of one part.

    Args:
        pixels: (3, 256) int8, the table of the crop.
        resize: (offset of ROWS in region 2, bytes in all).
    """

    def __init__(
        self, size: tables.Size, data: Data, pixels: np.ndarray, resize: Tuple[int, int]
    ) -> None:
        self.size = size
        self.lanes = size["lanes"]
        self._data, self._pixels, self._resize = data, pixels, resize
        self.tasks: List[Task] = []

    # -- tasks

    def convolution(
        self,
        layer: Layer,
        block: Block,
        numbers: Numbers,
        weights: Weights,
        params: Params,
        rows: Optional[Tuple[int, int]] = None,
        source: Optional[Tuple[MapBuffer, int]] = None,
    ) -> None:
        """Add the command that makes some rows of some blocks of a layer.

        Args:
            rows: (first, end) of the result; None for all.
            source: (``MapBuffer``, row of the input that its first row is) if it is a strip.
        """
        output, taken = layer.output, layer.inputs[0]
        first, end = rows or (0, output.height)
        low, high = rows_needed(layer, first, end)
        buffer, start = source or (taken.buffer, 0)
        out = output.buffer
        task = Task(
            "CONV",
            layer.name,
            [(buffer, low - start, high - start)],
            [(out, first, end)],
            relu=int(layer.relu),
            table=int(numbers.table is not None),
            in_split=buffer.split,
            out_split=out.split,
            in_row_pitch=buffer.row_pitch,
            in_block_pitch=buffer.width,
            in_width=buffer.width,
            in_blocks=block.in_count,
            kernel_height=block.kernel[0],
            kernel_width=block.kernel[1],
            stride_y=layer.stride[0],
            stride_x=block.stride_x,
            pad_left=block.pad_left,
            dilation=layer.dilation,
            out_row_pitch=out.row_pitch,
            out_block_pitch=out.width,
            out_height=end - first,
            out_width=out.width,
            out_blocks=block.count,
            out_row=first,
        )
        moved = self._rows(task, layer, first, high - start, start, source is None)

        def place() -> Fields:
            return {
                "in_base": buffer.base + block.in_first * buffer.width + moved * buffer.row_pitch,
                "out_base": out.base + (output.block + block.first) * out.width,
                "weight_tile": weights.tile,
                "param_entry": params.entry + block.first,
            }

        task.made, task.weights, task.params, task.table = place, weights, params, numbers.table
        self.tasks.append(task)

    def _rows(self, task: Task, layer: Layer, first: int, end: int, start: int, whole: bool) -> int:
        """Set padding and height for a result from row ``first`` on.

        A whole map's base moves by as many rows as keep the others in their banks; the padding,
        which has a sign, makes up for the rest.

        Args:
            end: row of the buffer up to which there are rows.
            start: row of the input that the buffer's first one is.
            whole: whether the buffer is a whole map, not a strip.

        Returns:
            rows of a bank by which the base moves.
        """
        split = task.fields["in_split"]
        group = self.lanes << split if whole else 1
        top = first * layer.stride[0] - layer.pad[0] - start
        groups = max(0, top // group) if whole else 0
        task.fields["pad_top"] = (groups * group - top) & 0xFFFF
        task.fields["in_height"] = end - groups * group
        return groups << split

    def crop(self, part: CompiledGraph, buffer: MapBuffer, first: int, rows: int) -> None:
        """Add the command that makes some rows of the crop."""
        task = Task(
            "CROP",
            "crop",
            [],
            [(buffer, 0, rows)],
            overlap=int(buffer.pixels == 4),
            split=buffer.split,
            row_pitch=buffer.row_pitch,
            words=buffer.width,
            rows=rows,
            first_row=first,
            size=part.picture.width,
        )
        task.made = lambda: {"base": buffer.base}
        self.tasks.append(task)

    def store(
        self, name: str, buffer: MapBuffer, block: int, first: int, rows: int, offset: int
    ) -> None:
        """Add the command that writes rows of one block of a buffer to region 1."""
        task = Task(
            "STORE",
            name,
            [(buffer, first, first + rows)],
            [],
            split=buffer.split,
            row_pitch=buffer.row_pitch,
            width=buffer.width,
            rows=rows,
            first_row=first,
            region=tables.REGIONS["WORK"],
            offset=offset,
        )
        task.made = lambda: {"base": buffer.base + block * buffer.width}
        self.tasks.append(task)

    # -- places

    def finish(self) -> Tuple[bytes, List[Command]]:
        """Assign all addresses and write the commands.

        Returns:
            (bytes of the commands, list of (name, fields, layer) of them).
        """
        self._place_maps()
        commands = self._commands(Loads(self.tasks, self.size, self._data).ahead())
        hazard_waits = hazards.waits([(name, fields) for name, fields, _ in commands], self.size)
        for (_, fields, _), wait in zip(commands, hazard_waits):
            for field, number in wait.items():  # a load may wait for more than it must
                fields[field] = max(fields[field], number)
        return b"".join(tables.pack(name, **fields) for name, fields, _ in commands), commands

    def _place_maps(self) -> None:
        times: Times = {}
        before = 0
        for number, task in enumerate(self.tasks):
            if task.name == "CROP":  # made while the strip before is worked on
                for buffer, low, high in task.writes:
                    self._touch(times, buffer, low, high, before)
                before = number
            for buffer, low, high in task.reads + task.writes:
                self._touch(times, buffer, low, high, number)
        arena = Arena(self.size["map_words"], len(self.tasks))
        for buffer in sorted(times, key=lambda key: (-self._words(key), key.name)):
            spans = [
                (place * buffer.row_pitch, buffer.row_pitch, first, last)
                for place, (first, last) in times[buffer].items()
            ]
            base = arena.place(spans)
            if base is None:
                raise CannotCompile(
                    f"the map {buffer.name} needs {self._words(buffer)} words of each bank beside "
                    f"what is there at its time; this size has {self.size['map_words']} in all"
                )
            buffer.base = base
        self.map_words = arena.used()

    def _words(self, buffer: MapBuffer) -> int:
        """Words of a bank that a buffer takes."""
        group = self.lanes << buffer.split
        return -(-buffer.height // group) * buffer.row_pitch << buffer.split

    def _touch(self, times: Times, buffer: MapBuffer, low: int, high: int, number: int) -> None:
        log = self.lanes.bit_length() - 1
        places = times.setdefault(buffer, {})
        for row in range(low, high):
            place = (row >> (buffer.split + log) << buffer.split) | row & (1 << buffer.split) - 1
            entry = places.setdefault(place, [number, number])
            entry[0], entry[1] = min(entry[0], number), max(entry[1], number)

    # -- commands

    def _commands(self, ahead: Ahead) -> List[Command]:
        commands = [load_data(self._data, "PIXELS", self._pixels.tobytes())]
        half = self._resize[0]
        for target, offset in (("COLUMNS", 0), ("ROWS", half)):
            commands.append(load(target, tables.REGIONS["RESIZE"], offset, half))
        table = None
        for number, task in enumerate(self.tasks):
            commands += ahead.get(number, [])
            if task.table is not None and (table is None or (table != task.table).any()):
                table = task.table
                commands.append(load_data(self._data, "TABLE", table.tobytes()))
            commands.append((task.name, dict(task.fields, **task.made()), task.layer))
        commands.append(("END", {}, "end"))
        return [(name, dict(_ZEROS[name], **fields), layer) for name, fields, layer in commands]


def rows_needed(layer: Layer, first: int, end: int) -> Tuple[int, int]:
    """(first, end) of the input's rows that some rows of a layer's result depend on."""
    height = layer.inputs[0].height
    low = first * layer.stride[0] - layer.pad[0]
    reach = (layer.kernel[0] - 1) * layer.dilation + 1
    high = (end - 1) * layer.stride[0] - layer.pad[0] + reach
    return max(0, low), min(height, high)


def strip_buffer(buffer: MapBuffer, number: int, rows: int) -> MapBuffer:
    """A buffer for some rows of the crop."""
    strip = MapBuffer(f"{buffer.name}, strip {number}", 1, rows, buffer.width, buffer.pixels)
    strip.split = buffer.split
    return strip
