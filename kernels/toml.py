"""Reads the TOML files that people edit: of boards, of networks, of calibration."""

import pathlib
import typing

from hotpath.kernels import text as texts
from hotpath.kernels.commands import why_unread

if typing.TYPE_CHECKING:
    from hotpath.kernels.errors import HotpathError

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        import tomli as tomllib
    except ImportError:  # a fresh board
        from hotpath.kernels import small_toml as tomllib


def read(path: pathlib.Path, error: "typing.Type[HotpathError]") -> "typing.Dict[str, typing.Any]":
    """Read a TOML file.

    Args:
        path: the file.
        error: the class to raise, which says what kind of file it is.

    Returns:
        dict of the file's keys and sections.

    Raises:
        error: the file can't be opened or is no TOML.
    """
    try:
        return tomllib.loads(texts.read(str(path)))
    except OSError as problem:
        raise error(f"{path} can't be read: {problem.strerror}; name another file") from None
    except UnicodeDecodeError as problem:
        raise error(f"{path}: {why_unread(problem)}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} can't be read as TOML: {problem}; correct the file") from None
