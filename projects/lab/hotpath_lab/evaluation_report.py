"""Write an evaluation as text, CSV, JSON and plots of its curves."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hotpath.base import cache
from hotpath.base.messages import counted
from hotpath.calib.plots import pyplot
from hotpath_lab import metrics, state_metrics
from hotpath_lab.figures import ALL

Table = dict[str, Any]  # of an evaluation, as ``evaluation.json`` has it, or a part of it
Columns = Sequence[tuple[str, str, str]]  # key, title, format
COSTS = ("mflops", "parameters_m")  # published figures that are not accuracy
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3fbf", "#8c6d31")
WHOLE_GROUPS = (ALL, "unseen", "seen")  # every figure of these is printed, not only AUC
TERMINAL = 120  # columns of a terminal; table.csv has what does not fit
NAME, CELL = 24, 12  # columns of a name and of a figure
# those of a terminal's table that say most come first
TOLD = (
    *("clips", "success", "success_low", "success_high", "fps", "difference"),
    *("difference_low", "difference_high", "ao", "precision", "ms"),
)
PLOTTED = 20  # curves in a plot, the best
COLUMNS = (
    ("clips", "clips", "{:.0f}"),
    ("ao", "AO", "{:.3f}"),
    ("sr50", "SR50", "{:.3f}"),
    ("sr75", "SR75", "{:.3f}"),
    ("success", "AUC", "{:.3f}"),
    ("success_low", "AUC from", "{:.3f}"),
    ("success_high", "to", "{:.3f}"),
    ("precision", "Prec. 20 px", "{:.3f}"),
    ("norm_precision", "Norm. prec.", "{:.3f}"),
    ("q", "Q", "{:.3f}"),
    ("dre", "DRE", "{:.3f}"),
    ("nre", "NRE", "{:.3f}"),
    ("adq", "ADQ", "{:.3f}"),
    ("fps", "FPS", "{:.0f}"),
    ("ms", "ms", "{:.2f}"),
    ("crop_ms", "crop ms", "{:.3f}"),
    ("network_ms", "network ms", "{:.3f}"),
    ("select_ms", "select ms", "{:.3f}"),
    ("difference", "to first", "{:+.3f}"),
    ("difference_low", "from", "{:+.3f}"),
    ("difference_high", "to", "{:+.3f}"),
    ("verdict", "verdict", "{}"),
)
LOSSES = tuple(
    (key, title, "{:.3f}")
    for key, title in (
        ("loss", "1 - AO"),
        ("loss_imprecise", "imprecise"),
        ("loss_grown", "over/part"),
        ("loss_lost", "lost"),
        ("loss_elsewhere", "elsewhere"),
        ("gain_size", "size adds"),
        ("gain_centre", "centre adds"),
        ("gain_bias", "bias adds"),
    )
)
README_NETWORKS = (
    "lightfc+kestrel:int8",
    "lightfc:int8",
    "kestrel:int8",
    "kestrel_fast:int8",
    "kestrel_small:int8",
    "nanotrack_v2",
    "nanotrack_v3",
    "TrackerNano",
    "TrackerVit",
)
# columns of the means: median milliseconds of a frame, and those of the same networks in fp32
AT_REST, IN_FP32 = "ms_at_rest", "ms_in_fp32"
Means = dict[str, dict[str, dict[str, str]]]  # tracker -> group -> column -> value
UNSEEN = "unseen"
MEAN = "mean of "
# shares of the frames that show the target: it claims a box that misses it; it claims nothing
DRIFT, SILENT = "dre", "nre"
HEADS = ("tracker", "AUC", "AUC (unseen)")
SHARES = ("recall of `tracked`, %", "false `tracked`, %")


def write(table: Table, out: Path) -> list[Path]:
    """Write the files and plots of a table of ``hotpath_lab.figures``; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    cache.write_text(out / "evaluation.json", json.dumps(table, indent=1))
    _write_csv(table, out / "table.csv")
    return [out / "table.csv", out / "evaluation.json", *_plot_curves(table, out)]


