"""The keys of a network's TOML, with types, defaults and bounds, and the check of a TOML.

This file has the keys of all networks. ``KEYS`` in a family's file in ``runtime/decode`` has those
of ``[head]`` and ``[tracking]``. A missing key is a mistake, and so is a key that the network does
not use.
"""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from hotpath.kernels.commands import meant
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.keys import LARGEST_SIDE, MAP_PARTS, REQUIRED, Key, Keys
from hotpath.runtime.network import File

Table = Dict[str, Any]
Section = Union[str, Tuple[str, int]]  # the header, or ("file", its number from 0)


class Mistake(NamedTuple):
    """A mistake at one place of a TOML."""

    # header of the section; "" above the first; ("file", number) of a ``[[file]]``
    section: Section
    key: Optional[str]  # the key, or None for the whole section
    text: str  # the rest of a sentence that begins with the key


TOP: Keys = {
    "family": Key(str),  # file name in runtime/decode/
    "licence": Key(str, ""),
    "source": Key(str, ""),
    "engine": Key(str, ""),  # that "auto" takes first where it is installed
}

CORNERS = ("(s+1)/2", "s/2", "(s-1)/2")
CENTRES = ("w/2", "(w-1)/2")

# Bounds hold every value that a tracker could use and refuse what overflows or gives nonsense:
# a window of a hundred times the box shows nothing of the target, and the mean and scale of a
# picture of bytes lie far inside theirs.
SIDE = Key(int, low=8, high=LARGEST_SIDE)
WIDEST = 100  # of a margin or a factor

SECTIONS: Dict[str, Keys] = {
    "input": {
        "exemplar": SIDE,  # pixels, side of the crop around the first box
        "search": SIDE,  # pixels, side of the crop of every frame
        # the window. "square": the square around the box with context. "stretched": the box with a
        # margin, both sides resized separately. "area": a square, relative to the box's area
        "crop": Key(str, "square", ("square", "stretched", "area")),
        "context": Key(
            float, 0.5, low=0, high=WIDEST, when=("crop", ("square",))
        ),  # of w + h, each side
        # share of w and of h, on each side
        "exemplar_margin": Key(float, low=0, high=WIDEST, when=("crop", ("stretched",))),
        "search_margin": Key(float, low=0, high=WIDEST, when=("crop", ("stretched",))),
        # side of the window, relative to that of a square with the box's area
        "exemplar_factor": Key(float, low=0.1, high=WIDEST, when=("crop", ("area",))),
        "search_factor": Key(float, low=0.1, high=WIDEST, when=("crop", ("area",))),
        # distance of the window's corner from its centre (s: its side), and how it is rounded
        "corner": Key(str, "(s+1)/2", CORNERS),
        "rounding": Key(str, "half_up", ("half_up", "half_even", "up", "cut")),
        "resample": Key(str, "resize", ("resize", "warp")),  # "warp" does not round at all
        "border": Key(str, "mean", ("mean", "mean_rounded", "zero")),  # colour outside the frame
        "channels": Key(str, "BGR", ("BGR", "RGB")),
        # (value - mean) * scale, in the order of `channels`, value from 0 to 255
        "mean": Key(list, (0.0, 0.0, 0.0), low=-1000, high=1000, length=3),
        "scale": Key(list, (1.0, 1.0, 1.0), low=-1000, high=1000, length=3, nonzero=True),
        "box_centre": Key(str, "(w-1)/2", CENTRES),  # distance of the first box's centre
        "box_corner": Key(str, "w/2", CENTRES),  # from its corner, and of each result's
    },
    "head": {
        "correlation": Key(
            str, "pixelwise", ("pixelwise", "depthwise", "both", "cross", "attention", "none")
        ),
        # names of the outputs in the family's order, where their shapes are equal; "a+b" joins
        # the channels of two outputs
        "maps": Key(tuple, ()),
    },
    "tracking": {
        # presence (runtime/presence.py) of a target, smoothed, below which it is lost; 0: never
        "lost_below": Key(float, 0.0, low=0, high=1),
        "unsure_below": Key(float, 0.0, low=0, high=1),  # above lost_below, or 0: never
        # the same as lost_below with the cues of the search, which judge where it is on
        "search_lost_below": Key(float, 0.0, low=0, high=1),
        # while lost, the presence in a window from which on a place is looked at again, and from
        # which on it is the target; 0: no search
        "look_above": Key(float, 0.0, low=0, high=1),
        "found_above": Key(float, 0.0, low=0, high=1),
        # with the search: the share of the highest score from which another peak of the score map
        # may be the followed target, 0: none; the Hanning window's weight against the classifier
        "peak_share": Key(float, 0.0, low=0, high=1),
        "peak_window": Key(float, 0.5, low=0, high=100),
        # frames after which the second exemplar is refreshed; 0: the network takes only one
        "refresh_every": Key(int, 0, low=0, high=1 << 20),
        "refresh_above": Key(float, 0.5, low=0, high=1),  # score that a frame needs for it
        # from which frame: the best one since the last time, the first one where none was above
        # (MixFormerV2), or the one that is due, none where it is not above (STARK-ST)
        "refresh_from": Key(str, "best", ("best", "due")),
    },
}

