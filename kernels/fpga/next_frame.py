"""Prepares a target's next frame while the fabric computes the one before it.

``gather`` copies the pixels around the target into the fabric's memory, more than the window will
need, and writes the tables of the sizes that the window may have. When the results are there,
``hand_on`` selects in them, finds the next window, and starts its program in one compiled call.
``kernels/cpu/fabric_next.h`` has both calls.
"""

import ctypes
import struct

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.errors import NO_SCORE, NetworkFailed
from kernels.fpga import native, resize, tables
from kernels.fpga.fabric import Buffer, Fabric
from kernels.fpga.frame import Frames
from kernels.fpga.window import Pictures

KEPT = 48  # tables of an engine, at most 64; the windows of a target have few different sizes
# Parts of fabric_next.h: hp_table_store, hp_kept_tables, hp_fabric_next.
STORE, TABLES, NEXT = struct.Struct("=2q"), struct.Struct("=5q"), struct.Struct("=10q")
PIXELS, PIXELS_AT = struct.Struct("=3q"), 2 * 8
SIZE, SIZE_AT = struct.Struct("=2q"), 7 * 8
WRITTEN, WRITTEN_AT = struct.Struct("=q"), 9 * 8


class TableStore:
    """Tables of windows in the fabric's memory, for all targets of an engine.

    Args:
        side: of the crop, pixels.

    Attributes:
        at: address of the store.
    """

    def __init__(self, fabric: Fabric, side: int) -> None:
        self._buffers = [fabric.allocate(resize.bytes_of(side)[1]) for _ in range(KEPT)]
        self._store = ctypes.create_string_buffer(STORE.size + KEPT * TABLES.size)
        self.at = ctypes.addressof(self._store)
        STORE.pack_into(self._store, 0, 0, KEPT)
        for index, buffer in enumerate(self._buffers):
            place = STORE.size + index * TABLES.size
            TABLES.pack_into(self._store, place, buffer.host, buffer.address, 0, 0, 0)

    def flush(self, written: int) -> None:
        """Write the cache of the tables back that have a bit in ``written``."""
        while written:
            lowest = written & -written
            self._buffers[lowest.bit_length() - 1].flush()
            written ^= lowest


class NextFrame:
    """The next frame of one target.

    Args:
        frames: of the target.
        pictures: memory for its pixels.
        store: of the engine.

    Attributes:
        frames: as given.
    """

    def __init__(
        self, kernels: Kernels, frames: Frames, pictures: Pictures, store: TableStore
    ) -> None:
        self.frames, self._pictures, self._store = frames, pictures, store
        self._gather = native.function(kernels, "hp_fabric_gather", 2)
        self._hand_on = native.function(kernels, "hp_fabric_hand_on", 3, ctypes.c_uint32)
        self._pointer = native.capsule_pointer()
        self._job = ctypes.create_string_buffer(NEXT.size)
        self._at = ctypes.addressof(self._job)
        NEXT.pack_into(self._job, 0, frames.at, store.at, *[0] * 8)

    def gather(self, frame: np.ndarray) -> bool:
        """Copy the pixels around the target; the slot that the fabric reads stays as it is.

        Args:
            frame: any array in ordinary memory. Its contents must not change until ``hand_on``
                has failed or succeeded.

        Returns:
            False where it is no BGR uint8 frame of the target's size, or the window is large;
            nothing was done then.
        """
        slot, capsule = self._pictures.slots[1], frame.__array_struct__
        array = self._pointer(capsule, None)
        self._give(slot.pixels)
        done = self._gather(self._at, array)
        if done == native.PIXELS_TOO_MANY:
            columns, rows = SIZE.unpack_from(self._job, SIZE_AT)
            slot.pixels = self._pictures.memory_for(columns, rows)
            self._give(slot.pixels)
            done = self._gather(self._at, array)
        if done != native.DONE:
            return False
        slot.pixels.flush()
        self.flush_tables()
        return True

    def _give(self, pixels: Buffer) -> None:
        PIXELS.pack_into(self._job, PIXELS_AT, pixels.host, pixels.address, pixels.size)

    def flush_tables(self) -> None:
        """Write the cache of all tables back that the last call wrote."""
        (written,) = WRITTEN.unpack_from(self._job, WRITTEN_AT)
        if written:
            self._store.flush(written)

    def hand_on(self, memory: int, cycles: int) -> int:
        """Select in a program's results, and start the program of the frame that was gathered.

        Args:
            memory: address of the target's memory, as the processor sees it.
            cycles: that the program should take.

        Returns:
            NOT_PREPARED: the window has other pixels, and no program runs. PREPARED, STARTED: it
            runs. In all cases ``frames.result`` is that of the results.

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        fabric = self._pictures.fabric
        try:
            done: int = self._hand_on(self._at, memory, fabric.registers_at, tables.START)
            if done == native.STARTED:
                fabric.begin(cycles)
        except BaseException:  # Ctrl-C too: the next program must not meet this one
            fabric.stop()
            raise
        if done < 0:
            raise NetworkFailed(NO_SCORE)
        if done:
            self._pictures.slots.reverse()
        if done == native.PREPARED:
            self.flush_tables()
            fabric.start_prepared(self.frames.registers_at, self.frames.registers, cycles)
        return done
