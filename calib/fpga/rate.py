"""python -m calib.fpga.rate: frames a second of a whole tracker on each FPGA board, by a model.

Puts together what other commands found: a frame's cycles in the RTL (``fpga-cycles.md``), the clock
that the static timing allows (``timing.toml``), and the processor's instructions a frame
(``processor.toml``). Writes ``docs/results/fpga-rate.md``. No board ever ran it.
"""

import argparse
import re
import sys

import boards
from kernels.errors import HotpathError
from kernels.fpga import design
from kernels.fpga.design import synthesis, timing
from kernels.fpga.tables import read_toml

COUNTS = design.FOLDER / "processor.toml"
DOCUMENT = design.PAGES / "fpga-rate.md"
CYCLES_AN_INSTRUCTION = 2.0  # assumed: both processors start up to two a cycle, and wait for memory
WINDOW = "typical"


class Missing(HotpathError):
    """Something that another command finds is not there."""


def main():
    """Run the command line; returns the exit code."""
    summary = __doc__.partition("\n")[0]
    argparse.ArgumentParser(prog="python -m calib.fpga.rate", description=summary).parse_args()
    try:
        text = document()
    except HotpathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    return 0


def cycles_of(board):
    """The cycles of a frame with the typical window, from ``fpga-cycles.md``."""
    title = re.escape(design.parts()[board]["title"])
    row = rf"^\| {title} \| {WINDOW} \|[^|]*\|[^|]*\| ([\d,]+) \|"
    text = (design.PAGES / "fpga-cycles.md").read_text(encoding="utf-8")
    found = re.search(row, text, flags=re.M)
    if not found:
        raise Missing(f"fpga-cycles.md has no {board}; run `python -m calib.fpga.cycles`")
    return int(found.group(1).replace(",", ""))


def clock_of(board):
    """(MHz that the timing allows with its margin, board whose accelerator was timed)."""
    results, family = synthesis.results("timing"), synthesis.family(board)
    for known in [board] + [other for other in results if synthesis.family(other) == family]:
        if known in results:
            return timing.clock_mhz(results[known]), known
    raise Missing(f"no clock is known for {board}; run `python -m kernels.fpga.design.timing`")


def milliseconds(board, clock_mhz, counts):
    """What a frame takes, ms.

    Args:
        board: its name.
        clock_mhz: of the fabric.
        counts: dict of "one" (a frame at a time) and "overlapped" (two in flight) -> dict of the
            processor's instructions "idle" (while the fabric has nothing to do) and "beside".

    Returns:
        (fabric alone, processor alone, one after the other, one target with two frames in flight,
        several targets).
    """
    processor_mhz = boards.load_board(board).cpu["clock_max_mhz"]
    each = CYCLES_AN_INSTRUCTION / processor_mhz / 1e3
    fabric = cycles_of(board) / clock_mhz / 1e3
    in_turn = fabric + sum(counts["one"].values()) * each
    idle, beside = (counts["overlapped"][part] * each for part in ("idle", "beside"))
    return fabric, idle + beside, in_turn, max(fabric, beside) + idle, max(fabric, idle + beside)


HEAD = """# Frames a second of a whole tracker: `python -m calib.fpga.rate`

Written by `python -m calib.fpga.rate`. **This is a model: no clock was met, and no board ever ran
it.** The network is kestrel_small, with a search window of 255 pixels.

- Fabric: its [cycles](fpga-cycles.md) at the clock of the [timing](fpga-timing.md), which keeps
  {margin:.0%} of the period in reserve. The processor's PLL makes 143 and 214 MHz of 156 and 228.
- Processor: instructions a frame, counted under QEMU on a Cortex-A9 with Debian's Python and NumPy
  and PYNQ's classes (`python -m tests.arm.count_fpga`), at an assumed {cpi:g} cycles each and at
  the clock of `boards/`. The same count stands for the Cortex-A53, which was not counted. Not in
  it: the kernel's synchronisation of the caches, waiting, and the reading of frames from a camera.
- Two frames in flight: the counted frames find the tables of their window in memory. In 14% of
  1,363 frames of eleven clips the window had a size that was not prepared. Such a frame takes
  102,000 instructions while the fabric is idle, so that the mean would be 65,000.
- The copy of the window may be bound by memory instead. At the speeds of a [camera](fpga-camera.md)
  it takes .8 ms on a Z2 and .2 ms on a KV260. With two frames in flight it is made beside
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
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def document():
    """The text of ``fpga-rate.md``.

    Raises:
        Missing: something was not counted, simulated or timed.
    """
    if not COUNTS.is_file():
        raise Missing("nothing was counted; run `python -m tests.arm.count_fpga --write`")
    counts, parts = read_toml(COUNTS), design.parts()
    lines = HEAD.format(margin=timing.MARGIN, cpi=CYCLES_AN_INSTRUCTION).split("\n")
    for kind, title in (("one", "a frame at a time"), ("overlapped", "two frames in flight")):
        idle, beside = counts[kind]["idle"], counts[kind]["beside"]
        lines.append(f"| {title} | {idle:,} | {beside:,} | {idle + beside:,} |")
    lines += TABLE.split("\n")
    notes = ["", 'The columns from "fabric alone" on are frames a second.']
    for board in design.sizes():
        clock_mhz, known = clock_of(board)
        title, rates = parts[board]["title"], milliseconds(board, clock_mhz, counts)
        cells = [title, f"{clock_mhz:.1f} MHz", f"{cycles_of(board):,}"]
        lines.append("| {} |".format(" | ".join(cells + [f"{1e3 / ms:.0f}" for ms in rates])))
        if design.sizes()[known] != design.sizes()[board]:
            timed = parts[known]["title"]
            notes.append(f"The {title} was not timed; it has the clock of the {timed}.")
    return "\n".join(lines + notes) + "\n"


if __name__ == "__main__":
    sys.exit(main())
