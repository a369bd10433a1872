"""Write results, one line for each target in each frame.

Every line goes to a file in one write, before the next frame is read. So a program that is killed
leaves every line that it wrote, and no partial line. Where a pipe has no room, because its reader
is slow, a live source goes on without the line.

| ending | format |
|---|---|
| ``.csv`` | a header, then comma-separated values |
| ``.jsonl`` | one JSON object a line |
| ``.txt`` | MOTChallenge: frame, target, left, top, width, height, score, -1, -1, -1 |

MOTChallenge counts frames, targets and pixels from 1. Lost targets have no line there.
"""

import contextlib
import csv
import io
import json
import math
import os
import select
import stat
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

from hotpath.base.messages import counted
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.directions import bearing
from hotpath.runtime.tracker.lock import ExclusiveLock, exclusive
from hotpath.runtime.types import Box
from hotpath.video.base import Output, TrackedFrame
from hotpath.video.output_file import (
    MOVED,
    NewFile,
    check_ending,
    check_folder,
    is_at,
    lock,
    why_not,
)

COLUMNS = ("frame", "time_s", "x", "y", "w", "h", "score")
TARGET_COLUMNS = (
    *("target", "lost", "state", "found", "presence", "witnessed"),
    *("velocity_x", "velocity_y"),
    *("predicted_" + name for name in Box._fields),
)
CLASS_COLUMNS = ("class", "class_name")  # where a detector finds the targets
FOV_COLUMNS = ("bearing_right", "bearing_down")  # with a field of view, degrees
FILE_COLUMN = ("file",)  # where each frame is a file
UNKNOWN = (None,) * 4
KINDS = (".csv", ".jsonl", ".txt")
DECIMALS = 4  # 0.1 ms, 1/10000 pixel
PATIENCE_S = 10.0  # that a recording waits for the reader of a pipe, once
FIRST_LINE = 1 << 16  # bytes of an older file that are compared
APPENDS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
PLAIN = (int, float, str, bool, type(None))  # no scalars of NumPy
END = "\r\n"  # so that csv quotes a name with either of them


class Rows(Output):
    """Makes a row of each target in a frame, for ``ResultsWriter``.

    Args:
        file_of: function that gives the name of a frame's file by its index; None without files.
        classes: whether a detector gives the targets a class.
        fov: field of view for the directions, as in ``hotpath.bearing``, or None.

    Attributes:
        columns: names of the values in a row.
        results: the ``ResultsWriter`` to write to, or None.
        records: function that says whether rows go to the ``ResultsWriter`` now; None: always.
    """

    def __init__(
        self,
        file_of: Optional[Callable[[int], Optional[str]]] = None,
        classes: bool = False,
        fov: Any = None,
    ) -> None:
        self._file_of, self._classes, self._fov = file_of, classes, fov
        self.columns = COLUMNS + TARGET_COLUMNS
        if classes:
            self.columns += CLASS_COLUMNS
        if fov:
            self.columns += FOV_COLUMNS
        if file_of is not None:
            self.columns += FILE_COLUMN
        self.results: Optional[ResultsWriter] = None
        self.records: Optional[Callable[[], bool]] = None

    def write(self, tracked: TrackedFrame) -> None:
        """Write a frame's rows; raises what ``ResultsWriter.write`` does."""
        height, width = tracked.frame.shape[:2]
        for number, track in tracked.tracks.items():
            box = track.box
            row: List[Any] = [tracked.index, tracked.time_s, *box, track.score]
            row += number, track.lost, track.state, track.found, track.presence, track.witnessed
            row += track.velocity or UNKNOWN[:2]
            row += track.predicted or UNKNOWN
            if self._classes:
                row += track.class_id, track.class_name
            if self._fov:
                is_finite = math.isfinite(sum(box))
                row += bearing(box, (width, height), self._fov) if is_finite else UNKNOWN[:2]
            if self._file_of is not None:
                row.append(self._file_of(tracked.index))
            if self.results is not None and (self.records is None or self.records()):
                self.results.write(row)

    def lines(self) -> List[str]:
        """How many rows were left out."""
        dropped = self.results.dropped if self.results is not None else 0
        text = "dropped from the results, because their reader was too slow: "
        return [text + counted(dropped, "row")] if dropped else []

    def close(self) -> None:
        """Close the ``ResultsWriter``; raises what its ``close`` does."""
        if self.results is not None:
            self.results.close()
            self.files = [self.results.name] if self.results.kept else []


