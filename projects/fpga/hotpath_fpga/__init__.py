"""The design of the accelerator. A board imports it only to simulate one.

``model.py`` defines the result of each command of ``kernels/fpga/tables.toml``, bit for bit.
``rtl`` is the hardware, ``compiler`` writes the commands, ``sim`` runs model or RTL behind PYNQ's
own library, and ``vivado`` builds the overlay. ``sizes.toml`` has the size of each board's
accelerator.
"""

import pathlib
from typing import Any, Dict, List

from hotpath.kernels.fpga.tables import Size, read_toml

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent.parent  # of the clone
RTL = FOLDER / "rtl"
PARAMETERS = (  # of the top module, in sizes.toml
    "lanes",
    "bus_bytes",
    "crop_lanes",
    "map_words",
    "map_style",
    "weight_tiles",
    "line_bytes",
)


def rtl_files(suffix: str = ".sv") -> List[pathlib.Path]:
    """The files of the RTL, in the order in which data passes through its folders."""
    return sorted(RTL.rglob("*" + suffix))


def rtl_folders() -> List[pathlib.Path]:
    """Return the folders that are searched for modules and headers."""
    return [RTL] + sorted(path for path in RTL.iterdir() if path.is_dir())


def sizes() -> Dict[str, Size]:
    """All sizes of ``sizes.toml``: dict of board -> dict."""
    return read_toml(FOLDER / "sizes.toml")


def parts() -> Dict[str, Dict[str, Any]]:
    """The FPGAs of ``parts.toml``: dict of board -> dict of title, part and what the part has."""
    return read_toml(FOLDER / "parts.toml")
