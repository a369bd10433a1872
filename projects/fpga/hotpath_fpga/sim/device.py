"""A board for PYNQ's own library that is simulated in this process.

``pynq.Overlay``, ``pynq.allocate`` and the registers' reads and writes end here instead of in a
board's kernel drivers. What is behind the registers is a machine: ``model.NumpyMachine`` or
``sim.rtl.Rtl`` (the fabric itself, verilated).

The machine's memory is separate from the arrays of the processor, like memory behind a cache.
Without a flush the fabric reads old bytes; without an invalidate the processor does. An invalidate
covers the whole buffer, whichever slice asks for it, as in PYNQ 4: bytes that were written and not
flushed are lost.
"""

import ctypes
import pathlib
import struct
import tempfile
import weakref
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

import hotpath_fpga as design
from hotpath.base.errors import HotpathError
from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.fabric import CELL
from hotpath_fpga import model
from hotpath_fpga.model import BASE
from hotpath_fpga.sim import hwh
from hotpath_fpga.sim.build import NoSimulator

NO_PYNQ: Optional[str] = None  # why PYNQ's library can't be loaded
try:
    from pynq import Clocks
    from pynq.buffer import PynqBuffer
    from pynq.pl_server.device import Device
    from pynqmetadata.frontends import Metadata
    from pynqmetadata.views.runtime import RuntimeMetadataParser
except ImportError as error:  # named in open_board, which every user goes through
    NO_PYNQ, Device, PynqBuffer = str(error), object, object

PAGE = 4096  # what buffers are aligned to
STALE = 0xA5  # what memory holds that nobody wrote
CYCLES = 5000000  # after which a program that has not ended never will

# what PYNQ reads of the processor's clocks: address -> value
SLCR, CRL_APB, CRF_APB = 0xF8000000, 0xFF5E0000, 0xFD1A0000
REFERENCE_MHZ = {"zynq": 50, "zynqmp": 33.333}


class NoSimulation(HotpathError):
    """A library that the simulated board needs is missing."""


class SimulatedBuffer(PynqBuffer):
    """PYNQ's buffer, also where NumPy is 2 or newer: its arrays have a ``device`` of their own."""

    device = None


