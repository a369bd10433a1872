"""Main memory and swap, from /proc/meminfo. On Jetson the GPU's memory is this memory."""

MEMINFO = "proc/meminfo"
FIELDS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


class Memory:
    def __init__(self, root):
        self.root = root

    def read(self):
        total, available, swap_total, swap_free = _megabytes(self.root)
        return {
            "memory_total_mb": total,
            "memory_available_mb": available,
            "swap_used_mb": None if swap_free is None else round(swap_total - swap_free, 1),
        }


def find(root, board, notes):
    """See ``boards.sensors``."""
    if _megabytes(root)[0] is None:
        notes.skip(MEMINFO, "the memory can't be read")
        return None
    notes.use("memory_available_mb", MEMINFO)
    return Memory(root)


def _megabytes(root):
    kilobytes = {}
    for line in (root.text(MEMINFO, keep=_fields) or "").split("\n"):
        words = line.replace(":", " ").split()
        if len(words) >= 2:
            kilobytes[words[0]] = int(words[1])
    return [round(kilobytes[field] / 1024.0, 1) if field in kilobytes else None for field in FIELDS]


def _fields(text):
    return "\n".join(line for line in text.split("\n") if line.startswith(FIELDS))
