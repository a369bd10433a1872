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


def open_results(spec, columns=COLUMNS):
    """A writer for a ``.csv`` or ``.jsonl`` file, or for standard output (``-``, as CSV).

    Args:
        spec: the file's name or ``-``. A file that exists is replaced.
        columns: the names of the columns, in order.

    Raises:
        BadOutput: another ending, no such folder, no permission, or a full disk.
    """
    spec = os.fspath(spec)
    kind = ".csv" if spec == "-" else os.path.splitext(spec)[1].lower()
    if kind not in KINDS:
        raise BadOutput(
            "{}: results are written as {}; give the file such an ending, or - for standard "
            "output".format(spec, " or ".join(KINDS))
        )
    return Results(spec, columns, _csv_line if kind == ".csv" else _json_line, kind == ".csv")


class Results:
    """Writes rows; made by ``open_results``.

    Floats are written with at most 4 decimals (0.1 ms, 1/10000 pixel); None and what is not finite
    is an empty field in CSV and ``null`` in JSON.
    """

    def __init__(self, spec, columns, to_line, header):
        self.name = "standard output" if spec == "-" else spec
        self.columns = tuple(columns)
        self.rows = 0
        self._to_line = to_line
        self._own = spec != "-"
        self._file = _open(spec) if self._own else _stdout()
        # a file can be cut back to its last whole line, a pipe or a device can't
        self._can_cut = self._own and stat.S_ISREG(os.fstat(self._file).st_mode)
        self._size = 0
        if header:
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


def _open(path):
    """File descriptor of a new, empty file, or of a pipe that somebody reads."""
    check_folder(path)
    # a pipe without a reader would hold a blocking open for ever
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o666)
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
