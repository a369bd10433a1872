"""What a network's TOML may say: every key, its type, its default and its meaning."""

import re
from collections import namedtuple

REQUIRED = object()

File = namedtuple("File", "part name sha256 url")
Key = namedtuple("Key", "kind default choices")


def _key(kind, default=REQUIRED, choices=None):
    return Key(kind, default, choices)


TOP = {
    "family": _key(str),  # file name in runtime/decode/
    "licence": _key(str, ""),
    "source": _key(str, ""),
}

SECTIONS = {
    "input": {
        "exemplar": _key(int),  # pixels, side of the crop around the first box
        "search": _key(int),  # pixels, side of the crop of every frame
        "context": _key(float, 0.5),  # share of (w + h) added to both sides before the crop
        "border": _key(str, "mean", ("mean", "zero")),  # colour of the pixels outside the frame
        "channels": _key(str, "BGR", ("BGR", "RGB")),
        "mean": _key(list, (0.0, 0.0, 0.0)),  # taken off each channel, in the order of `channels`
        "scale": _key(list, (1.0, 1.0, 1.0)),  # then multiplied
    },
    "head": {
        "stride": _key(int),  # search pixels a cell
        "map_size": _key(int),  # cells a side
        "score": _key(str, "softmax", ("softmax", "sigmoid", "none")),
        "correlation": _key(str, "pixelwise", ("pixelwise", "depthwise", "both", "cross")),
    },
    "tracking": {
        "penalty": _key(float),  # weight of changes of size and ratio
        "window": _key(float),  # influence of the Hanning window, 0 to 1
        "lr": _key(float),  # how fast the size follows
        "min_size": _key(float, 10.0),  # frame pixels, least width and height of a box
    },
}

PARTS = ("backbone", "head", "exemplar", "search")


def read(table):
    """Check a parsed TOML and flatten it.

    Args:
        table: dict as ``tomllib`` gives it.

    Returns:
        (values, files, mistakes): dict of key -> value with defaults filled in, list of ``File``,
        list of sentences about what is wrong (empty when all is well).
    """
    mistakes = []
    values = _read_section("", TOP, table, mistakes, ("file", "published") + tuple(SECTIONS))
    for section, keys in SECTIONS.items():
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            mistakes.append("[{}] must be a section".format(section))
            continue
        values.update(_read_section(section, keys, entries, mistakes))
    values["published"] = dict(table.get("published", {}))
    files = _read_files(table.get("file", []), mistakes)
    for key in ("mean", "scale"):
        if key in values and len(values[key]) != 3:
            mistakes.append("[input] {} must hold 3 numbers, one a channel".format(key))
    for key in ("exemplar", "search", "stride", "map_size"):
        if values.get(key, 1) <= 0:
            mistakes.append("{} must be above zero, not {}".format(key, values[key]))
    for key in ("window", "lr"):
        if not 0 <= values.get(key, 0) <= 1:
            mistakes.append("[tracking] {} must lie in 0 to 1, not {}".format(key, values[key]))
    return values, files, mistakes


def _read_section(section, keys, entries, mistakes, also=()):
    label = "[{}] ".format(section) if section else ""
    values = {}
    for name in entries:
        if name not in keys and name not in also:
            mistakes.append("{}{} is not a key known here; there are: {}".format(
                label, name, ", ".join(keys)))  # fmt: skip
    for name, key in keys.items():
        if name not in entries:
            if key.default is REQUIRED:
                mistakes.append("{}{} is missing".format(label, name))
            else:
                values[name] = key.default
            continue
        value, problem = _convert(entries[name], key)
        if problem:
            mistakes.append("{}{} {}".format(label, name, problem))
        else:
            values[name] = value
    return values


def _convert(value, key):
    """Return (value, None) when it fits the key, else (None, what is wrong)."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key.kind is float and number:
        return float(value), None
    if key.kind is list:
        good = isinstance(value, list) and all(isinstance(v, (int, float)) for v in value)
        return (tuple(map(float, value)), None) if good else (None, "must be a list of numbers")
    if not isinstance(value, key.kind) or isinstance(value, bool):
        kinds = {int: "a whole number", float: "a number", str: "text"}
        return None, "must be {}, not {!r}".format(kinds[key.kind], value)
    if key.choices and value not in key.choices:
        return None, "must be one of {}, not {!r}".format(", ".join(key.choices), value)
    return value, None


def _read_files(entries, mistakes):
    files = []
    if not isinstance(entries, list) or not entries:
        mistakes.append("no [[file]] is named; name the ONNX of the backbone and of the head")
        return files
    for number, entry in enumerate(entries, 1):
        label = "[[file]] {}: ".format(number)
        part, name, sha256 = entry.get("part"), entry.get("name"), entry.get("sha256")
        if part not in PARTS:
            mistakes.append("{}part must be one of {}".format(label, ", ".join(PARTS)))
        if not isinstance(name, str) or not name or "/" in name:
            mistakes.append("{}name must be a file name without folders".format(label))
        if sha256 is not None and not re.match("^[0-9a-f]{64}$", str(sha256)):
            mistakes.append("{}sha256 must be 64 hexadecimal digits".format(label))
        for key in entry:
            if key not in File._fields:
                mistakes.append("{}{} is not a key known here".format(label, key))
        files.append(File(part, name, sha256, entry.get("url")))
    parts = {entry.part for entry in files}
    if parts not in ({"backbone", "head"}, {"exemplar", "search"}):
        mistakes.append("the [[file]] parts must be backbone and head, or exemplar and search")
    return files
