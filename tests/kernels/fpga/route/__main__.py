"""Place and route the FPGA engine of a PYNQ-Z2, and say the clock that it reaches.

    python -m tests.kernels.fpga.route --database PRJXRAY [--tileconn FILE] [--seeds 1 2 3]

PRJXRAY is a copy of https://github.com/openXC7/prjxray-db. Without an option, HOTPATH_PRJXRAY names
it. Results are cached by netlist, fabric and program. Exit codes: 0; 1 when the netlist can't be
placed and routed at the wanted clock; 2 when the database is absent.
"""

import argparse
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Sequence

from calib import provenance
from kernels import cache
from kernels.errors import HotpathError
from kernels.fpga import design as engine
from kernels.fpga.design import synthesis
from kernels.fpga.design.layout import design, fabric, netlist

BOARD = "pynq_z2"
HERE = pathlib.Path(__file__).resolve().parent
REPORT = engine.PAGES / "fpga-route.md"
SHOWN = 8  # paths of the report
SEEDS = (1, 2, 3)
BORROWED = "The joints of its tiles are another chip's, which lacks some long wires."
HEAD = """`python -m tests.kernels.fpga.route --database PRJXRAY{options}`

{date}, commit {commit}, {machine}.

# The clock of a PYNQ-Z2, placed and routed

The netlist of yosys, on Project X-Ray's wires and delays of the xc7z020's family, speed grade -1.
Wanted are {period:g} ns, {clock:g} MHz, and half of it for paths that begin or end at the array's
clock. **Of {count} starts: {summary}.**

| start | placed | routed | half a period | shared wires | not routed | minutes |
|---|---|---|---|---|---|---|
"""
TAIL = """
A chip cannot have a wire that two nets share, nor leave a connection out.

Not in the model: the clock network's skew and jitter, hold times, the ports of the processor
system, and connections of constants. The chip's columns were typed by hand. {joints} Vivado has
not confirmed the clock.

## Longest paths of the worst start

| from | to | ns | limit |
|---|---|---|---|
"""


class CannotRoute(HotpathError):
    """The program for placing and routing can't be built, or fails."""


