"""Drives an overlay that contains the accelerator: registers, memory, programs.

It uses only PYNQ's public interface (``Overlay``, ``allocate``, ``Clocks``, a cell's ``read`` and
``write``), so that this file is the same on a board and on a simulated one. PYNQ is imported when
an overlay is opened. tables.toml explains the registers.

Every wait has a limit. A program that has not ended by then is stopped, and the accelerator can be
used again.
"""

import importlib
import pathlib
import time
import warnings
from collections import namedtuple
from typing import Any, Callable, Sequence

import numpy as np

from hotpath.base.errors import BadOverlay, FabricFailed, NoFabric
from hotpath.base.messages import PYNQ, make_command
from hotpath.kernels.fpga import tables

CELL = "engine"  # name of the accelerator in the block design, and so in PYNQ's ip_dict
WORD = 16  # bytes; what memory for the fabric is aligned to
ADDRESSES = 1 << 32
LEAST_BYTES = 8192  # smaller buffers may lie above 4 GB, where the accelerator does not reach
PATIENCE, LEAST_S, MOST_S = 8, 0.05, 0.5  # times what a program should take; seconds
POLL_S = 0.0001
STOP_S = 0.05
CLOCK_MARGIN = 1.01
# registers that a program needs, in the order of their offsets
GIVEN = ("PROGRAM", "REGION0", "REGION1", "REGION2", "FRAME", "STRIDE", "LINE", "BORDER")


class SharedBuffer:
    """Memory that processor and fabric share.

    Attributes:
        array: uint8, as the processor sees it.
        address: as the fabric sees it.
        host: address as the processor sees it.
        size: bytes.
    """

    def __init__(self, held: Any) -> None:
        self._held = held  # PYNQ's buffer: it goes when this goes
        self.array = held.view(np.ndarray)
        self.address, self.host = int(held.device_address), self.array.ctypes.data
        self.size = self.array.size

    def flush(self) -> None:
        """Write the processor's cache back to memory, for the whole buffer."""
        self._held.flush()

    def invalidate(self) -> None:
        """Drop the cached copy, to read what the fabric wrote; unflushed writes are lost."""
        self._held.invalidate()


