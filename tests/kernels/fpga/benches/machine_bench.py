"""A bench for the FPGA engine's tests: puts data and commands into a machine's memory and runs it.

Works with anything that has the interface of ``kernels.fpga.design.model.Machine``.
"""

import numpy as np

from kernels.fpga import resize, tables
from kernels.fpga.design.model import BASE

PROGRAM, BUNDLE, WORK, RESIZE, FRAME = (n << 20 for n in (1, 2, 4, 6, 8))  # offsets in memory
WORD = 16


class Bench:
    """One machine and what was put into its memory.

    Args:
        machine: a ``Machine``.
    """

    def __init__(self, machine):
        self.machine = machine
        self.commands, self.ended = [], dict.fromkeys(("load", "crop", "conv", "store"), 0)
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
        self.add(
            "LOAD",
            region=tables.REGIONS["BUNDLE"],
            target=tables.TARGETS[target],
            offset=self._bundle,
            bytes=data.size,
            beat=beat,
        )
        self._bundle += data.size

    def picture(self, frame, window, side, border, offset=0, padding=0):
        """Put a frame into memory and load the tables of a window of it."""
        height, width = frame.shape[:2]
        stride = width * 3 + padding
        rows = np.full((height, stride), 77, np.uint8)
        rows[:, : width * 3] = frame.reshape(height, -1)
        start = FRAME + offset
        self.machine.memory[start : start + rows.size] = rows.ravel()
        made = np.zeros(resize.bytes_of(side)[1], np.uint8)
        fetch = resize.tables_for(width, height, window, side, made)
        self.machine.memory[RESIZE : RESIZE + made.size] = made
        half = resize.bytes_of(side)[0]
        for index, target in enumerate(("COLUMNS", "ROWS")):
            self.add(
                "LOAD",
                region=tables.REGIONS["RESIZE"],
                target=tables.TARGETS[target],
                offset=index * half,
                bytes=half,
            )
        self.register("FRAME", BASE + start + fetch.y0 * stride + fetch.x0 * 3)
        self.register("STRIDE", stride)
        self.register("LINE", fetch.columns * 3)
        self.register("BORDER", int(border[0]) | int(border[1]) << 8 | int(border[2]) << 16)

    def register(self, name, value):
        """Write a register by its name."""
        self.machine.write(tables.REGISTERS[name], value)

    def store(self, base, row_pitch, rows, width, offset=0, split=0, first_row=0):
        """Add the command that writes a map to region 1."""
        self.add(
            "STORE",
            base=base,
            row_pitch=row_pitch,
            rows=rows,
            width=width,
            split=split,
            first_row=first_row,
            region=tables.REGIONS["WORK"],
            offset=offset,
        )

    def start(self):
        """Start what was added."""
        if not self.commands or tables.unpack(self.commands[-1])[0] != "END":
            self.add("END")
        data = np.frombuffer(b"".join(self.commands), np.uint8)
        self.machine.memory[PROGRAM : PROGRAM + data.size] = data
        for name, at in (
            ("PROGRAM", PROGRAM),
            ("REGION0", BUNDLE),
            ("REGION1", WORK),
            ("REGION2", RESIZE),
        ):
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
