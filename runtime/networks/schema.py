"""What a network's TOML may say: keys, their types, defaults and limits, and what breaks them.

Keys that every network has stand here. Those of a family (``[head]`` and ``[tracking]``) stand in
its file in ``runtime/decode``, as ``KEYS``. A key that the network does not use is a mistake, like
one that it lacks.
"""

import difflib
import re
from collections import namedtuple

REQUIRED = object()

File = namedtuple("File", "part name sha256 url features weight_of")
Key = namedtuple("Key", "kind default choices low high length when")
Mistake = namedtuple("Mistake", "section key text")


def key(kind, default=REQUIRED, choices=None, low=None, high=None, length=None, when=None):
    """Describe a key.

    Args:
        kind: int, float, bool, str, list (of numbers), or tuple (of names).
        default: value when the TOML leaves it out; without one the key must be there.
        choices: the texts it may be.
        low, high: limits, both allowed; of every number of a list.
        length: how many numbers a list holds; None for any number but none.
        when: (name, values): the key is used, and needed, only where that other key has one of
            those values.
    """
    return Key(kind, default, choices, low, high, length, when)


TOP = {
    "family": key(str),  # file name in runtime/decode/
    "licence": key(str, ""),
    "source": key(str, ""),
}

CORNERS = ("(s+1)/2", "s/2", "(s-1)/2")
CENTRES = ("w/2", "(w-1)/2")

SECTIONS = {
    "input": {
        "exemplar": key(int, low=1),  # pixels, side of the crop around the first box
        "search": key(int, low=1),  # pixels, side of the crop of every frame
        # the window: a square around the box with context; the box's own shape with a margin,
        # stretched to a square; or a square of so many times the box's area
        "crop": key(str, "square", ("square", "stretched", "area")),
        "context": key(float, 0.5, low=0, when=("crop", ("square",))),  # of (w + h), each side
        "exemplar_margin": key(float, low=0, when=("crop", ("stretched",))),  # share of w, of h,
        "search_margin": key(float, low=0, when=("crop", ("stretched",))),  # on each side
        "exemplar_factor": key(float, low=0, when=("crop", ("area",))),  # side of the window, in
        "search_factor": key(float, low=0, when=("crop", ("area",))),  # sides of the equal-area box
        # how a window's corner lies from its centre (s: its side), and how it becomes whole pixels
        "corner": key(str, "(s+1)/2", CORNERS),
        "rounding": key(str, "half_up", ("half_up", "half_even", "up", "cut")),
        "resample": key(str, "resize", ("resize", "warp")),  # warp: not rounded at all
        "border": key(str, "mean", ("mean", "mean_rounded", "zero")),  # colour outside the frame
        "channels": key(str, "BGR", ("BGR", "RGB")),
        "mean": key(list, (0.0, 0.0, 0.0), length=3),  # taken off, in the order of `channels`
        "scale": key(list, (1.0, 1.0, 1.0), length=3),  # then multiplied
        "box_centre": key(str, "(w-1)/2", CENTRES),  # from the first box's corner to its centre
        "box_corner": key(str, "w/2", CENTRES),  # from a centre to the corner of the box given back
    },
    "head": {
        "correlation": key(
            str, "pixelwise", ("pixelwise", "depthwise", "both", "cross", "attention", "none")
        ),
        "maps": key(tuple, ()),  # the outputs' names, where their shapes don't tell them apart
    },
    "tracking": {
        # when a target is lost, see runtime/loss.py
        "lost_below": key(float, 0.0, low=0, high=1),  # certainty; 0: never
        "hold_below": key(float, 0.0, low=0, high=1),  # then the last certain box is kept; 0: never
        "hold_widen": key(float, 1.05, low=1),  # and the search region's sides grow every frame,
        "hold_limit": key(float, 1.4, low=1),  # to so many times their length
    },
}

# Limits of the target, shared by families that move it by the network's word.
LIMITS = {
    # frame pixels, least width and height of a box
    "min_size": key(float, 10.0, low=0),
    # what is kept in the frame: the centre, and the size below the frame's; the centre alone; each
    # corner of the box; the box, moved in from the left and top and cut at the right and bottom
    "clip": key(str, "centre", ("centre", "position", "corners", "inside", "none")),
    "box_pixels": key(str, "exact", ("exact", "round", "floor")),  # whole pixels, as the authors'
}

