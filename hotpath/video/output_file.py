"""Files that a run writes: locked against other runs, and checked before an old one is replaced."""

import errno
import os
import stat
from typing import List, Sequence

from hotpath.base import cache
from hotpath.base.messages import counted
from hotpath.runtime.errors import BadOutput

try:
    import fcntl
except ImportError:  # nothing can be locked
    fcntl = None  # type: ignore[assignment]

MOVED = "{}: was removed or replaced while this run wrote it; the name has other content now"
OLDER_STAYS = "{}: no target was tracked, so the older file stays"
MOST_PARTS = 100  # names that are tried for a file that is not finished


def check_folder(path: str) -> None:
    """Raise ``BadOutput`` unless ``path`` can be a file in a folder that can be written to."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise BadOutput(
            f"{path}: the folder {folder} does not exist; make it first", what="no folder"
        )
    if os.path.isdir(path):
        raise BadOutput(f"{path}: is a folder; give a file name", what="is a folder")
    if os.path.islink(os.path.realpath(path)):
        raise BadOutput(f"{path}: is a link to itself; name another file", what="a link to itself")
    if not (os.path.exists(path) or os.access(folder, os.W_OK)):
        raise BadOutput(
            f"{path}: no permission to write there; name another folder", what="no permission"
        )


def check_ending(path: str, kinds: Sequence[str]) -> None:
    """Raise ``BadOutput`` unless the file's name ends in one of ``kinds``."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in kinds:
        what = f"the ending {kind} is unknown" if kind else "has no ending"
        raise BadOutput(
            f"{path}: {what}; name the file {' or '.join(kinds)}", what="unknown ending"
        )


def is_at(file: int, path: str) -> bool:
    """Whether a path still names an open file. What is no regular file always does."""
    own = os.fstat(file)
    try:
        return not stat.S_ISREG(own.st_mode) or os.path.samestat(own, os.stat(path))
    except OSError:
        return False


def lock(file: int, path: str) -> None:
    """Lock an open file against other runs until it is closed.

    Args:
        file: descriptor. Only regular files are locked.
        path: its name, for the message.

    Raises:
        BadOutput: another run holds the lock.
    """
    if fcntl is None or not stat.S_ISREG(os.fstat(file).st_mode):
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadOutput(
            f"{path}: another run is writing this file; give this run another file name",
            what="another run",
            where=path,
        ) from None
    except OSError:  # a file system without locks
        pass


def why_not(name: str, error: OSError, rows: int = 0) -> str:
    """The sentence for a file that can't be opened, or for a write that failed."""
    kept = f"; what was written before is kept ({counted(rows, 'row')})" if rows else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{name}: the disk is full{kept}"
    if error.errno == errno.ENXIO:
        return f"{name}: nobody reads this pipe; start its reader first"
    if error.errno == errno.EPIPE:
        return f"{name}: closed by its reader after {counted(rows, 'row')}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{name}: no permission to write there ({error.strerror})"
    return f"{name}: can't be written ({error.strerror}){kept}"


def _refuse_if_written(path: str, name: str) -> None:
    """Raise ``BadOutput`` if another run writes a file now."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # a symbolic link, or another user's
        return
    try:
        lock(file, name)
    finally:
        os.close(file)


class NewFile:
    """A new file that takes an old one's place only when it has content.

    It is written as ``NAME.part`` in the same folder, ``NAME.part-2`` if there is such a file.
    ``keep`` waits until the content is on the disk and renames it; the file stays open.
    What is no regular file, such as /dev/null, is written directly.

    Args:
        path: the name that the file gets in the end.

    Raises:
        BadOutput: no such folder, no permission, or another run writes the file.

    Attributes:
        path: where the content is now.
    """

    def __init__(self, path: str) -> None:
        check_folder(path)
        self._final = os.path.realpath(path)
        self.path = self._final
        self._files: List[int] = []  # descriptors that hold the locks
        try:
            if os.path.exists(self._final):
                self._open(self._final, os.O_WRONLY, path)
            if not os.path.exists(self._final) or os.path.isfile(self._final):
                self._open_part(path)
        except OSError as error:
            self.close()
            raise BadOutput(why_not(path, error)) from None
        except BadOutput:
            self.close()
            raise

    def _open(self, path: str, flags: int, name: str) -> None:
        self._files.append(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
        lock(self._files[-1], name)

    def _open_part(self, name: str) -> None:
        """Open a new file; what others have under such a name is neither written nor followed."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        for number in range(1, MOST_PARTS + 1):
            path = f"{self._final}.part" + (f"-{number}" if number > 1 else "")
            try:
                self._open(path, flags, name)
            except FileExistsError:
                _refuse_if_written(path, name)
                continue
            self.path = path
            return
        raise BadOutput(f"{name}: {path} and the like are there; remove those of ended runs")

    def again(self) -> int:
        """A descriptor to append to the file by; raises ``BadOutput``."""
        try:
            return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise BadOutput(why_not(self._final, error)) from None

    def keep(self) -> None:
        """Give the file its final name once it is on the disk; the older file is gone then.

        Raises:
            OSError: the disk did not take it; the older file stays.
        """
        if not self.kept:
            cache.replace(self.path, self._final)
            self.path = self._final

    @property
    def kept(self) -> bool:
        """Whether the content has its final name."""
        return self.path == self._final

    @property
    def replaces(self) -> bool:
        """Whether an older file with content has the name now."""
        return not self.kept and os.path.isfile(self._final) and os.path.getsize(self._final) > 0

    @property
    def is_there(self) -> bool:
        """Whether the name still has this content, if it was kept."""
        return not (self._files and self.kept) or is_at(self._files[-1], self._final)

    def close(self) -> None:
        """Release the locks, and remove a file that was not kept; may be called twice."""
        if self._files and not self.kept:
            try:
                os.unlink(self.path)
            except OSError:
                pass
        while self._files:
            os.close(self._files.pop())
