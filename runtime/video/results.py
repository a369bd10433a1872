"""Write results, one line for each target in each frame.

Every line goes to the operating system in one write, before the next frame is read. So a program
that is killed leaves every line that it wrote, and no partial line.

| ending | format |
|---|---|
| ``.csv`` | a header, then comma-separated values |
| ``.jsonl`` | one JSON object a line |
| ``.txt`` | MOTChallenge: frame, target, left, top, width, height, score, -1, -1, -1 |

MOTChallenge counts frames, targets and pixels from 1. Lost targets have no line there.
"""

import contextlib
import json
import math
import os
import stat
import sys
from typing import Any, List, Optional, Sequence

from runtime.errors import BadOutput
from runtime.video.output_file import check_ending, check_folder, lock, why_not

COLUMNS = ("frame", "time_s", "x", "y", "w", "h", "score")
KINDS = (".csv", ".jsonl", ".txt")
DECIMALS = 4  # 0.1 ms, 1/10000 pixel
PLAIN = (int, float, str, bool, type(None))  # no scalars of NumPy


class Results:
    """Writes rows to a file, or to standard output.

    Floats have at most 4 decimals. None, NaN and infinity are an empty field in CSV and ``null``
    in JSON.

    Args:
        spec: the file's name, or ``-`` for standard output, as CSV. An existing file is replaced.
        columns: the names of the columns, in order.
        append: keep the rows of an existing file; a partial last line is removed.

    Raises:
        BadOutput: another ending, no such folder, no permission, a file that another run is
            writing, or an existing file with other columns. A full disk is found by ``write``.
    """

    def __init__(self, spec: Any, columns: Sequence[str] = COLUMNS, append: bool = False) -> None:
        spec = os.fspath(spec)
        self._own = spec != "-"
        self.name = spec if self._own else "standard output"
        if self._own:
            check_ending(spec, KINDS)
        kind = os.path.splitext(spec)[1].lower() if self._own else ".csv"
        self.columns = tuple(columns)
        self.rows = 0
        self._to_line = LINES[kind]
        self._header = _csv_line(columns, columns) if kind == ".csv" else ""
        older = _whole_lines(spec, self._header) if self._own and append else 0
        self._file: Optional[int] = _open(spec, older) if self._own else _stdout()
        # a file can be cut back to its last whole line, a pipe or a device can't
        self._can_cut = self._own and stat.S_ISREG(os.fstat(self._file).st_mode)
        self._size = older
        with contextlib.suppress(BadOutput):  # a disk that is full now may have room later
            self._write_line("")

    def write(self, row: Sequence[Any]) -> None:
        """Write one row: its values in the columns' order.

        Raises:
            BadOutput: the disk is full, or the reader of a pipe went away. The lines written before
                stay whole.
            ValueError: a wrong number of values.
        """
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} values for {len(self.columns)} columns")
        self._write_line(self._to_line(self.columns, [_plain(value) for value in row]))
        self.rows += 1

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None and self._own:
            os.close(self._file)
        self._file = None

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _write_line(self, line: str) -> None:
        """Write a whole line, after the header where it is the first; or (in a file) nothing."""
        assert self._file is not None, "the results are closed"
        whole = (line if self._size else self._header + line).encode("utf-8")
        data = memoryview(whole)
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            if self._can_cut:
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise BadOutput(why_not(self.name, error, self.rows)) from None
        self._size += len(whole)


def _whole_lines(path: str, header: str) -> int:
    """How many bytes the whole lines of an existing file have; 0 where there is no file."""
    try:
        if not os.path.isfile(path) or not os.path.getsize(path):
            return 0
        with open(path, "rb") as file:
            first = file.readline()
            if header and first.endswith(b"\n") and first != header.encode():
                raise BadOutput(
                    f"{path}: holds other columns; name another file, or leave out --append"
                )
            rest = file.read()
            return len(first) + rest.rfind(b"\n") + 1 if first.endswith(b"\n") else 0
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None


def _open(path: str, older: int = 0) -> int:
    """File descriptor of a file that keeps its first bytes, or of a pipe that somebody reads."""
    check_folder(path)
    # O_NONBLOCK: without it, opening a pipe that nobody reads would wait for ever
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o666)
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None
    try:
        lock(file, path)
    except BadOutput:
        os.close(file)
        raise
    if stat.S_ISREG(os.fstat(file).st_mode):
        os.ftruncate(file, older)
        os.lseek(file, older, os.SEEK_SET)
    os.set_blocking(file, True)  # a reader may be slow
    return file


def _stdout() -> int:
    """File descriptor of standard output, after Python's own buffer is flushed."""
    if sys.stdout is None:  # `>&-`
        raise BadOutput("standard output: is closed; give --results a file's name")
    try:
        sys.stdout.flush()
        return sys.stdout.fileno()
    except OSError as error:
        raise BadOutput(why_not("standard output", error)) from None


def _plain(value: Any) -> Any:
    """Convert NumPy's scalars to Python's types, round floats, and make NaN None."""
    if type(value) not in PLAIN and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


def _csv_line(_: Sequence[str], values: Sequence[Any]) -> str:
    """Numbers and words as one line of CSV."""
    values = [int(value) if isinstance(value, bool) else value for value in values]
    return ",".join(["" if value is None else str(value) for value in values]) + "\n"


def _json_line(columns: Sequence[str], values: Sequence[Any]) -> str:
    """The values as one line of JSON."""
    return json.dumps(dict(zip(columns, values))) + "\n"


def _mot_line(columns: Sequence[str], values: Sequence[Any]) -> str:
    """The values as one line of a MOTChallenge file; "" for a lost target."""
    row = dict(zip(columns, values))
    box: List[Any] = [row.get(name) for name in "xywh"]
    if row.get("lost") or None in box:
        return ""
    x, y, w, h = box
    score = row.get("score")
    fields = [row["frame"] + 1, (row.get("target") or 0) + 1, x + 1, y + 1, w, h]
    fields += [-1 if score is None else score, -1, -1, -1]
    return ",".join(str(round(field, 2)) for field in fields) + "\n"


LINES = {".csv": _csv_line, ".jsonl": _json_line, ".txt": _mot_line}
