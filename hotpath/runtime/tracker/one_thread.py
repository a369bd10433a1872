"""Run work in a second thread, and notice a fork, which leaves this thread behind."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hotpath.runtime.errors import NotReady
from hotpath.runtime.tracker.lock import FORKED


class OneThread(ThreadPoolExecutor):
    """A pool of one thread. In a process that was forked since it began, it raises ``NotReady``."""

    def __init__(self) -> None:
        super().__init__(1)
        self._process = 0  # that of its first work

    def check(self) -> None:
        """Raise ``NotReady`` if the thread is in another process."""
        if self._process not in (0, os.getpid()):
            raise NotReady(FORKED)

    def submit(self, *work: Any, **named: Any) -> "Future[Any]":
        """As in ``ThreadPoolExecutor``."""
        self.check()
        self._process = os.getpid()
        return super().submit(*work, **named)
