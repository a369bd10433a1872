"""The cycles of a frame in the RTL, by layer: measured here, written by ``calib.fpga.cycles``.

The network is compiled for each size, a frame and its exemplar run in the verilated engine against
a memory with the latency and the share of ``sizes.toml``, and what comes out must be what the
NumPy model gives. Cycles are measured; a clock is an assumption, and nothing ran on a board.
"""

from collections import OrderedDict, namedtuple
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from kernels.errors import HotpathError
from kernels.fpga import design, resize, tables
from kernels.fpga.design import model
from kernels.fpga.design.sim.rtl import Rtl
from kernels.fpga.tables import Size

if TYPE_CHECKING:
    from kernels.fpga.design.compiler import Compiled

DOCUMENT = design.FOLDER / "CYCLES.md"
AREA = 16 << 20  # bytes between the regions in memory
MULTIPLIERS = 256  # a lane
LIMIT = 5000000  # cycles
PRODUCT = "products that count"

# name -> (side of the search window, frame's width and height), pixels
WINDOWS = OrderedDict([("typical", (255, 640, 480)), ("large", (640, 1280, 720))])
# memory that is worse than assumed: (latency in cycles, share of the beats, percent of stalls,
# bursts that it accepts before it answers)
WORSE = (
    (100, 0.75, 0, 16),
    (40, 0.5, 0, 16),
    (100, 0.5, 0, 16),
    (40, 0.75, 30, 16),
    (40, 0.75, 0, 2),
    (40, 0.75, 0, 1),
)

Row = namedtuple("Row", "layer commands steps filling waits macs")
Row.__doc__ = """A layer's cycles, one after the other: they add up to those of the frame.

Attributes:
    layer: name.
    commands: how many.
    steps: in which the array multiplied.
    filling: in which it had a command and no step: the pipeline's start and end.
    waits: in which it had no command: for memory, or for the crop.
    macs: products of the layer.
"""
Frame = namedtuple("Frame", "cycles read written span rows")
Frame.__doc__ = """What a program took.

Attributes:
    cycles: from start to done.
    read, written: beats.
    span: cycles from the start of the first convolution to the end of the last.
    rows: list of ``Row``.
"""


class Differs(HotpathError):
    """The RTL does not give what the model gives."""


class Runner:
    """One engine and one network in its memory.

    Args:
        machine: ``kernels.fpga.design.sim.rtl.Rtl`` or ``kernels.fpga.design.model.Machine``.
        compiled: of ``kernels.fpga.design.compiler.compile``, for the machine's size.
    """

    def __init__(self, machine: Any, compiled: "Compiled") -> None:
        self.machine, self.run = machine, compiled.run
        image = np.frombuffer(compiled.image, np.uint8)
        machine.memory[: image.size] = image
        self._set("REGION0", 0)
        self._set("REGION1", AREA)
        self._set("REGION2", 2 * AREA)

    def _set(self, name: str, offset: int) -> None:
        self.machine.write(tables.REGISTERS[name], model.BASE + offset)

    def program(self, part: str, frame: np.ndarray, window: Sequence[int]) -> bytes:
        """Run a program to its end.

        Args:
            part: "exemplar" or "search".
            frame: uint8 (height, width, 3).
            window: (x, y, w, h), frame pixels.

        Returns:
            bytes of region 1.

        Raises:
            Differs: it did not end, or with an error.
        """
        machine, entry = self.machine, self.run["programs"][part]
        height, width = frame.shape[:2]
        table = machine.memory[2 * AREA : 2 * AREA + entry["resize"]["bytes"]]
        fetch = resize.tables_for(width, height, window, entry["side"], table)
        machine.memory[3 * AREA : 3 * AREA + frame.size] = frame.reshape(-1)
        self._set("PROGRAM", entry["offset"])
        self._set("FRAME", 3 * AREA + (fetch.y0 * width + fetch.x0) * 3)
        machine.write(tables.REGISTERS["STRIDE"], width * 3)
        machine.write(tables.REGISTERS["LINE"], fetch.columns * 3)
        machine.write(tables.REGISTERS["CONTROL"], tables.START)
        machine.run(LIMIT)
        status = machine.read(tables.REGISTERS["STATUS"])
        if status != tables.IS_DONE:
            raise Differs(f"the {part} program ends with STATUS 0x{status:08X}")
        return bytes(machine.memory[AREA : AREA + self.run["work_bytes"]])


