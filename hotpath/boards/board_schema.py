"""The keys of a board's TOML file: their types, defaults and meanings.

Whether the keys ``engine``, ``network`` and ``witness`` name an engine and networks is not checked
here: this folder knows neither. ``hotpath.deploy.bundles`` and ``runtime`` check it when they use
the board.
"""

from typing import Any, Dict, List, Optional, Tuple

from hotpath.base.toml_checks import read_section, sentence
from hotpath.base.toml_keys import Key, Keys, Mistake, Name

PRECISIONS = ("fp32", "fp16", "int8", "fp8", "fp4")
DECODERS = ("cuda", "qsv", "vaapi", "amf", "v4l2m2m", "nvv4l2decoder", "mppvideodec")
ENCODERS = ("cuda", "qsv", "v4l2m2m", "amf")
AMOUNT = Key(float, None, low=0, variants=True)  # variants where modules of one name differ

TOP: Keys = {
    "title": Key(str),
    "family": Key(str, choices=("jetson", "nvidia", "fpga", "computer")),
    "engine": Key(Name),  # name of a file of runtime/engines
    "network": Key(Name, None),  # where nobody names one; None for that of all other boards
    "witness": Key(Name, None),  # the network that follows the same target beside it
    "device_tree": Key(tuple, ()),  # parts of /proc/device-tree/compatible that name the SoC
    "modules": Key(tuple, ()),  # parts of it that name the module: the surest sign
    "model_contains": Key(tuple, ()),  # parts of /proc/device-tree/model
    "files": Key(tuple, ()),  # files that only such a computer has
    "jetpack": Key(tuple, ()),  # tables of software/jetpack.toml that the board has
    "pynq_board": Key(tuple, ()),  # what a PYNQ image calls the board ($BOARD)
    "decoder": Key(tuple, (), choices=DECODERS),  # of hotpath/video/hardware.py, the best one first
    "encoder": Key(tuple, (), choices=ENCODERS),
    "after_build": Key(str, None),  # what to do with a bundle where Hotpath does not run
}

SECTIONS: Dict[str, Keys] = {
    "gpu": {
        "compute_capability": Key(str, None),
    },
    "memory": {
        "size_gb": AMOUNT,  # from which TensorRT's builder takes a part
    },
    "precision": {
        "exists": Key(tuple, choices=PRECISIONS),
        "default": Key(str, choices=PRECISIONS),
        "half_tensors": Key(tuple, (), choices=PRECISIONS),  # plans take and give float16
        "why": Key(dict, {}),
    },
    "search": {  # of a lost target
        # where nobody says: search for it, only report the loss, or do nothing of either
        "default": Key(str, "search", ("search", "report", "nothing")),
    },
    "sensors": {
        "total": Key(tuple, ()),  # power rails whose sum is the whole module's power
        "unlabelled": Key(dict, {}),  # chip -> the rail that it measures
        "thermal_skip": Key(dict, {}),  # thermal zones that measure nothing, and why
    },
}

# Each software family is one table: [software] "3.0" = { pynq = "3.0", python = "3.10" }, or one of
# software/jetpack.toml
SOFTWARE: Keys = dict.fromkeys(("l4t", "pynq", "python", "gpu_arrays"), Key(str, None))


def read(
    table: Dict[str, Any], jetpacks: Optional[Dict[str, Any]] = None
) -> Tuple[Dict[str, Any], List[str]]:
    """Check a parsed TOML file and fill in the defaults.

    Args:
        table: dict as ``hotpath.base.toml.read`` gives it.
        jetpacks: dict of a JetPack -> its versions, for the key ``jetpack``.

    Returns:
        (values, mistakes). ``values`` is a dict of key -> value and section -> dict. ``mistakes``
        is a list of sentences, empty when the file is right.
    """
    problems: List[Mistake] = []
    values = read_section("", TOP, table, problems, (*SECTIONS, "software"))
    for section, keys in SECTIONS.items():
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            problems.append(Mistake(section, None, f"must be a section, [{section}]"))
            entries = {}
        values[section] = read_section(section, keys, entries, problems)
    families = table.get("software", {})
    if not isinstance(families, dict):
        problems.append(Mistake("software", None, "must be a section"))
        families = {}
    for family, versions in families.items():
        if isinstance(versions, dict):
            read_section(f"software {family}", SOFTWARE, versions, problems)
        else:
            problems.append(Mistake("software", family, "must be a table of versions"))
    mistakes = [sentence(mistake) for mistake in problems]
    for name in values.pop("jetpack", ()):
        if name in (jetpacks or {}):
            families = dict(families, **{name: (jetpacks or {})[name]})
        else:
            mistakes.append(f"jetpack {name} is not in software/jetpack.toml")
    values["software"] = families
    if not mistakes:
        _check_whole(values, mistakes)
    return values, mistakes


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
