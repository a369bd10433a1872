"""python -m calib.fpga.rate: frames a second of a whole tracker on each FPGA board, by a model.

Puts together what other commands found: cycles of a frame in the RTL (``CYCLES.md``), the clock
that the static timing allows (``timing.toml``), and the processor's instructions a frame
(``processor.toml``). Writes ``kernels/fpga/design/RATE.md``. No board ever ran it.
"""

import argparse
import re
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

import boards
from kernels.errors import HotpathError
from kernels.fpga import design
from kernels.fpga.design import cycles, timing
from kernels.fpga.design.static_timing import tomllib

COUNTS = design.FOLDER / "processor.toml"
DOCUMENT = design.FOLDER / "RATE.md"
BEFORE, NOW = "before", "now"  # tables of processor.toml
CYCLES_AN_INSTRUCTION = 2.0  # assumed: both processors start up to two a cycle, and wait for memory
WINDOW = "typical"
PLL_MHZ = {"xc7": 1000.0, "xcup": 1500.0}  # divided by a whole number; see sizes.toml
WANTED = (("pynq_z2", 300), ("kv260", 1500))  # frames a second of the whole tracker

Counts = Dict[str, Dict[str, int]]  # "one" or "overlapped" -> idle and beside


class Missing(HotpathError):
    """Something that another command finds is not there."""


class Rate(NamedTuple):
    """One board. Times are milliseconds a frame.

    Attributes:
        clock_mhz: the clock of the fabric.
        fabric: of its program.
        idle, beside: of the processor, while the fabric is idle and while it computes.
        in_turn: of the processor, where no frame is in flight besides.
    """

    clock_mhz: float
    fabric: float
    idle: float
    beside: float
    in_turn: float

    def milliseconds(self) -> Tuple[float, ...]:
        """The columns of the table, in their order."""
        processor = self.idle + self.beside
        return (
            self.fabric,
            processor,
            self.fabric + self.in_turn,
            max(self.fabric, self.beside) + self.idle,
            max(self.fabric, processor),
        )


def main() -> int:
    """Run the command line; returns the exit code."""
    argparse.ArgumentParser(
        prog="python -m calib.fpga.rate", description=__doc__.partition("\n")[0]
    ).parse_args()
    try:
        text = document()
    except HotpathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    return 0


# -- what other commands found


def read_counts() -> Dict[str, Any]:
    """``processor.toml``: dict of name -> table."""
    if not COUNTS.is_file():
        return {}
    return tomllib.loads(COUNTS.read_text(encoding="utf-8"))


def write_counts(name: str, core: str, found: Counts) -> None:
    """Store the instructions of a frame in ``processor.toml``.

    Args:
        name: of the table.
        core: that executed them.
        found: for "one" and "overlapped", the instructions "idle" and "beside".
    """
    held = dict(read_counts())
    held[name] = dict(found, core=core)
    lines = [
        "# Written by `python -m tests.arm.count_fpga --write NAME`: the processor's",
        "# instructions a frame. one: a frame at a time; overlapped: two in flight.",
        "# idle: executed while the fabric has nothing to do; beside: while it computes.",
        "# [before]: all steps of the tracker in Python. [now]: two compiled calls. With two",
        "# frames in flight one, and pixels and tables are brought into memory beside the fabric.",
    ]
    for table in sorted(held):
        lines += ["", f"[{table}]", 'core = "{}"'.format(held[table]["core"])]
        for kind in ("one", "overlapped"):
            row = "{} = {{ idle = {idle}, beside = {beside} }}"
            lines.append(row.format(kind, **held[table][kind]))
    COUNTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def cycles_of(board: str) -> int:
    """The cycles of a frame with the typical window, from ``CYCLES.md``."""
    title = re.escape(design.parts()[board]["title"])
    row = rf"^\| {title} \| {WINDOW} \|[^|]*\|[^|]*\| ([\d,]+) \|"
    found = re.search(row, cycles.DOCUMENT.read_text(encoding="utf-8"), flags=re.M)
    if not found:
        raise Missing(f"CYCLES.md has no {board}; run `python -m calib.fpga.cycles`")
    return int(found.group(1).replace(",", ""))


def clock_of(board: str) -> Tuple[float, str]:
    """(MHz that the timing allows with its margin, board whose engine was timed)."""
    results, size = timing.results(), design.sizes()[board]
    others = [other for other in design.sizes() if design.sizes()[other] == size]
    family = [other for other in results if _family(other) == _family(board)]
    for known in [board] + others + family:
        if known in results:
            return timing.clock_mhz(results[known]), known
    raise Missing(f"no clock is known for {board}; run `python -m kernels.fpga.design.timing`")


def _family(board: str) -> str:
    return "xc7" if design.parts()[board]["part"].startswith("xc7") else "xcup"


def pll_clock(board: str, limit_mhz: float) -> float:
    """The highest clock up to a limit that the processor's PLL can make, MHz."""
    pll = PLL_MHZ[_family(board)]
    return pll / next(divisor for divisor in range(1, 64) if pll / divisor <= limit_mhz)


def rate(board: str, clock_mhz: float, counts: Counts) -> Rate:
    """The times of a board whose fabric runs at a clock."""
    clock = boards.load_board(board).cpu["clock_max_mhz"]
    one, overlapped = (
        [counts[kind][part] * CYCLES_AN_INSTRUCTION / clock / 1e3 for part in ("idle", "beside")]
        for kind in ("one", "overlapped")
    )
    idle, beside = overlapped
    return Rate(clock_mhz, cycles_of(board) / clock_mhz / 1e3, idle, beside, sum(one))


# -- the document

