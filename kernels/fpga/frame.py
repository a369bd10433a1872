"""The processor's part of a target's frames: one compiled call before the fabric, one after it.

``aim`` finds the window and brings its tables and pixels into the fabric's memory. ``found`` reads
the maps, selects, and judges whether the target is lost. ``kernels/cpu/fabric.h`` has both calls.
The tracker's steps in Python are their definition, and what is done where they cannot be used.
"""

import ctypes
import struct
from typing import Optional, Tuple

import numpy as np

from kernels import records
from kernels.cpu.interface import Kernels
from kernels.cpu.select import Select
from kernels.errors import NO_SCORE, NetworkFailed
from kernels.fpga import native, resize
from kernels.fpga.window import Crop
from kernels.planes import Planes
from kernels.settings import LossSettings, WindowSettings

# Parts of hp_fabric_frame in fabric.h, and where they lie. First comes its hp_window_job.
WINDOW, MEMORY = struct.Struct("=4q"), struct.Struct("=6q")
WINDOW_AT, MEMORY_AT = 6 * 8, 10 * 8
REGISTERS_AT = native.WINDOW_JOB.size
PLACES = struct.Struct("=2q")
PLACES_AT = REGISTERS_AT + native.REGISTERS.size
NUMBERS = struct.Struct("=12q5d")
NUMBERS_AT = PLACES_AT + PLACES.size
TARGET, RESULT = struct.Struct("=d"), struct.Struct("=8dq")
RESULT_AT = NUMBERS_AT + NUMBERS.size

# (certainty, reference) of ``runtime.presence.Presence``
Watched = Tuple[float, Optional[np.ndarray]]
# (certainty, scale in x and y, x, y, w, h of the box, score, lost)
Found = Tuple[float, float, float, float, float, float, float, float, int]


