"""The keys of a board's TOML file: their types, defaults and meanings.

Whether the keys ``engine`` and ``network`` name an engine and a network is not checked here: this
folder knows neither. ``hotpath.boards.build`` and ``runtime`` check it when they use the board.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from hotpath.kernels.commands import meant

REQUIRED = object()
PRECISIONS = ("fp32", "fp16", "int8", "fp8", "fp4")


class Key(NamedTuple):
    """The rule of one key."""

    kind: str
    default: Any = REQUIRED
    choices: Optional[Sequence[str]] = None


# Kinds of keys:
#   amount   a number, or a table of variant -> number where modules of one name differ
#   count    a whole number from 1 on
#   switch   true or false
#   words    a list of texts
#   reasons  a table of name -> sentence
TOP = {
    "title": Key("text"),
    "family": Key("text", choices=("jetson", "nvidia", "fpga", "computer")),
    "engine": Key("text"),  # name of a file of runtime/engines
    "network": Key("text", None),  # where nobody names one; None for that of all other boards
    "device_tree": Key("words", ()),  # parts of /proc/device-tree/compatible that name the SoC
    "modules": Key("words", ()),  # parts of it that name the module: the surest sign
    "model_contains": Key("words", ()),  # parts of /proc/device-tree/model
    "files": Key("words", ()),  # files that only such a computer has
    "pynq_board": Key("words", ()),  # what a PYNQ image calls the board ($BOARD)
}

SECTIONS = {
    "cpu": {
        "clock_max_mhz": Key("amount", None),
    },
    "gpu": {
        "compute_capability": Key("text", None),
        "dla_cores": Key("amount", None),
    },
    "memory": {
        "size_gb": Key("amount", None),
        "gb_s": Key("amount", None),  # peak, 1e9 bytes a second
    },
    "precision": {
        "exists": Key("words", choices=PRECISIONS),
        "default": Key("text", choices=PRECISIONS),
        "half_tensors": Key("words", (), choices=PRECISIONS),  # plans take and give float16
        "why": Key("reasons", {}),
    },
    "search": {  # of a lost target
        "default": Key("switch", True),  # whether it is searched for where nobody says
        "windows": Key("count", 1),  # that a frame of the search looks at
        "why": Key("text", None),
    },
    "sensors": {
        "total": Key("words", ()),  # power rails whose sum is the whole module's power
        "unlabelled": Key("reasons", {}),  # chip -> the rail that it measures
        "thermal_skip": Key("reasons", {}),  # thermal zones that measure nothing, and why
    },
}

# Each software family is one table: [software] "6" = { l4t = "36", python = "3.10", … }
SOFTWARE = ("l4t", "pynq", "python", "cuda", "cudnn", "tensorrt", "gpu_arrays")


def read(table: Dict[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Check a parsed TOML file and fill in the defaults.

    Args:
        table: dict as ``tomllib`` returns it.

    Returns:
        (values, mistakes). ``values`` is a dict of key -> value and section -> dict. ``mistakes``
        is a list of sentences, empty when the file is right.
    """
    mistakes: List[str] = []
    top = {key: value for key, value in table.items() if key not in SECTIONS and key != "software"}
    values = _read_section("", TOP, top, mistakes)
    for section, keys in SECTIONS.items():
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            mistakes.append(f"[{section}] must be a section")
            entries = {}
        values[section] = _read_section(section, keys, entries, mistakes)
    values["software"] = _read_software(table.get("software", {}), mistakes)
    if not mistakes:
        _check_whole(values, mistakes)
    return values, mistakes


def _read_section(
    section: str, keys: Dict[str, Key], entries: Dict[str, Any], mistakes: List[str]
) -> Dict[str, Any]:
    where = f"[{section}] " if section else ""
    for key in entries:
        if key not in keys:
            hint = meant(key, list(keys) + list(SECTIONS))
            mistakes.append(f"{where}{key} is not a key of a board" + (hint and "; " + hint))
    values: Dict[str, Any] = {}
    for key, rule in keys.items():
        if key not in entries:
            if rule.default is REQUIRED:
                mistakes.append(f"{where}{key} is missing")
            values[key] = None if rule.default is REQUIRED else rule.default
            continue
        problem = _problem(entries[key], rule)
        if problem:
            mistakes.append(f"{where}{key} {problem}")
        values[key] = entries[key]
    return values


def _problem(value: Any, rule: Key) -> Optional[str]:
    """Say what is wrong with a value, as the end of a sentence. Return None when it is right."""
    wanted, fits = KINDS[rule.kind]
    if not fits(value):
        return "must be " + wanted
    for word in value if rule.kind == "words" else [value]:
        if rule.choices and word not in rule.choices:
            return f"must be one of {', '.join(rule.choices)}, not {word!r}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value fits, or every variant of a table of them."""

    def each_fits(value: Any) -> bool:
        variants = list(value.values()) if isinstance(value, dict) else [value]
        return bool(variants) and all(map(fits, variants))

    return each_fits


# kind -> (what a value must be, whether one is)
KINDS: Dict[str, Tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", _is_text),
    "words": ("a list of texts", lambda value: type(value) is list and all(map(_is_text, value))),
    "amount": ("a number above or equal to zero, or a table of such numbers", _each(_is_amount)),
    "count": ("a whole number above zero", lambda value: type(value) is int and value > 0),
    "switch": ("true or false", lambda value: isinstance(value, bool)),
    "reasons": (
        "a table of texts",
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    ),
}


def _read_software(families: Any, mistakes: List[str]) -> Dict[str, Dict[str, str]]:
    if not isinstance(families, dict):
        mistakes.append("[software] must be a section")
        return {}
    for family, versions in families.items():
        if not isinstance(versions, dict):
            mistakes.append(f"[software] {family} must be a table of versions")
            continue
        for key, value in versions.items():
            if key not in SOFTWARE:
                known = ", ".join(SOFTWARE)
                mistakes.append(f"[software] {family} {key} is not known; there are: {known}")
            elif not _is_text(value):
                mistakes.append(f"[software] {family} {key} must be a text")
    return families


def _check_whole(values: Dict[str, Any], mistakes: List[str]) -> None:
    """Check that the keys agree with each other."""
    precision = values["precision"]
    chosen_by_key = {"default": [precision["default"]], "half_tensors": precision["half_tensors"]}
    for key, chosen in chosen_by_key.items():
        for name in chosen:
            if name not in precision["exists"]:
                mistakes.append(f"[precision] {key} {name} is not among those that exist")
    if values["family"] == "jetson" and not values["gpu"]["compute_capability"]:
        mistakes.append("[gpu] compute_capability is missing; a Jetson's kernels need it")
