"""The waits that order all dependent commands of a program, whatever the speed of the units."""

from typing import List, Sequence, Tuple

from kernels.fpga.design.compiler.access import UNITS, Touched, accesses
from kernels.fpga.tables import Fields, Size


def conflict(reads: Touched, writes: Touched, other_reads: Touched, other_writes: Touched) -> bool:
    """Whether the order of two commands matters to some memory."""
    pairs = ((writes, other_reads), (writes, other_writes), (reads, other_writes))
    return any(one[memory] & other.get(memory, 0) for one, other in pairs for memory in one)


def waits(commands: Sequence[Tuple[str, Fields]], size: Size) -> List[Fields]:
    """The fewest waits with which a list of commands is right.

    Returns:
        list of dicts of the fields wait_load, wait_crop, wait_conv, wait_store.
    """
    found: List[Fields] = []
    seen: List[Tuple[str, int, Touched, Touched]] = []
    counts = dict.fromkeys(UNITS.values(), 0)
    for name, fields in commands:
        needed = dict(counts) if name == "END" else dict.fromkeys(counts, 0)
        reads, writes = accesses(name, fields, size)
        for unit, number, other_reads, other_writes in reversed(seen):
            if number > needed[unit] and conflict(reads, writes, other_reads, other_writes):
                needed[unit] = number
        found.append({"wait_" + unit: count for unit, count in needed.items()})
        if name in UNITS:
            counts[UNITS[name]] += 1
            seen.append((UNITS[name], counts[UNITS[name]], reads, writes))
    return found
