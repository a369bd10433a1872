"""Checks that a program's waits order all dependent commands, whatever the speed of the units."""

from typing import Dict, List, Optional, Sequence, Tuple

from kernels.fpga import tables
from kernels.fpga.design.compiler.access import UNITS, Touched, accesses
from kernels.fpga.tables import Fields, Size


def hazards(program: bytes, size: Size) -> List[str]:
    """Find pairs of dependent commands that no wait orders.

    Args:
        program: bytes of its commands, END last.
        size: dict of a section of ``sizes.toml``.

    Returns:
        list of sentences; empty where the result does not depend on the units' speed.
    """
    found: List[str] = []
    seen: List[Tuple[int, Touched, Touched, str]] = []
    counts = dict.fromkeys(UNITS.values(), 0)
    places: Dict[str, List[int]] = {unit: [] for unit in counts}  # numbers of the unit's commands
    for number in range(len(program) // tables.COMMAND_BYTES):
        start = number * tables.COMMAND_BYTES
        name, fields = tables.unpack(program[start : start + tables.COMMAND_BYTES])
        before = 0  # numbers of commands that have surely ended, a bit each
        for unit, count in counts.items():
            wanted = fields["wait_" + unit]
            if wanted > count:
                found.append(
                    f"command {number} ({name}) waits for {wanted} ends of {unit}, before which "
                    f"there are {count}"
                )
                wanted = count
            for ended in places[unit][:wanted]:
                before |= 1 << ended | seen[ended][0]
        reads, writes = accesses(name, fields, size)
        if _meet(reads, writes):
            found.append(f"command {number} ({name}) writes what it reads")
        for other, (_, other_reads, other_writes, other_name) in enumerate(seen):
            if before >> other & 1:
                continue
            told = _conflict(reads, writes, other_reads, other_writes)
            if told:
                found.append(
                    f"command {number} ({name}) does not wait for command {other} ({other_name}), "
                    f"with which it shares {told}"
                )
        if name == "END":
            if any(fields["wait_" + u] != count for u, count in counts.items()):
                found.append("the end does not wait for all commands")
            return found
        unit = UNITS[name]
        seen.append((before, reads, writes, name))
        places[unit].append(number)
        counts[unit] += 1
    return found + ["the program has no end"]


def _meet(one: Touched, other: Touched) -> Optional[str]:
    """Name of a memory in which two sets of addresses meet, or None."""
    for memory in one:
        if one[memory] & other.get(memory, 0):
            return memory
    return None


def _conflict(
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
            if _conflict(reads, writes, other_reads, other_writes):
                needed[unit] = number
        found.append({"wait_" + unit: count for unit, count in needed.items()})
        if name in UNITS:
            counts[UNITS[name]] += 1
            seen.append((UNITS[name], counts[UNITS[name]], reads, writes))
    return found
