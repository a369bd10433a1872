"""A bench for the FPGA engine's tests: puts data and commands into a machine's memory and runs it.

Works with anything that has the interface of ``hotpath_fpga.model.NumpyMachine``.
"""

import numpy as np

from hotpath.kernels.fpga import resize, tables
from hotpath_fpga.model import BASE

PROGRAM, BUNDLE, WORK, RESIZE, FRAME = (n << 20 for n in (1, 2, 4, 6, 8))  # offsets in memory
WORD = 16
# fields of a convolution of single pixels and of one block
PLAIN = dict.fromkeys(
    "in_blocks kernel_height kernel_width stride_y stride_x dilation out_blocks".split(), 1
)


class Bench:
    """One machine and what was put into its memory."""

    def __init__(self, machine):
        self.machine = machine
        self.commands = []
        self.ended = dict.fromkeys(("load", "crop", "conv", "store"), 0)
        self._bundle = 0

    def add(self, name, **fields):
        """Add a command that waits for all before it."""
        for unit, count in self.ended.items():
            fields.setdefault("wait_" + unit, count)
        self.commands.append(tables.pack(name, **fields))
        if name != "END":
            self.ended[name.lower()] += 1

    def load(self, target, data, beat=0):
        """Put data into region 0 and add the command that loads it."""
        data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        data = np.pad(data, (0, -data.size % 16), mode="constant")
        start = BUNDLE + self._bundle
        self.machine.memory[start : start + data.size] = data
        target = tables.TARGETS[target]
        self.add("LOAD", target=target, offset=self._bundle, bytes=data.size, beat=beat)
        self._bundle += data.size

    def picture(self, frame, window, side, border, offset=0, padding=0):
        """Put a frame into memory and load the tables of a window of it."""
        height, width = frame.shape[:2]
        stride = width * 3 + padding
        rows = np.full((height, stride), 77, np.uint8)
        rows[:, : width * 3] = frame.reshape(height, -1)
        start = FRAME + offset
        self.machine.memory[start : start + rows.size] = rows.ravel()
        half, size = resize.bytes_of(side)
        made = self.machine.memory[RESIZE : RESIZE + size]
        fetch = resize.tables_for(width, height, window, side, made)
        for index, target in enumerate(("COLUMNS", "ROWS")):
            place = {"target": tables.TARGETS[target], "offset": index * half}
            self.add("LOAD", region=tables.REGIONS["RESIZE"], bytes=half, **place)
        self.register("FRAME", BASE + start + fetch.y0 * stride + fetch.x0 * 3)
        self.register("STRIDE", stride)
        self.register("LINE", fetch.columns * 3)
        self.register("BORDER", int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16)

    def register(self, name, value):
        """Write a register by its name."""
        self.machine.write(tables.REGISTERS[name], value)

    def crop(self, side, words=None, rows=None, **fields):
        """Add the command that makes a map of one block from the window."""
        words = side if words is None else words
        rows = side if rows is None else rows
        fields.setdefault("row_pitch", words)
        self.add("CROP", words=words, rows=rows, size=side, **fields)

    def store(self, base, row_pitch, rows, width, offset=0, **fields):
        """Add the command that writes a map to region 1."""
        place = {"region": tables.REGIONS["WORK"], "offset": offset, "base": base}
        self.add("STORE", row_pitch=row_pitch, rows=rows, width=width, **place, **fields)

    def start(self):
        """Start what was added."""
        if not self.commands or tables.unpack(self.commands[-1])[0] != "END":
            self.add("END")
        data = np.frombuffer(b"".join(self.commands), np.uint8)
        self.machine.memory[PROGRAM : PROGRAM + data.size] = data
        regions = {"PROGRAM": PROGRAM, "REGION0": BUNDLE, "REGION1": WORK, "REGION2": RESIZE}
        for name, at in regions.items():
            self.register(name, BASE + at)
        self.register("CONTROL", tables.START)

    def run(self, limit=10_000_000):
        """Run what was added; returns STATUS."""
        self.start()
        assert self.machine.run(limit)
        return self.machine.read(tables.REGISTERS["STATUS"])

    def result(self, rows, width, offset=0):
        """What a STORE wrote: (rows, width, 16) int8."""
        start = WORK + offset
        data = self.machine.memory[start : start + rows * width * WORD]
        return data.view(np.int8).reshape(rows, width, WORD).copy()
