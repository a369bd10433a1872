"""cocotb: the store unit alone: which words it reads, and in what order, with stalls everywhere.

Environment: LANES as the module was built.
"""

import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from kernels.fpga import tables
from kernels.fpga.design.model import Machine

LANES = int(os.environ["LANES"])
SIZE = {
    "lanes": LANES,
    "bus_bytes": 8,
    "crop_lanes": 1,
    "map_words": 1 << 16,
    "weight_tiles": 1,
    "line_bytes": 8192,
}
PLACES = 32  # words that the writer holds


class Store:
    """The map memory and the writer around ``hp_store``, each with gaps."""

    def __init__(self, dut, stalls, seed):
        self.dut, self.stalls, self.dice = dut, stalls, random.Random(seed)
        self.places, self.coming, self.held, self.done = [], [], 0, 0
        self.started = None

    def gap(self):
        return self.stalls and self.dice.randrange(100) < self.stalls

    async def serve(self):
        dut = self.dut
        while True:
            await FallingEdge(dut.clk)
            self.done += int(dut.done.value)
            if int(dut.start.value):
                self.started = int(dut.start_address.value) << 4
            ready = int(not self.gap())
            dut.map_read_ready.value = ready
            if ready and int(dut.map_read_valid.value):
                place = int(dut.map_read_bank.value), int(dut.map_read_address.value)
                self.places.append(place)
                self.coming.append(2)
            # words come two cycles later, in order
            valid = int(bool(self.coming) and self.coming[0] <= 0)
            self.coming = [count - 1 for count in self.coming[valid:]]
            dut.word_valid.value = valid
            taken = int(self.held > 0 and not self.gap())
            dut.taken.value = taken
            dut.empty.value = int(self.held == 0 and not valid)
            self.held += valid - taken
            assert self.held <= PLACES, "more words than the writer has places for"


@cocotb.test()
@cocotb.parametrize(stalls=[0, 30])
async def random_stores(dut, stalls):
    store = Store(dut, stalls, seed=stalls)
    for name in ("cmd_valid", "map_read_ready", "word_valid", "taken"):
        getattr(dut, name).value = 0
    dut.empty.value = 1
    dut.region0.value, dut.region1.value, dut.region2.value = 0x10000000, 0x20000000, 0x30000000
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    cocotb.start_soon(store.serve())
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)

    rng, model = np.random.default_rng(stalls), Machine(SIZE, 64)
    for turn in range(30):
        fields = {
            "split": int(rng.integers(2)),
            "base": int(rng.integers(1 << 16)),
            "row_pitch": int(rng.integers(300)),
            "width": int(rng.integers(0, 40)),
            "rows": int(rng.integers(0, 9)),
            "first_row": int(rng.integers(0, 50)),
            "region": int(rng.integers(3)),
            "offset": 16 * int(rng.integers(1 << 20)),
        }
        rows = fields["first_row"] + np.arange(fields["rows"])
        banks, addresses = model._addresses(fields, "", rows, 1, fields["width"])
        banks = np.broadcast_to(banks, addresses.shape)
        store.places.clear()
        dut.cmd.value = int.from_bytes(tables.pack("STORE", **fields), "little")
        dut.cmd_number.value = turn
        dut.cmd_valid.value = 1
        while not int(dut.cmd_ready.value):
            await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.cmd_valid.value = 0
        for _ in range(5000):
            if store.done > turn:
                break
            await FallingEdge(dut.clk)
        assert store.done == turn + 1
        assert int(dut.number.value) == turn
        assert store.started == 0x10000000 * (fields["region"] + 1) + fields["offset"]
        assert store.places == list(zip(banks.ravel().tolist(), addresses.ravel().tolist()))
        assert not store.held
