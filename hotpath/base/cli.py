"""What all command lines share: the parser, and how what was printed is written out."""

import argparse
import contextlib
import errno
import math
import os
import sys
from typing import Callable, NoReturn

from hotpath.base.commands import meant, short

HIGHEST_COUNT = 10**9
# of an ``OSError``: the computer has no more of it, or its user may have no more
SPENT = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM


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


def tell(sentence: str) -> None:
    """Print a line on standard error; a closed one is no error."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr)


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
