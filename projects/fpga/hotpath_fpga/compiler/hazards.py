"""The waits that order all dependent commands of a program, whatever the speed of the units.

They follow from the addresses that each command reads and writes in the engine's memories. A set of
addresses is an integer with one bit for each, so that ``&`` compares two sets.
"""

from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.tables import Fields, Size
from hotpath_fpga.model import PARAMS_ENTRIES

Touched = Dict[str, int]  # memory's name -> set of addresses

UNITS = {"LOAD": "load", "CROP": "crop", "CONV": "conv", "STORE": "store"}
_TARGETS = {number: name for name, number in tables.TARGETS.items()}
_BEATS = {"WEIGHTS": 16, "PARAMS": 8}  # beats of what is counted as one; all else is one thing


def accesses(name: str, fields: Fields, size: Size) -> Tuple[Touched, Touched]:
    """Return the addresses that a command reads and writes.

    Returns:
        (reads, writes), dicts of memory's name -> set of addresses.
    """
    if name == "END":
        return {}, {}
    touched = {"LOAD": _load, "CROP": _crop, "CONV": _conv, "STORE": _store}[name]
    return touched(fields, size)


def _load(fields: Fields, size: Size) -> Tuple[Touched, Touched]:
    target = _TARGETS[fields["target"]]
    beats = _BEATS.get(target)
    touched = 1
    if beats:
        first, end = fields["beat"] // beats, -(-(fields["beat"] + fields["bytes"] // 16) // beats)
        touched = _run(first, end - first)
    reads: Touched = {}
    if fields["region"] == tables.REGIONS["WORK"]:
        reads["WORK"] = _run(fields["offset"] // 16, fields["bytes"] // 16)
    return reads, {target: touched}


def _crop(fields: Fields, size: Size) -> Tuple[Touched, Touched]:
    rows = _map(size, fields, "", range(fields["rows"]), 1, fields["words"])
    return {"PIXELS": 1, "COLUMNS": 1, "ROWS": 1}, {"MAPS": rows}


def _conv(fields: Fields, size: Size) -> Tuple[Touched, Touched]:
    seen = set()
    top = (fields["pad_top"] ^ 0x8000) - 0x8000  # it has a sign
    for row in range(fields["out_height"]):
        for tap in range(fields["kernel_height"]):
            seen.add(row * fields["stride_y"] + tap * fields["dilation"] - top)
    taken = sorted(row for row in seen if 0 <= row < fields["in_height"])
    read = _map(size, fields, "in_", taken, fields["in_blocks"], fields["in_width"])
    rows = range(fields["out_row"], fields["out_row"] + fields["out_height"])
    written = _map(size, fields, "out_", rows, fields["out_blocks"], fields["out_width"])
    kernel = fields["kernel_height"] * fields["kernel_width"]
    count = kernel * fields["in_blocks"] * fields["out_blocks"]
    tiles = _run(fields["weight_tile"], count, size["weight_tiles"])
    entries = _run(fields["param_entry"], fields["out_blocks"], PARAMS_ENTRIES)
    reads = {"MAPS": read, "WEIGHTS": tiles, "PARAMS": entries}
    if fields["table"]:
        reads["TABLE"] = 1
    return reads, {"MAPS": written}


def _store(fields: Fields, size: Size) -> Tuple[Touched, Touched]:
    rows = range(fields["first_row"], fields["first_row"] + fields["rows"])
    read = _map(size, fields, "", rows, 1, fields["width"])
    words = fields["rows"] * fields["width"]
    return {"MAPS": read}, {"WORK": _run(fields["offset"] // 16, words)}


def _map(
    size: Size, fields: Fields, prefix: str, rows: Iterable[int], blocks: int, width: int
) -> int:
    """Addresses of a map's words, those of bank b from b * map_words on."""
    lanes, words, split = size["lanes"], size["map_words"], fields[prefix + "split"]
    log = lanes.bit_length() - 1
    base, row_pitch = fields[prefix + "base"], fields[prefix + "row_pitch"]
    block_pitch = fields.get(prefix + "block_pitch", 0)
    touched = 0
    for row in rows:
        bank = (row >> split) & (lanes - 1)
        place = (row >> (split + log) << split) | (row & ((1 << split) - 1))
        for block in range(blocks):
            first = (base + place * row_pitch + block * block_pitch) & 0xFFFF
            touched |= _run(first % words, width, words) << bank * words
    return touched


def _run(first: int, count: int, size: Optional[int] = None) -> int:
    """``count`` addresses from ``first`` on, around the end of a memory of ``size``."""
    bits = ((1 << count) - 1) << first
    if size is not None and first + count > size:
        bits = bits & ((1 << size) - 1) | bits >> size
    return bits


def conflict(reads: Touched, writes: Touched, other_reads: Touched, other_writes: Touched) -> bool:
    """Whether the order of two commands matters for any memory."""
    pairs = ((writes, other_reads), (writes, other_writes), (reads, other_writes))
    return any(pair[memory] & other.get(memory, 0) for pair, other in pairs for memory in pair)


def waits(commands: Sequence[Tuple[str, Fields]], size: Size) -> List[Fields]:
    """Return the fewest waits that make a list of commands correct.

    Returns:
        list of dicts of the fields wait_load, wait_crop, wait_conv, wait_store.
    """
    waits: List[Fields] = []
    seen: List[Tuple[str, int, Touched, Touched]] = []
    counts = dict.fromkeys(UNITS.values(), 0)
    for name, fields in commands:
        needed = dict(counts) if name == "END" else dict.fromkeys(counts, 0)
        reads, writes = accesses(name, fields, size)
        for unit, number, other_reads, other_writes in reversed(seen):
            if number > needed[unit] and conflict(reads, writes, other_reads, other_writes):
                needed[unit] = number
        waits.append({"wait_" + unit: count for unit, count in needed.items()})
        if name in UNITS:
            counts[UNITS[name]] += 1
            seen.append((UNITS[name], counts[UNITS[name]], reads, writes))
    return waits
