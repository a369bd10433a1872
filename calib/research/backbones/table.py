"""The table and the plot of backbones, and the commands that measure them on a Jetson."""

import csv

from calib.errors import BadRun
from calib.report import pyplot

HEAD = (
    "backbone",
    "channels",
    "parameters, M",
    "MMAC",
    "activations, M",
    "field, px",
    "element-wise",
    "branches",
    "grouped",
)


def stem(name):
    """Name of a backbone's files."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.replace("timm:", "", 1))


def key(each):
    """The least median of a row, milliseconds; the table is sorted by it."""
    return min(found["median"] for engine in each["ms"].values() for found in engine.values())


def boards_of(rows):
    """The FPGA boards that all rows were compiled for."""
    return [board for board in rows[0]["cycles"] if all(board in each["cycles"] for each in rows)]


def cells(each, boards):
    """The texts of a row: figures, milliseconds by engine and precision, cycles by board."""
    found = [
        each["name"],
        str(each["channels"]),
        "{:.2f}".format(each["parameters"] / 1e6),
        "{:.0f}".format((each["macs"] or 0) / 1e6),
        "{:.1f}".format(each["activations"] / 1e6),
        str(each["receptive_field"]),
        str(each["elementwise"]),
        str(each["branches"]),
        str(each["grouped"]),
    ]
    for engine in each["ms"].values():
        found += ["{:.2f}".format(engine[precision]["median"]) for precision in engine]
    for told in (each["cycles"][board] for board in boards):
        found.append(f"{told:,}" if isinstance(told, int) else "no")
    return found


def head(each, boards):
    """The titles of the columns."""
    times = [
        f"{engine} {precision}, ms" for engine, found in each["ms"].items() for precision in found
    ]
    return [*HEAD, *times, *(f"{board}, cycles" for board in boards)]


def write(rows, out, conditions):
    """Write table.md, table.csv and plot.png into ``out``."""
    rows = sorted(rows, key=key)
    boards = boards_of(rows)
    title = head(rows[0], boards)
    body = [cells(each, boards) for each in rows]
    lines = ["| " + " | ".join(line) + " |" for line in (title, ["---"] * len(title), *body)]
    lines += [
        "",
        "{processor}, threads: {threads}, median of {rounds} rounds in turns, each the second run "
        "of two, {date}: `{command}`.".format(**conditions),
    ]
    told = [
        "- {}: {}".format(each["name"], next(t for t in each["cycles"].values() if type(t) is str))
        for each in rows
        if any(type(each["cycles"][board]) is str for board in boards)
    ]
    if told:
        lines += ["", "What the FPGA engine can't do:", "", *told]
    (out / "table.md").write_text("\n".join(lines) + "\n")
    with open(str(out / "table.csv"), "w", newline="") as file:
        csv.writer(file).writerows([title, *body])
    plot(rows, out / "plot.png")


def plot(rows, path):
    """Accuracy, or multiply-accumulates where a row has none, against milliseconds."""
    plt = pyplot()
    known = all(each["accuracy"] is not None for each in rows)
    figure, axes = plt.subplots(figsize=(9, 6))
    engine = next(iter(rows[0]["ms"]))
    for precision, mark in (("fp32", "o"), ("int8", "s")):
        xs = [each["ms"][engine][precision]["median"] for each in rows]
        ys = [each["accuracy"] if known else (each["macs"] or 0) / 1e6 for each in rows]
        axes.scatter(xs, ys, marker=mark, label=f"{engine}, {precision}")
        if precision == "int8":
            for each, x, y in zip(rows, xs, ys):
                axes.annotate(each["name"], (x, y), (5, 3), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    if not known:
        axes.set_yscale("log")
    axes.set_xlabel("milliseconds a search region, median")
    axes.set_ylabel("accuracy" if known else "million multiply-accumulates")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(str(path), dpi=120)
    plt.close(figure)


def read_accuracy(path):
    """dict of backbone -> number, from lines ``NAME,VALUE``.

    Raises:
        BadRun: the file is not there, or a line is no such pair.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return {name: float(value) for name, value in csv.reader(file)}
    except OSError as error:
        raise BadRun(f"{path} can't be read: {error.strerror}") from None
    except ValueError:
        raise BadRun(f"{path} has a line that is not NAME,VALUE") from None


def jetson_commands(rows, out, board):
    """The commands that measure the backbones on a Jetson, one a line."""
    lines = [f"On the {board.title}, with the .onnx files of {out}:"]
    flags = ["--fp16"] + (["--int8"] if "int8" in board.precision["exists"] else [])
    for each in sorted(rows, key=key):
        for flag in flags:
            lines.append(
                "/usr/src/tensorrt/bin/trtexec --onnx={}.onnx {} --avgRuns=100 "
                "--useSpinWait".format(stem(each["name"]), flag)
            )
    return "\n".join(lines)