class Frames:
    """The frames of one target.

    Args:
        crop: of the search region.
        maps: ``native.Maps`` of the search program.
        arrays: that ``maps`` writes.
        select: the network's compiled select.
        window: where the tracker looks.
        loss: when the target is lost.
        corner: what a box's width is less before its half is the distance to the corner, 0 or 1.
        features: that are compared: (offset in a target's memory, channels, cells a side); None
            where there are none.

    Attributes:
        at: address of the ``hp_fabric_frame``.
        registers_at: address of the values of PROGRAM to BORDER, as ``aim`` prepared them.
    """

    def __init__(
        self,
        kernels: Kernels,
        crop: Crop,
        maps: native.Maps,
        arrays: Tuple[np.ndarray, ...],
        select: Select,
        window: WindowSettings,
        loss: LossSettings,
        corner: int,
        features: Optional[Tuple[int, int, int]],
    ) -> None:
        self._pictures, self._side, self._to_bgr = crop.pictures, crop.side, kernels.to_bgr
        self._aim = native.function(kernels, "hp_fabric_aim", 2)
        self._place = native.function(kernels, "hp_fabric_place", 1)
        self._find = native.function(kernels, "hp_fabric_found", 2)
        self._pointer = native.capsule_pointer()
        self._job = ctypes.create_string_buffer(RESULT_AT + RESULT.size)
        self.at = ctypes.addressof(self._job)
        self.registers_at = self.at + REGISTERS_AT
        self._geometry = records.record(records.GEOMETRY, window)
        self._maps, self._arrays, self._select = maps, arrays, select
        self._loss, self._corner, self._features = loss, corner, features
        self._rows_at = resize.bytes_of(crop.side)[0]
        self._border = 0, 0, 0
        self._held: Tuple[Optional[np.ndarray], ...] = ()

    def begin(
        self,
        state: np.ndarray,
        shape: Tuple[int, ...],
        border: np.ndarray,
        places: Tuple[int, int, int],
        watched: Watched,
    ) -> None:
        """Take a target.

        Args:
            state: float64 [cx, cy, w, h], frame pixels; ``found`` moves it.
            shape: of the frames.
            border: 3 uint8 values for the pixels outside the frame.
            places: addresses for the fabric: the search program's first command, regions 0 and 1.
            watched: of ``runtime.presence.Presence``: certainty and reference.
        """
        certainty, reference = watched
        features = self._features if reference is not None else None
        function, job = self._select.bound(self._arrays, state)
        line = self._pictures.line_bytes
        MEMORY.pack_into(self._job, MEMORY_AT, self._side, 0, self._rows_at, 0, 0, line)
        self._held = state, reference
        self._border = blue, green, red = int(border[0]), int(border[1]), int(border[2])
        colour = blue | green << 8 | red << 16
        native.REGISTERS.pack_into(self._job, REGISTERS_AT, *places, 0, 0, 0, 0, colour)
        NUMBERS.pack_into(
            self._job,
            NUMBERS_AT,
            shape[1],
            shape[0],
            self._geometry.ctypes.data,
            function,
            job,
            self._maps.at,
            self._maps.count,
            reference.ctypes.data if features and reference is not None else 0,
            *(features or (0, 0, 0)),
            self._loss.lost_below > 0,
            *self._loss,
            self._corner,
        )
        TARGET.pack_into(self._job, RESULT_AT, certainty)

    def resize(self, shape: Tuple[int, ...]) -> None:
        """Take frames of another shape from now on; the target's state was scaled already."""
        rest = NUMBERS.unpack_from(self._job, NUMBERS_AT)[2:]
        NUMBERS.pack_into(self._job, NUMBERS_AT, shape[1], shape[0], *rest)

    def registers(self) -> Tuple[int, ...]:
        """The values of PROGRAM to BORDER that ``aim`` prepared."""
        return native.REGISTERS.unpack_from(self._job, REGISTERS_AT)

    def aim(self, frame: np.ndarray) -> bool:
        """Bring the window to search into the fabric's memory, and prepare the registers.

        Args:
            frame: any array in ordinary memory.

        Returns:
            False where it is no BGR uint8 frame of the shape that ``begin`` was told; nothing was
            done then.
        """
        pictures, job = self._pictures, self._job
        slot = pictures.slots[1]  # the other one may be in use
        tables, pixels = slot.resize, slot.pixels
        memory = tables.host, self._rows_at, pixels.host, pixels.size, pictures.line_bytes
        MEMORY.pack_into(job, MEMORY_AT, self._side, *memory)
        PLACES.pack_into(job, PLACES_AT, tables.address, pixels.address)
        capsule = frame.__array_struct__  # what it points at lives as long as it
        done = self._aim(self.at, self._pointer(capsule, None))
        if done == native.DONE:
            tables.flush()
            pixels.flush()
            pictures.slots.reverse()
            return True
        if done != native.OTHER_FRAME:
            self.aim_at(frame)
        return done != native.OTHER_FRAME

    def aim_at(self, frame: np.ndarray) -> None:
        """As ``aim``, for a BGR uint8 frame of the shape that ``begin`` was told."""
        self._place(self.at)
        self._show(frame, WINDOW.unpack_from(self._job, WINDOW_AT))

    def _show(self, frame: np.ndarray, window: Tuple[int, ...]) -> None:
        """Bring a window of a BGR frame into the fabric's memory, and prepare the registers."""
        self._pictures.take(frame, window, self._border, self._side)
        values = self.registers()[:3] + self._pictures.registers
        native.REGISTERS.pack_into(self._job, REGISTERS_AT, *values)

    def aim_in_planes(self, planes: Planes) -> bool:
        """As ``aim_at``, for a frame in planes; only the window is converted to BGR.

        Args:
            planes: of the shape that ``begin`` was told.

        Returns:
            False where the window lies outside the frame; nothing was done then.
        """
        self._place(self.at)
        x, y, width, height = WINDOW.unpack_from(self._job, WINDOW_AT)
        left, top = max(x, 0), max(y, 0)
        columns, rows = min(x + width, planes.width) - left, min(y + height, planes.height) - top
        if columns < 1 or rows < 1:
            return False
        part, left, top = planes.part(left, top, columns, rows)
        self._show(self._to_bgr(part), (x - left, y - top, width, height))
        return True

    def found(self, memory: int) -> None:
        """Find the target in the maps that the fabric wrote, and move its state; see ``result``.

        Args:
            memory: address of the target's memory, as the processor sees it.

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        if self._find(self.at, memory) < 0:
            raise NetworkFailed(NO_SCORE)

    @property
    def result(self) -> Found:
        """What was found last."""
        return RESULT.unpack_from(self._job, RESULT_AT)