LARGEST_FILE = 1 << 31  # bytes; no ONNX file in one piece is larger

RENAMED = {"doubt_below": "search_lost_below"}  # old key -> its name today

# The ways in which files come; a fusion is followed by one part for each map.
PARTS = (
    {"backbone", "head"},
    {"exemplar", "search"},
    {"exemplar", "search", "head"},
    {"whole"},
    {"network", "kernel_cls", "kernel_loc"},
)
FUSED = ({"backbone", "fusion"}, {"exemplar", "search", "fusion"})


def read(table: Table) -> Tuple[Table, List[File], List[Mistake]]:
    """Check a parsed TOML and put its sections into one dict.

    Args:
        table: dict as ``hotpath.kernels.toml.read`` gives it.

    Returns:
        (values, files, mistakes): dict of key -> value with defaults filled in, list of ``File``,
        list of ``Mistake`` (empty when all is well).
    """
    mistakes: List[Mistake] = []

    def table_of(section: str) -> Table:
        entries = table.get(section, {})
        if isinstance(entries, dict):
            return entries
        mistakes.append(Mistake(section, None, f"must be a section, [{section}]"))
        return {}

    values = read_section("", TOP, table, mistakes, ("file", "published") + tuple(SECTIONS))
    keys = _keys_of(values.get("family"), mistakes)
    given: Dict[str, Table] = {}
    for section in SECTIONS:
        given[section] = table_of(section)
        values.update(read_section(section, keys[section], given[section], mistakes))
    _apply_conditions(keys, given, values, mistakes)
    values["published"] = dict(table_of("published"))
    return values, _read_files(table.get("file", []), mistakes), mistakes


def _keys_of(family: Optional[str], mistakes: List[Mistake]) -> Dict[str, Optional[Keys]]:
    """The sections' keys with the family's own; None if the family is not known.

    A family that looks misspelt has the keys of the one that it resembles.
    """
    keys: Dict[str, Optional[Keys]] = {
        section: dict(entries) for section, entries in SECTIONS.items()
    }
    unknown = {"input": keys["input"], "head": None, "tracking": None}
    if family is None:
        return unknown
    if family not in decode.families():
        mistakes.append(Mistake("", "family", decode.unknown(family, decode.families())))
        near = decode.nearest(family, decode.families())
        if near is None:
            return unknown
        family = near
    for section, entries in decode.module_of(family).KEYS.items():
        keys[section] = dict(SECTIONS[section], **entries)
    return keys


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
            hint = meant(RENAMED.get(name, name), keys) or "there are: " + ", ".join(keys)
            mistakes.append(Mistake(section, name, "is not a known key; " + hint))
    for name, entry in keys.items():
        if name in entries:
            value, problem = _convert(entries[name], entry)
            if problem:
                mistakes.append(Mistake(section, name, problem))
            else:
                values[name] = value
        elif entry.when is None and entry.default is REQUIRED:
            mistakes.append(Mistake(section, name, "is missing"))
        elif entry.when is None:
            values[name] = entry.default
    return values


def _apply_conditions(
    keys: Dict[str, Optional[Keys]], given: Dict[str, Table], values: Table, mistakes: List[Mistake]
) -> None:
    """Check the keys with ``when``: required where they are used, a mistake if they are not."""
    for section, entries in keys.items():
        for name, entry in (entries or {}).items():
            if entry.when is None or entry.when[0] not in values:
                continue
            other, wanted = entry.when
            used, there = values[other] in wanted, name in given[section]
            if there and not used:
                text = f"is not used where {other} is {_text(values[other])}; remove it"
                mistakes.append(Mistake(section, name, text))
                values.pop(name, None)
            elif used and not there and entry.default is REQUIRED:
                text = f"is missing; {other} = {_text(values[other])} needs it"
                mistakes.append(Mistake(section, name, text))
            elif used and not there:
                values[name] = entry.default


def _text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _convert(value: Any, entry: Key) -> Tuple[Any, Optional[str]]:
    """Return (value, None) when it fits the key, else (None, what is wrong)."""
    if entry.kind is tuple:
        good = isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        return (tuple(value), None) if good else (None, 'must be a list of names, ["a", "b"]')
    if entry.kind is list:
        return _convert_list(value, entry)
    kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    is_kind = _is_number(value) if entry.kind is float else isinstance(value, entry.kind)
    if not is_kind or (isinstance(value, bool) and entry.kind is not bool):
        return None, f"must be {kinds[entry.kind]}, not {_shown(value)}"
    if entry.choices and value not in entry.choices:
        return None, "must be one of {}, not {}".format(", ".join(entry.choices), _shown(value))
    problem = _bounds(value, entry)
    if problem:
        return None, problem
    return float(value) if entry.kind is float else value, None


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
MOST_NUMBERS = 64  # in a list; no network has more ratios or scales of anchors


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bounds(value: Any, entry: Key) -> Optional[str]:
    """What is wrong with the size of a number, or None; NaN lies nowhere."""
    is_zero = entry.nonzero and _is_number(value) and abs(value) < SMALLEST
    if not _is_number(value) or (entry.low <= value <= entry.high and not is_zero):
        return None
    text = f"must lie in {entry.low:g} to {entry.high:g}, not {_shown(value)}"
    return text + (", and not be 0" if entry.nonzero else "")


