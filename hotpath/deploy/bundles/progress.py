"""Tell the user how far a long build is."""

import sys
import threading
import time
from typing import Callable, Optional

HEARTBEAT_S = 10


def say(sentence: str) -> None:
    """Print a sentence of progress on the error output."""
    print(sentence, file=sys.stderr, flush=True)


class Heartbeat:
    """Says every few seconds that a build goes on.

    Args:
        what: the name of what is built.
        say: function of one sentence.
    """

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        self._what = what
        self._say = say
        self._started = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._started = time.monotonic()
        self._say(f"building {self._what} (some seconds on a computer, minutes on a Nano)")
        self._thread.start()
        return self

    def __exit__(self, kind: Optional[type], *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None:
            self._say(f"built {self._what} in {self._seconds():.0f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            self._say(f"  {self._what}: {self._seconds():.0f} s")
