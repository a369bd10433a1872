"""Reads the TOML files that people edit: of boards, of networks, of calibration."""

import pathlib
import typing

from hotpath.base import text as texts

if typing.TYPE_CHECKING:
    from hotpath.base.errors import HotpathError

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        import tomli as tomllib
    except ImportError:  # a fresh board
        from hotpath.base import small_toml as tomllib

MOST_BYTES = 1 << 17  # of a file; ours have a few thousand
MOST_DOTS = 200  # of a line: tomllib needs the square of a key's parts; our keys have 3


def read(path: pathlib.Path, error: "typing.Type[HotpathError]") -> "typing.Dict[str, typing.Any]":
    """Read a TOML file.

    Args:
        path: the file.
        error: the class to raise, which says what kind of file it is.

    Returns:
        dict of the file's keys and sections.

    Raises:
        error: the file can't be opened, is over the budget, or is no TOML.
    """
    try:
        text = texts.read(str(path), MOST_BYTES)
        _check_depth(text)
        return tomllib.loads(text)
    except OSError as problem:
        raise error(f"{path} can't be read: {problem.strerror}; name another file") from None
    except UnicodeDecodeError as problem:
        from hotpath.base.messages import why_unread

        raise error(f"{path}: {why_unread(problem)}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} can't be read as TOML: {problem}; correct the file") from None


def _check_depth(text: str) -> None:
    """Raise ``ValueError`` for a line that may be a key of too many parts; no key has two lines."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise ValueError(f"line {number} has over {MOST_DOTS} dots, as no key or list needs")
