"""Reads and writes the TOML files that people edit: of boards, of networks, of calibration."""

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


def text(table: "typing.Dict[str, typing.Any]", note: str) -> str:
    """Write a table as TOML.

    Args:
        table: values, sections (dict), and repeated sections (list of dicts).
        note: comment above it; may have several lines.

    Returns:
        the file's text, one key a line.
    """
    lines = ["# " + line for line in note.splitlines()]
    plain = {k: v for k, v in table.items() if not _is_section(v)}
    lines += _lines(plain)
    for name, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]"] + _lines(value)
        elif _is_section(value):
            for entry in value:
                lines += ["", f"[[{name}]]"] + _lines(entry)
    return "\n".join(lines) + "\n"


def _is_section(value: typing.Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _lines(section: "typing.Dict[str, typing.Any]") -> "typing.List[str]":
    return [f"{key} = {_value(value)}" for key, value in section.items()]


def _value(value: typing.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[{}]".format(", ".join(map(_value, value)))
    return repr(value)