PARTS = (
    {"backbone", "head"},
    {"exemplar", "search"},
    {"whole"},
    {"backbone"},
    {"network", "kernel_cls", "kernel_loc"},
)


def read(table, families=None):
    """Check a parsed TOML and flatten it.

    Args:
        table: dict as ``tomllib`` gives it.
        families: dict of family name -> its ``KEYS``; None for those in ``runtime/decode``.

    Returns:
        (values, files, mistakes): dict of key -> value with defaults filled in, list of ``File``,
        list of ``Mistake`` (empty when all is well).
    """
    mistakes = []
    values = _read_section("", TOP, table, mistakes, ("file", "published") + tuple(SECTIONS))
    keys = _keys_of(values.get("family"), families, mistakes)
    given = {}
    for section in SECTIONS:
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            mistakes.append(Mistake(section, None, "must be a section, [{}]".format(section)))
            entries = {}
        given[section] = entries
        values.update(_read_section(section, keys[section], entries, mistakes))
    _apply_conditions(keys, given, values, mistakes)
    published = table.get("published", {})
    if not isinstance(published, dict):
        mistakes.append(Mistake("published", None, "must be a section, [published]"))
        published = {}
    values["published"] = dict(published)
    return values, _read_files(table.get("file", []), mistakes), mistakes


def _keys_of(family, families, mistakes):
    """The sections' keys with the family's own; None where the family is not known."""
    keys = {section: dict(entries) for section, entries in SECTIONS.items()}
    unknown = {"input": keys["input"], "head": None, "tracking": None}
    if family is None:
        return unknown
    if families is None:
        from runtime import decode  # its modules use this one

        known = decode.families()
        families = {family: decode.load(family).KEYS} if family in known else dict.fromkeys(known)
    if family not in families:
        text = "no family is called {!r}; there are: {}".format(family, ", ".join(sorted(families)))
        mistakes.append(Mistake("", "family", text))
        return unknown
    for section, entries in families[family].items():
        keys[section].update(entries)
    return keys


def _read_section(section, keys, entries, mistakes, also=()):
    if keys is None:
        return {}
    values = {}
    for name in entries:
        if name not in keys and name not in also:
            near = difflib.get_close_matches(name, keys, n=1)
            hint = "did you mean {}?".format(near[0]) if near else "there are: " + ", ".join(keys)
            mistakes.append(Mistake(section, name, "is not a key known here; " + hint))
    for name, entry in keys.items():
        if name in entries:
            value, problem = _convert(entries[name], entry)
            if problem:
                mistakes.append(Mistake(section, name, problem))
            else:
                values[name] = value
        elif entry.default is not REQUIRED:
            if entry.when is None:
                values[name] = entry.default
        elif entry.when is None:
            mistakes.append(Mistake(section, name, "is missing"))
    return values


def _apply_conditions(keys, given, values, mistakes):
    """Keys with ``when``: missing where they are used, a mistake where they are not."""
    for section, entries in keys.items():
        for name, entry in (entries or {}).items():
            if entry.when is None or entry.when[0] not in values:
                continue
            other, wanted = entry.when
            used, there = values[other] in wanted, name in given[section]
            if there and not used:
                text = "is not used where {} is {}; remove it".format(other, _text(values[other]))
                mistakes.append(Mistake(section, name, text))
                values.pop(name, None)
            elif used and not there and entry.default is REQUIRED:
                text = "is missing; {} = {} needs it".format(other, _text(values[other]))
                mistakes.append(Mistake(section, name, text))
            elif used and not there:
                values[name] = entry.default


def _text(value):
    return '"{}"'.format(value) if isinstance(value, str) else str(value).lower()


def _convert(value, entry):
    """Return (value, None) when it fits the key, else (None, what is wrong)."""
    if entry.kind is tuple:
        good = isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        return (tuple(value), None) if good else (None, 'must be a list of names, ["a", "b"]')
    if entry.kind is list:
        return _convert_list(value, entry)
    if entry.kind is float and _is_number(value):
        value = float(value)
    elif not isinstance(value, entry.kind) or (isinstance(value, bool) and entry.kind is not bool):
        kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        return None, "must be {}, not {!r}".format(kinds[entry.kind], value)
    if entry.choices and value not in entry.choices:
        return None, "must be one of {}, not {!r}".format(", ".join(entry.choices), value)
    return (value, None) if _within(value, entry) else (None, _limits(entry, value))


