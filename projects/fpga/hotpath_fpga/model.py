"""The engine in NumPy. Tests compare the RTL with this definition, bit for bit.

``NumpyMachine`` executes a program's commands from its memory, one after the other in the order of
the list; in fabric the four units work at the same time and the commands' waits make the result the
same (``compiler.hazards`` makes them). Time is not modelled: CYCLES and BUSY both count the steps
of the array.

Exact: a sum of products of int8 is a sum of whole numbers, which float32 adds without an error up
to 2**24 and float64 up to 2**53; what BLAS does in which order does not matter.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.tables import Fields, Size

BASE = 0x10000000  # physical address of memory[0]
WORD = 16  # bytes of a word, lanes of int8
TILE = 256
PARAMS_ENTRIES, PARAMS_BYTES = 64, 128
TABLE_BYTES, PIXELS_BYTES = 256, 768
MOST_COLUMNS = 512  # entries of COLUMNS and of ROWS
RESIZE_BYTES = 8
ADDRESSES = 0xFFFF  # addresses in the engine have 16 bits
EXACT = {np.float32: 2**24, np.float64: 2**53}
ERROR_BITS, COMMAND_BITS = 8, 16  # where STATUS has them


class Fault(Exception):
    """A command that ends the program: its error code (``tables.ERRORS``)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.code = tables.ERRORS[name]


