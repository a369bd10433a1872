"""Measure how busy other programs kept the processors during a run, by Linux's counters."""

import os
import time
from typing import Optional

STAT = "/proc/stat"
LEAST = 0.5  # processors that count as busy


def busy_s(path: str = STAT) -> Optional[float]:
    """Seconds of processor time that all programs have taken since the boot; None: not known."""
    try:
        with open(path) as file:
            _, user, nice, system, *_ = file.readline().split()
        return (int(user) + int(nice) + int(system)) / float(os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):  # not Linux
        return None


class OtherPrograms:
    """Measures from its creation on.

    Args:
        path: of the system's counts.
    """

    def __init__(self, path: str = STAT) -> None:
        self._path, self._began_s = path, time.monotonic()
        self._before_s, self._own_s = busy_s(path), _own_s()

    def text(self) -> str:
        """Say how many processors others kept busy, where the run could not have them; else ""."""
        now_s, before_s, passed_s = busy_s(self._path), self._before_s, time.monotonic()
        passed_s -= self._began_s
        if now_s is None or before_s is None or passed_s <= 0:
            return ""
        own, count = (_own_s() - self._own_s) / passed_s, os.cpu_count() or 1
        others = (now_s - before_s) / passed_s - own
        if others < LEAST or others + own < 0.75 * count:
            return ""
        return (
            f"other programs kept {min(others, count):.1f} of {count} processors busy; times are "
            "longer than on an idle computer"
        )


def _own_s() -> float:
    """Seconds of processor time of this process and of those that it began."""
    return sum(os.times()[:4])
