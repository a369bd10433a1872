"""Describe the keys of files: which there are, and what their values may be.

Networks, detectors, boards and the gimbal's numbers describe their keys by ``Key``, and
``toml_checks`` checks them. A key that becomes a path or an address has a kind of its own,
``Name``, ``FileName``, ``HttpsAddress`` or ``Sha256``: the files may be a stranger's.
"""

import re
from typing import Any, Dict, NamedTuple, Optional, Pattern, Tuple, Union

REQUIRED = object()  # default of a key that must be there
Table = Dict[str, Any]
Section = Union[str, Tuple[str, int]]  # the header, or ("file", its number from 0)


class Name(str):
    """Kind of a key: a name of ours, such as an engine's, which a file or a module has."""


class FileName(str):
    """Kind of a key: the name of a file in a folder that the TOML does not choose."""


class HttpsAddress(str):
    """Kind of a key: where a file is downloaded."""


class Sha256(str):
    """Kind of a key: the hash of a file."""


FORMS: Dict[type, Tuple[Pattern[str], str]] = {
    Name: (
        re.compile(r"(?!.*\.toml$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"),
        "must be a name of letters and digits",
    ),
    FileName: (
        re.compile(r"(?!\.)[^/\\\x00-\x1f*?\[\]]{1,200}"),
        "must be a file name without folders and wildcards",
    ),
    HttpsAddress: (
        re.compile(r"https://[^\s/?#\\]+(/[^\s\\]*)?"),
        "must be an address that begins with https://",
    ),
    Sha256: (re.compile("[0-9a-f]{64}"), "must be 64 hexadecimal digits, small"),
}


def form_problem(kind: type, value: Any) -> Optional[str]:
    """Return what is wrong with a value of a kind of ``FORMS``, or None.

    Example:
        >>> form_problem(FileName, "../x.onnx")
        'must be a file name without folders and wildcards'
    """
    pattern, problem = FORMS[kind]
    return None if isinstance(value, str) and pattern.fullmatch(value) else problem


class Key(NamedTuple):
    """The description of one key of a TOML.

    Attributes:
        kind: int, float, bool, str, list (of numbers), tuple (of names), dict (of texts), or one
            of ``FORMS``.
        default: value when the TOML leaves the key out. Without a default the key is required.
        choices: the texts, or the names of a list, that are allowed.
        low, high: smallest and largest value, both allowed. They hold for each number of a list.
        length: how many numbers a list holds; None for any number above zero.
        when: (name, values). The key is used, and required, only where the key ``name`` has one
            of these values.
        nonzero: whether 0 is refused.
        variants: whether a number may also be a table of variant -> number.
    """

    kind: type
    default: Any = REQUIRED
    choices: Optional[Tuple[str, ...]] = None
    low: Optional[float] = None
    high: Optional[float] = None
    length: Optional[int] = None
    when: Optional[Tuple[str, Tuple[str, ...]]] = None
    nonzero: bool = False
    variants: bool = False


Keys = Dict[str, Key]


class Mistake(NamedTuple):
    """A mistake at one place of a TOML."""

    # header of the section; "" above the first; ("file", number) of a ``[[file]]``
    section: Section
    key: Optional[str]  # the key, or None for the whole section
    text: str  # the rest of a sentence that begins with the key