class SimulatedBoard(Device):
    """The board.

    Args:
        family: "zynq" or "zynqmp".
        machine: see above.

    Attributes:
        machine: may be exchanged.
        downloads: how often an overlay was put into the fabric.
    """

    def __init__(self, family: str, machine: Any) -> None:
        super().__init__(f"hotpath-simulated-{id(self):x}")
        self.name = "simulated"
        self.family = family
        self.arch = "armv7l" if family == "zynq" else "aarch64"
        self.capabilities = {"REGISTER_RW": True}
        self.machine = machine
        self.downloads = 0
        # (first address, end) once an overlay is there
        self._engine: Optional[Tuple[int, int]] = None
        self._others = _clock_registers(family)
        self._next = BASE
        self._free: Dict[int, List[int]] = {}  # pages -> addresses

    # -- registers

    def read_registers(self, address: int, length: int) -> bytes:
        """PYNQ's hook: ``length`` bytes."""
        words = [self._read(address + place) for place in range(0, length, 4)]
        return struct.pack(f"<{len(words)}I", *words)[:length]

    def write_registers(self, address: int, data: Any) -> None:
        """PYNQ's hook."""
        data = bytes(data)
        for place in range(0, len(data), 4):
            (value,) = struct.unpack("<I", data[place : place + 4].ljust(4, b"\0"))
            self._write(address + place, value)

    def _read(self, address: int) -> int:
        if self._engine and self._engine[0] <= address < self._engine[1]:
            return self.machine.read(address - self._engine[0]) & 0xFFFFFFFF
        return self._others.get(address, 0)

    def _write(self, address: int, value: int) -> None:
        if not (self._engine and self._engine[0] <= address < self._engine[1]):
            self._others[address] = value
            return
        offset = address - self._engine[0]
        self.machine.write(offset, value)
        if offset == tables.REGISTERS["CONTROL"]:
            self.machine.run(CYCLES)

    # -- memory

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> "SimulatedBuffer":
        """PYNQ's hook: an array of the processor, and as many bytes of memory."""
        dtype = np.dtype(dtype)
        count = int(np.prod(shape)) * dtype.itemsize
        pages = max(1, -(-count // PAGE))
        spare = self._free.setdefault(pages, [])
        address = spare.pop() if spare else self._next
        if address + pages * PAGE > BASE + self.machine.memory.size:
            raise MemoryError("the simulated board's memory is used up")
        self._next = max(self._next, address + pages * PAGE)
        self._memory(address, pages * PAGE)[:] = STALE
        buffer = SimulatedBuffer(
            shape, dtype, device=self, device_address=address, bo=(address, count), coherent=False
        )
        buffer.view(np.ndarray)[...] = 0
        weakref.finalize(buffer, spare.append, address)
        return buffer

    def flush(self, bo: Tuple[int, int], offset: int, virtual: int, length: int) -> None:
        """PYNQ's hook: what the processor wrote into memory."""
        self._memory(bo[0] + offset, length)[:] = _host(virtual, length)

    def invalidate(self, bo: Tuple[int, int], offset: int, virtual: int, length: int) -> None:
        """PYNQ's hook: memory as the processor sees it."""
        address, count = bo
        _host(virtual - offset, count)[:] = self._memory(address, count)

    def _memory(self, address: int, count: int) -> np.ndarray:
        return self.machine.memory[address - BASE : address - BASE + count]

    # -- overlays

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """PYNQ's hook: what the .hwh says."""
        path = pathlib.Path(bitfile_name).with_suffix(".hwh")
        parser = RuntimeMetadataParser(Metadata(input=path))
        parser.refresh_hierarchy_dict()
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """PYNQ's hook: put an overlay into the fabric."""
        self.configure(parser.ip_dict)
        super().post_download(bitstream, parser, self.name)

    def configure(self, cells: Dict[str, Any]) -> None:
        """Put the engine of an overlay (PYNQ's ``ip_dict``) at its address, idle."""
        entry = cells.get(CELL)
        if entry is not None:
            first = entry["phys_addr"]
            self._engine = first, first + entry["addr_range"]
            if hasattr(self.machine, "reset"):
                self.machine.reset()
            self.machine.write(tables.REGISTERS["CONTROL"], tables.STOP)
        self.downloads += 1

    def set_axi_port_width(self, parser: Any) -> None:
        """PYNQ's hook; the ports here are as wide as they are."""


def _host(virtual: int, length: int) -> np.ndarray:
    """The processor's memory at an address as an array."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * length).from_address(virtual))


def _clock_registers(family: str) -> Dict[int, int]:
    """The processor's clock registers as a board's boot leaves them: PLLs of ``hwh.PLL_MHZ``."""
    pll = round(hwh.PLL_MHZ[family] / REFERENCE_MHZ[family])
    if family == "zynq":
        registers = {SLCR + offset: pll << 12 for offset in (0x100, 0x104, 0x108)}
        registers.update({SLCR + 0x170 + 0x10 * i: 2 << 20 | 5 << 8 for i in range(4)})
        return registers
    registers = {CRL_APB + offset: pll << 8 for offset in (0x20, 0x30)}
    registers.update({CRF_APB + offset: pll << 8 for offset in (0x20, 0x2C, 0x38)})
    registers.update({CRL_APB + 0xC0 + 4 * i: 1 << 24 | 1 << 16 | 15 << 8 for i in range(4)})
    return registers


def forget_clocks() -> None:
    """PYNQ keeps the clocks of the first board that it saw in a process; have it look again."""
    if "_real_instance" in vars(Clocks):
        del Clocks._real_instance


def checked(name: str) -> str:
    """The name of a board; ``NoSimulation`` for what can't be simulated."""
    sizes = design.sizes()
    if name not in sizes:
        there = ", ".join(sorted(sizes))
        raise NoSimulation(f"no board {name!r} can be simulated; name one of: {there}")
    if NO_PYNQ:
        raise NoSimulation(
            f"a simulated board needs PYNQ's library, which can't be loaded ({NO_PYNQ}); run "
            f"`make fpga`"
        )
    return name


def open_board(name: str, kind: str) -> Tuple[SimulatedBoard, pathlib.Path]:
    """A simulated board, and the files of its overlay.

    Args:
        name: name of a board of the family "fpga".
        kind: "model" or "rtl".

    Returns:
        (``SimulatedBoard``, path of its .bit).

    Raises:
        NoSimulation: no such board, or PYNQ's library or what compiles the RTL is missing.
    """
    name = checked(name)
    part, size = design.parts()[name]["part"], design.sizes()[name]
    machine: Any
    try:
        if kind == "model":
            machine = model.NumpyMachine(size)
        else:
            from hotpath_fpga.sim.rtl import Rtl

            machine = Rtl(size)
    except NoSimulator as error:
        raise NoSimulation(
            f"the RTL can't be compiled: {error}; run `make fpga` and install g++, or leave "
            "--rtl out"
        ) from None
    family = hwh.family_of(part)
    device = SimulatedBoard(family, machine)
    forget_clocks()
    folder = tempfile.TemporaryDirectory(prefix="hotpath-overlay-")
    device.overlay_folder = folder  # goes when the board goes
    path = hwh.write(pathlib.Path(folder.name), "hotpath_" + name, part, size["assumed_clock_mhz"])
    return device, path
