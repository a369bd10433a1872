"""The keys of a network's TOML, with types, defaults and bounds, and the check of a TOML.

This file has the keys of all networks. ``KEYS`` in a family's file in ``runtime/decode`` has those
of ``[head]`` and ``[tracking]``. A missing key is a mistake, and so is a key that the network does
not use.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath.base.toml_checks import read_section, shortened_repr
from hotpath.base.toml_keys import (
    REQUIRED,
    FileName,
    HttpsAddress,
    Key,
    Keys,
    Mistake,
    Section,
    Sha256,
    Table,
    form_problem,
)
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.keys import LARGEST_SIDE
from hotpath.runtime.network import AuxiliaryFile, NetworkFile

TOP: Keys = {
    "family": Key(str),  # file name in runtime/decode/
    "licence": Key(str, ""),
    "source": Key(str, ""),
}

LARGEST_FILE = 1 << 31  # bytes; no ONNX file in one piece is larger
MADE: Keys = {"name": Key(FileName), "sha256": Key(Sha256)}
FILE: Keys = {
    "name": Key(FileName),
    "sha256": Key(Sha256, None),
    "measured_sha256": Key(Sha256, None),  # of a user's own export: the one behind the figures
    "url": Key(HttpsAddress, None),
    "size": Key(int, None, low=1, high=LARGEST_FILE),
}
PART: Keys = {"part": Key(str)}

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
        # the window. "square": around the box with context. "area": a square, relative to the box's
        # area. "stretched": the box with a margin, both sides cut to whole pixels
        "crop": Key(str, "square", ("square", "area", "stretched")),
        "context": Key(
            float, 0.5, low=0, high=WIDEST, when=("crop", ("square",))
        ),  # of w + h, each side
        # side of the window, relative to that of a square with the box's area
        "exemplar_factor": Key(float, low=0.1, high=WIDEST, when=("crop", ("area",))),
        "search_factor": Key(float, low=0.1, high=WIDEST, when=("crop", ("area",))),
        # share of w and of h, on each side
        "exemplar_margin": Key(float, low=0, high=WIDEST, when=("crop", ("stretched",))),
        "search_margin": Key(float, low=0, high=WIDEST, when=("crop", ("stretched",))),
        # distance of the window's corner from its centre (s: its side), and how it is rounded
        "corner": Key(str, "(s+1)/2", CORNERS),
        "rounding": Key(str, "half_up", ("half_up", "half_even", "up")),
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
        # names of the outputs in the family's order, where their shapes are equal
        "maps": Key(tuple, ()),
    },
    "tracking": {
        # certainty (runtime/identity/identity.py) of a target below which it is lost; 0: never
        "search_lost_below": Key(float, 0.0, low=0, high=1),
        # while lost, the certainty in a window from which on a place is looked at again; and that
        # of a target that is found, 0: no search. From the middle of it and search_lost_below on,
        # an object is followed
        "look_above": Key(float, 0.0, low=0, high=1),
        "found_above": Key(float, 0.0, low=0, high=1),
        # runtime/identity/identity.py: share of a target's usual similarity that an object must
        # reach after a loss, 0: each object passes
        "same_share": Key(float, 0.0, low=0, high=1),
        # with the search, in families in which a cell is a place (points, centre): the share of the
        # highest score from which another peak of the score map may be the followed target, 0: only
        # the best cell
        "peak_share": Key(float, 0.2, low=0, high=1),
        # the score below which a frame is looked at again, in a wider window; 0: none is
        "wider_below": Key(float, 0.0, low=0, high=1),
    },
}

# Names that the TOMLs of earlier versions use: (section, key) -> today's key.
RENAMED = {
    ("", "strangers"): "negatives",
    ("", "tap"): "point_prompt",
    ("tracking", "window"): "window_influence",
    ("tracking", "lr"): "size_lr",
    ("tracking", "lr_power"): "size_lr_power",
}

# Keys that are gone.
GONE = dict.fromkeys(
    (("head", "target"), ("head", "unit"), ("head", "signs")),
    "is gone: distances are pixels of the search region that count outward, and the target is the "
    "second half of a softmax; multiply the map in the export, and remove the key",
)
GONE.update(
    dict.fromkeys(
        (("head", "quality"), ("head", "quality_share"), ("head", "inclusive")),
        "is gone: put the quality and the further pixel into the score and the distances in the "
        "export, as siamfcpp_alexnet.toml says, and remove the key",
    )
)
GONE["tracking", "window_power"] = "is gone: the Hanning window has the power 1; remove the key"
GONE["", "engine"] = "is gone: give the option engine (--engine), and remove the key"

# What the files of a network had whose weights were made of the exemplar: parts, and keys.
GONE_PARTS, GONE_KEYS = ("network", "kernel_cls", "kernel_loc"), ("features", "weight_of")
GONE_FILES = (
    "the parts network, kernel_cls and kernel_loc are gone, and the keys features and weight_of: "
    "no weights are made of the exemplar; OpenCV runs such a network as TrackerDaSiamRPN"
)

# The ways in which files come.
PARTS = (
    {"backbone", "head"},
    {"exemplar", "search"},
    {"exemplar", "search", "head"},
    {"whole"},
)


def read(table: Table) -> Tuple[Table, List[NetworkFile], List[Mistake]]:
    """Check a parsed TOML and put its sections into one dict.

    Args:
        table: dict as ``hotpath.base.toml.read`` gives it.

    Returns:
        (values, files, mistakes): dict of key -> value with defaults filled in, list of
        ``NetworkFile``, list of ``Mistake`` (empty when all is well).
    """
    mistakes: List[Mistake] = []
    table = _renamed(table, mistakes)

    def table_of(section: str) -> Table:
        entries = table.get(section, {})
        if isinstance(entries, dict):
            return entries
        mistakes.append(Mistake(section, None, f"must be a section, [{section}]"))
        return {}

    further = ("file", "published", "negatives", "point_prompt", "made_from") + tuple(SECTIONS)
    values = read_section("", TOP, table, mistakes, further)
    keys = _keys_of(values.get("family"), mistakes)
    sections: Dict[str, Table] = {}
    for section in SECTIONS:
        sections[section] = table_of(section)
        values.update(read_section(section, keys[section], sections[section], mistakes))
    _apply_conditions(keys, sections, values, mistakes)
    values["published"] = dict(table_of("published"))
    values["negatives"] = _read_made("negatives", table_of("negatives"), mistakes)
    values["point_prompt"] = _read_made(
        "point_prompt", table_of("point_prompt"), mistakes, ("object_above",)
    )
    values["made_from"] = _read_hashes(table_of("made_from"), mistakes)
    return values, _read_files(table.get("file", []), mistakes), mistakes


def _renamed(table: Table, mistakes: List[Mistake]) -> Table:
    """Return a copy with today's names of keys; each older name is a mistake that says so."""
    table = {k: dict(v) if isinstance(v, dict) else v for k, v in table.items()}
    for (section, old), new in RENAMED.items():
        entries = table.get(section, {}) if section else table
        if isinstance(entries, dict) and old in entries and new not in entries:
            mistakes.append(Mistake(section, old, f"is called {new} now; rename it"))
            entries[new] = entries.pop(old)
    for (section, key), why in GONE.items():
        entries = table.get(section, {}) if section else table
        if isinstance(entries, dict) and entries.pop(key, None) is not None:
            mistakes.append(Mistake(section, key, why))
    return table


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
        mistakes.append(
            Mistake("", "family", decode.unknown_family_text(family, decode.families()))
        )
        near = decode.nearest_family(family, decode.families())
        if near is None:
            return unknown
        family = near
    for section, entries in decode.module_of(family).KEYS.items():
        keys[section] = dict(SECTIONS[section], **entries)
    return keys