def text(table: Table) -> str:
    """Return the means as lines of text: of all clips, of each group; AUC of each attribute."""
    columns, entries = _fitting(_columns(table)), table["trackers"].items()
    lines = []
    for group, names in table["groups"].items():
        if group not in WHOLE_GROUPS:
            continue
        title = f"mean of {counted(len(names), 'clip')}, {group}"
        lines += [_named(title) + _titles(columns)]
        for name, entry in entries:
            lines.append(_named(name) + _cells(_mean(entry, group), columns))
    lines += [f"{name}, published: {text}" for name, entry in entries for text in _published(entry)]
    lines += [_named("where overlap is lost") + _titles(LOSSES)]
    lines += [_named(name) + _cells(_mean(entry, ALL), LOSSES) for name, entry in entries]
    messages = {name: entry["words"] for name, entry in entries if entry["words"]}
    if messages:
        lines.append(state_metrics.text(messages))
    attributes = [group for group in table["groups"] if group not in WHOLE_GROUPS]
    if attributes:
        wide = max(map(len, attributes)) + 2
        many = max(1, (TERMINAL - NAME) // wide)
        for begin in range(0, len(attributes), many):
            part = attributes[begin : begin + many]
            lines += [_named("AUC by group") + "".join(f"{a:>{wide}}" for a in part)]
            for name, entry in entries:
                cells = (_cell(_mean(entry, group), "success", "{:.3f}") for group in part)
                lines.append(_named(name) + "".join(f"{cell:>{wide}}" for cell in cells))
    return "\n".join(lines)


def _named(name: str) -> str:
    """The first column of a row; of a long name its end, which tells versions apart."""
    return (name if len(name) < NAME else "…" + name[2 - NAME :]).ljust(NAME)


def _fitting(columns: Columns) -> list[tuple[str, str, str]]:
    """The columns that a terminal's table has: as many as fit, those of ``TOLD`` first."""
    ranked = sorted(columns, key=lambda c: TOLD.index(c[0]) if c[0] in TOLD else len(TOLD))
    kept = ranked[: (TERMINAL - NAME) // CELL]
    return [column for column in columns if column in kept]


def _mean(entry: Table, group: str) -> Table:
    means: Table = entry["mean"] if group == ALL else entry["groups"][group]
    return means


def _published(entry: Table) -> list[str]:
    """Return the accuracy that the network's authors publish, one text or none."""
    accuracies = {name: value for name, value in entry["published"].items() if name not in COSTS}
    if not accuracies:
        return []
    figures = (
        "{} {:g}".format(name.replace("_", " "), value) for name, value in accuracies.items()
    )
    return [", ".join(figures)]


def _columns(table: Table) -> list[tuple[str, str, str]]:
    """Return the columns for which some tracker has a figure."""
    means = [entry["mean"] for entry in table["trackers"].values()]
    return [c for c in COLUMNS if any(m.get(c[0]) for m in means) or c[0] in metrics.FIGURES]


def _titles(columns: Columns) -> str:
    return "".join(f"{title:>{CELL}}" for _, title, _ in columns)


def _cells(figures: Table, columns: Columns) -> str:
    return "".join(f"{_cell(figures, key, form):>{CELL}}" for key, _, form in columns)


def _cell(figures: Table, key: str, form: str) -> str:
    value = figures.get(key)
    return "" if value is None or value != value else form.format(value)


def _write_csv(table: Table, path: Path) -> None:
    keys = [key for key, _, _ in (*COLUMNS, *LOSSES)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["tracker", "engine", "clip", *keys])
    for name, entry in table["trackers"].items():
        means = {f"mean of {group}": mean for group, mean in entry["groups"].items()}
        for clip, figures in {**entry["clips"], "mean": entry["mean"], **means}.items():
            cells = [figures.get(key, "") for key in keys]
            writer.writerow([name, entry["engine"], clip, *cells])
    cache.write_text(path, text.getvalue())


def _plot_curves(table: Table, out: Path) -> list[Path]:
    plt = pyplot()
    colours = dict(zip(table["trackers"], COLOURS * 9))
    paths = []
    for key, x, label in (
        ("success", metrics.SUCCESS, "overlap threshold"),
        ("precision", metrics.PRECISION_PX, "distance of the centres, px"),
        ("norm_precision", metrics.NORMALISED, "distance / size of the target"),
    ):
        chart, axes = plt.subplots(figsize=(5, 3.8), dpi=110)
        ranked = sorted(table["trackers"].items(), key=lambda item: -item[1]["mean"][key])
        for name, entry in ranked[:PLOTTED]:
            label_of = f"{entry['mean'][key]:.3f}  {name}"
            style = "-" if entry["engine"] else "--"
            axes.plot(x, entry["curves"][key], style, color=colours[name], label=label_of)
        axes.set(xlabel=label, ylabel="share of frames", ylim=(0, 1), xlim=(x[0], x[-1]))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        paths.append(out / (key + ".png"))
        chart.savefig(paths[-1], bbox_inches="tight")
        plt.close(chart)
    return paths


def read_means(path: Path) -> Means:
    """Return the means of a table.csv."""
    means: Means = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["clip"] == "mean" or row["clip"].startswith(MEAN):
                group = ALL if row["clip"] == "mean" else row["clip"][len(MEAN) :]
                means.setdefault(row["tracker"], {})[group] = row
    return means


def readme_table(means: Means, intervals: bool = False) -> str:
    """Return Markdown: AUC, that of unseen sequences, what is claimed, and milliseconds.

    Args:
        means: what ``read_means`` returns. The first tracker is the default. Where no milliseconds
            were taken at rest, those of the evaluation stand.
        intervals: whether cells have 95 % intervals, and the difference to the default.
    """
    first = next(iter(means.values()))
    drift = DRIFT in first[ALL]
    floats = ["ms in fp32"] if IN_FP32 in first[ALL] else []
    titles = [*HEADS, *(SHARES if drift else ()), "ms a frame", *floats]
    lines = [titles, ["---"] * len(titles)]
    for name, groups in means.items():
        whole, unseen = groups[ALL], groups.get(UNSEEN, {})
        times = [whole[AT_REST] if AT_REST in whole else whole.get("ms")]
        times += [whole[IN_FP32]] if floats else []
        lines.append(
            [
                f"**{shown(name)}, the default**" if groups is first else shown(name),
                figure(whole, "success") + (between(whole, "success") if intervals else ""),
                figure(unseen, "success") + (difference(unseen) if intervals else ""),
                *(_state_shares(whole) if drift else []),
                *(f"{float(ms):.2f}" if ms else "–" for ms in times),
            ]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _state_shares(row: Mapping[str, str]) -> list[str]:
    """The cells below ``SHARES``, in per cent: of the frames with the target, and of the claims."""
    recall = 1 - float(row[SILENT])
    false = float(row[DRIFT]) / recall if recall else 0.0
    return [f"{100 * recall:.0f}", f"{100 * false:.1f}"]


def shown(name: str) -> str:
    """A tracker's name as README writes it."""
    if name.startswith("Tracker"):
        return f"OpenCV's {name}"
    plain = [each[:-5] if each.endswith("-int8") else each for each in name.split("+")]
    words = " with the witness ".join(f"`{each}`" for each in plain)
    return f"{words}, INT8" if name.endswith("-int8") else words


def figure(row: Mapping[str, str], key: str, sign: str = "") -> str:
    """A share without its leading zero; "–" where there is none."""
    value = row.get(key)
    return f"{float(value):{sign}.3f}".replace("0.", ".").replace("-", "−") if value else "–"


def between(row: Mapping[str, str], key: str, sign: str = "") -> str:
    """The 95 % interval in brackets, with a blank before; empty where there is none."""
    if not row.get(key + "_low"):
        return ""
    return f" [{figure(row, key + '_low', sign)}, {figure(row, key + '_high', sign)}]"


def difference(row: Mapping[str, str]) -> str:
    """The paired difference to the first tracker, with a comma before; empty for the first."""
    if not row.get("difference"):
        return ""
    return ", " + figure(row, "difference", "+") + between(row, "difference", "+")
