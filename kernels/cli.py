"""What all command lines share: the parser, and how a program ends."""

import argparse
import math
import os
import sys
from typing import Callable, NoReturn, Optional

from hotpath.kernels.commands import meant, short
from hotpath.kernels.errors import HotpathError

HIGHEST_COUNT = 10**9


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
        1 where nobody reads the output any more, 2 after a ``HotpathError``, 130 after Ctrl-C.
    """
    try:
        result = run()
        return result if type(result) is int else 0
    except HotpathError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as in `hotpath boards list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"{name}: {stopped}", file=sys.stderr)
        return 130


def flush() -> None:
    """Write out what was printed. Drop it where nobody can read it any more.

    Python itself would try again at its end, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it may be closed
            try:
                stream.flush()
            except OSError:  # a closed pipe, a closed terminal, a full disk
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
