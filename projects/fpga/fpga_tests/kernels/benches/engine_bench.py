"""cocotb: the engine between an AXI memory and an AXI4-Lite master of ``cocotbext-axi``.

The environment has the parameters with which the engine was built.
"""

import os
import random
import types

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotb.types import LogicArray
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from fpga_tests.kernels.benches.machine_bench import WORK
from fpga_tests.kernels.benches.random_programs import Chains, random_program
from hotpath.kernels.fpga import tables
from hotpath_fpga.model import BASE, Machine
from hotpath_fpga.sim.build import PARAMETERS

BYTES = 16 << 20
SIZE = {name: int(os.environ[name.upper()]) for name in PARAMETERS}


class Recorded(Machine):
    """The model, which also remembers what was written to the registers."""

    def __init__(self):
        super().__init__(SIZE, BYTES)
        self.written = []

    def write(self, offset, value):
        self.written.append((offset, value))
        super().write(offset, value)


def paused(percent, seed):
    dice = random.Random(seed)
    while True:
        yield dice.randrange(100) < percent


class Zero:
    """A transaction number, which ``AxiRam`` asks for and the engine does not have."""

    value = LogicArray("0")

    def __len__(self):
        return 1

    def setimmediatevalue(self, value):
        pass


class System:
    """The engine, its memory and its driver's bus."""

    def __init__(self, dut, stalls):
        self.dut = dut
        ports = {name: getattr(dut, name) for name in dir(dut) if name.startswith("m_axi_")}
        ports.update({f"m_axi_{channel}id": Zero() for channel in ("aw", "b", "ar", "r")})
        numbered = types.SimpleNamespace(_name=dut._name, _log=dut._log, **ports)
        self.ram = AxiRam(AxiBus.from_prefix(numbered, "m_axi"), dut.clk, dut.rst, size=1 << 32)
        self.driver = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        channels = []
        for write, read in ((bus.write_if, bus.read_if) for bus in (self.ram, self.driver)):
            channels += [write.aw_channel, write.w_channel, write.b_channel]
            channels += [read.ar_channel, read.r_channel]
        for seed, channel in enumerate(channels):
            if stalls:
                channel.set_pause_generator(paused(stalls, seed))

    async def start(self):
        """Start the clock and reset the engine."""
        self.dut.rst.value = 1
        Clock(self.dut.clk, 8, unit="ns").start()
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    async def until_idle(self):
        for _ in range(4000):
            status = await self.driver.read_dword(tables.REGISTERS["STATUS"])
            if not status & tables.IS_BUSY:
                return status
            await ClockCycles(self.dut.clk, 20)
        raise AssertionError("the program does not end")


@cocotb.test()
@cocotb.parametrize(stalls=[0, 30])
async def random_programs(dut, stalls):
    system = System(dut, stalls)
    await system.start()
    assert await system.driver.read_dword(tables.REGISTERS["ID"]) == tables.MAGIC
    for seed in range(4):
        model = Recorded()
        bench = Chains(model)
        count = random_program(bench, np.random.default_rng(seed), chains=2, convolutions=2)
        bench.start()
        (used,) = np.nonzero(model.memory.reshape(-1, 4096).any(axis=1))
        for page in used:
            at = page * 4096
            system.ram.write(BASE + at, model.memory[at : at + 4096].tobytes())
        system.ram.write(BASE + WORK, bytes(count + 64))
        for offset, value in model.written:
            await system.driver.write_dword(offset, value)
        assert await system.until_idle() == tables.IS_DONE
        assert model.run()
        expected = model.memory[WORK : WORK + count + 64].tobytes()
        assert system.ram.read(BASE + WORK, count + 64) == expected


@cocotb.test()
async def registers_take_single_bytes(dut):
    system = System(dut, 0)
    await system.start()
    place = tables.REGISTERS["STRIDE"]
    await system.driver.write_dword(place, 0x11223344)
    await system.driver.write_byte(place + 2, 0xAB)
    assert await system.driver.read_dword(place) == 0x11AB3344
    await system.driver.write_dword(tables.REGISTERS["ID"], 0)
    assert await system.driver.read_dword(tables.REGISTERS["ID"]) == tables.MAGIC
