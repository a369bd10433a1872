"""Allow one thread at a time to use an object, and none at the end of the interpreter.

A method with ``exclusive`` waits for its turn. ``ExclusiveLock.acquire`` does not wait: a frame
that comes while another thread is inside is refused, because it would be late.
"""

import functools
import os
import threading
from typing import Any, Callable, TypeVar, cast

from hotpath.base.python_end import begin_library_call, end_library_call
from hotpath.runtime.errors import NotReady

BUSY = "another thread uses this tracker now; give each thread its own one, or a lock"
FORKED = (
    "this process was forked after its tracker had begun a thread, which is not in it; call "
    "load_tracker in each process"
)
Method = TypeVar("Method", bound=Callable[..., Any])


class ExclusiveLock:
    """The turns of the threads that use one object. A thread that is inside may enter again."""

    def __init__(self) -> None:
        self._inside, self._next = threading.RLock(), threading.Lock()
        self._process = os.getpid()

    def acquire(self) -> None:
        """Enter at once; raises ``NotReady`` where another thread is inside or waits."""
        begin_library_call()
        if self._next.locked() or not self._inside.acquire(False):
            end_library_call()
            raise NotReady(BUSY if os.getpid() == self._process else FORKED)

    def release(self) -> None:
        """Let the next thread in."""
        self._inside.release()
        end_library_call()

    def __enter__(self) -> None:
        begin_library_call()
        try:
            if not self._inside.acquire(False):
                if os.getpid() != self._process:  # whoever is inside is in another process
                    raise NotReady(FORKED)
                with self._next:  # whoever takes turns in a loop lets this one in
                    self._inside.acquire()
        except BaseException:  # Ctrl-C
            end_library_call()
            raise

    def __exit__(self, *_: object) -> None:
        self.release()


def exclusive(method: Method) -> Method:
    """Decorate a method of an object that has a ``lock``: it waits until no other thread is inside.

    Example:
        >>> class Counter:
        ...     def __init__(self):
        ...         self.lock, self.count = ExclusiveLock(), 0
        ...     @exclusive
        ...     def add(self):
        ...         self.count += 1
    """

    @functools.wraps(method)
    def in_turn(self: Any, *values: Any, **named: Any) -> Any:
        with self.lock:
            return method(self, *values, **named)

    return cast(Method, in_turn)
