"""Check files: which keys there are, and what their values may be.

Networks, detectors, boards and the gimbal's numbers describe their keys by ``Key``. All mistakes of
a file are found at once. A key that becomes a path or an address has a kind of its own, ``Name``,
``FileName``, ``HttpsAddress`` or ``Sha256``: the files may be a stranger's.
"""

import math
import re
from typing import Any, Dict, List, NamedTuple, Optional, Pattern, Tuple, Union

from hotpath.base import text as texts
from hotpath.base.messages import did_you_mean

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
        >>> why_not(FileName, "../x.onnx")
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


def read_section(
    section: Section,
    keys: Optional[Keys],
    entries: Table,
    mistakes: List[Mistake],
    also: Tuple[str, ...] = (),
) -> Table:
    """Check one section of a TOML and fill in its defaults.

    Args:
        section: name of the section, for the mistakes.
        keys: allowed keys. None checks nothing.
        entries: the section as it was read.
        mistakes: list to which mistakes are added.
        also: further allowed names.

    Returns:
        dict of key -> value, without the keys that have a mistake.
    """
    if keys is None:
        return {}
    values: Table = {}
    for name in entries:
        if name not in keys and name not in also:
            hint = did_you_mean(name, [*keys, *also]) or "there are: " + ", ".join(keys)
            mistakes.append(Mistake(section, name, "is not a known key; " + hint))
    for name, entry in keys.items():
        if name in entries:
            value, problem = convert(entries[name], entry)
            if problem:
                mistakes.append(Mistake(section, name, problem))
            else:
                values[name] = value
        elif entry.when is None and entry.default is REQUIRED:
            mistakes.append(Mistake(section, name, "is missing"))
        elif entry.when is None:
            values[name] = entry.default
    return values


def check_json(value: Any, form: Any, where: str) -> None:
    """Check what a JSON file of ours holds; it may be a stranger's, or damaged.

    Args:
        value: a table, a list or one value.
        form: ``{name: form}``, a table with these names and perhaps others; ``{str: form}``, a
            table of any names; ``[form]``, a list of any length; ``(form, form)``, a list of as
            many entries; or a ``Key``. One with a default may be missing, and null if that is None.
        where: place of the value in the file, such as "run".

    Raises:
        ValueError: it has another form; a sentence that begins with the place.
    """
    if isinstance(form, Key):
        is_left_out = value is None and form.default is None
        problem = None if is_left_out else convert(value, form)[1]
        if problem:
            raise ValueError(f"{where} {problem}")
    elif isinstance(form, dict):
        _check_table(value, form, where)
    else:
        _check_list(value, form, where)


def _check_table(value: Any, form: Dict[Any, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table, not {shortened_repr(value)}")
    if str in form:  # any names
        for name in value:
            check_json(value[name], form[str], f"{where}.{name}")
        return
    for name, inner in form.items():
        if name in value:
            check_json(value[name], inner, f"{where}.{name}")
        elif not isinstance(inner, Key) or inner.default is REQUIRED:
            raise ValueError(f"{where}.{name} is missing")


def _check_list(value: Any, form: Union[List[Any], Tuple[Any, ...]], where: str) -> None:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list, not {shortened_repr(value)}")
    has_any_length = isinstance(form, list)
    if not has_any_length and len(form) != len(value):
        raise ValueError(f"{where} must hold {len(form)} entries, not {len(value)}")
    for index, entry in enumerate(value):
        check_json(entry, form[0 if has_any_length else index], f"{where}[{index}]")


def convert(value: Any, entry: Key) -> Tuple[Any, Optional[str]]:
    """Return (value, None) when it fits the key, else (None, what is wrong)."""
    if entry.kind in FORMS:
        problem = form_problem(entry.kind, value)
        return (None, problem) if problem else (texts.file_name(value), None)
    if entry.kind is tuple:
        return _convert_names(value, entry)
    if entry.kind is dict:
        good = isinstance(value, dict) and all(v and isinstance(v, str) for v in value.values())
        return (value, None) if good else (None, "must be a table of texts")
    if entry.variants and isinstance(value, dict) and value:
        converted = [convert(item, entry._replace(variants=False)) for item in value.values()]
        return value, next((problem for _, problem in converted if problem), None)
    if entry.kind is list:
        return _convert_list(value, entry)
    kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    is_kind = _is_number(value) if entry.kind is float else isinstance(value, entry.kind)
    if not is_kind or (isinstance(value, bool) and entry.kind is not bool):
        return None, f"must be {kinds[entry.kind]}, not {shortened_repr(value)}"
    if value == "" and entry.default is REQUIRED:
        return None, "must not be empty"
    if entry.choices and value not in entry.choices:
        return None, "must be one of {}, not {}".format(
            ", ".join(entry.choices), shortened_repr(value)
        )
    problem = _bounds(value, entry)
    if problem:
        return None, problem
    return float(value) if entry.kind is float and not entry.variants else value, None


def _convert_names(value: Any, entry: Key) -> Tuple[Any, Optional[str]]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        return None, 'must be a list of names, ["a", "b"]'
    allowed = entry.choices or value
    for name in value:
        if name not in allowed:
            return None, "must be one of {}, not {}".format(
                ", ".join(allowed), shortened_repr(name)
            )
    return tuple(value), None


def _convert_list(value: Any, entry: Key) -> Tuple[Any, Optional[str]]:
    if not isinstance(value, list) or not value or not all(_is_number(item) for item in value):
        return None, "must be a list of numbers"
    if entry.length and len(value) != entry.length:
        return None, f"must hold {entry.length} numbers, not {len(value)}"
    if len(value) > MOST_NUMBERS:
        return None, f"must hold at most {MOST_NUMBERS} numbers, not {len(value)}"
    problems = [problem for problem in (_bounds(item, entry) for item in value) if problem]
    return (None, problems[0]) if problems else (tuple(map(float, value)), None)


SMALLEST = 1e-6  # of a number that must not be 0
BEYOND = 1 << 1023  # whole numbers from there on are no floats
MOST_NUMBERS = 64  # in a list; no network has more ratios or scales of anchors


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bounds(value: Any, entry: Key) -> Optional[str]:
    """What is wrong with the size of a number, or None; NaN lies nowhere."""
    if isinstance(value, int) and abs(value) >= BEYOND:
        return "must be a number of fewer digits"
    is_zero = entry.nonzero and _is_number(value) and abs(value) < SMALLEST
    low = -math.inf if entry.low is None else entry.low
    high = math.inf if entry.high is None else entry.high
    if not _is_number(value) or (low <= value <= high and not is_zero):
        return None
    text = f"must lie in {low:g} to {high:g}, not {shortened_repr(value)}"
    return text + (", and not be 0" if entry.nonzero else "")


def shortened_repr(value: Any) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out whole numbers of many thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def sentence(mistake: Mistake) -> str:
    """Describe a mistake in one line: the place in the TOML, and what is wrong."""
    if isinstance(mistake.section, tuple):
        label = f"[[file]] {mistake.section[1] + 1}: "
    elif mistake.section and mistake.key:
        label = f"[{mistake.section}] "
    else:
        label = ""
    return label + (mistake.key + " " if mistake.key else "") + mistake.text
