"""Write an evaluation as text, CSV, JSON and plots of its curves."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from hotpath.base import cache
from hotpath.base.commands import counted, needs
from hotpath.calib.errors import Missing
from hotpath_lab import metrics, words
from hotpath_lab.figures import ALL

Table = dict[str, Any]  # of an evaluation, as ``evaluation.json`` has it, or a part of it
Columns = Sequence[tuple[str, str, str]]  # key, title, format
COSTS = ("mflops", "parameters_m")  # published figures that are not accuracy
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3fbf", "#8c6d31")
WHOLE_GROUPS = (ALL, "unseen", "seen")  # every figure of these is printed, not only AUC
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


def write(table: Table, out: Path) -> list[Path]:
    """Write the files and plots of a table of ``hotpath_lab.figures``; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    cache.write_text(out / "evaluation.json", json.dumps(table, indent=1))
    _write_csv(table, out / "table.csv")
    return [out / "table.csv", out / "evaluation.json", *_plot_curves(table, out)]


def text(table: Table) -> str:
    """Return the means as lines of text: of all clips, of each group; AUC of each attribute."""
    columns, entries = _columns(table), table["trackers"].items()
    lines = []
    for group, names in table["groups"].items():
        if group not in WHOLE_GROUPS:
            continue
        title = f"mean of {counted(len(names), 'clip')}, {group}"
        lines += [f"{title:<32}" + _titles(columns)]
        for name, entry in entries:
            mean = _mean(entry, group)
            lines.append(f"{name:<32}" + _cells(mean, columns) + _published(entry))
    lines += ["{:<32}".format("where overlap is lost") + _titles(LOSSES)]
    lines += [f"{name:<32}" + _cells(_mean(entry, ALL), LOSSES) for name, entry in entries]
    said = {name: entry["words"] for name, entry in entries if entry["words"]}
    if said:
        lines.append(words.text(said))
    attributes = [group for group in table["groups"] if group not in WHOLE_GROUPS]
    if attributes:
        wide = max(map(len, attributes)) + 2
        lines += ["{:<32}".format("AUC by group") + "".join(f"{a:>{wide}}" for a in attributes)]
    for name, entry in entries if attributes else ():
        cells = (_cell(_mean(entry, group), "success", "{:.3f}") for group in attributes)
        lines.append(f"{name:<32}" + "".join(f"{cell:>{wide}}" for cell in cells))
    return "\n".join(lines)


def _mean(entry: Table, group: str) -> Table:
    means: Table = entry["mean"] if group == ALL else entry["groups"][group]
    return means


def _published(entry: Table) -> str:
    """Return the end of a line: the accuracy that the network's authors publish."""
    accuracies = {name: value for name, value in entry["published"].items() if name not in COSTS}
    if not accuracies:
        return ""
    figures = (
        "{} {:g}".format(name.replace("_", " "), value) for name, value in accuracies.items()
    )
    return "   published: " + ", ".join(figures)


def _columns(table: Table) -> list[tuple[str, str, str]]:
    """Return the columns for which some tracker has a figure."""
    means = [entry["mean"] for entry in table["trackers"].values()]
    return [c for c in COLUMNS if any(m.get(c[0]) for m in means) or c[0] in metrics.FIGURES]


def _titles(columns: Columns) -> str:
    return "".join(f"{title:>12}" for _, title, _ in columns)


def _cells(figures: Table, columns: Columns) -> str:
    return "".join(f"{_cell(figures, key, form):>12}" for key, _, form in columns)


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


def pyplot() -> ModuleType:
    """matplotlib.pyplot, which draws into files.

    Raises:
        Missing: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise Missing(needs("a plot", "matplotlib", error, "lab")) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


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
