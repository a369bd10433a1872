"""The processor: clocks of the cores that are on, their number, load. Linux cpufreq and /proc."""

from typing import Dict, Optional, Tuple

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Reader, Sensor, reader

CPUS = "sys/devices/system/cpu"
STAT = "proc/stat"
LIMITS = ("min", "max")


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the processor's clocks and load; returns their ``Sensor``, or None."""
    cores = [name for name in root.list(CPUS) if name[:3] == "cpu" and name[3:].isdigit()]
    if not cores and not root.has(STAT):
        return None
    readers: Dict[str, Reader] = {
        "cpu_online_count": lambda: count_of(root.text(CPUS + "/online")),
    }
    limits = []
    for core in cores:
        folder = f"{CPUS}/{core}/cpufreq/"
        if root.number(folder + "scaling_cur_freq") is not None:  # the core is on
            low, high = (reader(root, f"{folder}scaling_{end}_freq", 1000) for end in LIMITS)
            readers[core + "_clock_hz"] = reader(root, folder + "scaling_cur_freq", 1000)
            readers[core + "_clock_max_hz"] = high
            limits.append((low, high))
            found[core + "_clock_hz"] = folder + "scaling_cur_freq"
    readers["cpu_load_percent"] = _load(root)
    found["cpu_load_percent"] = STAT
    return Sensor(readers, tuple(limits))


def _load(root: Root) -> Reader:
    """Return a reader of the percent of all cores' time since its last call that was not idle."""
    last = [_ticks(root)]

    def read() -> Optional[float]:
        before, last[0] = last[0], _ticks(root)
        if before is None or last[0] is None:
            return None
        idle, total = (now - then for now, then in zip(last[0], before))
        return round(100.0 * (total - idle) / total, 1) if total > 0 else None

    return read


def count_of(ranges: Optional[str]) -> Optional[int]:
    """Count the numbers in a list such as "0-3,6". Return None when it is no such list."""
    count = 0
    for part in (ranges or "").split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdigit() or (last and not last.strip().isdigit()):
            return None
        count += int(last or first) - int(first) + 1
    return count


def _ticks(root: Root) -> Optional[Tuple[int, int]]:
    """Return (idle, all) clock ticks of all cores since boot, or None without /proc/stat."""
    first = (root.text(STAT, keep=lambda text: text.split("\n", 1)[0]) or "").split()
    if len(first) < 6 or first[0] != "cpu":
        return None
    ticks = [int(tick) for tick in first[1:9]]  # guest time is in user time already
    return ticks[3] + ticks[4], sum(ticks)
