"""What all command lines share: the parser, and how what was printed is written out."""

import argparse
import contextlib
import errno
import math
import os
import re
import sys
import textwrap
from typing import Any, Callable, NoReturn

from hotpath.base.messages import did_you_mean, program_name

HIGHEST_COUNT = 10**9
LEAST_COLUMNS = 40  # of a terminal for which lines are broken
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # but tabs and line feeds
COMMAND = re.compile("`[^`]*`")
# of an ``OSError``: the computer has no more of it, or its user may have no more
EXHAUSTED = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM


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
            hint = did_you_mean(str(value), map(str, action.choices or ()))
            if hint:
                error.message = f"invalid choice: {value!r} ({hint})"
            raise

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it; of an argument that was written as an option, say so."""
        options, unknown = self.parse_known_args(args, namespace)
        plain = {action.dest for action in self._actions if not action.option_strings}
        for word in unknown:
            name = word[2:].partition("=")[0]
            if word.startswith("--") and name in plain:
                self.error(f"leave out the word --{name}, and write only what follows it")
        if unknown:
            names = (name[2:] for name in self._option_string_actions if name[:2] == "--")
            hint = did_you_mean(unknown[0].split("=")[0].lstrip("-"), names, "--")
            self.error("unrecognized arguments: " + " ".join(unknown) + (hint and f" ({hint})"))
        return options

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with 2."""
        if message.endswith("expected one argument"):  # or it begins with a dash
            option = message.split()[1].rstrip(":").split("/")[-1]
            message += f"; write one that begins with - as {option}=-VALUE"
        sentence = f"{program_name(self.prog)}: {message}; --help lists the options"
        self.exit(2, wrap_for_terminal(sentence, sys.stderr) + "\n")


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
    """Print a sentence on standard error; a closed one is no error."""
    with contextlib.suppress(OSError):
        print(wrap_for_terminal(sentence, sys.stderr), file=sys.stderr)


def wrap_for_terminal(text: str, stream: Any, indent: int = 0) -> str:
    """Text whose lines are broken between words where a stream is a terminal that is too narrow.

    A terminal itself would break them within words. A command between ` and ` stays on one line, so
    that it can be copied. A file or a pipe gets the line as it is. Control characters, which a
    stranger's file may have in its names, become question marks.

    Args:
        indent: of all lines but the first; less where a word would not fit.
    """
    text = CONTROL.sub("?", text)
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):  # no stream, no terminal, or closed
        return text
    if columns < LEAST_COLUMNS:
        return text
    return "\n".join(_broken(line, columns, indent) for line in text.split("\n"))


def _broken(line: str, columns: int, indent: int) -> str:
    if len(line) <= columns:
        return line
    kept = "\0"  # in place of a blank that may not end a line
    joined = COMMAND.sub(lambda command: command.group().replace(" ", kept), line)
    longest = max(map(len, joined.split(" ")))
    lines = textwrap.wrap(
        joined,
        columns,
        subsequent_indent=" " * (indent if indent + longest <= columns else min(indent, 4)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(kept, " ")


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
                if stream is sys.stdout and error.errno in EXHAUSTED:
                    is_whole = False
                    tell(f"hotpath: standard output: {error.strerror}")
    return is_whole
