"""cocotb: the convolution unit against the NumPy model of the engine, bit for bit.

While convolutions run, other streams write and read other parts of the map memory and load other
tiles, with gaps in ``STALLS`` percent of the cycles. Everything is driven and looked at on the
falling edge: no ready depends on a valid, so what is ready there is taken at the next rising edge.

Environment: LANES, MAP_WORDS, WEIGHT_TILES, PUMPED as the module was built.
"""

import os
import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout

from kernels.fpga import tables
from kernels.fpga.design.model import PARAMS_BYTES, PARAMS_ENTRIES, TILE, WORD, Machine
from tests.kernels.fpga.benches import clocks

LANES = int(os.environ.get("LANES", "1"))
MAP_WORDS = int(os.environ.get("MAP_WORDS", "4096"))
WEIGHT_TILES = int(os.environ.get("WEIGHT_TILES", "256"))
PUMPED = int(os.environ.get("PUMPED", "0"))
CYCLE_NS = 8
OVERHEAD = 30  # cycles of a command beside its steps, at most


class Bench:
    """Drives the ports of ``hp_convolution`` and keeps the model beside it.

    Args:
        stalls: percent of the cycles in which a stream offers nothing.
        seed: of all that is random.
    """

    def __init__(self, dut, stalls, seed):
        self.dut, self.stalls = dut, stalls
        self.dice, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.model = Machine(
            {"lanes": LANES, "map_words": MAP_WORDS, "weight_tiles": WEIGHT_TILES}
            | {"bus_bytes": 8, "crop_lanes": 1, "line_bytes": 8192},
            memory_bytes=64,
        )
        self.blocked = 0  # cycles in which a map write had to wait

    async def start(self):
        """Reset, then fill all memories with random values."""
        dut = self.dut
        for name in ("cmd_valid", "load_valid", "map_write_valid", "map_read_valid"):
            getattr(dut, name).value = 0
        await clocks.start(dut, CYCLE_NS, PUMPED, early=int(self.stalls == 0))
        await self.reset()
        for target, store in self.model._stores.items():
            if target in ("WEIGHTS", "PARAMS", "TABLE"):
                await self.load(target, self._values(target, store.size))
        self.model.maps[:] = self.rng.integers(-128, 128, self.model.maps.shape)
        for bank in range(LANES):
            words = self.model.maps[bank]
            await self.write([(bank, at, words[at].tobytes()) for at in range(MAP_WORDS)])

    def _values(self, target, size):
        values = self.rng.integers(0, 256, size, dtype=np.uint8)
        if target == "PARAMS":  # biases of the size of sums, shifts that leave something of them
            entries = values.reshape(-1, PARAMS_BYTES)
            biases = self.rng.integers(-(2**20), 2**20, (len(entries), 16))
            entries[:, :64] = biases.astype("<i4").view(np.uint8)
            entries[:, 64:] = self.rng.integers(0, 22, (len(entries), 16))
            entries[::9, 64:] = self.rng.integers(22, 32, 16)
        return values

    async def reset(self):
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await FallingEdge(self.dut.clk)

    def gap(self):
        return self.stalls and self.dice.randrange(100) < self.stalls

    # -- streams

    async def load(self, target, data, beat=0):
        """Load bytes from a beat of the target on, into the model as well."""
        dut = self.dut
        self.model._stores[target][beat * WORD : beat * WORD + data.size] = data
        dut.load_target.value = tables.TARGETS[target]
        for index in range(data.size // WORD):
            while self.gap():
                dut.load_valid.value = 0
                await FallingEdge(dut.clk)
            dut.load_valid.value = 1
            dut.load_beat.value = beat + index
            part = data[index * WORD : (index + 1) * WORD]
            dut.load_data.value = int.from_bytes(part.tobytes(), "little")
            await FallingEdge(dut.clk)
        dut.load_valid.value = 0

    async def write(self, words):
        """Write (bank, address, bytes) words as the crop does."""
        dut = self.dut
        for bank, address, data in words:
            while self.gap():
                dut.map_write_valid.value = 0
                await FallingEdge(dut.clk)
            dut.map_write_valid.value = 1
            dut.map_write_bank.value = bank
            dut.map_write_address.value = address
            dut.map_write_data.value = int.from_bytes(data, "little")
            while not int(dut.map_write_ready.value):
                self.blocked += 1
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
        dut.map_write_valid.value = 0

    async def read(self, places):
        """Bytes of the words at (bank, address) places, read as the store does."""
        received = []
        collecting = cocotb.start_soon(self._collect(received, len(places)))
        dut = self.dut
        for bank, address in places:
            while self.gap():
                dut.map_read_valid.value = 0
                await FallingEdge(dut.clk)
            dut.map_read_valid.value = 1
            dut.map_read_bank.value = bank
            dut.map_read_address.value = address
            while not int(dut.map_read_ready.value):
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
        dut.map_read_valid.value = 0
        await collecting
        return received

    async def _collect(self, received, count):
        while len(received) < count:
            await FallingEdge(self.dut.clk)
            if int(self.dut.map_read_data_valid.value):
                received.append(int(self.dut.map_read_data.value).to_bytes(WORD, "little"))

    async def convolve(self, fields):
        """Run a CONV here and in the model; hold the cycles to the steps. Returns the cycles."""
        dut = self.dut
        while self.gap():
            await FallingEdge(dut.clk)
        dut.cmd.value = int.from_bytes(tables.pack("CONV", **fields), "little")
        dut.cmd_valid.value = 1
        assert int(dut.cmd_ready.value)
        await FallingEdge(dut.clk)
        started = cocotb.utils.get_sim_time("ns")
        dut.cmd_valid.value = 0
        self.model._conv(fields)
        most = cycles_of(fields) + OVERHEAD
        await with_timeout(RisingEdge(dut.done), most * CYCLE_NS, "ns")
        await FallingEdge(dut.clk)
        return round((cocotb.utils.get_sim_time("ns") - started) / CYCLE_NS)

    async def check_maps(self, what, count=MAP_WORDS):
        """The first words of the map memory, or all, so that a stray write is seen too."""
        for bank in range(LANES):
            words = await self.read([(bank, at) for at in range(count)])
            got = np.frombuffer(b"".join(words), np.int8).reshape(count, WORD)
            wrong = np.argwhere((got != self.model.maps[bank, :count]).any(axis=1)).ravel()
            assert not wrong.size, f"bank {bank}, addresses {wrong[:8]} of {what}"


def cycles_of(fields):
    """Cycles that the array needs: a step a tap, but a word of each lane must drain meanwhile."""
    taps = fields["kernel_height"] * fields["kernel_width"] * fields["in_blocks"]
    words = -(-fields["out_height"] // LANES) * fields["out_width"] * fields["out_blocks"]
    return words * max(taps, LANES)


def rows_taken(rows, split):
    """Rows of words that a map of so many rows takes in a bank."""
    shift = split + LANES.bit_length() - 1
    return ((rows - 1 >> shift) + 1) << split


def random_layer(rng, words, first_tile, tiles):
    """Fields of a CONV whose maps lie within the first ``words`` of the banks."""
    while True:
        stride_y, stride_x = (int(n) for n in rng.integers(1, 3, 2))
        dilation = int(rng.integers(1, 5)) if stride_y == stride_x == 1 else 1
        kernel_height, kernel_width = (int(n) for n in rng.integers(1, 5, 2))
        in_blocks, out_blocks = (int(n) for n in rng.choice([1, 1, 2, 3, 5], 2))
        height, width = (int(n) for n in rng.integers(1, 14, 2))
        # below 0: a strip that begins further down
        pad_top = int(rng.integers(-min(7, height - 1), kernel_height * dilation + 1))
        pad_left = int(rng.integers(0, kernel_width * dilation + 1))
        fields = {
            "relu": int(rng.integers(2)),
            "table": int(rng.integers(2)),
            "in_split": stride_y - 1 if LANES > 1 else int(rng.integers(2)),
            "out_split": int(rng.integers(2)),
            "in_height": height,
            "in_width": width,
            "in_blocks": in_blocks,
            "kernel_height": kernel_height,
            "kernel_width": kernel_width,
            "stride_y": stride_y,
            "stride_x": stride_x,
            "pad_top": pad_top & 0xFFFF,
            "pad_left": pad_left,
            "dilation": dilation,
            "out_blocks": out_blocks,
            "out_row": int(rng.integers(0, 7)),
            "out_height": int(rng.integers(1, max(0, height + 2 * pad_top) // stride_y + 2)),
            "out_width": int(rng.integers(1, (width + 2 * pad_left) // stride_x + 2)),
            "param_entry": int(rng.integers(0, PARAMS_ENTRIES - out_blocks + 1)),
        }
        needed = kernel_height * kernel_width * in_blocks * out_blocks
        if needed > tiles or cycles_of(fields) > 3000 or not _placed(fields, rng, words):
            continue
        fields["weight_tile"] = first_tile + int(rng.integers(0, tiles - needed + 1))
        return fields


def _placed(fields, rng, words):
    """Give the two maps places in halves of the words, with gaps; False where they don't fit."""
    upper = int(rng.integers(2))
    for prefix, rows, half in (
        ("in_", fields["in_height"], upper),
        ("out_", fields["out_row"] + fields["out_height"], 1 - upper),
    ):
        pitch = fields[prefix + "width"] + int(rng.integers(0, 3))
        row_pitch = pitch * fields[prefix + "blocks"] + int(rng.integers(0, 3))
        taken = rows_taken(rows, fields[prefix + "split"]) * row_pitch
        if taken > words // 2:
            return False
        place = half * (words // 2) + int(rng.integers(0, words // 2 - taken + 1))
        fields.update({prefix + "block_pitch": pitch, prefix + "row_pitch": row_pitch})
        fields[prefix + "base"] = place
    return True


def simple_layer(height, width, in_blocks, out_blocks, kernel, stride=1):
    """A layer as a network has it: "same" padding, both maps packed one behind the other."""
    out_height, out_width = -(-height // stride), -(-width // stride)
    in_words = rows_taken(height, stride - 1) * width * in_blocks
    return {
        "relu": 1,
        "table": 0,
        "in_split": stride - 1,
        "out_split": 0,
        "in_base": 0,
        "in_row_pitch": width * in_blocks,
        "in_block_pitch": width,
        "in_height": height,
        "in_width": width,
        "in_blocks": in_blocks,
        "kernel_height": kernel,
        "kernel_width": kernel,
        "stride_y": stride,
        "stride_x": stride,
        "pad_top": kernel // 2,
        "pad_left": kernel // 2,
        "dilation": 1,
        "out_base": in_words,
        "out_row_pitch": out_width * out_blocks,
        "out_block_pitch": out_width,
        "out_height": out_height,
        "out_width": out_width,
        "out_blocks": out_blocks,
        "out_row": 0,
        "weight_tile": 0,
        "param_entry": 0,
    }


@cocotb.test()
@cocotb.parametrize(stalls=[0, 30])
async def random_layers_while_other_streams_run(dut, stalls):
    """Convolutions use some words of the map memory, the crop and the store the ones behind."""
    bench = Bench(dut, stalls, seed=stalls + LANES)
    await bench.start()
    half, tiles = MAP_WORDS // 8, WEIGHT_TILES // 2
    for index in range(12):
        fields = random_layer(bench.rng, half, index % 2 * tiles, tiles)
        count = min(cycles_of(fields) // 2 + 8, half // 2)
        written = [
            (int(bench.rng.integers(LANES)), half + at, bench.rng.bytes(WORD))
            for at in range(count)
        ]
        places = [
            (int(bench.rng.integers(LANES)), half + half // 2 + at) for at in range(min(count, 64))
        ]
        others = [
            cocotb.start_soon(bench.write(written)),
            cocotb.start_soon(bench.read(places)),
            # the half of the tiles that the next layer uses
            cocotb.start_soon(
                bench.load(
                    "WEIGHTS",
                    bench.rng.integers(0, 256, 64 * WORD, dtype=np.uint8),
                    beat=(1 - index % 2) * tiles * TILE // WORD + 16 * int(bench.rng.integers(64)),
                )
            ),
        ]
        await bench.convolve(fields)
        for other in others:
            await other
        for bank, address, data in written:
            bench.model.maps[bank, address] = np.frombuffer(data, np.int8)
        for (bank, address), data in zip(places, others[1].result()):
            assert data == bench.model.maps[bank, address].tobytes()
        await bench.check_maps(fields, 2 * half)
    await bench.check_maps("all layers")
    assert bench.blocked, "no map write ever met a result"


@cocotb.test()
async def the_smallest_layers(dut):
    """One row, one column, one tap: where words must drain faster than the array makes them."""
    bench = Bench(dut, 0, seed=1)
    await bench.start()
    for height, width, in_blocks, out_blocks, kernel in (
        (1, 1, 1, 1, 1),
        (1, 1, 64, 1, 1),
        (1, 1, 2, 64, 1),
        (1, 7, 1, 1, 1),
        (7, 1, 1, 1, 1),
        (5, 5, 1, 3, 1),
        (2, 2, 2, 2, 1),
        (3, 3, 3, 3, 1),
        (1, 1, 1, 2, 3),
        (9, 2, 1, 2, 3),
    ):
        fields = simple_layer(height, width, in_blocks, out_blocks, kernel)
        await bench.convolve(fields)
        await bench.check_maps(fields, 256)
    await bench.check_maps("all layers")


@cocotb.test()
async def the_largest_sums(dut):
    """All products the most positive or the most negative that there are, at every shift."""
    bench = Bench(dut, 0, seed=2)
    await bench.start()
    entries = np.zeros((PARAMS_ENTRIES, PARAMS_BYTES), np.uint8)
    entries[:, 64:] = (np.arange(PARAMS_ENTRIES)[:, None] + np.arange(16)) % 32
    await bench.load("PARAMS", entries.ravel())
    for weight in (-128, 127, -1, 0):
        tiles = np.full((36, 16, 16), weight, np.int8)
        if weight == 0:  # neighbouring outputs of opposite signs share a multiplier
            tiles[:, ::2], tiles[:, 1::2] = -128, 127
        await bench.load("WEIGHTS", tiles.ravel().view(np.uint8))
        for value in (-128, 127):
            fields = dict(simple_layer(4, 4, 2, 2, 3), relu=0)
            bench.model.maps[:, : fields["out_base"]] = value
            data = np.full(WORD, value, np.int8).tobytes()
            await bench.write(
                [(bank, at, data) for bank in range(LANES) for at in range(fields["out_base"])]
            )
            fields["param_entry"] = int(bench.rng.integers(62))
            await bench.convolve(fields)
            await bench.check_maps(fields, 2 * fields["out_base"])


@cocotb.test()
async def layers_of_a_tracker_have_no_bubbles(dut):
    """A 3x3, a strided and a 1x1 layer take a cycle a tap, and a few to begin and end."""
    bench = Bench(dut, 0, seed=3)
    await bench.start()
    for fields in (
        simple_layer(16, 16, 5, 5, 3),
        simple_layer(32, 32, 3, 5, 3, stride=2),
        simple_layer(16, 16, 5, 5, 1),
    ):
        cycles = await bench.convolve(fields)
        await bench.check_maps(fields)
        assert cycles <= cycles_of(fields) + OVERHEAD


@cocotb.test()
async def a_reset_in_the_middle_leaves_all_ready(dut):
    """The engine's stop: the command under way is dropped, the next one is right."""
    bench = Bench(dut, 0, seed=4)
    await bench.start()
    fields = simple_layer(8, 8, 2, 2, 3)
    for cycles in (1, 2, 3, 9, 14, 20, 37, 200):
        dut.cmd.value = int.from_bytes(tables.pack("CONV", **fields), "little")
        dut.cmd_valid.value = 1
        for _ in range(cycles):
            await FallingEdge(dut.clk)
            dut.cmd_valid.value = 0
        await bench.reset()
        assert int(dut.cmd_ready.value) and not int(dut.starved.value)
        await bench.convolve(fields)
        await bench.check_maps(fields, 512)
    await bench.check_maps(fields)
