"""An FPGA board that gives recorded results, to count what its processor does.

The registers and buffers are PYNQ's own classes (``pynq.mmio``, ``pynq.buffer``), on memory of this
process. PYNQ's overlay, its clocks and its device need a board's kernel, so they are replaced here.
So is the fabric: a program's results lie in memory as soon as it is started.
"""

import importlib
import os
import sys
import types

import numpy as np

from kernels.fpga import tables
from kernels.fpga.design.sim import hwh

PAGE = 4096
BASE = 0x10000000  # addresses of the fabric, below 4 GB


class Memory:
    """What pyxrt holds for a buffer. The kernel's part of a ``sync`` is not here."""

    def sync(self, direction):
        """Write a cache back, or drop it."""


class ReplayBoard:
    """PYNQ's device.

    Args:
        size: a table of ``sizes.toml``.
        pynq_folder: of PYNQ's library.
    """

    def __init__(self, size, pynq_folder):
        self._next = BASE
        self.registers = np.zeros(1024, np.uint32)
        self.registers[tables.REGISTERS["ID"] // 4] = tables.MAGIC
        self.registers[tables.REGISTERS["SIZE"] // 4] = tables.size_register(size)
        _install(self, size["assumed_clock_mhz"], str(pynq_folder))
        self._hosts = {}  # address for the fabric -> uint8 array

        class Buffer(importlib.import_module("pynq.buffer").PynqBuffer):
            """PYNQ's buffer, also where NumPy is 2 or newer: its arrays have a ``device``."""

            device = None

        self._buffer = Buffer

    def has_capability(self, name):
        """PYNQ's question: registers are mapped memory, as on a board."""
        return name == "MEMORY_MAPPED"

    def mmap(self, address, length):
        """PYNQ's hook: the registers."""
        return self.registers[: length // 4]

    def allocate(self, shape, dtype, **_):
        """PYNQ's hook: a buffer, which starts on a page as a board's does."""
        count = int(np.prod(shape))
        held = np.zeros(count + PAGE, np.uint8)
        first = -held.ctypes.data % PAGE
        address, self._next = self._next, self._next + -(-count // PAGE) * PAGE
        self._hosts[address] = held[first:]
        return self._buffer(
            shape, dtype, held[first:], device=self, device_address=address, bo=Memory()
        )

    def flush(self, bo, offset, ptr, size):
        """As ``XrtDevice.flush``."""
        try:
            bo.sync(0)
        except Exception as error:
            raise RuntimeError(str(error)) from None

    def invalidate(self, bo, offset, ptr, size):
        """As ``XrtDevice.invalidate``."""
        try:
            bo.sync(1)
        except Exception as error:
            raise RuntimeError(str(error)) from None

    def end_program(self, results):
        """Write a program's results, uint8 (n,), into region 1, and say that it is done."""
        address = int(self.registers[tables.REGISTERS["REGION1"] // 4])
        self._hosts[address][: results.size] = results
        self.registers[tables.REGISTERS["STATUS"] // 4] = tables.IS_DONE


class Cell:
    """As PYNQ's ``DefaultIP``: a cell of an overlay."""

    def __init__(self, device):
        self.mmio = importlib.import_module("pynq.mmio").MMIO(0, 4096, device=device)

    def read(self, offset=0):
        """Read a register."""
        return self.mmio.read(offset)

    def write(self, offset, value):
        """Write a register."""
        self.mmio.write(offset, value)


def _install(board, clock_mhz, folder):
    """Put a ``pynq`` into ``sys.modules`` that has the library's files and this board."""

    class Overlay:
        """PYNQ's overlay, without its bitstream."""

        def __init__(self, path, **_):
            self.ip_dict = {hwh.CELL: {}}
            setattr(self, hwh.CELL, Cell(board))

        def download(self):
            """Put it into the fabric."""

    pynq = types.ModuleType("pynq")
    pynq.__path__ = [folder]
    pynq.__version__ = "replay"
    pynq.Overlay = Overlay
    pynq.allocate = lambda shape, dtype="u4", target=None, **more: target.allocate(shape, dtype)
    pynq.Clocks = types.SimpleNamespace(fclk0_mhz=clock_mhz)
    server = types.ModuleType("pynq.pl_server")
    server.__path__ = [os.path.join(folder, "pl_server")]
    device = types.ModuleType("pynq.pl_server.device")
    device.Device = types.SimpleNamespace(active_device=board)
    sys.modules.update({"pynq": pynq, "pynq.pl_server": server, device.__name__: device})
