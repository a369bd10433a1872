"""Folders for compiled kernels, and a check of who wrote their files."""

import errno
import hashlib
import os
import tempfile
from typing import Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALLED = bool({"site-packages", "dist-packages"} & set(HERE.split(os.sep)))  # no checkout
USERS = os.path.join(os.path.expanduser("~"), ".cache", "hotpath")


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


def write(path: str, data: bytes) -> None:
    """Write a file whole: beside it, to the disk, and then in its place; raises ``OSError``."""
    descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def make(folder: str) -> None:
    """Make a folder that nobody else can write to.

    Raises:
        OSError: it can't be made, or it belongs to another user.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not is_ours(folder):
        raise PermissionError(errno.EPERM, "it belongs to another user")
