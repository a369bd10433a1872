"""Threads that do their parts of a frame side by side, and wait between the frames.

They are Python's: what they do in a frame (crop, network) does not hold Python's lock.
"""

import threading
import weakref


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
        self.close = weakref.finalize(self, _end, self._others)  # also when it is forgotten

    def run(self, argument):
        """Call all functions with ``argument`` and wait for all of them.

        Raises:
            what one of them raised, the first one's in their order, after all have ended.
        """
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


class _Other:
    """One thread's function, and the locks by which it is told to begin and tells that it ended."""

    def __init__(self, job):
        self.job, self.argument, self.error = job, None, None
        self.start, self.ended = threading.Lock(), threading.Lock()
        self.start.acquire()
        self.ended.acquire()

    def work(self):
        while True:
            self.start.acquire()
            if self.job is None:
                return
            try:
                self.job(self.argument)
            except BaseException as raised:  # the caller's to raise
                self.error = raised
            self.ended.release()


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
