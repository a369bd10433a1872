"""What a board's TOML may say: every key, its type, its default and its meaning."""

import difflib
from collections import namedtuple

REQUIRED = object()

Key = namedtuple("Key", "kind default choices")

PRECISIONS = ("fp32", "fp16", "int8", "fp8", "fp4")


def _key(kind, default=REQUIRED, choices=None):
    return Key(kind, default, choices)


# Kinds. "amount": a number, or a table of variant -> number where modules of one name differ.
# "words": a list of texts. "modes": a list of names, place = mode's number, or a table of variant
# -> such a list. "reasons": a table of name -> sentence.
TOP = {
    "title": _key("text"),
    "family": _key("text", choices=("jetson", "fpga", "computer")),
    "engine": _key("text", choices=("tensorrt", "overlay", "openvino", "onnxruntime")),
    "device_tree": _key("words", ()),  # parts of /proc/device-tree/compatible that name the SoC
    "modules": _key("words", ()),  # parts of it that name the module: the surest sign
    "model_contains": _key("words", ()),  # parts of /proc/device-tree/model
    "pynq_board": _key("words", ()),  # what a PYNQ image calls the board ($BOARD)
    "unverified": _key("words", ()),  # "section.key" of numbers that no source in reach confirmed
}

SECTIONS = {
    "cpu": {
        "cores": _key("amount", None),
        "clock_max_mhz": _key("amount", None),
    },
    "gpu": {
        "compute_capability": _key("text", None),
        "cuda_cores": _key("amount", None),
        "clock_max_mhz": _key("amount", None),
        "dla_cores": _key("amount", None),
    },
    "memory": {
        "size_gb": _key("amount", None),
        "gb_s": _key("amount", None),  # peak, 1e9 bytes a second
    },
    "precision": {
        "exists": _key("words", choices=PRECISIONS),
        "pays": _key("words", (), choices=PRECISIONS),  # worth trying before the others
        "default": _key("text", choices=PRECISIONS),
        "why": _key("reasons", {}),
    },
    "power": {
        "modes": _key("modes", ()),  # nvpmodel's names
        "fastest": _key("words", ()),  # names, the fastest first; the first that the board has
    },
    "sensors": {
        "rails": _key("words", ()),  # power rails
        "total": _key("words", ()),  # rails whose sum is the whole module's power
        "unlabelled": _key("reasons", {}),  # chip -> the rail that it measures
        "thermal": _key("words", ()),  # thermal zones
        "thermal_skip": _key("reasons", {}),  # zones that measure nothing, and why
    },
    "fpga": {
        "part": _key("text", None),
        "luts": _key("amount", None),
        "flip_flops": _key("amount", None),
        "dsp": _key("amount", None),
        "bram36": _key("amount", None),
        "uram": _key("amount", None),
    },
}

# One table a software family: [software] "6" = { l4t = "36", python = "3.10", … }
SOFTWARE = ("l4t", "pynq", "python", "cuda", "cudnn", "tensorrt", "gpu_arrays")


def read(table):
    """Check a parsed TOML and fill in the defaults.

    Args:
        table: dict as ``tomllib`` gives it.

    Returns:
        (values, mistakes): dict of key -> value and section -> dict, list of sentences about what
        is wrong (empty when all is well).
    """
    mistakes = []
    top = {key: value for key, value in table.items() if key not in SECTIONS and key != "software"}
    values = _read_section("", TOP, top, mistakes)
    for section, keys in SECTIONS.items():
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            mistakes.append("[{}] must be a section".format(section))
            entries = {}
        values[section] = _read_section(section, keys, entries, mistakes)
    values["software"] = _read_software(table.get("software", {}), mistakes)
    if not mistakes:
        _check_whole(values, mistakes)
    return values, mistakes


def _read_section(section, keys, entries, mistakes):
    where = "[{}] ".format(section) if section else ""
    for key in entries:
        if key not in keys:
            near = difflib.get_close_matches(key, list(keys) + list(SECTIONS), n=1)
            hint = "; did you mean {}?".format(near[0]) if near else ""
            mistakes.append("{}{} is not a key of a board{}".format(where, key, hint))
    values = {}
    for key, rule in keys.items():
        if key not in entries:
            if rule.default is REQUIRED:
                mistakes.append("{}{} is missing".format(where, key))
            values[key] = None if rule.default is REQUIRED else rule.default
            continue
        problem = _problem(entries[key], rule)
        if problem:
            mistakes.append("{}{} {}".format(where, key, problem))
        values[key] = entries[key]
    return values


def _problem(value, rule):
    """What is wrong with a value, as the rest of a sentence; None when nothing is."""
    if not _fits(value, rule.kind):
        return {
            "text": "must be a text",
            "words": "must be a list of texts",
            "amount": "must be a number above or equal to zero, or a table of such numbers",
            "modes": "must be a list of names, or a table of such lists",
            "reasons": "must be a table of texts",
        }[rule.kind]
    for word in value if rule.kind == "words" else [value]:
        if rule.choices and word not in rule.choices:
            return "must be one of {}, not {!r}".format(", ".join(rule.choices), word)
    return None


def _fits(value, kind):
    if kind == "text":
        return isinstance(value, str) and bool(value)
    if kind == "words":
        return isinstance(value, list) and all(_fits(word, "text") for word in value)
    if kind == "reasons":
        return isinstance(value, dict) and all(_fits(word, "text") for word in value.values())
    one = _is_amount if kind == "amount" else lambda each: _fits(each, "words")
    if isinstance(value, dict):
        return bool(value) and all(one(each) for each in value.values())
    return one(value)


def _is_amount(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _read_software(families, mistakes):
    if not isinstance(families, dict):
        mistakes.append("[software] must be a section")
        return {}
    for family, versions in families.items():
        if not isinstance(versions, dict):
            mistakes.append("[software] {} must be a table of versions".format(family))
            continue
        for key, value in versions.items():
            if key not in SOFTWARE:
                mistakes.append(
                    "[software] {} {} is not known; there are: {}".format(
                        family, key, ", ".join(SOFTWARE)
                    )
                )
            elif not _fits(value, "text"):
                mistakes.append("[software] {} {} must be a text".format(family, key))
    return families


def _check_whole(values, mistakes):
    """What no single key shows: keys that must agree with each other."""
    precision = values["precision"]
    for key, chosen in (("default", [precision["default"]]), ("pays", precision["pays"])):
        for name in chosen:
            if name not in precision["exists"]:
                mistakes.append("[precision] {} {} is not among those that exist".format(key, name))
    for name in values["unverified"]:
        section, _, key = name.partition(".")
        if key not in SECTIONS.get(section, {}):
            mistakes.append("unverified {} names no key of a board".format(name))
        elif values[section][key] is None:
            mistakes.append("unverified {} has no value".format(name))
    for key in ("total",):
        for rail in values["sensors"][key]:
            if rail not in values["sensors"]["rails"]:
                mistakes.append("[sensors] {} {} is not among the rails".format(key, rail))
    if values["family"] == "jetson" and not values["gpu"]["compute_capability"]:
        mistakes.append("[gpu] compute_capability is missing; a Jetson's kernels need it")
    if values["family"] == "fpga" and not values["fpga"]["part"]:
        mistakes.append("[fpga] part is missing; an overlay is built for a part")
