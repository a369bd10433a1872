"""The definition of how a JPEG becomes planes: baseline, 8 bits, Huffman codes.

It is slow, and decodes whole pictures. ``kernels/cpu/jpeg.h`` gives the same values for the part of
a picture that is asked for. Both compute the inverse transform as libjpeg's accurate one.
"""

import struct
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from kernels.planes import Planes

SCALES = (1, 2, 4, 8)  # at which a picture can be decoded


def _diagonal(place: int) -> Tuple[int, int]:
    """Number of a coefficient's diagonal, and its place there. Diagonals change direction."""
    row, column = divmod(place, 8)
    return row + column, column if (row + column) % 2 == 0 else row


# place of a coefficient in a block's rows, in the order in which they are coded
ZIGZAG = sorted(range(64), key=_diagonal)

# The codes of the standard's annex K as its segments DHT have them: cameras of Motion JPEG leave
# them out. Every AC code is followed by the bits of run and size.
STANDARD_TABLES = bytes.fromhex(
    "0000010501010101010100000000000000"
    "000102030405060708090a0b"
    "100002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a16"
    "1718191a25262728292a3435363738393a434445464748494a535455565758595a63646566676869"
    "6a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6"
    "b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8"
    "f9fa"
    "0100030101010101010101010000000000"
    "000102030405060708090a0b"
    "1100020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434"
    "e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768"
    "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4"
    "b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8"
    "f9fa"
)

# sampling of (brightness, both colours), columns and rows -> kind of planes
SAMPLINGS = {
    ((1, 1),): "GREY",
    ((1, 1), (1, 1), (1, 1)): "I444",
    ((2, 1), (1, 1), (1, 1)): "I422",
    ((2, 2), (1, 1), (1, 1)): "I420",
}

# factors of the inverse transform, times 2 ** 13
BITS, KEPT_BITS = 13, 2  # KEPT_BITS: of fractions after the columns' transform


class NotBaseline(Exception):
    """A JPEG of another kind than this decoder reads, or a damaged one."""


class _Part(NamedTuple):
    """Brightness or a colour."""

    across: int  # blocks in a unit
    down: int
    quant: np.ndarray  # int32 (64,), in the order of rows
    dc: Dict[Tuple[int, int], int]  # (length, code) -> symbol
    ac: Dict[Tuple[int, int], int]


class _Header(NamedTuple):
    width: int
    height: int
    parts: List[_Part]
    interval: int  # units between restarts; 0 for none
    begin: int  # of the coded data


