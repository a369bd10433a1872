"""Check a TOML against its ``toml_keys.Key``s. All mistakes of a file are found at once."""

import math
from typing import Any, List, Optional, Tuple

from hotpath.base import text as texts
from hotpath.base.toml_keys import (
    FORMS,
    REQUIRED,
    Key,
    Keys,
    Mistake,
    Section,
    Table,
    form_problem,
)

SMALLEST = 1e-6  # of a number that must not be 0
BEYOND = 1 << 1023  # whole numbers from there on are no floats
MOST_NUMBERS = 64  # in a list; no network has more ratios or scales of anchors


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
            from hotpath.base.messages import did_you_mean

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
