"""Threads that do their parts of a frame side by side, and wait between the frames.

They are Python's: what they do in a frame (crop, network) does not hold Python's lock.
"""

import ctypes
import os
import threading
import weakref

_here = getattr(ctypes.CDLL(None), "sched_getcpu", None)  # number of the caller's core; Linux


class Crew:
    """Calls several functions at once, each always in the same thread.

    Args:
        jobs: list of functions of one argument; the first is called in the caller's own thread.
    """

    def __init__(self, jobs):
        self._first = jobs[0]
        self._others = [_Other(job) for job in jobs[1:]]
        for number, other in enumerate(self._others, 1):
            name = "hotpath-{}".format(number)
            threading.Thread(target=other.work, name=name, daemon=True).start()
        cores = sorted(os.sched_getaffinity(0)) if _here else []
        self._cores, self._at = cores if len(cores) >= len(jobs) else None, None
        for other in self._others:
            other.began.wait()
        self.close = weakref.finalize(self, _end, self._others)  # also when it is forgotten

    def run(self, argument):
        """Call all functions with ``argument`` and wait for all of them.

        Raises:
            what one of them raised, the first one's in their order, after all have ended.
        """
        self._spread()
        for other in self._others:
            other.argument = argument
            other.start.release()
        error = None
        try:
            self._first(argument)
        except BaseException as raised:
            error = raised
        for other in self._others:
            error = _wait(other.ended) or error
            other.argument = None
            error, other.error = error or other.error, None
        if error is not None:
            raise error

    def _spread(self):
        """Give each other thread a core of its own, away from the caller's.

        A thread that is woken is often put where the one that woke it goes on working, and waits
        there: after a pause two targets took 2.5 times the time of one.
        """
        if self._cores is None:
            return
        here = _here()
        if here == self._at:
            return
        self._at = here
        free = [core for core in self._cores if core != here]
        for other, core in zip(self._others, free):
            try:
                os.sched_setaffinity(other.number, {core})
            except OSError:  # not to be had, or a core that went
                self._cores = None
                return


class _Other:
    """One thread's function, and the locks by which it is told to begin and tells that it ended."""

    def __init__(self, job):
        self.job, self.argument, self.error = job, None, None
        self.number, self.began = None, threading.Event()  # the system's number of the thread
        self.start, self.ended = threading.Lock(), threading.Lock()
        self.start.acquire()
        self.ended.acquire()

    def work(self):
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


def _thread_number():
    """The system's number of this thread."""
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    return int(os.path.basename(os.readlink("/proc/thread-self")))  # before Python 3.8


def _wait(ended):
    """Wait whatever comes; returns what came (Ctrl-C), or None."""
    error = None
    while True:
        try:
            ended.acquire()
            return error
        except BaseException as raised:
            error = raised


def _end(others):
    for other in others:
        other.job = None
        other.start.release()
