"""hotpath select: choose among a training's checkpoints by whole tracks.

    hotpath select runs/NAME/checkpoints --clips DIR
    hotpath select runs/NAME/checkpoints --clips DIR --benchmark otb100 --data DIR

Half of the clips rank all checkpoints by AUC. `hotpath tune` searches the tracking numbers of the
best ones on this half. The other half, which chose nothing, ranks these again, with their own
numbers and with the found ones. With --all the numbers found for the best one are tried on all
checkpoints. With --benchmark the best ones are also measured on a public data set.
Checkpoints of stage features have no trained head; --head names one. A killed command continues.

OUT/select.csv and OUT/select.md have the table, OUT/select.png shows score against pairs.
"""

import argparse
import csv
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotpath.calib import command
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun
from hotpath.calib.picture import pyplot
from hotpath.video.clips import find_clips
from hotpath_lab import benchmarks, evaluate, tune

TITLES = ("checkpoint", "pairs", "AUC, first half", "AUC, other half", "the same, tuned")
COLUMNS = ("checkpoint", "pairs", "auc_first", "auc_other", "auc_tuned")
MORE = {
    "auc_all": "AUC, first half, the best one's numbers",
    "auc_benchmark": "AUC, benchmark",
}  # where there are some


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath select", __doc__)
    text = "checkpoints, or folders of them, such as runs/NAME/checkpoints"
    cli.add_argument("checkpoints", nargs="+", metavar="FILE|DIR", help=text)
    command.add_network_options(cli)
    command.add_clip_options(cli)
    text = "clips that only rank the best again (default: every second clip)"
    cli.add_argument("--held-out", metavar="NAME,NAME", help=text)
    text = "the head for checkpoints of stage features, such as runs/NAME/head.pt"
    cli.add_argument("--head", metavar="FILE", help=text)
    text = "checkpoints that are tuned and ranked again (default: %(default)s)"
    cli.add_argument("--best", type=int, default=3, metavar="N", help=text)
    text = "sets of numbers to try for each of them; 0: none (default: %(default)s)"
    cli.add_argument("--trials", type=int, default=40, metavar="N", help=text)
    text = "try the numbers found for the best checkpoint on all of them"
    cli.add_argument("--all", action="store_true", help=text)
    text = "a public data set on which the best are measured too; with --data"
    cli.add_argument("--benchmark", choices=benchmarks.JUDGED, help=text)
    cli.add_argument("--data", metavar="DIR", help="folder of the --benchmark")
    cli.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/select", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rank, tune, rank again, write; returns the rows of the table, the best one first."""
    if min(options.best, options.trials + 1) < 1:
        raise BadRun("--best must be 1 or more, and --trials 0 or more")
    if options.all and not options.trials:
        raise BadRun("--all needs found numbers; give --trials 1 or more")
    if bool(options.benchmark) != bool(options.data):
        raise BadRun("--benchmark and --data belong together; name both")
    out = Path(options.out)
    clips = chosen(find_clips(options.clips, say), options.only)
    first, other = command.parted(clips, options.held_out)
    tomls = networks_of(options, out / "networks")
    scores = auc(list(tomls.values()), first, options, out)
    rows: list[dict[str, Any]] = [
        {"checkpoint": str(path), "pairs": pairs_of(path), "toml": toml, "auc_first": score}
        for (path, toml), score in zip(tomls.items(), scores)
    ]
    rows.sort(key=lambda row: -row["auc_first"])
    best = rows[: options.best]
    for row in best:
        row["tuned"] = tuned(row["toml"], clips, other, options) if options.trials else None
    if options.all:
        _try_numbers(best[0]["tuned"], rows, first, options, out)
    given = [row["toml"] for row in best] + [row["tuned"] for row in best if row["tuned"]]
    auc_of = dict(zip(given, auc(given, other, options, out)))
    public = {}
    if options.benchmark:
        data = benchmarks.sequences(options.benchmark, Path(options.data)).clips
        public = dict(zip(given, auc(given, data, options, out / options.benchmark)))
    for row in best:
        row["auc_other"], row["auc_tuned"] = auc_of[row["toml"]], auc_of.get(row["tuned"])
        better = max((row["tuned"], row["toml"]), key=lambda toml: auc_of.get(toml, -1.0))
        row["use"], row["auc_benchmark"] = better, public.get(better)
    best.sort(key=lambda row: -auc_of[row["use"]])
    rows = best + rows[options.best :]
    write(rows, out)
    say(f"use {rows[0]['use']}: the best on the half that chose nothing")
    return rows


