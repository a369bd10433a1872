"""Main memory and swap, from /proc/meminfo. A Jetson's GPU uses the same memory."""

from typing import Dict, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor

MEMINFO = "proc/meminfo"
FIELDS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


class Memory(Sensor):
    """Megabytes of memory and swap."""

    def __init__(self, root: Root) -> None:
        super().__init__({})
        self._root = root

    def read(self) -> Sample:
        megabytes: Dict[str, float] = {}
        for line in (self._root.text(MEMINFO, keep=_fields) or "").split("\n"):
            words = line.replace(":", " ").split()
            if len(words) >= 2:
                megabytes[words[0]] = round(int(words[1]) / 1024.0, 1)
        total, available, swap, free = (megabytes.get(field) for field in FIELDS)
        return {
            "memory_total_mb": total,
            "memory_available_mb": available,
            "swap_used_mb": None if swap is None or free is None else round(swap - free, 1),
        }


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    memory = Memory(root)
    if memory.read()["memory_total_mb"] is None:
        notes.skip(MEMINFO, "the memory can't be read")
        return None
    notes.use("memory_available_mb", MEMINFO)
    return memory


def _fields(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line.startswith(FIELDS))
