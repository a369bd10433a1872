"""Read a board's files below a root. What can't be read is None, never an exception.

Detection and telemetry read everything through a ``Root``. Given a ``RecordingRoot`` instead, the
same code leaves a list of all that it read. That list is a snapshot.
"""

import glob
import os
from typing import Callable, Dict, List, Optional, Tuple, Union

Number = Union[int, float]

MAX_BYTES = 1 << 24  # of one file; the longest one read here is dpkg's list of packages


class Root:
    """A folder that replaces a board's ``/``.

    Args:
        folder: ``"/"`` for this computer, else a folder with a board's files below it.
    """

    def __init__(self, folder: str = "/") -> None:
        self.folder = os.path.abspath(str(folder))
        self.is_this_computer = self.folder == os.sep

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.folder!r})"

    def path(self, name: str) -> str:
        """Return the real path of a name below the root. Names have no leading slash."""
        return os.path.join(self.folder, name)

    def text(self, name: str, keep: Optional[Callable[[str], str]] = None) -> Optional[str]:
        """Return a file's text without NUL and white space at its end, or None.

        Args:
            name: path below the root.
            keep: function of the text that returns the part that is used and may be recorded.
        """
        data = _read(self.path(name))
        if data is None:
            return None
        text = data.decode("utf-8", "replace").rstrip("\0 \t\r\n")
        return keep(text) if keep else text

    def number(self, name: str) -> Optional[Number]:
        """Return the number in a file, int or float, or None when it holds no number."""
        text = self.text(name) or ""
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
        return None

    def list(self, name: str) -> List[str]:
        """Return the names in a folder; numbers in them sort as numbers. Empty if unreadable."""
        try:
            entries = os.listdir(self.path(name))
        except OSError:
            return []
        return sorted(entries, key=_natural)

    def has(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        return os.path.exists(self.path(name))

    def size(self, name: str) -> Optional[int]:
        """Return the size of a file in bytes, or None when there is no such file."""
        try:
            return os.path.getsize(self.path(name))
        except OSError:
            return None

    def note(self, name: str, text: str = "") -> None:
        """Let a recorder add a file for something that was not read from a file."""

    def glob(self, pattern: str) -> List[str]:
        """Return the names that match a pattern; numbers in them sort as numbers."""
        paths = glob.glob(os.path.join(glob.escape(self.folder), pattern))
        names = [os.path.relpath(path, self.folder) for path in paths]
        names.sort(key=lambda name: [_natural(part) for part in name.split("/")])
        return [name for name in names if self.has(name)]


class RecordingRoot(Root):
    """A ``Root`` that records what was read from it.

    Attributes:
        seen: dict of name -> text, or None for a file that can't be read. Files that are not there
            are not recorded. Folders are implied by their files.
    """

    def __init__(self, folder: str = "/") -> None:
        super().__init__(folder)
        self.seen: Dict[str, Optional[str]] = {}

    def text(self, name: str, keep: Optional[Callable[[str], str]] = None) -> Optional[str]:
        text = super().text(name, keep)
        if text is not None or self.has(name):
            self.seen[name] = text
        return text

    def has(self, name: str) -> bool:
        here = super().has(name)
        if here and not os.path.isdir(self.path(name)):
            self.seen.setdefault(name, "")
        return here

    def size(self, name: str) -> Optional[int]:
        size = super().size(name)
        if size is not None and not os.path.isdir(self.path(name)):
            # only whether it is empty matters, and a library is too long to keep
            self.seen[name] = "x" if size else ""
        return size

    def note(self, name: str, text: str = "") -> None:
        self.seen[name] = text


def _read(path: str) -> Optional[bytes]:
    # open() would block on a FIFO, and a sensor that answers EAGAIN must be no error. Some drivers
    # return a file in pieces, so read to its end.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        pieces = []
        total = 0
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


def _natural(name: str) -> Tuple[str, List[int], str]:
    """Return a sort key that puts hwmon2 before hwmon10."""
    digits = "".join(letter if letter.isdigit() else " " for letter in name).split()
    stem = "".join(letter for letter in name if not letter.isdigit())
    return stem, [int(number) for number in digits], name