def _convert_list(value, entry):
    if not isinstance(value, list) or not value or not all(_is_number(item) for item in value):
        return None, "must be a list of numbers"
    if entry.length and len(value) != entry.length:
        return None, "must hold {} numbers, not {}".format(entry.length, len(value))
    for item in value:
        if not _within(item, entry):
            return None, _limits(entry, item)
    return tuple(float(item) for item in value), None


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _within(value, entry):
    if not _is_number(value):
        return True
    low = -float("inf") if entry.low is None else entry.low
    high = float("inf") if entry.high is None else entry.high
    return value == value and abs(value) != float("inf") and low <= value <= high


def _limits(entry, value):
    if entry.low is not None and entry.high is not None:
        return "must lie in {} to {}, not {}".format(entry.low, entry.high, value)
    if entry.low is not None and value < entry.low:
        return "must be {} or more, not {}".format(entry.low, value)
    return "must be a finite number, not {}".format(value)


def _read_files(entries, mistakes):
    files = []
    if not isinstance(entries, list) or not entries:
        mistakes.append(Mistake("file", None, "no [[file]] is named; name the ONNX files"))
        return files
    known = sorted(set().union(*PARTS))
    for number, entry in enumerate(entries):
        section = ("file", number)
        if not isinstance(entry, dict):
            mistakes.append(Mistake(section, None, "must be a section, [[file]]"))
            continue
        values = {name: entry.get(name) for name in File._fields}
        if values["part"] not in known:
            mistakes.append(Mistake(section, "part", "must be one of " + ", ".join(known)))
        name = values["name"]
        if not isinstance(name, str) or not name or "/" in name:
            mistakes.append(Mistake(section, "name", "must be a file name without folders"))
        if values["sha256"] is not None and not re.match("^[0-9a-f]{64}$", str(values["sha256"])):
            mistakes.append(Mistake(section, "sha256", "must be 64 hexadecimal digits, small"))
        if values["url"] is not None and not re.match("^https?://", str(values["url"])):
            mistakes.append(Mistake(section, "url", "must begin with https://"))
        _check_cut(section, values, mistakes)
        for name in entry:
            if name not in File._fields:
                mistakes.append(Mistake(section, name, "is not a key known here"))
        files.append(File(**values))
    parts = [entry.part for entry in files]
    if set(parts) not in PARTS or len(set(parts)) != len(parts):
        ways = "; or ".join(", ".join(sorted(way)) for way in PARTS)
        mistakes.append(Mistake("file", None, "the parts of the [[file]]s must be: " + ways))
    return files


def _check_cut(section, values, mistakes):
    """``features`` and ``weight_of`` tell where kernels made from the exemplar go."""
    for name, parts in (("features", ("network",)), ("weight_of", ("kernel_cls", "kernel_loc"))):
        if values["part"] in parts and not isinstance(values[name], str):
            text = "is missing; name the tensor that {}".format(
                "the kernels are made from" if name == "features" else "the convolution gives"
            )
            mistakes.append(Mistake(section, name, text))
        elif values["part"] not in parts and values[name] is not None:
            mistakes.append(Mistake(section, name, "is only for the part " + " or ".join(parts)))


def sentence(mistake):
    """A mistake in one line: where in the TOML, and what."""
    if isinstance(mistake.section, tuple):
        label = "[[file]] {}: ".format(mistake.section[1] + 1)
    elif mistake.section and mistake.key:
        label = "[{}] ".format(mistake.section)
    else:
        label = ""
    return label + (mistake.key + " " if mistake.key else "") + mistake.text


def line_of(mistake, text):
    """Number of the line of a TOML's text that a mistake is about, from 1, or None.

    For a missing key it is the line of its section's header.
    """
    header, number_of_file, place = "", -1, None
    wanted = mistake.section if isinstance(mistake.section, tuple) else (mistake.section, None)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        match = re.match(r"^\[+\s*([\w.]+)\s*\]+", line)
        if match:
            header = match.group(1)
            number_of_file += header == "file"
        here = header == wanted[0] and (wanted[1] is None or wanted[1] == number_of_file)
        if here and match and place is None:
            place = number
        if here and mistake.key and re.match(r'^"?{}"?\s*='.format(re.escape(mistake.key)), line):
            return number
    return place
