"""The processor: clocks of the cores that are on, their number, load. Linux cpufreq and /proc."""

from typing import List, Optional, Sequence, Tuple

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor, scaled

CPUS = "sys/devices/system/cpu"
STAT = "proc/stat"


class Cpu(Sensor):
    """Clocks and load of the processor."""

    def __init__(self, root: Root, has_clocks: Sequence[str]) -> None:
        self.root = root
        self.has_clocks = has_clocks
        self.before = _ticks(root)

    def read(self) -> Sample:
        values: Sample = {"cpu_online_count": count_of(self.root.text(CPUS + "/online"))}
        for core in self.has_clocks:
            folder = f"{CPUS}/{core}/cpufreq/"
            values[core + "_clock_hz"] = scaled(self.root, folder + "scaling_cur_freq", 1000)
            values[core + "_clock_max_hz"] = scaled(self.root, folder + "scaling_max_freq", 1000)
        values["cpu_load_percent"] = self._load()
        return values

    def locked(self) -> Optional[bool]:
        """Whether every core's clock is held. None when no core tells."""
        states = []
        for core in self.has_clocks:
            folder = f"{CPUS}/{core}/cpufreq/"
            low = self.root.number(folder + "scaling_min_freq")
            high = self.root.number(folder + "scaling_max_freq")
            if low is not None and high is not None:
                states.append(low == high)
        return all(states) if states else None

    def _load(self) -> Optional[float]:
        """Percent of all cores' time since the last reading that was not idle."""
        before, self.before = self.before, _ticks(self.root)
        if before is None or self.before is None:
            return None
        idle, total = (now - then for now, then in zip(self.before, before))
        return round(100.0 * (total - idle) / total, 1) if total > 0 else None


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    cores = [name for name in root.list(CPUS) if name[:3] == "cpu" and name[3:].isdigit()]
    if not cores and not root.has(STAT):
        return None
    has_clocks: List[str] = []
    for core in cores:
        if root.number(f"{CPUS}/{core}/online") == 0:
            notes.skip(f"{CPUS}/{core}", "the core is off")
        elif root.number(f"{CPUS}/{core}/cpufreq/scaling_cur_freq") is None:
            notes.skip(f"{CPUS}/{core}/cpufreq", "no clock can be read")
        else:
            has_clocks.append(core)
            notes.use(core + "_clock_hz", f"{CPUS}/{core}/cpufreq/scaling_cur_freq")
    notes.use("cpu_load_percent", STAT)
    return Cpu(root, has_clocks)


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
    first = (root.text(STAT, keep=_first_line) or "").split()
    if len(first) < 6 or first[0] != "cpu":
        return None
    ticks = [int(tick) for tick in first[1:9]]  # guest time is in user time already
    return ticks[3] + ticks[4], sum(ticks)


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]