def networks_of(options: argparse.Namespace, folder: Path) -> dict[Path, Path]:
    """Checkpoint -> TOML, exported once; those of stage features need ``--head``."""
    from hotpath_research.train.export import export  # needs PyTorch, the help does not

    places = [Path(name) for name in options.checkpoints]
    paths = [
        p for place in places for p in (sorted(place.glob("*.pt")) if place.is_dir() else [place])
    ]
    of_features = [path for path in paths if path.name.startswith("features")]
    if of_features and not options.head:
        say(f"left out {len(of_features)} checkpoints of stage features; name a --head for them")
        paths = [path for path in paths if path not in of_features]
    if not paths:
        raise BadRun(f"{', '.join(options.checkpoints)}: there is no checkpoint; name some *.pt")
    toml_of = {}
    for path in sorted(paths, key=lambda path: (pairs_of(path), path.name)):
        # the folder's name tells runs apart
        name = re.sub(r"\W", "_", f"{path.absolute().parent.parent.name}-{path.stem}")
        toml = folder / (name + ".toml")
        parts = [path, Path(options.head)] if path in of_features else [path]
        newest = max(part.stat().st_mtime for part in parts)
        if not toml.is_file() or toml.stat().st_mtime < newest:
            export(parts[-1], folder, name, path)
        toml_of[path] = toml
    return toml_of


def pairs_of(path: Path) -> int:
    """The pairs that a checkpoint has seen, as its name tells; 0 if it does not."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def auc(
    tomls: Sequence[Path], clips: Sequence[Any], options: argparse.Namespace, out: Path
) -> list[float]:
    """The success of whole tracks of each network; boxes that are there are used again."""
    table = evaluate.of_networks(
        tomls, clips, out, options.networks_dir, options.engine, options.jobs
    )
    return [float(entry["mean"]["success"]) for entry in table["trackers"].values()]


def tuned(
    toml: Path, clips: Sequence[Any], other: Sequence[Any], options: argparse.Namespace
) -> Path:
    """The TOML with numbers that were searched on the clips that are not ``other``."""
    folder = toml.parent  # beside the files that the new TOML names, too
    arguments = ["--network", str(toml), "--trials", str(options.trials), "--out", str(folder)]
    arguments += ["--engine", options.engine, "--clips", *options.clips]
    arguments += ["--only", ",".join(clip.name for clip in clips)]
    arguments += ["--held-out", ",".join(clip.name for clip in other)]
    tune.run(tune.parser().parse_args(arguments))
    return folder / (toml.stem + "-tuned.toml")


def _try_numbers(
    tuned_toml: Path,
    rows: Sequence[dict[str, Any]],
    clips: Sequence[Any],
    options: argparse.Namespace,
    out: Path,
) -> None:
    """Set ``auc_all`` of each row: its checkpoint with the numbers of ``tuned_toml``."""
    report = tuned_toml.with_name(tuned_toml.stem.replace("-tuned", "-tune") + ".json")
    numbers = json.loads(report.read_text())["best"]
    tomls = []
    for row in rows:
        path = Path(row["toml"])
        tomls.append(path.with_name(path.stem + "-all.toml"))
        tomls[-1].write_text(tune.changed(path, {"tracking": numbers}))
    for row, score in zip(rows, auc(tomls, clips, options, out)):
        row["auc_all"] = score


def write(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write and print the table, and draw the plot."""
    more = [key for key in MORE if any(row.get(key) is not None for row in rows)]
    columns, titles = [*COLUMNS, *more], [*TITLES, *map(MORE.__getitem__, more)]
    with open(out / "select.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
    lines = [titles, ["---"] * len(titles)]
    for row in rows:
        cells = [row.get(key) for key in columns]
        lines.append([f"{c:.3f}" if isinstance(c, float) else str(c or "") for c in cells])
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    (out / "select.md").write_text(text)
    print(text, end="")
    command.wrote(out / "select.md", out / "select.csv", _plot(rows, out / "select.png"))


def _plot(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    plt = pyplot()
    chart, axes = plt.subplots(figsize=(6, 3.8), dpi=110)
    styles = dict(zip(("auc_first", "auc_other", "auc_tuned"), ("o-", "s", "x")))
    titles = {**dict(zip(COLUMNS, TITLES)), **MORE}
    named = [(Path(row["checkpoint"]).absolute().parent.parent.name, row) for row in rows]
    runs = list(dict.fromkeys(run for run, _ in named))
    for run, (key, style) in itertools.product(runs, styles.items()):
        own = [row for name, row in named if name == run and row.get(key) is not None]
        label, colour = titles[key] + f", {run}" * (len(runs) > 1), f"C{runs.index(run)}"
        there = sorted((row["pairs"], row[key]) for row in own)
        if there:
            axes.plot(*zip(*there), style, color=colour, label=label, mfc="none")
    axes.set(xlabel="pairs of the training", ylabel="score of whole tracks")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    chart.savefig(path, bbox_inches="tight")
    plt.close(chart)
    return path


main = command.main("hotpath select", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