HEAD = """# Frames a second of a whole tracker

Written by `python -m calib.fpga.rate`. **This is a model: no clock was met, and no board ever ran
it.** The network is kestrel_small, with a search window of 255 pixels.

- Fabric: the cycles of [CYCLES.md](CYCLES.md), divided by a clock. "Timed" is the clock of
  [TIMING.md](TIMING.md) with {margin:.0%} of the period in reserve. "PLL" is the highest clock up
  to that one which the processor's PLL makes, so the one that a board would have.
- Processor: instructions a frame, counted under QEMU on a Cortex-A9 with Debian's Python and NumPy
  and PYNQ's classes (`python -m tests.arm.count_fpga`), at an assumed {cpi:g} cycles each and at
  the clock of `boards/`. The same count stands for the Cortex-A53, which was not counted. Not in
  it: the kernel's synchronisation of the caches, waiting, and the reading of frames from a camera.
- Two frames in flight: the counted frames find the tables of their window in memory. In 14% of
  1,363 frames of eleven clips the window had a size that was not prepared. Such a frame takes
  102,000 instructions while the fabric is idle, so that the mean would be 65,000.
- The copy of the window may be bound by memory instead. At the speeds that [CAMERA.md](CAMERA.md)
  assumes it takes .8 ms on a Z2 and .2 ms on a KV260. With two frames in flight it is made beside
  the fabric, with an eighth more on each side: 1.25 and .31 ms. The part beside the fabric is then
  1.62 ms on a Z2, so 554 frames a second at 156 MHz, and .49 ms on a KV260, less than the fabric's.
- The frame itself is not copied: nothing in `runtime.track` writes into one that is in flight. A
  program that uses its memory again leaves `is_kept` out. 640 x 480 pixels then take 3.7 ms more on
  a Z2 and .9 ms on a KV260, so that a frame at a time is faster there.
- In turn: the processor works, then the fabric. One target: with `--pipeline 2`; the fabric is idle
  from the end of a program until the next window is known. Several targets: the fabric computes one
  target while the processor works on another, so that the slower of the two decides.

| instructions a frame | fabric idle | beside the fabric | in all |
| --- | ---: | ---: | ---: |"""

TABLE = """
| board | clock | cycles | fabric alone | processor alone | in turn | one target | several targets |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def document() -> str:
    """The text of ``RATE.md``.

    Raises:
        Missing: something was not counted, simulated or timed.
    """
    counts = read_counts()
    if NOW not in counts:
        raise Missing(f"nothing was counted; run `python -m tests.arm.count_fpga --write {NOW}`")
    lines = HEAD.format(margin=timing.MARGIN, cpi=CYCLES_AN_INSTRUCTION).split("\n")
    for name in (BEFORE, NOW):
        for kind, title in (("one", "a frame at a time"), ("overlapped", "two frames in flight")):
            if name in counts:
                lines.append(_count_row(f"{title}, {name}", counts[name][kind]))
    lines += TABLE.split("\n")
    notes = []
    for board in design.sizes():
        timed_mhz, known = clock_of(board)
        if design.sizes()[known] != design.sizes()[board]:
            notes.append(
                "The engine of the {} was not timed; it has the clock of the {}.".format(
                    design.parts()[board]["title"], design.parts()[known]["title"]
                )
            )
        for kind, clock_mhz in (("timed", timed_mhz), ("PLL", pll_clock(board, timed_mhz))):
            lines.append(_row(board, kind, rate(board, clock_mhz, counts[NOW])))
    rates = ["", 'The columns from "fabric alone" on are frames a second.'] + notes
    return "\n".join(lines + rates + [""] + _claims(counts)) + "\n"


def _count_row(title: str, one: Dict[str, int]) -> str:
    numbers = one["idle"], one["beside"], one["idle"] + one["beside"]
    return "| {} | {:,} | {:,} | {:,} |".format(title, *numbers)


def _row(board: str, kind: str, found: Rate) -> str:
    cells = [design.parts()[board]["title"], f"{kind} {found.clock_mhz:.1f} MHz"]
    cells.append(f"{cycles_of(board):,}")
    cells += [f"{1e3 / ms:.0f}" for ms in found.milliseconds()]
    return "| {} |".format(" | ".join(cells))


def _claims(counts: Dict[str, Any]) -> List[str]:
    """For each board of ``WANTED``, whether the wanted rate is reached, with the arithmetic."""
    lines = []
    for board, wanted in WANTED:
        found = rate(board, clock_of(board)[0], counts[NOW])
        *_, one, several = found.milliseconds()
        words = [
            "{} {:,.0f}, {}".format(name, 1e3 / ms, "met" if 1e3 / ms >= wanted else "**missed**")
            for name, ms in (("one target", one), ("several targets", several))
        ]
        lines.append(
            "{}, {:,} wanted at the timed clock: {}.\n"
            "The fabric takes {:,} / {:.1f} MHz = {:.3f} ms. The processor takes {:.3f} ms while\n"
            "the fabric is idle and {:.3f} ms beside it.\n"
            "One target: max({:.3f}, {:.3f}) + {:.3f} = {:.3f} ms. "
            "Several: max({:.3f}, {:.3f}) = {:.3f} ms.".format(
                design.parts()[board]["title"],
                wanted,
                "; ".join(words),
                cycles_of(board),
                found.clock_mhz,
                found.fabric,
                found.idle,
                found.beside,
                found.fabric,
                found.beside,
                found.idle,
                one,
                found.fabric,
                found.idle + found.beside,
                several,
            )
        )
        lines.append("")
    return lines[:-1]


if __name__ == "__main__":
    sys.exit(main())
