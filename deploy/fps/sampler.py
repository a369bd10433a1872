"""Readings of a board's sensors during a run, and of what other processes take of it."""

import os
import time
from typing import List

from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.fps.evidence import Sample


class Sampler:
    """Reads the board's sensors about once a second, between frames that are timed."""

    def __init__(self, telemetry: Telemetry, period_s: float, alone: bool = True) -> None:
        self.telemetry, self._period_s, self._alone = telemetry, period_s, alone
        self._began = self._last = time.monotonic()
        self._own_s = sum(os.times()[:4])
        self._due = float("inf")
        self.samples: List[Sample] = []
        if period_s:
            telemetry.read()  # loads are means since the previous reading
            self._due = self._last + period_s

    def tick(self, worker_s: float = 0.0) -> None:
        """Take a sample when a second has passed; call this between frames.

        Args:
            worker_s: processor seconds of a worker that still runs. Those that ended are counted.
        """
        now = time.monotonic()
        if now < self._due:
            return
        sample: Sample = self.telemetry.read()
        own_s = sum(os.times()[:4]) + worker_s
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
