"""python -m kernels.fpga.design.timing [BOARD ...]: estimate the clock that each FPGA holds.

yosys synthesises the RTL at the size of each board; ``static_timing`` finds the longest path to
every register, with the delays of ``delays.toml``. Written are ``timing.toml``, which tests hold to
a budget, and ``fpga-timing.md``. Nothing was placed or routed: these are estimates, not clocks
that were met.
"""

import collections
import re
import sys
from typing import Any, Dict, List, Sequence, Tuple

from kernels.fpga import design
from kernels.fpga.design import static_timing, synthesis
from kernels.fpga.design.static_timing import Path

# The longest path that is allowed with the usual net model, scaled, ns.
BUDGET_NS = {"xc7": 5.6, "xcup": 3.9}
MARGIN = 0.15  # of a period, left for the clock net, for routing and for the tool
WORST = 10  # paths that are named
FAST_CLOCK = "clk_fast"  # port of the top
HALF = ", half of a period"


def measure(board: str) -> Dict[str, Any]:
    """Synthesise the engine of a board and find its longest paths; minutes.

    Returns:
        dict: ``source`` (fingerprint), ``yosys`` (version), and what ``analysed`` gives.

    Raises:
        NoSynthesis: no yosys, or it fails.
    """
    source = synthesis.fingerprint(board)
    netlist = synthesis.netlist(board)["netlist"]
    found = {"source": source, "yosys": synthesis.version(netlist["creator"])}
    found.update(analysed(netlist["modules"][synthesis.TOP], synthesis.family(board)))
    return found


def analysed(module: Dict[str, Any], family: str) -> Dict[str, Any]:
    """The longest paths of a flat netlist.

    Returns:
        dict: ``worst_ns`` (one for each net model) and ``path`` (list of dicts), of the paths that
        have a whole period; where multipliers run at twice the clock, the same with ``half_``
        before it of those that have half of one.
    """
    table = static_timing.delays()
    scale, usual = table["scale"][family], table["net"]["usual"]
    found: Dict[str, Any] = {}
    for base in table["net"]["bases"]:
        whole, half = split(module, base, table)
        for prefix, paths in (("", whole), ("half_", half)):
            if not paths:
                continue
            # no DSP slice and no clock buffer is faster than this, however short the paths are
            least = table["clock"]["least_period"] if prefix else 0.0
            worst = round(max(paths[0].ns, least) * scale, 2)
            found.setdefault(prefix + "worst_ns", []).append(worst)
            if base == usual:
                found[prefix + "path"] = [_told(path, scale) for path in _different(paths)[:WORST]]
    return found


def split(
    module: Dict[str, Any], base: float, table: Dict[str, Any]
) -> Tuple[List[Path], List[Path]]:
    """The paths that have a whole period, and those that have half of one; the longest first.

    Half of a period is between registers of the fast clock, and from one clock to the other.
    """
    paths = static_timing.Timing(module, base, table).paths()
    fast = module["ports"].get(FAST_CLOCK, {"bits": [None]})["bits"][0]
    half = [path for path in paths if path.clock == fast and fast is not None]
    if not half:
        return paths, []
    leaving = static_timing.Timing(module, base, table, starts=fast).paths()
    half += [path for path in leaving if path.clock != fast]
    half.sort(key=lambda path: (-path.ns, path.end))
    return [path for path in paths if path.clock != fast], half


def _different(paths: Sequence[Path]) -> List[Path]:
    """One path of those that end in the bits of one register."""
    seen, found = set(), []
    for path in paths:
        end = re.sub(r"\[\d+\](?=$|\.)|\.\d+", "", path.end)
        if end not in seen:
            seen.add(end)
            found.append(path)
    return found


def _told(path: Path, scale: float) -> Dict[str, Any]:
    levels = collections.Counter(re.sub(r"^LUT\d$", "LUT", one) for one in path.levels[1:])
    return {
        "ns": round(path.ns * scale, 2),
        "start": path.start,
        "end": path.end,
        "levels": ", ".join(f"{count} {kind}" for kind, count in sorted(levels.items())),
    }