def decode(data: bytes, scale: int = 1) -> Planes:
    """Decode a whole picture.

    Args:
        data: the file.
        scale: one of ``SCALES``: the sides are divided by it, and rounded up.

    Returns:
        its planes; BT.601, full range. Colours with half the resolution both ways are decoded at
        twice the scale's size where it is above 1, and the kind is I444 then.

    Raises:
        NotBaseline: another kind of JPEG, or it is damaged.
    """
    header = _read_header(data)
    kind = kind_of([(part.across, part.down) for part in header.parts])
    units = units_of(kind, header.width, header.height)
    blocks = _coefficients(header, data, units)
    planes = []
    for part, values in zip(header.parts, blocks):
        own = scale // 2 if scale > 1 and kind == "I420" and part is not header.parts[0] else scale
        planes.append(_pixels(values, 8 // own))
    return planes_from(kind, planes, header.width, header.height, scale)


def kind_of(sampling: Sequence[Tuple[int, int]]) -> str:
    """The kind of planes; raises ``NotBaseline``."""
    try:
        return SAMPLINGS[((1, 1),) if len(sampling) == 1 else tuple(sampling)]
    except KeyError:
        raise NotBaseline(f"sampling {sampling}") from None


def units_of(kind: str, width: int, height: int) -> Tuple[int, int]:
    """Columns and rows of units: of the smallest parts that have blocks of every colour."""
    across, down = 8 * (1 + (kind in ("I422", "I420"))), 8 * (1 + (kind == "I420"))
    return -(-width // across), -(-height // down)


def planes_from(
    kind: str, decoded: Sequence[np.ndarray], width: int, height: int, scale: int
) -> Planes:
    """Decoded blocks as ``Planes`` without what lies beyond the picture's edge."""
    if kind == "I420" and scale > 1:
        kind = "I444"
    width, height = -(-width // scale), -(-height // scale)
    columns = -(-width // 2) if kind in ("I420", "I422") else width
    rows = -(-height // 2) if kind == "I420" else height
    shapes = [(height, width), (rows, columns), (rows, columns)]
    cut = [plane[: shape[0], : shape[1]] for plane, shape in zip(decoded, shapes)]
    return Planes(kind, cut, width, height, "601", full_range=True)


def _read_header(data: bytes) -> _Header:
    """Everything before the coded data."""
    quants: Dict[int, np.ndarray] = {}
    codes: Dict[int, Dict[Tuple[int, int], int]] = {}
    _read_codes(STANDARD_TABLES, codes)
    frame: Any = None
    interval, at = 0, 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDB:
            _read_quants(body, quants)
        elif marker == 0xC4:
            _read_codes(body, codes)
        elif marker in (0xC0, 0xC1):
            frame = body
        elif marker == 0xDD:
            interval = struct.unpack(">H", body)[0]
        elif marker == 0xDA:
            width, height, parts = _read_parts(frame, body, quants, codes)
            return _Header(width, height, parts, interval, at)
        elif 0xC2 <= marker <= 0xCF:
            break
    raise NotBaseline("no baseline picture")


def _read_parts(frame: Any, scan: bytes, quants: Any, codes: Any) -> Tuple[int, int, List[_Part]]:
    """Width, height and parts from the headers of the frame and the scan."""
    if frame is None or frame[0] != 8 or frame[5] not in (1, 3) or scan[0] != frame[5]:
        raise NotBaseline("another precision or number of parts")
    height, width = struct.unpack_from(">HH", frame, 1)
    parts = []
    for number in range(frame[5]):
        _, sampling, quant = frame[6 + 3 * number : 9 + 3 * number]
        table = scan[2 + 2 * number]
        sides = (sampling >> 4, sampling & 15) if frame[5] == 3 else (1, 1)
        parts.append(
            _Part(sides[0], sides[1], quants[quant], codes[table >> 4], codes[16 | (table & 15)])
        )
    return width, height, parts


def _read_quants(body: bytes, quants: Dict[int, np.ndarray]) -> None:
    for at in range(0, len(body), 65):
        if body[at] > 3:
            raise NotBaseline("quantisation of 16 bits")
        table = np.zeros(64, np.int32)
        table[ZIGZAG] = np.frombuffer(body, np.uint8, 64, at + 1)
        quants[body[at]] = table


def _read_codes(body: bytes, codes: Dict[int, Dict[Tuple[int, int], int]]) -> None:
    at = 0
    while at < len(body):
        counts, code, place = body[at + 1 : at + 17], 0, at + 17
        table = {}
        for length in range(1, 17):
            for _ in range(counts[length - 1]):
                table[length, code] = body[place]
                code, place = code + 1, place + 1
            code *= 2
        codes[body[at]] = table
        at = place


class _Bits:
    """Reads the coded data bit by bit, between two restarts."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data.replace(b"\xff\x00", b"\xff"))
        self._at = 0

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._at += count
        if self._at > len(self._bits):
            raise NotBaseline("the data ends early")
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def signed(self, size: int) -> int:
        """A value of ``size`` bits; the upper half of them is positive."""
        value = self.take(size)
        return value if size == 0 or value >> (size - 1) else value - (1 << size) + 1

    def symbol(self, codes: Dict[Tuple[int, int], int]) -> int:
        """The next symbol."""
        code = 0
        for length in range(1, 17):
            code = 2 * code + self.take(1)
            if (length, code) in codes:
                return codes[length, code]
        raise NotBaseline("no such code")


def _coefficients(header: _Header, data: bytes, units: Tuple[int, int]) -> List[np.ndarray]:
    """Of every part int32 (rows, columns, 64): the coefficients of its blocks, multiplied."""
    columns, rows = units
    found = [
        np.zeros((rows * part.down, columns * part.across, 64), np.int32) for part in header.parts
    ]
    segments = iter(_segments(data[header.begin :]))
    bits: Optional[_Bits] = None
    for unit in range(columns * rows):
        if bits is None or (header.interval and unit % header.interval == 0):
            bits, before = _Bits(next(segments, b"")), [0] * len(header.parts)
        for index, part in enumerate(header.parts):
            for block in range(part.across * part.down):
                row = unit // columns * part.down + block // part.across
                column = unit % columns * part.across + block % part.across
                values, before[index] = _block(bits, part, before[index])
                found[index][row, column] = values * part.quant
    return found


def _segments(data: bytes) -> List[bytes]:
    """The coded data up to the end marker, parted at the restarts."""
    found, start, at = [], 0, data.find(b"\xff")
    while 0 <= at < len(data) - 1:
        marker = data[at + 1]
        if marker and marker != 0xFF:
            found.append(data[start:at])
            start = at + 2
            if not 0xD0 <= marker <= 0xD7:
                break
        at = data.find(b"\xff", at + (1 if marker == 0xFF else 2))
    return found


def _block(bits: _Bits, part: _Part, before: int) -> Tuple[np.ndarray, int]:
    """The coefficients of a block, and its first one, from which the next block's is told."""
    values = np.zeros(64, np.int32)
    values[0] = before + bits.signed(bits.symbol(part.dc))
    place = 0
    while place < 63:
        symbol = bits.symbol(part.ac)
        run, size = symbol >> 4, symbol & 15
        if size == 0 and run != 15:
            break
        place += run + 1
        if place > 63:
            raise NotBaseline("too many coefficients")
        values[ZIGZAG[place]] = bits.signed(size)
    return values, int(values[0])


def _pixels(values: np.ndarray, side: int) -> np.ndarray:
    """Blocks of coefficients (rows, columns, 64) as pixels, ``side`` of them in a block's side."""
    rows, columns = values.shape[:2]
    blocks = values.reshape(rows, columns, 8, 8).astype(np.int64)
    if side == 1:
        pixels = (blocks[:, :, :1, :1] + 4) >> 3
    else:
        passes = {8: _inverse_8, 4: _inverse_4, 2: _inverse_2}[side]
        more = {8: 0, 4: 1, 2: 2}[side]
        upright = np.moveaxis(blocks, 2, 0)  # coefficients of a column first
        kept = _rounded(passes(upright), BITS - KEPT_BITS + more)
        lying = np.moveaxis(kept, 3, 0)  # those of a row first
        pixels = _rounded(passes(lying), BITS + KEPT_BITS + 3 + more)
        pixels = np.moveaxis(pixels, (0, 1), (3, 2))
    flat = np.moveaxis(pixels, 2, 1).reshape(rows * side, columns * side)
    return np.clip(flat + 128, 0, 255).astype(np.uint8)


def _rounded(values: np.ndarray, bits: int) -> np.ndarray:
    return (values + (1 << (bits - 1))) >> bits


def _inverse_8(c: np.ndarray) -> np.ndarray:
    """Eight pixels of eight coefficients, times 2 ** 13 (Loeffler, Ligtenberg, Moschytz)."""
    shared = (c[2] + c[6]) * 4433
    low, high = shared + c[2] * 6270, shared - c[6] * 15137
    both, difference = (c[0] + c[4]) << BITS, (c[0] - c[4]) << BITS
    even = (both + low, difference + high, difference - high, both - low)

    a, b = c[7] + c[1], c[5] + c[3]
    third, fourth = c[7] + c[3], c[5] + c[1]
    shared = (third + fourth) * 9633
    a, b = a * -7373, b * -20995
    third, fourth = third * -16069 + shared, fourth * -3196 + shared
    odd = (
        c[1] * 12299 + a + fourth,
        c[3] * 25172 + b + third,
        c[5] * 16819 + b + fourth,
        c[7] * 2446 + a + third,
    )
    up = [one + other for one, other in zip(even, odd)]
    down = [one - other for one, other in zip(even, odd)]
    return np.stack(up + down[::-1])


def _inverse_4(c: np.ndarray) -> np.ndarray:
    """Four pixels, each the mean of two of the eight, times 2 ** 14."""
    middle = c[0] << (BITS + 1)
    slope = c[2] * 15137 - c[6] * 6270
    inner = c[1] * 8697 - c[3] * 17799 + c[5] * 11893 - c[7] * 1730
    outer = c[1] * 20995 + c[3] * 7373 - c[5] * 4926 - c[7] * 4176
    high, low = middle + slope, middle - slope
    return np.stack([high + outer, low + inner, low - inner, high - outer])


def _inverse_2(c: np.ndarray) -> np.ndarray:
    """Two pixels, each the mean of four of the eight, times 2 ** 15."""
    middle = c[0] << (BITS + 2)
    slope = c[1] * 29692 - c[3] * 10426 + c[5] * 6967 - c[7] * 5906
    return np.stack([middle + slope, middle - slope])