def measure(
    size: Size,
    compiled: "Compiled",
    window: Sequence[int],
    memory: Optional[Sequence[float]] = None,
) -> Frame:
    """A frame in the RTL, held to the model.

    Args:
        size: dict of a section of ``sizes.toml``.
        compiled: the network for it.
        window: (side, frame's width, height), pixels.
        memory: (latency, share, stalls, bursts); None for the size's.

    Returns:
        ``Frame`` of the search.

    Raises:
        Differs: RTL and model do not agree.
        kernels.fpga.design.sim.build.CannotBuild: no Verilator or no compiler.
    """
    more: Dict[str, Any] = (
        dict(zip(("latency", "share", "stalls", "bursts"), memory)) if memory else {}
    )
    rtl = Runner(Rtl(size, **more), compiled)
    golden = Runner(model.Machine(size), compiled)
    side, width, height = window
    frame = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
    for part, square in (("exemplar", side // 2), ("search", side)):
        place = ((width - square) // 2, (height - square) // 2, square, square)
        if rtl.program(part, frame, place) != golden.program(part, frame, place):
            raise Differs(f"the RTL's {part} is not the model's")
    layers = [entry for entry in compiled.run["layers"] if entry["part"] == "search"]
    read, written = (rtl.machine.read(tables.REGISTERS[name]) for name in ("READ", "WRITTEN"))
    cycles = rtl.machine.read(tables.REGISTERS["CYCLES"])
    convolutions = [command for command in rtl.machine.trace if command.unit == "CONV"]
    span = max(one.end for one in convolutions) - min(one.start for one in convolutions)
    return Frame(cycles, read, written, span, rows(convolutions, layers, cycles))


def rows(trace: Sequence[Any], layers: Sequence[Dict[str, Any]], cycles: int) -> List[Row]:
    """The time of a program, layer by layer.

    Args:
        trace: its CONVs, as ``Rtl`` gives them.
        layers: dicts of "name", "macs" and "commands", numbers of a layer's CONVs.
        cycles: of the program.

    Returns:
        list of ``Row``, in the order in which the layers start; the last is what follows them.
    """
    of = {number: entry for entry in layers for number in entry["commands"]}
    found: OrderedDict[str, List[int]] = OrderedDict()
    now = 0
    for command in sorted(trace, key=lambda one: one.start):
        entry = of[command.number]
        row = found.setdefault(entry["name"], [0, 0, 0, 0, entry["macs"]])
        waits = max(0, command.start - now)
        row[0] += 1
        row[1] += command.busy
        row[2] += command.end - now - waits - command.busy
        row[3] += waits
        now = command.end
    made = [Row(short(name), *numbers) for name, numbers in found.items()]
    return made + [Row("results to memory", 0, 0, 0, cycles - now, 0)]


def short(name: str) -> str:
    """A layer's name: the last part of its ONNX node's, of each of them where it is merged."""
    parts = [one.replace("/Conv", "").split("/")[-1] for one in name.split("+")]
    return " + ".join(parts)


def percent(part: float, whole: float) -> str:
    """Such as "97.4%"."""
    return f"{float(part) / whole:.1%}" if whole else ""


def document(
    sizes: Dict[str, Size],
    compiled: Callable[[str], "Compiled"],
    network: str,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """The text of ``CYCLES.md``; runs everything.

    Args:
        sizes: name -> dict.
        compiled: function of a size's name -> the network for it.
        network: its name.
        say: function of one line, about what runs.
    """
    programs = {name: compiled(name) for name in sizes}
    frames: OrderedDict[Tuple[str, str], Frame] = OrderedDict()
    for name in sizes:
        for kind, window in WINDOWS.items():
            say(f"{name}, {kind} window")
            frames[name, kind] = measure(sizes[name], programs[name], window)
    worse = []
    for memory in WORSE:
        say(f"pynq_z2, memory {memory}")
        worse.append(measure(sizes["pynq_z2"], programs["pynq_z2"], WINDOWS["typical"], memory))
    lines = HEAD.format(network=network, **{k: v[0] for k, v in WINDOWS.items()}).split("\n")
    for (name, kind), frame in frames.items():
        lines.append(_line(name, sizes[name], kind, frame))
    lines += _memory(frames["pynq_z2", "typical"], sizes["pynq_z2"], worse)
    for name in sizes:
        frame = frames[name, "typical"]
        same = [other for other in sizes if frames[other, "typical"] == frame]
        if same[0] == name:
            titles = " and ".join(design.parts()[one]["title"] for one in same)
            lines += _layers(titles, sizes[name], frame)
    return "\n".join(lines) + "\n"


HEAD = """# Cycles of a frame

Written by `python -m calib.fpga.cycles`: the search program of {network} (crop, network,
results to memory) in the verilated RTL, its results held to the NumPy model. Cycles are measured.
Frames a second are the assumed clock divided by them: **no clock was ever met and no board ever ran
it**, and what the processor does beside (select, decoding of pictures) is not in them.

Memory is modelled, by assumptions of `sizes.toml`: cycles from a burst's address to its first beat,
and the share of the bus's beats that memory delivers. "typical" is a window of {typical} pixels, of
a target of some 60; "large" one of {large}, of a target of some 160, whose pixels are most of what
is read. Busy is the share of cycles in which the array multiplies: of the whole frame, and from the
first convolution's start to the last one's end. Of its products those count that are not with a
padded channel.

| board | window | lanes | memory | cycles | read | busy | in convolutions | products that count \
| assumed clock | so a second |
| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def _line(name: str, size: Size, kind: str, frame: Frame) -> str:
    steps = sum(row.steps for row in frame.rows)
    macs = sum(row.macs for row in frame.rows)
    clock = size["assumed_clock_mhz"]
    memory = "{} B, {} cycles, {:.0%}".format(
        size["bus_bytes"], size["ddr_latency"], size["ddr_share"]
    )
    cells = [
        design.parts()[name]["title"],
        kind,
        size["lanes"],
        memory,
        f"{frame.cycles:,}",
        "{:.2f} MB".format(frame.read * size["bus_bytes"] / 1e6),
        percent(steps, frame.cycles),
        percent(steps, frame.span),
        percent(macs, steps * MULTIPLIERS * size["lanes"]),
        f"{clock} MHz",
        f"{clock * 1e6 / frame.cycles:.0f}",
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _memory(usual: Frame, size: Size, worse: List[Frame]) -> List[str]:
    lines = [
        "",
        "PYNQ-Z2, typical window, with memory worse than assumed:",
        "",
        "| latency | share | random stalls of every channel | bursts at once | cycles |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    memories = ((size["ddr_latency"], size["ddr_share"], 0, 16),) + WORSE
    for (latency, share, stalls, bursts), frame in zip(memories, [usual] + worse):
        cells = latency, share, stalls, bursts, frame.cycles
        lines.append("| {} | {:.0%} | {}% | {} | {:,} |".format(*cells))
    return lines


def _layers(titles: str, size: Size, frame: Frame) -> List[str]:
    lines = [
        "",
        f"## {titles}, typical window",
        "",
        f"| layer | commands | steps | filling | waits | cycles | busy | MAC | {PRODUCT} |",
        "| --- |" + " ---: |" * 8,
    ]
    total = Row(*["all"] + [sum(row[i] for row in frame.rows) for i in range(1, 6)])
    for row in frame.rows + [total]:
        cycles = row.steps + row.filling + row.waits
        cells = [row.layer, row.commands, row.steps, row.filling, row.waits, cycles]
        cells = [cell if isinstance(cell, str) else f"{cell:,}" for cell in cells]
        cells += [percent(row.steps, cycles), f"{row.macs / 1e6:.2f} M"]
        cells.append(percent(row.macs, row.steps * MULTIPLIERS * size["lanes"]))
        lines.append("| " + " | ".join(cells) + " |")
    return lines