def _shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out whole numbers of many thousand digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _read_files(entries: Any, mistakes: List[Mistake]) -> List[File]:
    files: List[File] = []
    if not isinstance(entries, list) or not entries:
        mistakes.append(Mistake("file", None, "no [[file]] is named; name the ONNX files"))
        return files
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            files.append(_read_file(("file", number), entry, mistakes))
        else:
            mistakes.append(Mistake(("file", number), None, "must be a section, [[file]]"))
    _check_parts([entry.part for entry in files], mistakes)
    return files


KNOWN_PARTS = sorted(set().union(*PARTS, *FUSED) | set(MAP_PARTS))


def _read_file(section: Section, entry: Table, mistakes: List[Mistake]) -> File:
    values = {name: entry.get(name) for name in File._fields}
    if values["part"] not in KNOWN_PARTS:
        mistakes.append(Mistake(section, "part", "must be one of " + ", ".join(KNOWN_PARTS)))
        values["part"] = _shown(values["part"])
    if not isinstance(values["name"], str) or not _FILE_NAME.match(values["name"]):
        mistakes.append(
            Mistake(section, "name", "must be a file name without folders and wildcards")
        )
        values["name"] = _shown(values["name"])
    sha256, url = values["sha256"], values["url"]
    if sha256 is not None and not (isinstance(sha256, str) and re.match("^[0-9a-f]{64}$", sha256)):
        mistakes.append(Mistake(section, "sha256", "must be 64 hexadecimal digits, small"))
    if url is not None and not (isinstance(url, str) and re.match(r"^https?://\S+$", url)):
        mistakes.append(Mistake(section, "url", "must begin with https://"))
    if values["size"] is not None:
        values["size"], problem = _convert(values["size"], Key(int, low=1, high=LARGEST_FILE))
        if problem:
            mistakes.append(Mistake(section, "size", problem))
    _check_cut(section, values, mistakes)
    for name in entry:
        if name not in File._fields:
            mistakes.append(Mistake(section, name, "is not a known key"))
    return File(**values)  # type: ignore[arg-type]  # of the types that were checked above


_FILE_NAME = re.compile(r"^(?!\.{1,2}$)[^/\\\x00-\x1f*?\[\]]{1,200}$")


def _check_parts(parts: List[str], mistakes: List[Mistake]) -> None:
    """The parts must be one of the known ways, each part once."""
    maps = set(parts) & set(MAP_PARTS)
    fused = bool(maps) and set(parts) - maps in FUSED
    if len(set(parts)) == len(parts) and (set(parts) in PARTS or fused):
        return
    ways = [", ".join(sorted(way)) for way in PARTS]
    ways += ["{} and one for each map".format(", ".join(sorted(way))) for way in FUSED]
    text = "the parts of the [[file]]s must be: {}".format("; or ".join(ways))
    mistakes.append(Mistake("file", None, text))


def _check_cut(section: Section, values: Table, mistakes: List[Mistake]) -> None:
    """``features`` and ``weight_of`` name the tensors where kernels of the exemplar are used."""
    for name, parts in (("features", ("network",)), ("weight_of", ("kernel_cls", "kernel_loc"))):
        if values["part"] in parts and not isinstance(values[name], str):
            text = "is missing; name the tensor that {}".format(
                "the kernels are made from" if name == "features" else "the convolution gives"
            )
            mistakes.append(Mistake(section, name, text))
        elif values["part"] not in parts and values[name] is not None:
            mistakes.append(Mistake(section, name, "is only for the part " + " or ".join(parts)))


def sentence(mistake: Mistake) -> str:
    """Describe a mistake in one line: the place in the TOML, and what is wrong."""
    if isinstance(mistake.section, tuple):
        label = f"[[file]] {mistake.section[1] + 1}: "
    elif mistake.section and mistake.key:
        label = f"[{mistake.section}] "
    else:
        label = ""
    return label + (mistake.key + " " if mistake.key else "") + mistake.text


def line_of(mistake: Mistake, text: str) -> Optional[int]:
    """Number of the line in a TOML's text where a mistake is, from 1; None if there is no line.

    For a missing key it is the line of its section's header.
    """
    header, number_of_file, place = "", -1, None
    wanted: Tuple[str, Optional[int]] = (
        mistake.section if isinstance(mistake.section, tuple) else (mistake.section, None)
    )
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        match = re.match(r"^\[+\s*([\w.]+)\s*\]+", line)
        if match:
            header = match.group(1)
            number_of_file += header == "file"
        here = header == wanted[0] and (wanted[1] is None or wanted[1] == number_of_file)
        if here and match and place is None:
            place = number
        if here and mistake.key and re.match(rf'^"?{re.escape(mistake.key)}"?\s*=', line):
            return number
    return place
