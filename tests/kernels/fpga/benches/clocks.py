"""The clocks of a bench: one, and where it is asked for one of twice its frequency."""

from cocotb.clock import Clock
from cocotb.triggers import Timer


async def start(dut, cycle_ns, pumped=False, early=0):
    """Start ``clk``, and with ``pumped`` also ``clk_fast``; every edge of one is an edge of both.

    The simulator sets both clocks before it looks at either.

    Args:
        dut: has the ports.
        cycle_ns: of ``clk``, a multiple of four.
        pumped: whether the fast clock runs.
        early: cycles of the fast clock before the first one of ``clk``.
    """
    dut.clk.value = dut.clk_fast.value = 0
    if pumped:
        Clock(dut.clk_fast, cycle_ns // 2, unit="ns").start()
        await Timer(early * cycle_ns // 2 + cycle_ns // 2, "ns")
    Clock(dut.clk, cycle_ns, unit="ns").start()