# -- budget and clocks


def over_budget(board: str, found: Dict[str, Any]) -> List[str]:
    """Sentences on what is slower than the budget allows; none is good."""
    return [
        "{}: the longest path takes {} ns of {}: {} to {}".format(
            board, ns, most, found[prefix + "path"][0]["start"], found[prefix + "path"][0]["end"]
        )
        for prefix, _, ns, most in _limits(board, found)
        if ns > most
    ]


def usual_ns(found: Dict[str, Any], prefix: str = "") -> float:
    """The longest path with the usual net model, ns; with "half_", of those of half a period."""
    net = static_timing.delays()["net"]
    return found[prefix + "worst_ns"][net["bases"].index(net["usual"])]


def clock_mhz(found: Dict[str, Any]) -> float:
    """The clock that the usual model holds with ``MARGIN``, MHz: that of all but pumped arrays."""
    period = usual_ns(found)
    if "half_worst_ns" in found:
        period = max(period, 2 * usual_ns(found, "half_"))
    return (1 - MARGIN) * 1000 / period


def _limits(board: str, found: Dict[str, Any]) -> List[Tuple[str, str, float, float]]:
    """(prefix of the keys, words, longest path, its budget) for each kind of path that there is."""
    most = BUDGET_NS[synthesis.family(board)]
    kinds = [("", "", usual_ns(found), most)]
    if "half_worst_ns" in found:
        kinds.append(("half_", HALF, usual_ns(found, "half_"), most / 2))
    return kinds


# -- the document

HEAD = """# The clock that the engine may hold: `python -m kernels.fpga.design.timing`

Written by `python -m kernels.fpga.design.timing`. **These are estimates: no tool placed or routed
the engine here, and no clock was met.** yosys maps the RTL; the longest path to each register is
the sum of its cells' delays (`delays.toml`: a Zynq-7000 of speed grade -1; UltraScale+ takes
{scale} of them, a ratio of data sheets) and of a net model, base + {fan_out} · log2(loads) ns. The
budget holds for the base of {usual} ns. The clock net, its skew and the interconnect are left out.
The clock of the last column keeps {margin:.0%} of the period for what is not modelled. Pumped
multipliers run at twice the clock: between their registers, and to and from them, a path has half
of a period. None counts as shorter than {least} ns (scaled), the least period of a clock buffer.
The longest paths are in `timing.toml`.
`tests/kernels/fpga/test_timing.py` fails when the PYNQ-Z2 was timed on an earlier RTL, or when
a board is over its budget.

| board | {bases} | budget | slack | clock with margin |
| --- |{dashes}"""


def document(found: synthesis.Results) -> str:
    """The text of ``fpga-timing.md``."""
    table = static_timing.delays()
    net = table["net"]
    bases = " | ".join(f"base {base:.2f} ns" for base in net["bases"])
    lines = HEAD.format(
        scale=table["scale"]["xcup"],
        fan_out=net["fan_out"],
        usual=net["usual"],
        margin=MARGIN,
        least=table["clock"]["least_period"],
        bases=bases,
        dashes=" ---: |" * (len(net["bases"]) + 3),
    ).split("\n")
    for board in (name for name in design.sizes() if name in found):
        for prefix, words, ns, most in _limits(board, found[board]):
            cells = [synthesis.title(board, found[board]) + words]
            cells += [f"{each:.2f}" for each in found[board][prefix + "worst_ns"]]
            cells += [f"{most:.2f}", f"{most - ns:+.2f}"]
            cells.append(f"{(1 - MARGIN) * 1000 / ns:.0f} MHz")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    summary = (__doc__ or "").partition("\n")[0]
    return synthesis.command("timing", summary, measure, document, over_budget)


if __name__ == "__main__":
    sys.exit(main())
