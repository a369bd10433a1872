"""How much time a frame may take while a target is searched for.

A tracked frame takes its own time. A frame of the search may take that and the budget, no more. So
the next window is begun only where it fits into what is left, by what the last windows took.
"""

import time
from collections import deque
from typing import Deque, Optional

RECENT = 20  # measurements that are kept
MARGIN = 1.25  # a window is taken to cost so many medians, or what all but one of the last took
SHARE = 0.5  # of a tracked frame's own time: the budget that neither user nor board names


class Budget:
    """Measures frames and windows, and says what still fits.

    Args:
        budget_ms: what a frame may take beyond a tracked frame's time; None for a share of that.
        share: of a tracked frame's time, where ``budget_ms`` is None.
    """

    def __init__(self, budget_ms: Optional[float] = None, share: float = SHARE) -> None:
        self._budget_ms, self._share = budget_ms, share
        self._frame, self._window = Recent(), Recent()
        self._began = 0.0
        self.frames = 0

    def begin(self) -> None:
        """A frame begins."""
        self.frames += 1
        self._began = time.perf_counter()

    def tracked(self, ms: Optional[float] = None) -> None:
        """A frame of one window ends; its time counts as a tracked frame's own.

        Args:
            ms: its time; None for the time since it began.
        """
        self._frame.add(self.elapsed_ms() if ms is None else ms)

    def window(self, ms: float) -> None:
        """A window of the search took so long."""
        self._window.add(ms)

    @property
    def window_ms(self) -> float:
        """What a window takes."""
        return self._window.median

    def elapsed_ms(self) -> float:
        """Since the frame began."""
        return (time.perf_counter() - self._began) * 1e3

    @property
    def limit_ms(self) -> float:
        """The most that a frame may take, beyond a quick one of the last frames.

        Interruptions make frames longer, never shorter.
        """
        own = self._frame.low
        return own + (own * self._share if self._budget_ms is None else self._budget_ms)

    def allows(self, windows: int, each_ms: float) -> bool:
        """Whether so many windows fit into the frame, where each of them takes so long."""
        return self.elapsed_ms() + MARGIN * windows * each_ms <= self.limit_ms

    def fits(self) -> bool:
        """Whether one more window fits into the frame. None does before a frame was measured."""
        usual = self._frame.median
        if usual == 0.0:
            return False
        wanted = max(MARGIN * usual, MARGIN * self._window.median, self._window.high)
        # a first window that seems quick shows that the others were interrupted
        return max(self.elapsed_ms(), usual) + wanted <= self.limit_ms


class Recent:
    """The last measurements.

    Attributes:
        low: a quarter of them are at most so long; 0 before the first one.
        median: of them; 0 before the first one. Interruptions hardly move it.
        high: all but one of them are at most so long; of few, the longest.
    """

    def __init__(self) -> None:
        self._kept: Deque[float] = deque(maxlen=RECENT)
        self.low = self.median = self.high = 0.0

    def add(self, value: float) -> None:
        """Take a measurement."""
        self._kept.append(value)
        ordered = sorted(self._kept)
        self.low = ordered[len(ordered) // 4]
        self.median = ordered[len(ordered) // 2]
        self.high = ordered[-2] if len(ordered) == RECENT else ordered[-1]
