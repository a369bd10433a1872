"""python -m tests.documents.fpga_pictures: draw docs/fpga-engine.svg and docs/fpga-layer.svg."""

import collections
import re

from calib.fpga import cycles
from kernels.fpga import design
from kernels.fpga.design.runner import Runner
from kernels.fpga.design.sim.rtl import UNITS, Rtl
from tests.documents.pictures import DOCS, pyplot, save

BOARD = "pynq_z2"
PLACES = {  # module -> column, row of the drawing, what it does
    "hp_registers": (1.5, 0, "start, stop, status"),
    "hp_fetch": (0.6, 1.1, "reads commands ahead"),
    "hp_dispatch": (2.4, 1.1, "starts what waits for nothing"),
    "hp_reader": (-0.3, 2.5, "bursts of reads,\none client at a time"),
    "hp_loader": (1, 2.5, "LOAD"),
    "hp_crop": (1, 4, "CROP: lines of the frame,\nblend, words"),
    "hp_convolution": (2.4, 3.3, "CONV: maps, weights,\narray, requantising"),
    "hp_store": (3.6, 2.3, "STORE"),
    "hp_writer": (3.6, 3.7, "bursts of writes"),
}
STREAMS = {  # signal of hp_engine.sv -> what it brings
    "program_address": "program",
    "start": "start",
    "command": "commands",
    "cmd": "commands",
    "ended": "ended",
    "request_address": "requests",
    "data": "beats",
    "load_data": "weights, tables",
    "map_write_data": "words",
    "map_read_address": "addresses",
    "map_read_data": "words",
    "write_address": "addresses",
}
COLOURS = dict(zip(UNITS, ("#4c9be8", "#5ab56e", "#f2a73b", "#b07fd6")))


def edges():
    """dict of (module, module) -> names of streams, from the instances of ``hp_engine.sv``."""
    text = re.sub(r"//[^\n]*", "", (design.RTL / "hp_engine.sv").read_text(encoding="utf-8"))
    outputs = {}
    for path in design.rtl_files():
        found = re.findall(
            r"output\s+(?:wire|logic|reg)\s*(?:\[[^\]]*\])?\s*(\w+)", path.read_text("utf-8")
        )
        outputs[path.stem] = set(found)
    makers, takers = collections.defaultdict(set), collections.defaultdict(set)
    instance = r"\b(hp_\w+)\s*(?:#\s*\((?:[^()]|\([^()]*\))*\)\s*)?\w+_inst\s*\((.*?)\n\);"
    for module, ports in re.findall(instance, text, re.S):
        for port, given in re.findall(r"\.(\w+)(?:\(([^()]*)\))?", ports):
            signal = re.sub(r"\[.*", "", given or port)
            (makers if port in outputs[module] else takers)[signal].add(module)
    found = collections.defaultdict(set)
    for signal, name in STREAMS.items():
        for maker in makers[signal]:
            for taker in takers[signal] - {maker}:
                found[maker, taker].add(name)
    return found


def engine():
    """Draw the units and the streams between them."""
    figure, axes = pyplot.subplots(figsize=(9.6, 5.4))
    spots = {name: (2.6 * column, -1.3 * row) for name, (column, row, _) in PLACES.items()}
    patches = {}
    for name, (_, _, told) in PLACES.items():
        box = {"boxstyle": "round,pad=0.5", "fc": "#dbe9f8", "ec": "#4c9be8"}
        drawn = axes.text(
            *spots[name], f"{name}\n{told}", ha="center", va="center", size=8, bbox=box
        )
        patches[name] = drawn.get_bbox_patch()
    streams = edges()
    for pair in sorted({tuple(sorted(pair)) for pair in streams}):
        there, back = streams.get(pair, set()), streams.get(pair[::-1], set())
        ends = [spots[name] for name in pair]
        style = ("<|" if back else "") + "-" + ("|>" if there else "")
        line = {"arrowstyle": style, "color": "#777777"}
        line.update(patchA=patches[pair[0]], patchB=patches[pair[1]])
        axes.annotate("", ends[1], ends[0], arrowprops=line)
        x, y = ((one + other) / 2 for one, other in zip(*ends))
        told = "\n".join(", ".join(sorted(names)) for names in (there, back) if names)
        ground = {"fc": "white", "ec": "none", "pad": 1}
        axes.text(x, y, told, ha="center", va="center", size=7, color="#444444", bbox=ground)
    axes.set(xlim=(-2, 10.4), ylim=(-5.9, 0.5))
    axes.axis("off")
    figure.canvas.draw()
    save(figure, DOCS / "fpga-engine.svg")


def layer():
    """Draw when each unit works on the commands of a frame, and on those of one layer."""
    size, compiled = design.sizes()[BOARD], cycles.compiled(BOARD)
    machine = Rtl(size)
    runner = Runner(compiled, machine)
    frame = cycles.np.zeros((480, 640, 3), cycles.np.uint8)
    for part in ("exemplar", "search"):
        runner.look(part, frame, (192, 112, 255, 255), (0, 0, 0), limit=cycles.LIMIT)
    trace = machine.trace
    figure, both = pyplot.subplots(2, 1, figsize=(9.6, 4.4))
    longest = max((one for one in trace if one.unit == "CONV"), key=lambda one: one.busy)
    loads = [one for one in trace if one.unit == "LOAD" and one.end <= longest.start]
    spans = (0, runner.read("CYCLES")), (loads[-1].start - 4000, longest.end + 4000)
    for axes, (start, end) in zip(both, spans):
        for one in trace:
            if one.start < end and one.end > start:
                bar = [(one.start, one.end - one.start)]
                row = UNITS.index(one.unit)
                axes.broken_barh(bar, (row - 0.38, 0.76), color=COLOURS[one.unit], ec="white")
        axes.set(yticks=range(len(UNITS)), yticklabels=UNITS, xlim=(start, end))
        axes.set_ylim(len(UNITS) - 0.5, -0.5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    both[0].set_title("a frame; each bar is a command", size=9, loc="left")
    both[1].set_title("one layer, from the load of its weights on", size=9, loc="left")
    both[1].set_xlabel("cycles since the program's start")
    save(figure, DOCS / "fpga-layer.svg")


if __name__ == "__main__":
    engine()
    layer()