class ResultsWriter:
    """Writes rows to a file, or to standard output.

    Floats have at most 4 decimals. None, NaN and infinity are an empty field in CSV and ``null``
    in JSON.

    Args:
        spec: the file's name, or ``-`` for standard output, as CSV. An existing file is replaced
            when the first row is on the disk, and stays where no row is written.
        columns: the names of the columns, in order.
        append: keep the rows of an existing file; a last line without an end is ended.
        waits: whether rows wait for the reader of a pipe, up to ``PATIENCE_S``.
        log: is told once that rows are left out.

    Attributes:
        rows: how many were written.
        dropped: how many were not, because the reader of a pipe is late.

    Raises:
        BadOutput: another ending, no such folder, no permission, a file that another run is
            writing, or an existing file with other columns. A full disk is found by ``write``.
    """

    def __init__(
        self,
        spec: Any,
        columns: Sequence[str] = COLUMNS,
        append: bool = False,
        waits: bool = True,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        spec = os.fspath(spec)
        self._own = spec != "-"
        self.name = spec if self._own else "standard output"
        if self._own:
            check_ending(spec, KINDS)
        kind = os.path.splitext(spec)[1].lower() if self._own else ".csv"
        self.columns = tuple(columns)
        self.rows = self.dropped = 0
        self._to_line = LINES[kind]
        self._header = csv_line(columns, columns) if kind == ".csv" else ""
        if self._own and append:
            _check_columns(spec, self._header)
        self._new = NewFile(spec) if self._own and not append and _is_replaceable(spec) else None
        if self._new:  # which holds the locks
            self._file: Optional[int] = self._new.again()
        else:
            self._file = _open(spec, append) if self._own else _stdout()
        # a file takes every write, and can be cut back to its last whole line
        self._is_file = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._patience_s = PATIENCE_S if waits else 0.0
        self.lock = ExclusiveLock()  # two threads would both put the new file in its place
        self._log = log
        self._began = False
        with contextlib.suppress(BadOutput):  # a disk that is full now may have room later
            self._write_line("")

    @exclusive
    def write(self, row: Sequence[object]) -> None:
        """Write one row: its values in the columns' order.

        Raises:
            BadOutput: the disk is full, or the reader of a pipe went away. The lines written before
                stay whole.
            ValueError: a wrong number of values.
        """
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} values for {len(self.columns)} columns")
        self._write_line(self._to_line(self.columns, row))

    @property
    def kept(self) -> bool:
        """Whether the file with this name is the one that was written."""
        return self._own and (self._new is None or self._new.kept)

    @exclusive
    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is None:
            return
        is_there = not self._own or self.rows == 0 or not self.kept or is_at(self._file, self.name)
        if self._own:
            os.close(self._file)
        self._file = None
        if self._new:
            self._end()
        if not is_there:
            raise BadOutput(MOVED.format(self.name), what="moved")

    def __enter__(self) -> "ResultsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_line(self, line: str) -> None:
        """Write a whole line, after the header where it is the first; or (in a file) nothing."""
        if self._file is None:
            raise BadOutput(f"{self.name}: is closed")
        if self._is_file:  # which somebody may have emptied since
            self._append((line if os.fstat(self._file).st_size else self._header + line).encode())
            self.rows += bool(line)
            if line:
                self._keep()
        elif self._send((line if self._began else self._header + line).encode()):
            self._began = True
            self.rows += bool(line)

    def _keep(self) -> None:
        """Give a new file its name, once; the older one is gone."""
        try:
            if self._new:
                self._new.keep()
        except OSError as error:
            raise BadOutput(why_not(self.name, error)) from None

    def _end(self) -> None:
        """Give a file without rows its name only where no older one has it."""
        assert self._new is not None, "written directly"
        try:
            if self.rows or not self._new.replaces:
                self._keep()
            elif not self._new.kept:
                self._log(f"{self.name}: no row was written, so the older file stays")
        finally:
            self._new.close()

    def _append(self, data: bytes) -> None:
        """Write to the end of the file, or leave it as it was and raise ``BadOutput``."""
        assert self._file is not None, "the results are closed"
        size = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # the disk is gone or read-only
                os.ftruncate(self._file, size)
            raise BadOutput(why_not(self.name, error, self.rows), what="not written") from None

    def _send(self, data: bytes) -> bool:
        """Write a line to a pipe; returns whether it had room within the patience."""
        assert self._file is not None, "the results are closed"
        if not data:  # a frame without a row
            return True
        room = select.poll()
        room.register(self._file, select.POLLOUT)
        if not room.poll(self._patience_s * 1e3):
            self._patience_s = 0.0
            if not self.dropped:
                self._log(
                    f"{self.name}: the reader is too slow; rows are dropped until it catches up"
                )
            self.dropped += 1
            return False
        try:  # so few bytes do not block a pipe that has room, and it takes them whole
            os.write(self._file, data)
        except OSError as error:
            raise BadOutput(why_not(self.name, error, self.rows), what="not written") from None
        return True


