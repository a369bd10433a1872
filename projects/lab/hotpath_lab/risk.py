r"""python -m hotpath_lab.risk: the share of wrong boxes at each share of claimed frames.

    python -m hotpath_lab.risk --films films.json --networks lightfc:int8 --picture risk.svg

The frames of a set are sorted by presence, and those above a limit count as claimed. The *coverage*
is their number, divided by that of the frames in which the target is in view; the *risk* is the
share of them whose box is wrong. So trackers can be compared that are more and less cautious.
Prints the table of docs/results/identity.md, and draws its picture. Options and sets are those of
``hotpath_lab.presence``, which tracks what was not tracked yet.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun
from hotpath.calib.plots import pyplot
from hotpath.video.output_file import check_folder
from hotpath_lab import presence
from hotpath_lab.state_metrics import (
    LEVEL,
    SAMPLES,
    CountedFrames,
    short,
    table_row,
)

Films = Sequence[CountedFrames]

COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the table
STEPS = 50  # points of a line
# of Okabe and Ito, which the colour-blind tell apart; the dashes tell them apart in print
LINES = (("#0072b2", ()), ("#d55e00", (7, 4)), ("#009e73", (2, 3)), ("#cc79a7", (9, 3, 2, 3)))


def risks(films: Films, coverages: ArrayLike) -> np.ndarray:
    """Return the share of wrong boxes among the frames with the highest presence.

    Args:
        films: the frames of each film, of trackers that have a presence.
        coverages: shares of the frames with the target, above 0, at most 1.

    Returns:
        float64, one for each coverage. Where frames with the same presence are on both sides of
        the limit, each counts by the share of them that is let through.

    Example:
        >>> right = np.array([True, True, False, True])
        >>> film = CountedFrames(*[right] * 6)._replace(presence=np.array([0.9, 0.8, 0.7, 0.1]))
        >>> risks([film], [0.5, 0.75, 1]).round(2).tolist()
        [0.0, 0.33, 0.25]
    """
    right, presences = (
        np.concatenate([getattr(film, name) for film in films]) for name in ("right", "presence")
    )
    _, groups = np.unique(-presences, return_inverse=True)
    frames = np.concatenate([[0], np.cumsum(np.bincount(groups))])
    wrong = np.concatenate([[0], np.cumsum(np.bincount(groups, ~right))])
    in_view = sum(np.isfinite(film.overlaps).sum() for film in films)
    limits = np.asarray(coverages) * max(in_view, 1)
    return np.asarray(np.interp(limits, frames, wrong) / limits)


def intervals(films: Films, coverages: Sequence[float]) -> np.ndarray:
    """Return the bounds of each risk, (2, n), by samples of whole films with replacement."""
    rng, count = np.random.default_rng(0), len(films)
    samples = [
        risks([films[index] for index in rng.integers(count, size=count)], coverages)
        for _ in range(SAMPLES)
    ]
    return np.asarray(np.percentile(samples, [(100 - LEVEL) / 2, (100 + LEVEL) / 2], axis=0))


def table(trackers: Mapping[str, Mapping[str, Films]]) -> str:
    """The table in Markdown: a row for each set and tracker, a column for each coverage.

    Args:
        trackers: of each tracker, the frames of each film of a set.
    """
    heads = ["set", "network", *(f"{share:.0%}".replace("%", " %") for share in COVERAGES)]
    lines = [table_row(heads), table_row(["---"] * len(heads))]
    for name in next(iter(trackers.values())):
        for tracker, sets in trackers.items():
            films = sets[name]
            cells = [
                f"{short(risk)} [{short(low)}, {short(high)}]"
                for risk, low, high in zip(risks(films, COVERAGES), *intervals(films, COVERAGES))
            ]
            lines.append(table_row([name, tracker, *cells]))
    return "\n".join(lines)


def draw(trackers: Mapping[str, Mapping[str, Films]], path: Path) -> None:
    """Draw the curves as an SVG: a plot for each set, two in a row, a line for each tracker."""
    plt, sets = pyplot(), list(next(iter(trackers.values())))
    coverages = np.linspace(0.02, 1, STEPS)
    rows, columns = -(-len(sets) // 2), min(len(sets), 2)
    size = dict(figsize=(5 * columns, 4 * rows), layout="constrained")
    chart, grid = plt.subplots(rows, columns, sharey=True, squeeze=False, **size)
    for axes in grid.flat[len(sets) :]:
        axes.remove()
    for name, axes in zip(sets, grid.flat):
        for (colour, dashes), (tracker, of_sets) in zip(LINES, trackers.items()):
            shares = 100 * coverages, 100 * risks(of_sets[name], coverages)
            axes.plot(*shares, color=colour, linestyle=(0, dashes), label=tracker)
        axes.set_title(f"{name}: wrong boxes, in % of the claimed frames", fontsize=10)
        axes.set(xlabel="claimed frames, in % of those with the target in view", xlim=(0, 100))
        axes.grid(alpha=0.3)
    grid[0, 0].set_ylim(bottom=0)  # of all plots, whose lines are there now
    lines = grid[0, 0].get_legend_handles_labels()
    chart.legend(*lines, loc="outside upper center", ncols=2, frameon=False)
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "risk"}):  # the same each time
        chart.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(chart)


# -- the command


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = presence.parser("hotpath_lab.risk", __doc__)
    cli.add_argument("--picture", metavar="FILE", help="SVG file of the curves")
    return cli


def run(options: argparse.Namespace) -> None:
    """Track what was not tracked yet; print the table, and draw the picture.

    Raises:
        BadRun: more networks than the picture has kinds of lines. Nothing has run yet.
        BadOutput: the picture can't be written, also before anything has run.
    """
    if options.picture:
        check_folder(options.picture)
        pyplot()  # which says how to install what it needs
        if len(options.networks.split(",")) > len(LINES):
            raise BadRun(f"the picture has {len(LINES)} lines; name fewer --networks, or omit it")
    trackers, _ = presence.measured(options)
    print(table(trackers))
    if options.picture:
        draw(trackers, Path(options.picture))
        say(f"wrote {options.picture}")


main = command_line.main("hotpath_lab.risk", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
