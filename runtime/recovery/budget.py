"""How much time a frame may take while a target is searched for.

A tracked frame takes its own time. A frame of the search may take that and the budget, no more. So
the next window is begun only where it fits into what is left, by what windows took until now.
"""

import time
from typing import Optional

FOLLOWS = 0.05  # share of the last measurement in a running mean
MARGIN = 1.25  # a window is taken to cost so many times its mean
SHARE = 0.5  # of a tracked frame's own time: the budget that nobody named


class Budget:
    """Measures frames and windows, and says what still fits.

    Args:
        budget_ms: what a frame may take beyond a tracked frame's time; None for half of that.
    """

    def __init__(self, budget_ms: Optional[float] = None) -> None:
        self._budget_ms = budget_ms
        self._frame_ms = self._window_ms = 0.0
        self._began = 0.0

    def begin(self) -> None:
        """A frame begins."""
        self._began = time.perf_counter()

    def tracked(self) -> None:
        """A frame of one window ends; its time counts as a tracked frame's own."""
        self._frame_ms = _mean(self._frame_ms, self.elapsed_ms())

    def window(self, ms: float) -> None:
        """A window of the search took so long."""
        self._window_ms = _mean(self._window_ms, ms)

    def elapsed_ms(self) -> float:
        """Since the frame began."""
        return (time.perf_counter() - self._began) * 1e3

    @property
    def limit_ms(self) -> float:
        """The most that a frame may take."""
        more = self._frame_ms * SHARE if self._budget_ms is None else self._budget_ms
        return self._frame_ms + more

    def fits(self) -> bool:
        """Whether one more window fits into the frame."""
        wanted = MARGIN * max(self._window_ms, self._frame_ms)
        return self.elapsed_ms() + wanted <= self.limit_ms


def _mean(mean: float, value: float) -> float:
    """The running mean after one more value; the first one is taken as it is."""
    return value if mean == 0.0 else mean + (value - mean) * FOLLOWS
