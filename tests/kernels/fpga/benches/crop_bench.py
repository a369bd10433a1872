"""cocotb: the crop unit alone against the NumPy model, with stalls on each of its streams.

Requested lines arrive late and with gaps; words of the map are taken with gaps, both in
``stalls`` percent of the cycles. Driven and looked at on the falling edge: no ready depends on a
valid.

Environment: LANES, BANKS, BUS_BYTES, LINE_BYTES as the module was built.
"""

import os
import random
from collections import deque

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from kernels.fpga import tables
from kernels.fpga.design.model import BASE, WORD, Machine
from tests.kernels.fpga.benches.machine_bench import FRAME, RESIZE, Bench

LANES, BANKS = int(os.environ["LANES"]), int(os.environ["BANKS"])
BUS_BYTES, LINE_BYTES = int(os.environ["BUS_BYTES"]), int(os.environ["LINE_BYTES"])
SIZE = {
    "lanes": BANKS,
    "bus_bytes": BUS_BYTES,
    "crop_lanes": LANES,
    "map_words": 4096,
    "weight_tiles": 16,
    "line_bytes": LINE_BYTES,
}
MOST = 60_000  # cycles of a crop
LATENCY = 3  # cycles from a request to its first beat, at least


class Crop:
    """Drives the ports of ``hp_crop``; the memory is the model's."""

    def __init__(self, dut, stalls, seed):
        self.dut, self.stalls = dut, stalls
        self.dice, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.model = Machine(SIZE, FRAME + (1 << 20))
        self.beats, self.asked, self.done, self.cycle = deque(), 0, 0, 0
        self.maps = self.model.maps.copy()

    def gap(self):
        return self.stalls and self.dice.randrange(100) < self.stalls

    async def start(self):
        dut = self.dut
        for name in ("load_valid", "cmd_valid", "request_ready", "data_valid", "map_write_ready"):
            getattr(dut, name).value = 0
        dut.data_failed.value = dut.data_last.value = 0
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        cocotb.start_soon(self._serve())
        await self.reset()

    async def reset(self):
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await FallingEdge(self.dut.clk)

    async def _serve(self):
        """Memory and map, a cycle a turn."""
        dut = self.dut
        while True:
            await FallingEdge(dut.clk)
            self.cycle += 1
            # what the last edge took
            if int(dut.done.value):
                self.done += 1
            there = self.beats and self.beats[0][1] <= self.cycle
            dut.data_valid.value = valid = int(bool(there) and not self.gap())
            if valid:
                at, _, last = self.beats.popleft()
                at -= BASE
                dut.data_last.value = last
                data = self.model.memory[at : at + BUS_BYTES].tobytes()
                dut.data.value = int.from_bytes(data, "little")
            # a beat comes three cycles after its request at least
            dut.request_ready.value = ready = int(not self.gap())
            if ready and int(dut.request_valid.value):
                place = int(dut.request_address.value) // BUS_BYTES * BUS_BYTES
                count = int(dut.request_beats.value)
                for beat in range(count):
                    due, last = self.cycle + LATENCY, int(beat == count - 1)
                    self.beats.append((place + beat * BUS_BYTES, due, last))
                self.asked += 1
            dut.map_write_ready.value = taken = int(not self.gap())
            if taken and int(dut.map_write_valid.value):
                data = int(dut.map_write_data.value).to_bytes(WORD, "little")
                bank, address = int(dut.map_write_bank.value), int(dut.map_write_address.value)
                self.maps[bank, address % SIZE["map_words"]] = np.frombuffer(data, np.int8)

    async def load(self, target, data):
        dut = self.dut
        dut.load_target.value = tables.TARGETS[target]
        for beat in range(data.size // WORD):
            dut.load_valid.value = 1
            dut.load_beat.value = beat
            part = data[beat * WORD : (beat + 1) * WORD].tobytes()
            dut.load_data.value = int.from_bytes(part, "little")
            await FallingEdge(dut.clk)
        dut.load_valid.value = 0

    async def run(self, commands):
        """Give CROP commands one after the other and wait for their ends."""
        dut, wanted = self.dut, self.done + len(commands)
        for number, command in enumerate(commands):
            dut.cmd.value = int.from_bytes(command, "little")
            dut.cmd_number.value = number
            await FallingEdge(dut.clk)  # a command is there a cycle before it may start
            dut.cmd_valid.value = 1
            while not int(dut.cmd_ready.value):
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
            dut.cmd_valid.value = 0
        for _ in range(MOST):
            if self.done == wanted:
                return
            await FallingEdge(dut.clk)
        raise AssertionError("the crop does not end")

    def picture(self, side):
        """A random frame and window in the model's memory; its registers at the ports."""
        rng = self.rng
        wide = rng.integers(0, 4) == 0
        shape = int(rng.integers(1, 50)), int(rng.integers(1, 90 + 600 * wide))
        frame = rng.integers(0, 256, shape + (3,), dtype=np.uint8)
        place = int(rng.integers(-30, shape[1])), int(rng.integers(-30, shape[0]))
        window = place + (int(rng.integers(1, 60 + 600 * wide)), int(rng.integers(1, 60)))
        bench = Bench(self.model)
        offset, padding = int(rng.integers(0, 32)), int(rng.integers(0, 9))
        bench.picture(frame, window, side, rng.integers(0, 256, 3), offset, padding)
        for name in ("FRAME", "STRIDE", "LINE", "BORDER"):
            value = self.model.read(tables.REGISTERS[name])
            port = getattr(self.dut, name.lower())
            port.value = value & ((1 << len(port)) - 1)
        half = -(-8 * side // 16) * 16
        columns = self.model.memory[RESIZE : RESIZE + half].copy()
        return columns, self.model.memory[RESIZE + half : RESIZE + 2 * half].copy()


def random_command(rng, side):
    """Fields of a CROP of some rows."""
    overlap, first = int(rng.integers(2)), int(rng.integers(side))
    words = -(-side // 4) if overlap else side
    words = max(1, words + int(rng.integers(-1, 2)))
    rows = int(rng.integers(1, side - first + 1))
    return {
        "overlap": overlap,
        "split": int(rng.integers(2)),
        "base": int(rng.integers(64)),
        "row_pitch": words + int(rng.integers(3)),
        "words": words,
        "rows": rows,
        "first_row": first,
        "size": side,
    }


@cocotb.test()
@cocotb.parametrize(stalls=[0, 30])
async def random_crops(dut, stalls):
    crop = Crop(dut, stalls, seed=stalls + LANES)
    await crop.start()
    for turn in range(14):
        side = int(crop.rng.integers(1, 40))
        columns, rows = crop.picture(side)
        pixels = crop.rng.integers(0, 256, 768, dtype=np.uint8)
        await crop.reset()  # as between programs
        for target, data in (("COLUMNS", columns), ("ROWS", rows), ("PIXELS", pixels)):
            crop.model._stores[target][: data.size] = data
            await crop.load(target, data)
        commands = []
        for _ in range(int(crop.rng.integers(1, 4))):
            fields = random_command(crop.rng, side)
            crop.model._crop(dict(fields))
            commands.append(tables.pack("CROP", **fields))
        await crop.run(commands)
        assert np.array_equal(crop.maps, crop.model.maps), turn
    assert crop.asked
