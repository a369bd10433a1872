"""What all command lines share: the parser, and how a program ends."""

import argparse
import contextlib
import errno
import math
import os
import sys
from typing import Callable, NoReturn, Optional

from hotpath.kernels.commands import meant, short
from hotpath.kernels.errors import HotpathError

HIGHEST_COUNT = 10**9
# of an ``OSError``: the computer has no more of it, or its user may have no more
SPENT = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # of a disk
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and whose help may be a docstring."""

    def format_help(self) -> str:
        """The help, without the double marks of docstrings."""
        return super().format_help().replace("``", "`")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """As argparse does it; of a name that is nearly right, say which one is meant."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            hint = meant(str(value), map(str, action.choices or ()))
            if hint:
                error.message = f"invalid choice: {value!r} ({hint})"
            raise

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with 2."""
        self.exit(2, f"{short(self.prog)}: {message}; --help lists the options\n")


def number(
    low: float, high: float = math.inf, kind: Callable[[str], float] = float
) -> Callable[[str], float]:
    """A function that reads a number between two limits."""
    limits = f"from {low:g}" + (f" to {high:g}" if high < HIGHEST_COUNT else "")

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            whole = "whole " if kind is int else ""
            raise argparse.ArgumentTypeError(f"{text!r} is not a {whole}number {limits}")
        return value

    return read


def between(low: int, high: float) -> Callable[[str], float]:
    """A function that reads a whole number between two limits."""
    return number(low, high, int)


count = between(1, HIGHEST_COUNT)  # reads a whole number from 1


def exit_code(name: str, run: Callable[[], Optional[int]], stopped: str = "stopped") -> int:
    """Run a program; returns its exit code, with a sentence for what the user can mend.

    Args:
        name: what the sentence begins with.
        run: the program. Its result is the exit code if it is an int, else that is 0.
        stopped: the sentence after Ctrl-C.

    Returns:
        1 where nobody reads the output any more, 2 after a ``HotpathError`` or where room, open
        files or memory are spent, 130 after Ctrl-C.
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
        return spent(name, error)
    except KeyboardInterrupt:
        tell(f"{name}: {stopped}")
        return 130


def tell(sentence: str) -> None:
    """Print a line on standard error; a closed one is no error."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr)


def spent(name: str, error: OSError) -> int:
    """Say what the computer has no more of; returns the exit code, or raises any other error."""
    if error.errno not in SPENT:
        raise error
    place = f"{error.filename}: " if error.filename else ""
    tell(f"{name}: {place}{error.strerror}; make room (df) or raise the limit (ulimit -a)")
    return 2


def hold_streams() -> None:
    """Open what stands for closed standard streams, so that no file gets their numbers.

    Libraries print there.
    """
    number = 0
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")


def flush() -> bool:
    """Write out what was printed. Drop it where nobody can read it any more, or has room for it.

    Python itself would try again at its end, and exit with 120.

    Returns:
        False where standard output has no room for it.
    """
    is_whole = True
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may be closed
            try:
                stream.flush()
            except OSError as error:  # a closed pipe, a closed terminal, a full disk
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
                if stream is sys.stdout and error.errno in SPENT:
                    is_whole = False
                    tell(f"hotpath: standard output: {error.strerror}")
    return is_whole
