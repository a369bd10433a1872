"""Drives the accelerator that runs a tracker's frame in programmable logic.

``tables.toml`` defines registers and commands. ``design`` has the accelerator itself, in a clone.
"""

import importlib.util

from hotpath.kernels.errors import NoDesign


def has_design() -> bool:
    """Whether the design is here: a wheel has none."""
    return importlib.util.find_spec("hotpath.kernels.fpga.design") is not None


def need_design(what: str) -> None:
    """Refuse what compiles for the accelerator or simulates it where its design is not here.

    Raises:
        NoDesign: this is a wheel.
    """
    if not has_design():
        raise NoDesign(
            f"{what} needs the design of the FPGA's accelerator, which no wheel has; run it in a "
            "clone of Hotpath"
        )
