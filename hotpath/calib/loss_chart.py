"""Draw the result of ``hotpath int8``: the loss of overlap of each layer and of each choice."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hotpath.base.messages import counted, missing_package_text
from hotpath.calib.errors import MissingLibrary

MOST_LAYERS = 24  # rows of the chart, the noisiest
LETTERS = 34  # at the end of a layer's name: they tell layers apart
# colours that the colour-blind tell apart
QUANTISED, KEPT, HELD_OUT = "#0072b2", "#d55e00", "#009e73"
TITLE: dict[str, Any] = {"fontsize": 10, "loc": "left"}


def pyplot() -> ModuleType:
    """matplotlib.pyplot, which draws into files.

    Raises:
        Missing: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingLibrary(missing_package_text("a plot", "matplotlib", error, "lab")) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def draw(report: dict[str, Any], path: Path) -> Path:
    """Draw the noise of each layer, the loss of each trial, and the loss on held-out clips.

    Args:
        report: of ``hotpath.calib.int8_command.run``.
        path: of the file, which becomes a PNG.

    Returns:
        ``path``.

    Raises:
        Missing: matplotlib is not installed.
    """
    plt = pyplot()
    layers = len(report["noise"])
    rows = min(layers, MOST_LAYERS)
    chart = plt.figure(figsize=(12, max(5.0, 2 + 0.24 * rows)), dpi=110, layout="constrained")
    places = chart.subplot_mosaic([["layers", "trials"], ["layers", "held out"]])
    _draw_layers(places["layers"], report)
    _draw_trials(places["trials"], report)
    _draw_held_out(places["held out"], report)
    chart.suptitle(
        f"{_plain(report['network'])} in INT8, ranges by {report['method']}: "
        f"{len(report['keep'])} of {layers} layers kept in 16 bit"
    )
    chart.savefig(path)
    plt.close(chart)
    return path


def _draw_layers(axes: Any, report: dict[str, Any]) -> None:
    noises = sorted(report["noise"].items(), key=lambda item: -item[1])
    shown = noises[:MOST_LAYERS]
    kept = set(report["keep"])
    for colour, text, in_16_bit in ((KEPT, "kept in 16 bit", True), (QUANTISED, "in INT8", False)):
        rows = [row for row, (name, _) in enumerate(shown) if (name in kept) is in_16_bit]
        if rows:
            axes.barh(rows, [shown[row][1] for row in rows], color=colour, label=text)
    _name_rows(axes, [name[-LETTERS:] for name, _ in shown])
    axes.margins(y=0.01)
    axes.set(
        xlabel="noise in the maps when only this layer is in INT8\n(noise power / signal power)"
    )
    most = f"the {len(shown)} noisiest of {len(noises)}" if len(shown) < len(noises) else "all"
    axes.set_title(f"Which layers lose ({most})", **TITLE)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)


def _plain(name: str) -> str:
    """Escape dollar signs, between which matplotlib would read a formula."""
    return name.replace("$", r"\$")


def _name_rows(axes: Any, names: Iterable[str]) -> None:
    """Name the rows of a chart, the first one at the top."""
    plain = [_plain(name) for name in names]
    axes.set_yticks(range(len(plain)), plain, fontsize=8)
    axes.invert_yaxis()


def _draw_trials(axes: Any, report: dict[str, Any]) -> None:
    """The loss of each method and of each number of kept layers, on the clips that decide."""
    bars = [(f"ranges by {name}", loss, QUANTISED) for name, loss in report["methods"].items()]
    bars += [(f"{step['kept']} in 16 bit", step["loss"], KEPT) for step in report["search"]]
    names, losses, colours = zip(*bars)
    drawn = axes.barh(range(len(bars)), losses, color=colours)
    axes.bar_label(drawn, fmt="%.4f", padding=3, fontsize=8)
    axes.axvline(report["tolerance"], color="#555555", linestyle="--", linewidth=1)
    _name_rows(axes, names)
    axes.margins(x=0.15)
    axes.set(xlabel="loss of one-step overlap (less is better)")
    axes.set_title(f"What was tried (dashes: --tolerance {report['tolerance']:g})", **TITLE)
    axes.locator_params(axis="x", nbins=6)


def _draw_held_out(axes: Any, report: dict[str, Any]) -> None:
    """The loss of each written form on clips that decided nothing, with its standard error."""
    forms = {name: form for name, form in report["forms"].items() if name != "fp32"}
    for row, form in enumerate(forms.values()):
        axes.errorbar(
            form["loss"], row, xerr=form["loss_error"] or 0, fmt="o", color=HELD_OUT, capsize=4
        )
    axes.axvline(0, color="#555555", linewidth=1)
    _name_rows(axes, forms)
    axes.margins(y=0.2)
    axes.set(xlabel="loss of one-step overlap against fp32, ± standard error")
    axes.set_title(f"What is lost on {counted(len(report['held_out']), 'held-out clip')}", **TITLE)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x", alpha=0.3)
