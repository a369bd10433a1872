"""Draw the curves of runs: each figure of ``log.jsonl`` that changes, against the pairs.

docs/training.md explains the figures. Figures of held-out pairs are dashed, in the plot of the same
figure of the training.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotpath.calib import command_line
from hotpath.calib.errors import TrainingStopped
from hotpath.calib.plots import pyplot
from hotpath_research.train.loop import read_log

NO_FIGURES = {"time", "stage", "event", "steps", "pairs", "seconds"}
HELD = "held_"  # before the name of a figure that is of held-out pairs
COLUMNS = 4

Points = list[tuple[float, float]]  # pairs and figure
Curves = dict[tuple[str, str], dict[str, Points]]  # (stage, figure) -> key of the log -> points


class Plot(argparse.Action):
    """``--plot RUN...``: draws and ends the program."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        command_line.say_written(draw([Path(value) for value in values]))
        parser.exit()


def draw(runs: Sequence[Path]) -> Path:
    """Draw the runs into ``curves.png`` of the first one; returns its path.

    Raises:
        TrainingStopped: a run has no figures.
    """
    plt = pyplot()
    read = {run: curves_of(run) for run in runs}
    names = list(dict.fromkeys(name for curves in read.values() for name in curves))
    first = names[0][0]
    names.sort(key=lambda name: (name[0] != first, name[1] == "lr"))
    rows = -(-len(names) // COLUMNS)
    size = (3.2 * COLUMNS, 2.4 * rows + 0.6)
    chart, grid = plt.subplots(rows, COLUMNS, figsize=size, dpi=110, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.remove()
    for (stage, figure), axes in zip(names, grid.flat):
        for number, (run, curves) in enumerate(read.items()):
            for key, points in curves.get((stage, figure), {}).items():
                style = "--" if key.startswith(HELD) else "-"
                axes.plot(*zip(*points), style, color=f"C{number}", marker=".", label=run)
        axes.set_title(f"{stage}: {figure}", fontsize=9)
        axes.set_xlabel("pairs", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    handles = [plt.Line2D([], [], color=f"C{number}", label=run) for number, run in enumerate(runs)]
    if any(
        key.startswith(HELD) for curves in read.values() for keys in curves.values() for key in keys
    ):
        handles += [plt.Line2D([], [], color="k", linestyle="--", label="held-out pairs")]
    chart.legend(handles=handles, loc="upper center", ncols=4, frameon=False, fontsize=9)
    chart.tight_layout(rect=(0, 0, 1, 1 - 0.35 / size[1]))
    path = runs[0] / "curves.png"
    chart.savefig(path)
    plt.close(chart)
    return path


def curves_of(run: Path) -> Curves:
    """The figures of a run's log. Where a run was continued, the later line of a step counts."""
    path = run / "log.jsonl"
    if not path.is_file():
        raise TrainingStopped(f"{path} is not there; name folders of runs with --plot")
    found: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for line in read_log(path):
        for key, value in line.items() if "pairs" in line else ():
            if key not in NO_FIGURES and isinstance(value, float | int):
                name = line["stage"], key.removeprefix(HELD)
                found.setdefault(name, {}).setdefault(key, {})[line["pairs"]] = value
    curves = {
        name: {key: sorted(points.items()) for key, points in of_key.items()}
        for name, of_key in found.items()
        if any(len(set(points.values())) > 1 for points in of_key.values())  # else not trained
    }
    if not curves:
        raise TrainingStopped(f"{path} has no figure of two moments yet; wait for more steps")
    return curves