def _check_columns(path: str, header: str) -> None:
    """Raise ``BadOutput`` unless an existing CSV file begins with this header."""
    try:
        if header and os.path.isfile(path) and os.path.getsize(path):
            with open(path, "rb") as file:
                if file.readline(FIRST_LINE).rstrip(b"\n") != header.rstrip("\n").encode():
                    raise BadOutput(
                        f"{path}: holds other columns; name another file, or leave out --append",
                        what="other columns",
                    )
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None


def _end_line(file: int, path: str) -> None:
    """End the last line of a file that is appended to, if it has no end."""
    with open(path, "rb") as older:
        if older.seek(0, os.SEEK_END):
            older.seek(-1, os.SEEK_END)
            if older.read(1) != b"\n":
                os.write(file, b"\n")


def _is_replaceable(path: str) -> bool:
    """Whether a new file can take the place of a path: no pipe, and a folder to write to."""
    check_folder(path)
    real = os.path.realpath(path)
    is_file = os.path.isfile(real) or not os.path.exists(real)
    return is_file and os.access(os.path.dirname(real), os.W_OK)


def _open(path: str, append: bool = False) -> int:
    """File descriptor of a file, which is emptied or kept, or of a pipe that somebody reads."""
    check_folder(path)
    # O_NONBLOCK: without it, opening a pipe that nobody reads would wait for ever
    try:
        file = os.open(path, APPENDS | os.O_CREAT | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None
    try:
        lock(file, path)
    except BadOutput:
        os.close(file)
        raise
    if stat.S_ISREG(os.fstat(file).st_mode):
        if append:
            _end_line(file, path)
        else:
            os.ftruncate(file, 0)
    os.set_blocking(file, True)
    return file


def _stdout() -> int:
    """File descriptor of standard output, after Python's own buffer is flushed."""
    if sys.stdout is None:  # `>&-`
        raise BadOutput("standard output is closed; pass a file name to --results")
    try:
        sys.stdout.flush()
        return sys.stdout.fileno()
    except OSError as error:
        raise BadOutput(why_not("standard output", error)) from None


def _plain(values: Sequence[object]) -> List[object]:
    """Convert NumPy's scalars to Python's types, round floats, and make NaN None."""
    plain = []
    for value in values:
        if type(value) not in PLAIN and hasattr(value, "item"):
            value = value.item()
        if type(value) is float:
            value = round(value, DECIMALS) if math.isfinite(value) else None
        plain.append(value)
    return plain


def csv_line(_: Sequence[str], values: Sequence[object]) -> str:
    """Numbers and words as one line of CSV."""
    plain = _plain(values)
    for place, value in enumerate(plain):
        if value is True or value is False:
            plain[place] = int(value)
    line = io.StringIO()
    csv.writer(line, lineterminator=END).writerow(plain)
    return line.getvalue()[: -len(END)] + "\n"


def _json_line(columns: Sequence[str], values: Sequence[object]) -> str:
    """The values as one line of JSON."""
    return json.dumps(dict(zip(columns, _plain(values)))) + "\n"


def _mot_line(columns: Sequence[str], values: Sequence[Any]) -> str:
    """The values as one line of a MOTChallenge file; "" for a lost target."""
    row: Dict[str, Any] = dict(zip(columns, _plain(values)))
    box: List[Any] = [row.get(name) for name in "xywh"]
    if row.get("lost") or None in box:
        return ""
    x, y, w, h = box
    score = row.get("score")
    fields = [row["frame"] + 1, (row.get("target") or 0) + 1, x + 1, y + 1, w, h]
    fields += [-1 if score is None else score, -1, -1, -1]
    return ",".join(str(round(field, 2)) for field in fields) + "\n"


LINES = {".csv": csv_line, ".jsonl": _json_line, ".txt": _mot_line}
