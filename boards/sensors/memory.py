"""Main memory and swap, from /proc/meminfo. A Jetson's GPU uses the same memory."""

from typing import Dict, List, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor

MEMINFO = "proc/meminfo"
FIELDS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


class Memory(Sensor):
    """Megabytes of memory and swap."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def read(self) -> Sample:
        total, available, swap_total, swap_free = _megabytes(self.root)
        return {
            "memory_total_mb": total,
            "memory_available_mb": available,
            "swap_used_mb": (
                None
                if swap_total is None or swap_free is None
                else round(swap_total - swap_free, 1)
            ),
        }


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    if _megabytes(root)[0] is None:
        notes.skip(MEMINFO, "the memory can't be read")
        return None
    notes.use("memory_available_mb", MEMINFO)
    return Memory(root)


def _megabytes(root: Root) -> List[Optional[float]]:
    kilobytes: Dict[str, int] = {}
    for line in (root.text(MEMINFO, keep=_fields) or "").split("\n"):
        words = line.replace(":", " ").split()
        if len(words) >= 2:
            kilobytes[words[0]] = int(words[1])
    return [round(kilobytes[field] / 1024.0, 1) if field in kilobytes else None for field in FIELDS]


def _fields(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line.startswith(FIELDS))
