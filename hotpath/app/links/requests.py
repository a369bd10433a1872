"""Hand requests of other threads to the frame loop, which runs them between two frames."""

import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, Callable, Deque, Tuple

from hotpath.runtime.errors import HotpathError

MOST = 32  # that may wait for the loop


class RequestRefused(HotpathError):
    """A request that can't be carried out; ``status`` is HTTP's number for the reason."""

    def __init__(self, status: int, text: str, what: str = "") -> None:
        super().__init__(text, what)
        self.status = status


class Requests:
    """The requests that wait for the loop.

    Args:
        changes: what the loop waits on.
    """

    def __init__(self, changes: threading.Condition) -> None:
        self._changes, self._is_over = changes, False
        self._waiting: Deque[Tuple[Future[Any], Callable[..., Any], Any]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, function: Callable[..., Any], arguments: Tuple[Any, ...]) -> "Future[Any]":
        """Have the loop call a function; may be called from any thread.

        Returns:
            ``concurrent.futures.Future`` of the answer. Cancel it to stop waiting. Then the
            function is not called later, unless the loop has begun it already.

        Raises:
            Refused: the run has ended, or too many requests wait.
        """
        future: Future[Any] = Future()
        with self._changes:
            if self._is_over or len(self._waiting) >= MOST:
                over = "the run has ended"
                raise RequestRefused(503, over if self._is_over else "too many requests wait")
            self._waiting.append((future, function, arguments))
            self._changes.notify_all()
        return future

    def carry_out(self, notify: Callable[[], None]) -> None:
        """Make the calls that wait, in the loop's thread; ``notify`` follows each."""
        while self._waiting:
            future, function, arguments = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue  # whoever asked has given up
            try:
                answer = function(*arguments)
            except RequestRefused as error:
                future.set_exception(error)
            except HotpathError as error:  # such as a box that no target can have
                future.set_exception(RequestRefused(422, str(error)))
            except Exception as error:  # ends the run; whoever asked must not wait for ever
                future.set_exception(error)
                raise
            else:
                future.set_result(answer)
            notify()

    def refuse(self) -> None:
        """The run is over: refuse what waits, and all that comes."""
        with self._changes:
            self._is_over = True
        while self._waiting:
            future, _, _ = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(RequestRefused(503, "the run has ended"))
