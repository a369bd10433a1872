"""Write one line of results per frame, so that nothing that was tracked is ever lost.

Every line goes to the operating system in one write before the next frame is touched: a killed
program leaves every line it wrote, whole.
"""

import csv
import errno
import io
import json
import math
import os
import stat
import sys

from runtime.errors import BadOutput

COLUMNS = ("frame", "time_s", "x", "y", "w", "h", "score")
KINDS = (".csv", ".jsonl")


def open_results(spec, columns=COLUMNS, append=False):
    """A writer for a ``.csv`` or ``.jsonl`` file, or for standard output (``-``, as CSV).

    Args:
        spec: the file's name or ``-``. A file that exists is replaced.
        columns: the names of the columns, in order.
        append: keep the rows of a file that is there; a line that was cut off is removed.

    Raises:
        BadOutput: rows of other columns to append to, another ending, no such folder, no
            permission, or a full disk.
    """
    spec = os.fspath(spec)
    kind = ".csv" if spec == "-" else os.path.splitext(spec)[1].lower()
    if kind not in KINDS:
        raise BadOutput(
            "{}: results are written as {}; give the file such an ending, or - for standard "
            "output".format(spec, " or ".join(KINDS))
        )
    to_line = _csv_line if kind == ".csv" else _json_line
    return Results(spec, columns, to_line, kind == ".csv", append)


class Results:
    """Writes rows; made by ``open_results``.

    Floats are written with at most 4 decimals (0.1 ms, 1/10000 pixel); None and what is not finite
    is an empty field in CSV and ``null`` in JSON.
    """

    def __init__(self, spec, columns, to_line, header, append=False):
        self.name = "standard output" if spec == "-" else spec
        self.columns = tuple(columns)
        self.rows = 0
        self._to_line = to_line
        self._own = spec != "-"
        older = _whole_lines(spec, columns, header) if self._own and append else 0
        self._file = _open(spec, older) if self._own else _stdout()
        # a file can be cut back to its last whole line, a pipe or a device can't
        self._can_cut = self._own and stat.S_ISREG(os.fstat(self._file).st_mode)
        self._size = older
        if header and not older:
            try:
                self._write_line(_csv_line(self.columns, self.columns))
            except BadOutput:
                self.close()
                raise

    def write(self, row):
        """Write one row: a dict by column names (missing ones stay empty) or values in order.

        Raises:
            BadOutput: the disk is full or the reader of a pipe went away; what was written before
                stays, in whole lines.
            ValueError: a name that is no column, or another number of values.
        """
        if isinstance(row, dict):
            unknown = set(row) - set(self.columns)
            if unknown:
                raise ValueError("no such column: {}".format(", ".join(sorted(unknown))))
            row = [row.get(name) for name in self.columns]
        if len(row) != len(self.columns):
            raise ValueError("{} values for {} columns".format(len(row), len(self.columns)))
        self._write_line(self._to_line(self.columns, [_plain(value) for value in row]))
        self.rows += 1

    def close(self):
        """Close the file; may be called twice."""
        if self._file is not None and self._own:
            os.close(self._file)
        self._file = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _write_line(self, line):
        """One line, wholly or (in a file) not at all."""
        data = memoryview(line.encode("utf-8"))
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            if self._can_cut:
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise BadOutput(why_not(self.name, error, self.rows)) from None
        self._size += len(line.encode("utf-8"))


def check_folder(path):
    """Raise ``BadOutput`` unless the folder in which ``path`` is to be written exists."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise BadOutput("{}: the folder {} does not exist; make it first".format(path, folder))
    if os.path.isdir(path):
        raise BadOutput("{}: is a folder; give a file name".format(path))


def _whole_lines(path, columns, header):
    """Bytes of the whole lines of an older file; 0 where there is none."""
    try:
        if not os.path.isfile(path) or not os.path.getsize(path):
            return 0
        with open(path, "rb") as file:
            first = file.readline()
            if header and first.endswith(b"\n") and first != _csv_line(columns, columns).encode():
                raise BadOutput(
                    "{}: holds other columns; name another file, or leave --append away".format(
                        path
                    )
                )
            size = os.path.getsize(path)
            while size:  # a line that was cut off: look for the end of the one before, from behind
                start = max(0, size - 4096)
                file.seek(start)
                end = file.read(size - start).rfind(b"\n")
                if end >= 0:
                    return start + end + 1
                size = start
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None
    return 0


def _open(path, older=0):
    """File descriptor of a file whose first bytes are kept, or of a pipe that somebody reads."""
    check_folder(path)
    # a pipe without a reader would hold a blocking open for ever
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags if older else flags | os.O_TRUNC, 0o666)
        if older:
            os.ftruncate(file, older)
            os.lseek(file, older, os.SEEK_SET)
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None
    os.set_blocking(file, True)  # a reader may be slow
    return file


def _stdout():
    """File descriptor of standard output, with nothing of Python's own left in its buffer."""
    if sys.stdout is None:  # `>&-`
        raise BadOutput("standard output: is closed; give --results a file's name")
    try:
        sys.stdout.flush()
        return sys.stdout.fileno()
    except OSError as error:
        raise BadOutput(why_not("standard output", error)) from None


def why_not(name, error, rows=0):
    """The sentence for a file that can't be opened or a write that failed."""
    kept = "; the {} rows before it are kept".format(rows) if rows else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "{}: the disk is full{}".format(name, kept)
    if error.errno == errno.ENXIO:
        return "{}: nobody reads this pipe; start its reader first".format(name)
    if error.errno == errno.EPIPE:
        return "{}: closed by its reader after {} rows".format(name, rows)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "{}: no permission to write there ({})".format(name, error.strerror)
    return "{}: can't be written ({}){}".format(name, error.strerror, kept)


def _plain(value):
    """A value of Python's own types: NumPy's scalars unpacked, floats rounded, NaN as None."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _csv_line(_, values):
    """The values as one line of CSV."""
    line = io.StringIO()
    values = [int(value) if isinstance(value, bool) else value for value in values]
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _json_line(columns, values):
    """The values as one line of JSON."""
    return json.dumps(dict(zip(columns, values))) + "\n"