def _apply_conditions(
    keys: Dict[str, Optional[Keys]],
    sections: Dict[str, Table],
    values: Table,
    mistakes: List[Mistake],
) -> None:
    """Check the keys with ``when``: required where they are used, a mistake if they are not."""
    for section, entries in keys.items():
        for name, entry in (entries or {}).items():
            if entry.when is None or entry.when[0] not in values:
                continue
            other, accepted = entry.when
            used, there = values[other] in accepted, name in sections[section]
            if there and not used:
                text = f"is not used where {other} is {_text(values[other])}; remove it"
                mistakes.append(Mistake(section, name, text))
                values.pop(name, None)
            elif used and not there and entry.default is REQUIRED:
                text = f"is missing; {other} = {_text(values[other])} needs it"
                mistakes.append(Mistake(section, name, text))
            elif used and not there:
                values[name] = entry.default


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _read_files(entries: Any, mistakes: List[Mistake]) -> List[NetworkFile]:
    files: List[NetworkFile] = []
    if not isinstance(entries, list) or not entries:
        mistakes.append(Mistake("file", None, "no [[file]] is named; name the ONNX files"))
        return files
    for entry in entries:
        if isinstance(entry, dict) and _is_gone(entry):
            mistakes.append(Mistake("file", None, GONE_FILES))
            return files
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            files.append(read_file(("file", number), entry, mistakes))
        else:
            mistakes.append(Mistake(("file", number), None, "must be a section, [[file]]"))
    _check_parts([entry.part for entry in files], mistakes)
    return files


