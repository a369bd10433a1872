"""The waits that order all dependent commands of a program, whatever the speed of the units."""

from typing import List, Optional, Sequence, Tuple

from kernels.fpga.design.compiler.access import UNITS, Touched, accesses
from kernels.fpga.tables import Fields, Size


def _meet(one: Touched, other: Touched) -> Optional[str]:
    """Name of a memory in which two sets of addresses meet, or None."""
    for memory in one:
        if one[memory] & other.get(memory, 0):
            return memory
    return None


def conflict(
    reads: Touched, writes: Touched, other_reads: Touched, other_writes: Touched
) -> Optional[str]:
    """Name of a memory for which the order of two commands matters, or None."""
    return _meet(writes, other_reads) or _meet(writes, other_writes) or _meet(reads, other_writes)


def waits(commands: Sequence[Tuple[str, Fields]], size: Size) -> List[Fields]:
    """The fewest waits with which a list of commands is right.

    Args:
        commands: list of (name, fields) in order.
        size: dict of a section of ``sizes.toml``.

    Returns:
        list of dicts of the fields wait_load, wait_crop, wait_conv, wait_store.
    """
    found: List[Fields] = []
    seen: List[Tuple[str, int, Touched, Touched]] = []
    counts = dict.fromkeys(UNITS.values(), 0)
    for name, fields in commands:
        needed = dict.fromkeys(counts, 0)
        if name == "END":
            needed = dict(counts)
        reads, writes = accesses(name, fields, size)
        for unit, number, other_reads, other_writes in reversed(seen):
            if number <= needed[unit]:
                continue
            if conflict(reads, writes, other_reads, other_writes):
                needed[unit] = number
        found.append({"wait_" + unit: count for unit, count in needed.items()})
        if name in UNITS:
            counts[UNITS[name]] += 1
            seen.append((UNITS[name], counts[UNITS[name]], reads, writes))
    return found
