"""How a program ends: its exit code, and one sentence for what the user can mend."""

import os
import sys
from typing import Callable, Optional

from hotpath.base.cli import EXHAUSTED, tell
from hotpath.base.errors import HotpathError


def exit_code(name: str, run: Callable[[], Optional[int]], stopped: str = "stopped") -> int:
    """Run a program; returns its exit code, with a sentence for what the user can mend.

    Args:
        name: what the sentence begins with.
        run: the program. Its result is the exit code if it is an int, else that is 0.
        stopped: the sentence after Ctrl-C.

    Returns:
        1 where nobody reads the output any more, 2 after a ``HotpathError`` or where room, open
        files, memory or the current folder are gone, 130 after Ctrl-C.
    """
    try:
        result = run()
        return result if type(result) is int else 0
    except HotpathError as error:
        tell(f"{name}: {error}")
        return 2
    except BrokenPipeError:  # as in `hotpath boards list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return report_exhausted(name, error)
    except KeyboardInterrupt:
        tell(f"{name}: {stopped}")
        return 130


def report_exhausted(name: str, error: OSError) -> int:
    """Say what the computer has no more of; returns the exit code, or raises any other error.

    One of these things is the current folder, which another program may have deleted.
    """
    if isinstance(error, FileNotFoundError) and error.filename is None and _is_nowhere():
        tell(f"{name}: the current folder has been deleted; enter another one with cd")
        return 2
    if error.errno not in EXHAUSTED:
        raise error
    place = f"{error.filename}: " if error.filename else ""
    tell(f"{name}: {place}{error.strerror}; make room (df) or raise the limit (ulimit -a)")
    return 2


def _is_nowhere() -> bool:
    """Whether the current folder has been deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def open_closed_streams() -> None:
    """Open what stands for closed standard streams, so that no file gets their numbers.

    Libraries print there.
    """
    number = 0
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
