"""Threads that do their shares of a frame at the same time, and wait between the frames.

They are Python's threads: crop and network, which take most of a frame, do not hold Python's lock.
"""

import ctypes
import os
import threading
import weakref
from typing import Any, Callable, List, Optional, Sequence


def _sched_getcpu() -> Optional[Callable[[], int]]:
    """The system's function that gives the number of the caller's core; None where it has none."""
    try:
        return ctypes.CDLL(None).sched_getcpu
    except AttributeError:
        return None


_current_core = _sched_getcpu()


class ThreadGroup:
    """Calls several functions at once, each always in the same thread.

    Args:
        jobs: list of functions of one argument; the first is called in the caller's own thread.
    """

    def __init__(self, jobs: Sequence[Callable[[Any], Any]]) -> None:
        self._first = jobs[0]
        self._workers = [_Worker(job) for job in jobs[1:]]
        for number, worker in enumerate(self._workers, 1):
            name = f"hotpath-{number}"
            threading.Thread(target=worker.work, name=name, daemon=True).start()
        cores = sorted(os.sched_getaffinity(0)) if _current_core else []
        # of this process; None where they are too few, or where the threads may stay anywhere
        self._cores: Optional[List[int]] = cores if len(cores) >= len(jobs) else None
        self._caller_core = -1  # when the workers were last moved
        for worker in self._workers:
            worker.began.wait()
        self.close = weakref.finalize(self, _end, self._workers)  # also when it is collected

    def run(self, argument: Any) -> None:
        """Call all functions with ``argument`` and wait for all of them.

        Raises:
            The exception of the first function, in their order, that raised one; all have ended
            then.
        """
        self._spread()
        for worker in self._workers:
            worker.argument = argument
            worker.start.release()
        error: Optional[BaseException] = None
        try:
            self._first(argument)
        except BaseException as raised:
            error = raised
        for worker in self._workers:
            error = _wait(worker.ended) or error
            worker.argument = None
            error, worker.error = error or worker.error, None
        if error is not None:
            raise error

    def _spread(self) -> None:
        """Give each worker a core of its own, other than the caller's.

        Linux often wakes a thread on the core of the thread that woke it. That one goes on working,
        so the new one waits: after a pause two targets took 2.5 times the time of one.
        """
        if self._cores is None or _current_core is None:
            return
        here = _current_core()
        if here == self._caller_core:
            return
        self._caller_core = here
        free = [core for core in self._cores if core != here]
        for worker, core in zip(self._workers, free):
            try:
                os.sched_setaffinity(worker.number, {core})
            except OSError:  # not allowed, or the core was switched off
                self._cores = None
                return


class _Worker:
    """One thread's function, and the locks that start it and say that it has ended."""

    def __init__(self, job: Callable[[Any], Any]) -> None:
        self.job: Optional[Callable[[Any], Any]] = job  # None ends the thread
        self.argument: Any = None
        self.error: Optional[BaseException] = None
        self.number = 0  # the system's number of the thread
        self.began = threading.Event()
        self.start, self.ended = threading.Lock(), threading.Lock()
        self.start.acquire()
        self.ended.acquire()

    def work(self) -> None:
        """Call the function whenever it is started; in the thread."""
        self.number = _thread_number()
        self.began.set()
        while True:
            self.start.acquire()
            if self.job is None:
                return
            try:
                self.job(self.argument)
            except BaseException as raised:  # the caller's to raise
                self.error = raised
            self.ended.release()


def _thread_number() -> int:
    """The system's number of this thread."""
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    return int(os.path.basename(os.readlink("/proc/thread-self")))  # before Python 3.8


def _wait(ended: threading.Lock) -> Optional[BaseException]:
    """Acquire the lock. Return the exception (Ctrl-C) that was raised while waiting, or None."""
    error: Optional[BaseException] = None
    while True:
        try:
            ended.acquire()
            return error
        except BaseException as raised:
            error = raised


def _end(workers: List[_Worker]) -> None:
    for worker in workers:
        worker.job = None
        worker.start.release()
