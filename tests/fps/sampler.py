"""Sample the board's sensors once a second, between frames that are timed."""

import os
import time


class Sampler:
    def __init__(self, telemetry, period_s, alone=True):
        self._telemetry, self._period_s, self._alone = telemetry, period_s, alone
        self._began = self._last = time.monotonic()
        self._own_s = _own_s()
        self._due = float("inf")
        self.samples = []
        if period_s:
            telemetry.read()  # loads are means since the previous reading
            self._due = self._last + period_s

    def tick(self):
        """Take a sample when a second has passed; call this between frames."""
        now = time.monotonic()
        if now >= self._due:
            self._sample(now)

    def _sample(self, now):
        sample = self._telemetry.read()
        own_s = _own_s()
        own = (own_s - self._own_s) / (now - self._last)
        load = sample.get("cpu_load_percent")
        count = sample.get("cpu_online_count") or os.cpu_count()
        sample["time_s"] = round(now - self._began, 3)
        sample["own_cores"] = round(own, 3)
        busy = None if load is None or not self._alone else load / 100.0 * count
        sample["other_cores"] = None if busy is None else round(max(0.0, busy - own), 3)
        self.samples.append(sample)
        self._last, self._own_s = now, own_s
        self._due = time.monotonic() + self._period_s


def _own_s():
    times = os.times()
    return times[0] + times[1] + times[2] + times[3]
