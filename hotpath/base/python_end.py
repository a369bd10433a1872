"""Let no thread be inside a library when Python ends.

At its end Python stops daemon threads that ask for the interpreter. One that is in the C++ code of
an engine or of OpenCV aborts the process there. So the end waits until no thread is inside such a
call, and lets no further one begin.
"""

import atexit
import functools
import os
import threading
import time
from typing import Any, Callable, Dict, List, TypeVar, cast

END_S = 5.0  # longest wait for other threads
Function = TypeVar("Function", bound=Callable[..., Any])

_inside: Dict[int, int] = {}  # a thread's number -> how many calls it is inside of
_ending: List[int] = []  # the thread that ends Python


def begin_library_call() -> None:
    """Note that this thread begins a call; at Python's end it never returns."""
    thread = threading.get_ident()
    _inside[thread] = _inside.get(thread, 0) + 1
    if _ending and _inside[thread] == 1 and thread not in _ending:
        del _inside[thread]
        threading.Event().wait()


def end_library_call() -> None:
    thread = threading.get_ident()
    _inside[thread] -= 1
    if not _inside[thread]:
        del _inside[thread]


def _begin_child() -> None:
    """Forget the other threads: a fork copies none of them."""
    for thread in set(_inside).difference([threading.get_ident()]):
        del _inside[thread]


if hasattr(os, "register_at_fork"):  # since Python 3.7, on Unix
    os.register_at_fork(after_in_child=_begin_child)


@atexit.register
def _end() -> None:
    """Wait for the calls of other threads, as daemon threads make them."""
    _ending.append(threading.get_ident())
    until_s = time.monotonic() + END_S
    while set(_inside).difference(_ending) and time.monotonic() < until_s:
        time.sleep(0.005)


def uninterrupted(function: Function) -> Function:
    """Decorate a function that enters libraries without a lock: Python's end waits for it."""

    @functools.wraps(function)
    def whole(*values: Any, **named: Any) -> Any:
        begin_library_call()
        try:
            return function(*values, **named)
        finally:
            end_library_call()

    return cast(Function, whole)
