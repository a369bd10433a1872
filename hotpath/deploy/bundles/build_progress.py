"""Print the progress of a long build."""

import contextlib
import sys
import time
from typing import Callable, Iterator


def say(sentence: str) -> None:
    """Print a sentence of progress on the error output."""
    print(sentence, file=sys.stderr, flush=True)


@contextlib.contextmanager
def building(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say that something is built, and after how long it was.

    Args:
        what: the name of what is built.
        say: function of one sentence.
    """
    say(f"building {what} (some seconds on a computer, minutes on a Nano)")
    began_s = time.monotonic()
    yield
    say(f"built {what} in {time.monotonic() - began_s:.0f} s")
