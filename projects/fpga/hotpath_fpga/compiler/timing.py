"""Estimate the time of a program: four units in parallel, each command at its cost.

For choosing between programs and for a watchdog's limit. What counts is measured in the fabric's
simulation.
"""

from typing import Dict, List, Optional, Sequence, Tuple

from hotpath.kernels.fpga.tables import Fields, Size
from hotpath_fpga.compiler.hazards import UNITS

PIPELINE = 24  # cycles from a convolution's first step to its last word, about
Command = Tuple[str, Fields, Optional[str]]  # name, fields with their waits, layer
LINE_BYTES = 3 * 400  # of a row of the window, for want of a real one


def estimate(commands: Sequence[Command], size: Size) -> float:
    """Cycles of a program, from its commands with their waits."""
    ends: Dict[str, List[float]] = {unit: [0] for unit in UNITS.values()}
    latest: float = 0
    for name, fields, _ in commands:
        start = max(ends[unit][min(fields["wait_" + unit], len(ends[unit]) - 1)] for unit in ends)
        if name == "END":
            return max(start, latest)
        mine = ends[UNITS[name]]
        mine.append(max(start, mine[-1]) + cost(name, fields, size))
        latest = max(latest, mine[-1])
    return latest


def cost(name: str, fields: Fields, size: Size) -> float:
    """Cycles of a command that waits for nothing."""
    rate = size["bus_bytes"] * size["ddr_share"]
    if name == "LOAD":
        return size["ddr_latency"] + fields["bytes"] / rate
    if name == "STORE":
        return size["ddr_latency"] + fields["rows"] * fields["width"] * 16 / rate
    if name == "CROP":
        crop_cycles = fields["size"] / size["crop_lanes"] + 8
        return size["ddr_latency"] + fields["rows"] * max(crop_cycles, LINE_BYTES / rate)
    words = fields["out_height"] * fields["out_width"] * fields["out_blocks"]
    return max(steps(fields, size), words) + PIPELINE


def steps(fields: Fields, size: Size) -> int:
    """Steps of the array of a CONV."""
    groups = -(-fields["out_height"] // size["lanes"])
    taps = fields["kernel_height"] * fields["kernel_width"] * fields["in_blocks"]
    return groups * fields["out_width"] * fields["out_blocks"] * taps