class NumpyMachine:
    """One engine and the memory it sees.

    Args:
        memory_bytes: size of the simulated DRAM.

    Attributes:
        memory: uint8, the DRAM; memory[0] has the physical address ``BASE``.
        maps: int8 (lanes, words, 16), the map memory.
        trace: list of (number of the command, name, steps of the array) of the last run.
    """

    def __init__(self, size: Size, memory_bytes: int = 1 << 26) -> None:
        self.size = size
        self.memory = np.zeros(memory_bytes, np.uint8)
        self.trace: List[Tuple[int, str, int]] = []
        self._lanes, self._words = size["lanes"], size["map_words"]
        self.maps = np.zeros((self._lanes, self._words, WORD), np.int8)
        self._stores = {  # what LOAD writes, as bytes
            "WEIGHTS": np.zeros(size["weight_tiles"] * TILE, np.uint8),
            "PARAMS": np.zeros(PARAMS_ENTRIES * PARAMS_BYTES, np.uint8),
            "TABLE": np.zeros(TABLE_BYTES, np.uint8),
            "PIXELS": np.zeros(PIXELS_BYTES, np.uint8),
            "COLUMNS": np.zeros(MOST_COLUMNS * RESIZE_BYTES, np.uint8),
            "ROWS": np.zeros(MOST_COLUMNS * RESIZE_BYTES, np.uint8),
        }
        self._tiles = self._stores["WEIGHTS"].view(np.int8).reshape(-1, WORD, WORD)
        self._registers = dict.fromkeys(tables.REGISTERS, 0)
        self._registers["ID"] = tables.MAGIC
        self._registers["SIZE"] = tables.size_register(size)
        self._started = False

    # -- registers

    def write(self, offset: int, value: int) -> None:
        """Write a register. A read-only register stays unchanged."""
        name = _NAMES.get(offset)
        if name == "CONTROL":
            self._control(value)
        elif name is not None and "w" in tables.ACCESS[name]:
            self._registers[name] = value & 0xFFFFFFFF

    def read(self, offset: int) -> int:
        """Read a register; 0 if there is none to read."""
        name = _NAMES.get(offset)
        return self._registers[name] if name and "r" in tables.ACCESS[name] else 0

    def _control(self, value: int) -> None:
        if value & tables.STOP:
            self._started = False
            self._registers["STATUS"] = self._registers["STATUS"] & ~tables.IS_BUSY
        elif value & tables.START and not self._started:
            self._started = True
            for name in ("CYCLES", "BUSY", "READ", "WRITTEN"):
                self._registers[name] = 0
            self._registers["STATUS"] = tables.IS_BUSY

    # -- programs

    def run(self, limit: Optional[int] = None) -> bool:
        """Run a started program to its end.

        Args:
            limit: not used, as this model has no cycles.

        Returns:
            True if the engine is idle, False if a command waits for an event that never comes.
        """
        if not self._started:
            return True
        self.trace = []
        number = 0
        self._ended = dict.fromkeys(("load", "crop", "conv", "store"), 0)
        try:
            while True:
                name, fields = self._fetch(number)
                if any(fields["wait_" + unit] > count for unit, count in self._ended.items()):
                    return False
                if name == "END":
                    self._stop(tables.IS_DONE)
                    return True
                steps = _UNITS[name](self, fields)
                self._ended[name.lower()] += 1
                self.trace.append((number, name, steps))
                number += 1
        except Fault as fault:
            self._stop(tables.IS_ERROR | fault.code << ERROR_BITS | number << COMMAND_BITS)
            return True

    def _stop(self, status: int) -> None:
        steps = int(sum(entry[2] for entry in self.trace))
        self._registers["BUSY"] = steps
        self._registers["CYCLES"] = steps
        self._registers["STATUS"] = status
        self._started = False

    def _fetch(self, number: int) -> Tuple[str, Fields]:
        data = self._take(self._registers["PROGRAM"] + number * tables.COMMAND_BYTES, 64)
        try:
            return tables.unpack(data.tobytes())
        except tables.BadCommandTable:
            raise Fault("COMMAND") from None

    # -- memory

    def _place(self, address: int, count: int, fault: str) -> int:
        """The address as an index of ``memory``, count bytes of which must be there."""
        start = address - BASE
        if start < 0 or start + count > self.memory.size:
            raise Fault(fault)
        return start

    def _take(self, address: int, count: int) -> np.ndarray:
        start = self._place(address, count, "READ")
        self._registers["READ"] += -(-count // self.size["bus_bytes"])
        return self.memory[start : start + count]

    def _region(self, fields: Fields) -> int:
        if fields["region"] not in _REGIONS:
            raise Fault("COMMAND")
        return self._registers["REGION{}".format(fields["region"])] + fields["offset"]

    # -- the units

    def _load(self, fields: Fields) -> int:
        if fields["target"] not in _TARGETS:
            raise Fault("COMMAND")
        store = self._stores[_TARGETS[fields["target"]]]
        data = self._take(self._region(fields), fields["bytes"])
        first = fields["beat"] * WORD
        store[first : first + data.size] = data[: max(0, store.size - first)]
        return 0

    def _store(self, fields: Fields) -> int:
        rows, width = fields["rows"], fields["width"]
        places = self._addresses(fields, "", fields["first_row"] + np.arange(rows), 1, width)
        words = self.maps[places]
        start = self._place(self._region(fields), rows * width * WORD, "WRITE")
        self.memory[start : start + rows * width * WORD] = words.view(np.uint8).ravel()
        self._registers["WRITTEN"] += -(-rows * width * WORD // self.size["bus_bytes"])
        return 0

    def _crop(self, fields: Fields) -> int:
        rows, words, size = fields["rows"], fields["words"], fields["size"]
        picture = self._resized(fields["first_row"], rows, size)
        pixels = self._stores["PIXELS"].view(np.int8).reshape(3, 256)
        values = pixels[np.arange(3), picture]
        if fields["overlap"]:  # pixels 4w-1 ... 4w+3
            wide = np.zeros((rows, 4 * words + 1, 3), np.int8)
            kept = min(size, 4 * words)
            wide[:, 1 : kept + 1] = values[:, :kept]
            output = np.concatenate([wide[:, i : i + 4 * words : 4] for i in range(5)], axis=2)
        else:
            output = np.zeros((rows, words, 3), np.int8)
            kept = min(size, words)
            output[:, :kept] = values[:, :kept]
        result = np.zeros((rows, words, WORD), np.int8)
        result[:, :, : output.shape[2]] = output
        self.maps[self._addresses(fields, "", np.arange(rows), 1, words)] = result[:, None]
        return 0

    def _resized(self, first: int, rows: int, size: int) -> np.ndarray:
        """Rows ``first`` ... of the crop: (rows, size, 3) uint8."""
        columns = self._entries("COLUMNS", 0, size)
        left = columns[:, 0].astype(np.int16).astype(np.int64)
        flags = columns[:, 1] & 0xFF
        across = (left, columns[:, 2], flags & 1), (left + 1, columns[:, 3], flags >> 1 & 1)
        entries = self._entries("ROWS", first, rows)
        total = np.full((rows, size, 3), 2, np.int64)
        for at in (0, 1):  # the upper, the lower row
            outside = entries[:, 2 + at] >> 15 == 1
            lines, which = np.unique(
                np.where(outside, -1, entries[:, at].astype(np.int16)), return_inverse=True
            )
            pixels = self._across(lines, outside.any(), across)[which.reshape(-1)]
            total += (pixels * (entries[:, 2 + at] & 0x7FFF)[:, None, None]) >> 16
        return (total >> 2).astype(np.uint8)

    def _across(
        self, lines: np.ndarray, border: bool, across: Sequence[Sequence[np.ndarray]]
    ) -> np.ndarray:
        """Some lines of the frame resized across: (lines, size, 3); line -1 is the border's."""
        colour = np.array([self._registers["BORDER"] >> shift & 0xFF for shift in (0, 8, 16)])
        length = self._registers["LINE"]
        pixels = np.zeros((len(lines), max(length // 3, 1), 3), np.int64)
        for index, line in enumerate(lines):
            if length == 0 or (line < 0 and border):
                pixels[index] = colour
            else:
                address = self._registers["FRAME"] + int(line) * self._registers["STRIDE"]
                pixels[index] = self._take(address, length).reshape(-1, 3)
        total: Any = 0
        for place, weight, outside in across:
            value = pixels[:, np.clip(place, 0, pixels.shape[1] - 1)]
            if length == 0 or outside.any():
                value[:, outside == 1 if length else slice(None)] = colour
            total = total + value * weight[:, None]
        return total >> 4

    def _entries(self, target: str, first: int, count: int) -> np.ndarray:
        """Entries of COLUMNS or ROWS as four uint16 each: (count, 4) int64."""
        entries = self._stores[target].view("<u2").reshape(-1, 4)
        return entries[(first + np.arange(count)) % MOST_COLUMNS].astype(np.int64)

    def _conv(self, fields: Fields) -> int:
        height, width = fields["out_height"], fields["out_width"]
        kernel = fields["kernel_height"], fields["kernel_width"]
        blocks, out_blocks = fields["in_blocks"], fields["out_blocks"]
        groups = -(-height // self._lanes)

        taken = self._patches(fields).reshape(height * width, -1)
        tiles = kernel[0] * kernel[1] * blocks * out_blocks
        first = fields["weight_tile"] + np.arange(tiles)
        weight = self._tiles[(first & ADDRESSES) % len(self._tiles)]
        weight = weight.reshape(out_blocks, -1, WORD, WORD).transpose(1, 3, 0, 2)
        weight = weight.reshape(taken.shape[1], -1)
        total = _product(taken, weight)
        entries = (fields["param_entry"] + np.arange(out_blocks)) % PARAMS_ENTRIES
        entries = self._stores["PARAMS"].reshape(-1, PARAMS_BYTES)[entries]
        bias = entries[:, :64].copy().view("<i4").ravel()
        output = requantised(total, bias, entries[:, 64:80].ravel())
        if fields["relu"]:
            np.maximum(output, 0, out=output)
        if fields["table"]:
            output = self._stores["TABLE"].view(np.int8)[output.view(np.uint8)]

        rows = fields["out_row"] + np.arange(height)
        output = output.reshape(height, width, out_blocks, WORD).transpose(0, 2, 1, 3)
        self.maps[self._addresses(fields, "out_", rows, out_blocks, width)] = output
        return groups * width * tiles

    def _patches(self, fields: Fields) -> np.ndarray:
        """What each output sees, (height, width, ky, kx, in_blocks * 16) int8, zeros outside."""
        height, width = fields["out_height"], fields["out_width"]
        strides = fields["stride_y"], fields["stride_x"]
        dilation, blocks = fields["dilation"], fields["in_blocks"]
        kernel = fields["kernel_height"], fields["kernel_width"]
        rows, columns = fields["in_height"], fields["in_width"]
        top, left = (fields["pad_top"] ^ 0x8000) - 0x8000, fields["pad_left"]  # top has a sign
        tall = max((height - 1) * strides[0] + (kernel[0] - 1) * dilation + 1, top + rows)
        wide = max((width - 1) * strides[1] + (kernel[1] - 1) * dilation + 1, left + columns)
        padded = np.zeros((tall, wide, blocks, WORD), np.int8)
        words = self.maps[self._addresses(fields, "in_", np.arange(rows), blocks, columns)]
        words = words[max(0, -top) :]
        top = max(0, top)
        padded[top : top + len(words), left : left + columns] = words.transpose(0, 2, 1, 3)
        shape = (height, width) + kernel + (blocks * WORD,)
        return _windows(padded.reshape(tall, wide, -1), shape, strides, dilation)

    def _addresses(
        self, fields: Fields, prefix: str, rows: np.ndarray, blocks: int, width: int
    ) -> Tuple[np.ndarray, np.ndarray]:
        """(bank, address) of a map's words, to be broadcast to (rows, blocks, width)."""
        split = fields[prefix + "split"]
        log = self._lanes.bit_length() - 1
        bank = (rows >> split) & (self._lanes - 1)
        q = (rows >> (split + log) << split) | (rows & ((1 << split) - 1))
        address = fields[prefix + "base"] + (q * fields[prefix + "row_pitch"])[:, None, None]
        block_pitch = fields.get(prefix + "block_pitch", 0)
        address = address + (np.arange(blocks) * block_pitch)[:, None] + np.arange(width)
        return bank[:, None, None], (address & ADDRESSES) % self._words


def requantised(total: np.ndarray, bias: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Sums as int8: scaled by a power of two, halves to even, saturated.

    Args:
        total: (n, channels) float32 or float64 whole numbers.
        bias: (channels,) int32.
        shifts: (channels,), 0 to 31; more bits than five are left out.

    Returns:
        (n, channels) int8. The sum with its bias is an int32 that wraps.
    """
    total = total.astype(np.float64)
    total += bias
    if total.size and max(-total.min(), total.max()) >= 2**31:
        total = total.astype(np.int64).astype(np.int32).astype(np.float64)
    total *= 2.0 ** -(shifts.astype(np.int64) & 31)
    np.rint(total, out=total)
    np.clip(total, -128, 127, out=total)
    return total.astype(np.int8)


def _product(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Matrix product of int8 arrays, exact, as float32 or float64 whole numbers."""
    # |value| <= 128, so no partial sum is beyond this
    most = 128 * int(np.abs(weight.astype(np.int16)).sum(axis=0, dtype=np.int64).max())
    kind = np.float32 if most <= EXACT[np.float32] else np.float64
    return np.dot(values.astype(kind), weight.astype(kind))


def _windows(
    array: np.ndarray, shape: Tuple[int, ...], strides: Tuple[int, int], dilation: int
) -> np.ndarray:
    """Windows of (rows, columns, channels), as a view: (rows, columns, ky, kx, channels)."""
    row, column, channel = array.strides
    steps = strides[0] * row, strides[1] * column, dilation * row, dilation * column, channel
    return as_strided(array, shape, steps)


_NAMES = {offset: name for name, offset in tables.REGISTERS.items()}
_TARGETS = {number: name for name, number in tables.TARGETS.items()}
_REGIONS = frozenset(tables.REGIONS.values())
_UNITS: Dict[str, Callable[[NumpyMachine, Fields], int]] = {
    "LOAD": NumpyMachine._load,
    "CROP": NumpyMachine._crop,
    "CONV": NumpyMachine._conv,
    "STORE": NumpyMachine._store,
}
