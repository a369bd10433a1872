"""Reading a board's files under a root: what can't be read is None, never an exception.

Everything that detection and telemetry know of a board, they read through a ``Root``. With a
``Recorder`` in its place the same code leaves behind the list of what it read: that is a snapshot.
"""

import os

MAX_BYTES = 1 << 24  # of one file; dpkg's list of packages is the longest read here


class Root:
    """A folder that stands for a board's ``/``.

    Args:
        folder: ``"/"`` for this computer, else a folder with a board's files below it.
    """

    def __init__(self, folder="/"):
        self.folder = os.path.abspath(str(folder))
        self.is_this_computer = self.folder == os.sep

    def __repr__(self):
        return "{}({!r})".format(type(self).__name__, self.folder)

    def path(self, name):
        """The real path of a name below the root; names have no leading slash."""
        return os.path.join(self.folder, name)

    def text(self, name, keep=None):
        """A file's text without the NUL and the white space at its end; None without one.

        Args:
            name: path below the root.
            keep: function of the text, gives the part of it that may be known (and recorded).
        """
        data = _read(self.path(name))
        if data is None:
            return None
        text = data.decode("utf-8", "replace").rstrip("\0 \t\r\n")
        return keep(text) if keep else text

    def number(self, name):
        """A file's number: int when it is one, else float; None when it holds none."""
        return to_number(self.text(name))

    def list(self, name):
        """Names in a folder, numbers in them sorted as numbers; empty without such a folder."""
        try:
            entries = os.listdir(self.path(name))
        except OSError:
            return []
        return sorted(entries, key=_natural)

    def has(self, name):
        """Whether there is a file or folder of that name."""
        return os.path.exists(self.path(name))

    def size(self, name):
        """Bytes of a file; None without one."""
        try:
            return os.path.getsize(self.path(name))
        except OSError:
            return None

    def note(self, name, text=""):
        """Tell a recorder of a file that would stand for what was learnt in another way."""

    def glob(self, pattern):
        """Names that match a pattern in which a whole part may be ``*`` or hold one."""
        found = [""]
        for part in pattern.split("/"):
            if "*" not in part:
                found = [_join(base, part) for base in found]
                continue
            before, _, after = part.partition("*")
            found = [
                _join(base, entry)
                for base in found
                for entry in self.list(base)
                if entry.startswith(before)
                and entry.endswith(after)
                and len(entry) >= len(before) + len(after)
            ]
        return [name for name in found if self.has(name)]


class Recorder(Root):
    """A ``Root`` that notes what was read from it.

    ``seen`` maps name -> text, or None where there is a file that can't be read. Files that are
    not there are not noted; folders are implied by their files.
    """

    def __init__(self, folder="/"):
        super().__init__(folder)
        self.seen = {}

    def text(self, name, keep=None):
        text = super().text(name, keep)
        if text is not None or self.has(name):
            self.seen[name] = text
        return text

    def has(self, name):
        here = super().has(name)
        if here and not os.path.isdir(self.path(name)):
            self.seen.setdefault(name, "")
        return here

    def size(self, name):
        size = super().size(name)
        if size is not None and not os.path.isdir(self.path(name)):
            # only whether it is empty matters to anyone, and a library is too long to keep
            self.seen[name] = "x" if size else ""
        return size

    def note(self, name, text=""):
        self.seen[name] = text


def to_number(text):
    """The number that a text is, int or float; None when it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return None


def _read(path):
    # Not open(): a FIFO would block it, and a sensor that answers EAGAIN must be no error. Some
    # drivers give a file in pieces, so read to its end.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        pieces, total = [], 0
        while total < MAX_BYTES:
            piece = os.read(handle, 1 << 16)
            if not piece:
                break
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(handle)


def _join(base, part):
    return base + "/" + part if base else part


def _natural(name):
    """Sort key: hwmon2 before hwmon10."""
    digits = "".join(letter if letter.isdigit() else " " for letter in name).split()
    stem = "".join(letter for letter in name if not letter.isdigit())
    return stem, [int(number) for number in digits], name
