"""The windows that a search has a device look at, some of them before it is their turn.

A device may look at several windows in one call, or compute one while the processor judges the
last. They are judged in their order. When one of them shows that something else is to be searched,
those after it are not judged. So the result is that of one at a time.
"""

import time
from collections import deque
from typing import Any, Deque, Optional, Tuple

import numpy as np

from runtime.devices.base import Device
from runtime.pictures import AnyFrame
from runtime.search.search import Budget, Planned, Recent, Search
from runtime.types import View

MEASURED = 3  # batches before the first frame, so that one that is interrupted decides nothing


class Looks:
    """Looks at the windows of one search.

    Args:
        search, budget: of the target.
        device: looks at windows.
    """

    def __init__(self, search: Search, device: Device, budget: Budget) -> None:
        self._search, self._device, self._budget = search, device, budget
        self._ready: Deque[Tuple[Planned, View]] = deque()  # of a batch, not judged yet
        self._next: Optional[Planned] = None  # that the device computes
        self._batch_ms = Recent()

    def begin(self, frame: Any, state: np.ndarray) -> None:
        """Take a target; measure what a batch takes, if that is not known."""
        device = self._device
        if device.batch == 1 or self._batch_ms.median:
            return
        aims = [(state, 1.0)] * device.batch
        device.look_at(frame, aims)  # libraries set themselves up in their first call
        for _ in range(MEASURED):
            started = time.perf_counter()
            device.look_at(frame, aims)
            self._batch_ms.add((time.perf_counter() - started) * 1e3)

    def look(self, frame: Any, picture: AnyFrame, state: np.ndarray) -> View:
        """What the window that comes next shows.

        Args:
            frame: as the device takes it.
            picture: the same, as the processor reads it.
            state: where the target is followed.
        """
        search, device, view = self._search, self._device, None
        if not self._ready and self._batch_fits():
            self._look_ahead(frame, picture, state)
        if self._ready:
            planned, view = self._ready.popleft()
            if not search.take(planned, state, self._batch_ms.median / device.batch):
                self._ready.clear()  # another window comes next
                view = None
        elif self._next is not None:
            planned, self._next = self._next, None
            if search.take(planned, state, 0.0):
                view = device.finish()
            else:
                device.settle()
        if view is None:
            _, around, factor = search.next_window(state, picture)
            view = device.look(frame, around, factor)
        if device.queues:
            self._start_next(frame, picture, state)
        return view

    def another_fits(self, state: np.ndarray) -> bool:
        """Whether one more window of the search is to be judged in this frame."""
        search = self._search
        if not search.active or search.waits:
            return False
        if self._ready and search.would_take(self._ready[0][0], state):
            return True  # it costs no more than its judgement
        self._ready.clear()  # another window comes next
        return self._budget.fits()

    def end(self) -> None:
        """End a frame: nothing of what was looked at ahead is of the next one."""
        self._ready.clear()
        if self._next is not None:
            self._next = None
            self._device.settle()

    def _batch_fits(self) -> bool:
        """Whether a batch, and the judgement of its windows, fit into the frame."""
        batch = self._device.batch
        each_ms = self._batch_ms.median / batch + self._search.judge_ms.median
        return batch > 1 and self._budget.allows(batch, each_ms)

    def _look_ahead(self, frame: Any, picture: AnyFrame, state: np.ndarray) -> None:
        """Look at the windows that come next as one batch."""
        started = time.perf_counter()
        planned = self._search.ahead(self._device.batch, state, picture)
        aims = [(each.window.state, each.window.factor) for each in planned]
        self._ready.extend(zip(planned, self._device.look_at(frame, aims)))
        self._batch_ms.add((time.perf_counter() - started) * 1e3)

    def _start_next(self, frame: Any, picture: AnyFrame, state: np.ndarray) -> None:
        """Start the window that comes next if the one that is judged now shows nothing."""
        if not self._budget.allows(2, self._budget.window_ms):  # this one's judgement, the next
            return
        for planned in self._search.ahead(1, state, picture, is_judged=False):
            self._device.start(frame, planned.window.state, planned.window.factor)
            self._next = planned
