"""How much time a frame may take while a target is searched for.

A tracked frame takes its own time. A frame of the search may take that and the budget, no more. So
the next window is begun only where it fits into what is left, by what windows took until now.
"""

import time
from typing import Optional

RECENT = 20  # measurements that a running mean goes back
LONGEST = 2.0  # what took longer than so many means was interrupted: it counts as so many
MARGIN = 1.25  # a window is taken to cost so many times its mean
SHARE = 0.5  # of a tracked frame's own time: the budget that nobody named


class Budget:
    """Measures frames and windows, and says what still fits.

    Args:
        budget_ms: what a frame may take beyond a tracked frame's time; None for half of that.
    """

    def __init__(self, budget_ms: Optional[float] = None) -> None:
        self._budget_ms = budget_ms
        self._frame, self._window = RunningMean(), RunningMean()
        self._began = 0.0

    def begin(self) -> None:
        """A frame begins."""
        self._began = time.perf_counter()

    def tracked(self) -> None:
        """A frame of one window ends; its time counts as a tracked frame's own."""
        self._frame.add(self.elapsed_ms())

    def window(self, ms: float) -> None:
        """A window of the search took so long."""
        self._window.add(ms)

    def elapsed_ms(self) -> float:
        """Since the frame began."""
        return (time.perf_counter() - self._began) * 1e3

    @property
    def limit_ms(self) -> float:
        """The most that a frame may take."""
        more = self._frame.value * SHARE if self._budget_ms is None else self._budget_ms
        return self._frame.value + more

    def fits(self) -> bool:
        """Whether one more window fits into the frame."""
        wanted = MARGIN * max(self._window.value, self._frame.value)
        return self.elapsed_ms() + wanted <= self.limit_ms


class RunningMean:
    """The mean of recent measurements, into which interruptions hardly enter.

    Attributes:
        value: the mean; 0 before the first measurement.
    """

    def __init__(self) -> None:
        self.value, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Take a measurement."""
        if self._count:
            value = min(value, LONGEST * self.value)
        self._count = min(self._count + 1, RECENT)
        self.value += (value - self.value) / self._count
