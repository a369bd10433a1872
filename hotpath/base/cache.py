"""The user's cache: compiled kernels, graphs, checked files; and who wrote them."""

import errno
import hashlib
import json
import os
import tempfile
from typing import Any, Callable, Sequence, Union

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALLED = bool({"site-packages", "dist-packages"} & set(HERE.split(os.sep)))  # no checkout
HOME = os.path.expanduser("~")
if not os.path.isabs(HOME):  # a user without a home; nothing can be made below this path
    HOME = os.path.join(os.devnull, "no-home")
    os.environ["HOME"] = HOME  # libraries ask for it when they are imported, and fail
USERS = os.path.join(HOME, ".cache", "hotpath")
# what reads and checks the TOMLs whose values are kept
TOML_CODE = [
    os.path.join(HERE, name + ".py")
    for name in ("text", "toml", "small_toml", "toml_keys", "toml_checks")
]
SEAL = ".sha256"  # ending of the file that holds the hash of another one


def digest(facts: object, paths: Sequence[str]) -> str:
    """Hash of facts and files, all that compiled code depends on: 16 hexadecimal digits."""
    key = hashlib.sha256(repr(facts).encode())
    for path in paths:
        with open(path, "rb") as file:
            key.update(file.read())
    return key.hexdigest()[:16]


def is_ours(path: str) -> bool:
    """Whether the owner of a folder or file can be trusted: this user, root, or Hotpath's owner."""
    try:
        return os.stat(path).st_uid in (0, os.getuid(), os.stat(HERE).st_uid)
    except OSError:
        return False


def write(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole: beside it, to the disk, and then in its place; raises ``OSError``."""
    descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def replace(part: str, path: str) -> None:
    """Put a finished file in the place of an older one, once it is on the disk.

    After a kill or a power failure the path holds the whole old file or the whole new one.

    Args:
        part: the finished file, in the same file system.
        path: the name that it gets.

    Raises:
        OSError: the disk did not take it; the older file stays.
    """
    _sync(part)
    os.replace(part, path)
    try:
        _sync(os.path.dirname(os.path.abspath(path)))
    except OSError:  # a file system whose folders can't be synced
        pass


def _sync(path: str) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Union[str, "os.PathLike[str]"], text: str) -> None:
    """Write a file of the user as ``replace`` does, in UTF-8; raises ``OSError``.

    Bytes of a file name that are no UTF-8 become question marks.
    """
    path = os.path.realpath(path)
    mask = os.umask(0)
    os.umask(mask)
    write(path, text.encode("utf-8", "replace"), 0o666 & ~mask)


def seal(path: str, data: bytes) -> None:
    """Write a file whole, with its hash beside it; raises ``OSError``."""
    write(path + SEAL, hashlib.sha256(data).hexdigest().encode())
    write(path, data)


def is_sealed(path: str) -> bool:
    """Whether a file of a trusted owner is as it was written."""
    try:
        with open(path + SEAL, "rb") as seal:
            whole = hash_of(path).encode() == seal.read()
    except OSError:
        return False
    return whole and is_ours(path) and is_ours(path + SEAL)


def is_whole(description: str) -> bool:
    """Whether the files that a sealed description names are beside it, as they were written.

    The description is JSON. Its entry ``files`` is a dict of a name -> ``hash_of`` that file.
    """
    folder = os.path.dirname(description)
    if not (is_ours(folder) and is_sealed(description)):
        return False
    try:
        with open(description, encoding="utf-8") as file:
            files = json.load(file)["files"]
        return all(hash_of(os.path.join(folder, name)) == files[name] for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def hash_of(path: str) -> str:
    """The sha256 of a file, hexadecimal; raises ``OSError``."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def checked(name: str, paths: Sequence[str], check: Callable[[], Any]) -> Any:
    """Return what ``check`` returns, without a call of it if it was called for the same files.

    Args:
        name: of the file in the cache.
        paths: the files on which the result depends, with those of the code.
        check: a function whose result is JSON, with tuples instead of lists.
    """
    path = os.path.join(USERS, "checked", f"{name}-{digest(HERE, [])}.json")  # of this checkout
    key = digest(None, paths)
    try:
        if is_ours(os.path.dirname(path)) and is_sealed(path):
            with open(path, encoding="utf-8") as file:
                kept = _with_tuples(json.load(file))
            if kept["key"] == key:
                return kept["value"]
    except (OSError, ValueError, KeyError, TypeError):  # of another version, or just removed
        pass
    value = check()
    try:
        make(os.path.dirname(path))
        seal(path, json.dumps({"key": key, "value": value}).encode())
    except OSError:  # a home that can't be written: it is checked each time
        pass
    return value


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_tuples(entry) for name, entry in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def make(folder: str) -> None:
    """Make a folder that nobody else can write to.

    Raises:
        OSError: it can't be made, or it belongs to another user.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not is_ours(folder):
        raise PermissionError(errno.EPERM, "it belongs to another user")
