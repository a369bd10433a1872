"""cocotb: requantisation against its definition, on the sums where rounding is decided."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from kernels.fpga.design.model import requantised

STAGES = 5
LANES = 16


def sums(rng, count):
    """int32 sums and shifts: halves and a bit beside them, limits of int8, everything else."""
    shifts = rng.integers(0, 32, (count, LANES))
    beside = rng.integers(-1, 2, (count, LANES)) * 2.0 ** rng.integers(0, shifts + 1)
    near = rng.integers(-260, 261, (count, LANES)) * 2.0**shifts / 2 + beside
    any_sum = rng.integers(-(2**31), 2**31, (count, LANES))
    kind = rng.integers(0, 4, (count, LANES))
    values = np.where(kind > 0, np.clip(np.floor(near), -(2**31), 2**31 - 1), any_sum)
    values[::16] = np.where(kind[::16] > 1, 2**31 - 1, -(2**31))
    return values.astype(np.int64), shifts


def packed(values, bits):
    """One number with the values side by side, the first in the lowest bits."""
    total = 0
    for index, value in enumerate(values):
        total |= (int(value) & ((1 << bits) - 1)) << (index * bits)
    return total


@cocotb.test()
@cocotb.parametrize(stalls=[0, 30])
async def sums_become_int8_as_defined(dut, stalls):
    rng = np.random.default_rng(stalls)
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.valid.value = 0
    table = rng.integers(-128, 128, 256).astype(np.int8)
    for beat in range(16):
        dut.load_valid.value = 1
        dut.load_beat.value = beat
        dut.load_data.value = packed(table[beat * 16 : beat * 16 + 16], 8)
        await FallingEdge(dut.clk)
    dut.load_valid.value = 0

    values, shifts = sums(rng, 1500)
    expected = requantised(values.reshape(1, -1), np.zeros(1, np.int64), shifts.ravel())
    expected = expected.reshape(values.shape)
    for relu, use_table in ((0, 0), (1, 0), (0, 1), (1, 1)):
        dut.relu.value, dut.use_table.value = relu, use_table
        part = slice((2 * relu + use_table) * 375, (2 * relu + use_table + 1) * 375)
        wanted = np.maximum(expected[part], 0) if relu else expected[part]
        wanted = table[wanted.view(np.uint8)] if use_table else wanted
        coming = [None] * (STAGES - 1)
        rows = list(zip(values[part], shifts[part], wanted))
        while rows or any(row is not None for row in coming):
            offered = rows and not rng.integers(100) < stalls
            dut.valid.value = int(bool(offered))
            row = rows.pop(0) if offered else None
            if offered:
                dut.sums.value = packed(row[0], 32)
                dut.shifts.value = packed(row[1], 5)
            coming.append(row)
            await FallingEdge(dut.clk)
            ready = coming.pop(0)
            if ready is not None:
                got = int(dut.word.value)
                assert got == packed(ready[2], 8), (ready, hex(got))