def main(words: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    given = os.environ.get("HOTPATH_PRJXRAY") or None
    parser.add_argument("--database", type=pathlib.Path, default=given, help="with zynq7/ in it")
    parser.add_argument(
        "--tileconn", type=pathlib.Path, help="joints of tiles, of any 7-series chip"
    )
    parser.add_argument("--seeds", type=int, choices=range(1, 1000), metavar="N", nargs="+")
    parser.add_argument("--effort", type=int, choices=range(1, 100), metavar="N", default=1)
    parser.add_argument("--report", type=pathlib.Path, default=REPORT)
    options = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends
    if options.database is None:
        print(
            "Name a copy of Project X-Ray's database: --database or HOTPATH_PRJXRAY",
            file=sys.stderr,
        )
        return 2
    root = pathlib.Path(options.database)
    try:
        chip = fabric.write(fabric.Database(root, options.tileconn or tileconn(root)))
        found = synthesis.netlist(BOARD)["netlist"]["modules"][synthesis.TOP]
        packed = design.Design(netlist.Packing(netlist.Netlist(found))).text()
        results = [route(chip, packed, n, options.effort) for n in options.seeds or SEEDS]
        options.report.write_text(page(results, options), encoding="utf-8")
    except fabric.NoDatabase as problem:
        print(problem, file=sys.stderr)
        return 2
    except (HotpathError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    passed = sum(map(is_met, results))
    failed = f"{len(results) - passed} failed, " if passed < len(results) else ""
    print(f"{failed}{passed} passed: {summary(results)}, in {options.report}")
    return 1 if failed else 0


def is_met(result: Dict[str, Any]) -> bool:
    """Whether a start reaches the wanted clock on wires of its own."""
    reached = 1000 / result["routed_ns"] >= engine.sizes()[BOARD]["assumed_clock_mhz"]
    return reached and is_legal(result)


def is_legal(result: Dict[str, Any]) -> bool:
    """Whether every connection of a start has wires of its own."""
    return not result["shared_wires"] and not result["unrouted"]


def tileconn(root: pathlib.Path) -> pathlib.Path:
    """The joints of the chip's own tiles, as the database has them."""
    return root / "zynq7" / "xc7z020" / "tileconn.json"


def program() -> pathlib.Path:
    """Build the placer and router, once for each content of its sources.

    Raises:
        CannotRoute: it can't be compiled.
    """
    sources = sorted([*HERE.glob("*.cpp"), *HERE.glob("*.h")])
    built = synthesis.CACHE / f"route-{cache.digest('', [str(path) for path in sources])}"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        part = built.with_suffix(f".{os.getpid()}")
        run(["g++", "-O2", "-std=c++17", "-o", str(part), str(HERE / "main.cpp")])
        part.replace(built)
    return built


def run(command: List[str]) -> str:
    """What a command prints; its progress goes to standard error.

    Raises:
        CannotRoute: it fails; the last line that it says is the reason.
    """
    said = ["it says nothing"]
    try:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stderr and process.stdout
            try:
                for line in process.stderr:
                    print(line, end="", file=sys.stderr, flush=True)
                    said.append(line.strip())
                told = process.stdout.read()
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError as problem:
        raise CannotRoute(f"there is no {command[0]} here; install it") from problem
    if process.returncode:
        why = said[-1] if process.returncode > 0 else f"signal {-process.returncode}"
        raise CannotRoute(f"{pathlib.Path(command[0]).name} fails: {why}")
    return told


def route(chip: str, packed: str, seed: int, effort: float = 1) -> Dict[str, Any]:
    """Place and route a design's text on a chip's from one start; minutes, unless cached.

    Raises:
        CannotRoute: the design does not fit.
    """
    built = program()
    key = cache.digest((chip, packed, seed, effort), [str(built)])
    cached = built.with_name(f"routed-{key}.json")
    if not cached.is_file():
        with tempfile.TemporaryDirectory(dir=str(built.parent)) as folder:
            files = [pathlib.Path(folder, name) for name in ("fabric", "design", "result")]
            for path, text in zip(files, (chip, packed)):
                path.write_text(text, encoding="utf-8")
            told = run([str(built), *map(str, files[:2]), str(seed), str(effort)])
            files[2].write_text(told, encoding="utf-8")
            files[2].replace(cached)
    return json.loads(cached.read_text(encoding="utf-8"))


def summary(results: List[Dict[str, Any]]) -> str:
    """The best and the worst clock of the starts that are legal."""
    clocks = sorted(1000 / result["routed_ns"] for result in results if is_legal(result))
    if not clocks:
        return "none is routed"
    missing = len(results) - len(clocks)
    said = f"best {clocks[-1]:.1f} MHz, worst {clocks[0]:.1f} MHz"
    return said + (f", {missing} not routed" if missing else "")


def page(results: List[Dict[str, Any]], options: argparse.Namespace) -> str:
    """The report."""
    worst = max(results, key=lambda result: result["routed_ns"])
    clock = engine.sizes()[BOARD]["assumed_clock_mhz"]
    text = HEAD.format(
        date=datetime.date.today().isoformat(),
        commit=(provenance.commit() or "unknown")[:7],
        machine=f"{provenance.processor()}, {os.cpu_count()} cores",
        period=1000 / clock,
        clock=clock,
        count=len(results),
        summary=summary(results),
        options=" --tileconn FILE" * bool(options.tileconn)
        + f" --effort {options.effort}" * (options.effort != 1),
    )
    for one in results:
        minutes = (one["place_s"] + one["route_s"]) / 60
        text += f"| {one['seed']} | {one['placed_ns']:.2f} ns | {one['routed_ns']:.2f} ns, "
        text += f"{1000 / one['routed_ns']:.1f} MHz | {one['half_ns']:.2f} ns | "
        text += f"{one['shared_wires']} of {one['wires']:,} | {one['unrouted']} | {minutes:.0f} |\n"
    text += TAIL.format(joints=BORROWED if options.tileconn else "")
    for path in worst["paths"][:SHOWN]:
        text += f"| `{path['start']}` | `{path['end']}` | {path['ns']:.2f} | {path['limit']} |\n"
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
