"""What a terminal shows: no line is broken within a word, and a pipe gets whole lines."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from hotpath.base.cli import LEAST_COLUMNS, wrap_for_terminal
from tests import support
from tests.support import ROOT


@pytest.fixture
def terminal():
    """A function that opens a terminal of some columns; returns (its end, its other end)."""
    opened = []

    def open_terminal(columns):
        end, side = pty.openpty()
        opened.extend((end, side))
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        return end, side

    yield open_terminal
    for each in opened:
        try:
            os.close(each)
        except OSError:  # a test closed it
            pass


def lines_of(terminal, columns, *words):
    """What a command prints on a terminal of some columns."""
    end, side = terminal(columns)
    command = [sys.executable, "-m", "hotpath", *words]
    run = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, cwd=str(ROOT))
    os.close(side)
    printed = b""
    while True:
        try:
            part = os.read(end, 65536)
        except OSError:  # the program has ended
            break
        if not part:
            break
        printed += part
    run.wait()
    return printed.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("track", "--help"),
        ("track", "--help", "all"),
        ("networks", "list"),
        ("track", "nofilm.mp4", "--box", "1,2,3,4"),
        ("track", "x.mp4", "--network", "nonet", "--box", "1,2,30,40"),
        ("track", "--bx", "1"),
        ("trak",),
    ],
)
def test_no_line_is_longer_than_the_terminal(terminal, words, columns):
    lines = lines_of(terminal, columns, *words)
    assert lines and max(map(len, lines)) <= columns, lines


def test_a_sentence_is_the_same_on_a_terminal_and_in_a_pipe(terminal):
    words = "track", "x.mp4", "--network", "nonet", "--box", "1,2,30,40"
    done = support.run([sys.executable, "-m", "hotpath", *words], cwd=str(ROOT))
    sentence = done.stderr.rstrip("\n")
    assert "\n" not in sentence, "a log has one line for it"
    lines = lines_of(terminal, 80, *words)
    assert len(lines) > 1 and " ".join(lines) == sentence


def test_a_command_stays_on_a_line_and_a_table_keeps_its_column(terminal):
    side = os.fdopen(terminal(LEAST_COLUMNS)[1], "w")
    text = "this needs the package numpy; run `make setup ALSO=host` first"
    lines = wrap_for_terminal(text, side).split("\n")
    assert " ".join(lines) == text
    assert sum("`make setup ALSO=host`" in line for line in lines) == 1
    row = "kestrel   centre   present in the folder of networks"
    first, second = wrap_for_terminal(row, side, 19).split("\n")
    assert first.startswith("kestrel   centre   present") and second.index("of") >= 19
    address = "https://a.example/" + "x" * 15
    assert (
        wrap_for_terminal(f"kestrel   centre   {address}", side, 19).split("\n")[1]
        == f"    {address}"
    )
    assert wrap_for_terminal("short", side) == "short"
    assert wrap_for_terminal("one\n\ntwo", side) == "one\n\ntwo"
    for stream in (side, None):
        assert wrap_for_terminal("a\x1b[2J\x9b1mb\tc", stream) == "a?[2J?1mb\tc"
