"""Decide when the messages are due that were asked for at an interval."""

import math
from typing import Dict, List

SHORTEST_S = 0.01
LONGEST_S = 3600.0
STALE_S = 0.5  # without a new frame, a message about the old one is sent again after this time


class Schedule:
    """Intervals of messages by number (MAV_CMD_SET_MESSAGE_INTERVAL)."""

    def __init__(self) -> None:
        self._every_s: Dict[int, float] = {}
        self._due: Dict[int, float] = {}

    def set(self, number: int, interval_us: float, now: float) -> bool:
        """Send that message at an interval. Return whether the interval is possible.

        Args:
            number: of the message; the caller checks that there is such a message.
            interval_us: microseconds; -1 and 0 (the default) stop it.
            now: seconds of the monotonic clock.
        """
        if not math.isfinite(interval_us):
            return False
        if interval_us in (-1, 0):
            self._every_s.pop(number, None)
            self._due.pop(number, None)
            return True
        every_s = interval_us / 1e6
        if not 0 < every_s <= LONGEST_S:
            return False
        self._every_s[number] = max(every_s, SHORTEST_S)
        self._due[number] = now
        return True

    def interval_us(self, number: int) -> int:
        """The interval in microseconds; -1 where the message is not sent."""
        every_s = self._every_s.get(number)
        return -1 if every_s is None else int(round(every_s * 1e6))

    def due(self, now: float) -> List[int]:
        """Numbers of the messages that are due."""
        return [number for number, at in self._due.items() if now >= at]

    def overdue(self, number: int, now: float) -> bool:
        """Whether a message has waited so long for a new frame that the old one is reported."""
        return now - self._due[number] > max(STALE_S, self._every_s[number])

    def sent(self, number: int, now: float) -> None:
        """Note that a message was sent now, and set when the next one is due.

        Messages keep their even spacing. After a pause at most two missed ones are sent.
        """
        every_s = self._every_s[number]
        self._due[number] = max(self._due[number] + every_s, now - every_s)