class Fabric:
    """An overlay with our accelerator in it.

    Args:
        path: path of the .bit; the .hwh is beside it.
        clock_mhz: most that the overlay was built for.
        device: PYNQ's; None for the one that is there.

    Raises:
        NoFabric: no PYNQ, or no board.
        BadOverlay: see there.
    """

    def __init__(self, path: pathlib.Path, clock_mhz: float, device: Any = None) -> None:
        _check_files(path)
        self.pynq = _library()
        self.path, self.clock_mhz = path, clock_mhz
        self._cycles, self._should_s, self._started = 0, 0.0, 0.0  # of the last program
        try:
            self.device = device or self.pynq.Device.active_device
        except RuntimeError as error:
            raise NoFabric(
                f"PYNQ finds no FPGA here ({error}); on the board start with `{PYNQ} "
                "runtime.track …`, on a computer simulate one with `python -m "
                "hotpath_fpga.track`"
            ) from None
        self._load()

    def _load(self) -> None:
        """Put the overlay into the fabric."""
        try:
            # apart from its download: PYNQ 4.0.0 needs a frequency that no Zynq-7000's .hwh has
            self._overlay = self.pynq.Overlay(str(self.path), download=False, device=self.device)
            for clock in getattr(self._overlay, "clock_dict", {}).values():
                if "frequency" in clock and clock["frequency"] is None:
                    clock["frequency"] = float(self.clock_mhz)
            self._overlay.download()
            cells = self._overlay.ip_dict
            self._cell: Any = getattr(self._overlay, CELL) if CELL in cells else None
        except Exception as error:  # PYNQ's own kinds: OSError, RuntimeError, TypeError …
            if isinstance(error, OSError) and "ermission" in str(error):
                raise NoFabric(
                    f"PYNQ reaches the FPGA only as root; start with `{PYNQ} runtime.track …`"
                ) from error
            why = "{}: {}".format(type(error).__name__, " ".join(str(error).split()))
            raise BadOverlay(
                f"{self.path} can't be loaded: {why}; build it again with "
                f"`{make_command('overlay')}`"
            ) from error
        if self._cell is None:
            there = ", ".join(sorted(cells)) or "none at all"
            raise BadOverlay(
                f"{self.path} is none of this project's overlays: it has no cell {CELL!r}, but "
                f"{there}"
            )
        # PYNQ's own write takes 7,000 instructions of a Cortex-A9; one of an array takes 1,000
        words = getattr(getattr(self._cell, "mmio", None), "array", None)
        self._words = words if isinstance(words, np.ndarray) and words.dtype == np.uint32 else None
        self._slow_down()
        layout = self.read("ID")
        if layout != tables.MAGIC:
            raise BadOverlay(
                f"{self.path} has another layout of registers (0x{layout:08X}) than this checkout "
                f"(0x{tables.MAGIC:08X}); build it again with `{make_command('overlay')}`"
            )

    def _slow_down(self) -> None:
        """Lower the clock until it is not above the one that the overlay was built for."""
        clocks = self.pynq.Clocks
        target_mhz = float(self.clock_mhz)
        with warnings.catch_warnings():  # PYNQ's, that it takes the nearest one
            warnings.simplefilter("ignore")
            while clocks.fclk0_mhz > self.clock_mhz * CLOCK_MARGIN and target_mhz > 1:
                clocks.fclk0_mhz = target_mhz
                target_mhz *= 0.97
        self.clock_mhz = float(clocks.fclk0_mhz)

    def read(self, name: str) -> int:
        """Read a register."""
        if self._words is not None:
            return int(self._words[tables.REGISTERS[name] >> 2])
        return int(self._cell.read(tables.REGISTERS[name]))

    def _write(self, name: str, value: int) -> None:
        """Write a register."""
        if self._words is not None:
            self._words[tables.REGISTERS[name] >> 2] = value
        else:
            self._cell.write(tables.REGISTERS[name], value)

    def allocate(self, count: int) -> SharedBuffer:
        """A ``SharedBuffer`` of at least ``count`` bytes.

        Raises:
            FabricFailed: there is no such memory, or not where the accelerator reaches.
        """
        count = max(count, LEAST_BYTES)
        try:
            held = self.pynq.allocate((count,), "u1", target=self.device, cacheable=1)
        except (MemoryError, RuntimeError, OSError) as error:
            raise FabricFailed(
                f"no {count} bytes of memory for the fabric: {error}; close other programs that "
                "use it, or give Linux a larger CMA"
            ) from error
        self.check_place(int(held.device_address), count, WORD)
        buffer = SharedBuffer(held)
        # else lines of a cache that hold its first contents may be written over results later
        buffer.flush()
        return buffer

    def check_place(self, address: int, count: int, aligned: int) -> None:
        """Refuse memory that the accelerator can't take.

        Raises:
            FabricFailed: it is not aligned, or above 4 GB.
        """
        if address % aligned:
            raise FabricFailed(
                f"a buffer at 0x{address:X} is not aligned to {aligned} bytes, which the fabric "
                "needs; allocate it with pynq.allocate"
            )
        if address + count > ADDRESSES:
            raise FabricFailed(
                f"a buffer at 0x{address:X} lies beyond the 4 GB that the fabric reaches; keep "
                "Linux's CMA below with the boot option cma=SIZE@0-2G"
            )

    def start(self, values: Sequence[int], cycles: int) -> None:
        """Start a program and return at once. No program may be running.

        Args:
            values: values of ``GIVEN``.
            cycles: that it should take.
        """
        for name, value in zip(GIVEN, values):
            self._write(name, value)
        self._cycles, self._should_s = cycles, cycles / (self.clock_mhz * 1e6)
        self._started = time.monotonic()
        try:
            self._write("CONTROL", tables.START)
        except BaseException:  # Ctrl-C too: the next program must not meet this one
            self.stop()
            raise

    def finish(self, describe: Callable[[int], str]) -> None:
        """Wait until the program that ``start`` started has ended.

        Args:
            describe: function of a command's number -> text, for errors.

        Raises:
            FabricFailed: it did not end well; the accelerator was stopped and can be used again.
        """
        cycles, should_s = self._cycles, self._should_s
        try:
            status = self._wait(should_s, min(max(PATIENCE * should_s, LEAST_S), MOST_S))
        except BaseException:  # as above
            self.stop()
            raise
        if status & tables.IS_BUSY or not status & (tables.IS_DONE | tables.IS_ERROR):
            self.stop()
            raise FabricFailed(
                f"the fabric did not finish: its {cycles:,} cycles take {should_s * 1e3:.1f} ms "
                f"at {self.clock_mhz:g} MHz; it was stopped, so try again; if it stays so, load "
                "the overlay anew (power off and on)"
            )
        if status & tables.IS_ERROR:
            code, number = status >> 8 & 0xF, status >> 16 & 0xFFFF
            self.stop()
            reason = _REASONS.get(code, f"error {code}")
            raise FabricFailed(
                f"the fabric stopped at command {describe(number)}: {reason}; it is ready again, "
                "so try again; if it stays so, build the bundle and the overlay again"
            )

    def _wait(self, should_s: float, most_s: float) -> int:
        """STATUS once the program is not busy, or ``most_s`` after this call began."""
        soon, end = self._started + should_s * 1.5, time.monotonic() + most_s
        status = self.read("STATUS")
        if status & tables.IS_BUSY:
            time.sleep(max(0.0, self._started + should_s * 0.9 - time.monotonic()))
        while status & tables.IS_BUSY:
            status, now = self.read("STATUS"), time.monotonic()
            if now > end:
                break
            # Busy-poll until then: latency matters more than processor time here.
            if status & tables.IS_BUSY and now > soon:
                time.sleep(POLL_S)
        return status

    def stop(self) -> None:
        """Stop the running program. Load the overlay again when the accelerator does not stop."""
        self._write("CONTROL", tables.STOP)
        end = time.monotonic() + STOP_S
        while self.read("STATUS") & tables.IS_BUSY:
            if time.monotonic() > end:
                self._load()
                return
            time.sleep(POLL_S)

    def close(self) -> None:
        """Leave the accelerator idle."""
        self._write("CONTROL", tables.STOP)


def _check_files(path: pathlib.Path) -> None:
    for file in (path, path.with_suffix(".hwh")):
        if not file.is_file():
            raise BadOverlay(
                f"there is no overlay {file}; run "
                f"`{make_command('overlay', BOARD=path.parent.parent.name)}` where Vivado is "
                "installed and copy its .bit and .hwh there"
            )


_Library = namedtuple("_Library", "version Overlay allocate Clocks Device")


def _library() -> _Library:
    """PYNQ's classes."""
    try:
        pynq = importlib.import_module("pynq")
        device = importlib.import_module("pynq.pl_server.device").Device
        return _Library(pynq.__version__, pynq.Overlay, pynq.allocate, pynq.Clocks, device)
    except (ImportError, AttributeError) as error:
        raise NoFabric(
            f"PYNQ's library can't be loaded ({error}); on the board start with `{PYNQ} "
            f"runtime.track …`, on a computer run `{make_command('fpga')}` and `python -m "
            "hotpath_fpga.track`"
        ) from None


_REASONS = {
    tables.ERRORS["READ"]: "memory answered a read with an error",
    tables.ERRORS["WRITE"]: "memory answered a write with an error",
    tables.ERRORS["COMMAND"]: "it is not a command that the accelerator knows",
}