def _is_gone(entry: Table) -> bool:
    """Whether a ``[[file]]`` belongs to a network whose weights were made of the exemplar."""
    return entry.get("part") in GONE_PARTS or any(key in entry for key in GONE_KEYS)


def _read_hashes(entries: Table, mistakes: List[Mistake]) -> Dict[str, str]:
    """``[made_from]``: part of another network -> sha256 of its file."""
    for name, value in entries.items():
        if name not in KNOWN_PARTS:
            mistakes.append(Mistake("made_from", name, "is not a part of a network"))
        else:
            problem = form_problem(Sha256, value)
            mistakes += [Mistake("made_from", name, problem)] if problem else []
    return dict(entries)


KNOWN_PARTS = sorted(set().union(*PARTS))


def read_file(
    section: Section, entry: Table, mistakes: List[Mistake], part: Keys = PART
) -> NetworkFile:
    """Read a ``[[file]]``; it has the part "network" where ``part`` has no key for it."""
    values: Table = dict.fromkeys(NetworkFile._fields)
    values.update(part="network", name="")
    values.update(read_section(section, dict(FILE, **part), entry, mistakes))
    if part and values["part"] not in KNOWN_PARTS:
        mistakes.append(Mistake(section, "part", "must be one of " + ", ".join(KNOWN_PARTS)))
        values["part"] = shortened_repr(values["part"])
    return NetworkFile(**values)


def _read_made(
    section: str, entry: Table, mistakes: List[Mistake], scores: Sequence[str] = ()
) -> Optional[AuxiliaryFile]:
    """Read a section that names a made file by its hash; None if there is no such section."""
    if not entry:
        return None
    keys = dict(MADE, **{score: Key(float, 0.5, low=0, high=1) for score in scores})
    values = read_section(section, keys, entry, mistakes)
    return AuxiliaryFile(**dict({"name": "", "sha256": ""}, **values))


def _check_parts(parts: List[str], mistakes: List[Mistake]) -> None:
    """The parts must be one of the known ways, each part once."""
    if len(set(parts)) == len(parts) and set(parts) in PARTS:
        return
    ways = [", ".join(sorted(way)) for way in PARTS]
    text = "the parts of the [[file]]s must be: {}".format("; or ".join(ways))
    mistakes.append(Mistake("file", None, text))
