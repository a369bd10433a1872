"""python -m hotpath_lab.readme: README's table of trackers, accuracy and milliseconds in one run.

    python -m hotpath_lab.public --data DIR
    python -m hotpath_lab.readme --data DIR --networks-dir DIR --out OUT
    python -m hotpath_release.figures OUT/public/table.csv        # in a clone: into README

First all trackers are timed: in one process, on one core, they follow the same frames in turns, a
block of frames each, so that what disturbs the computer disturbs all. It must be at rest. Then
they follow the public sequences; what is there from an earlier run with the same --out is used
again. The last command writes table, date, commit and processor into README. --no-times leaves the
times out, and --accuracy docs/results/public-sequences.csv measures them alone.
"""

import argparse
import csv
import io
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base.cache import write_text
from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun
from hotpath_lab import benchmarks, evaluate, evaluation_report, provenance, trackers

TIMED = ("David3", "Dog1", "person9")  # sequences that no tracker loses
ROUNDS = 3  # that count, after one that does not
FRAMES, BLOCK = 200, 20  # of a sequence; before the next tracker's turn
MOST_LOAD = 0.5  # mean number of running processes in the minute before


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.readme", __doc__)
    cli.add_argument("--data", required=True, metavar="DIR", help="what hotpath_lab.public fetched")
    text = "trackers, as of `hotpath evaluate` (default: those of README)"
    cli.add_argument(
        "--networks",
        default=",".join(evaluation_report.README_NETWORKS),
        metavar="NAME,NAME",
        help=text,
    )
    command_line.add_network_options(cli)
    cli.add_argument("--no-times", action="store_true", help="measure the accuracy alone")
    text = "a table.csv whose accuracies stand: only the times are measured"
    cli.add_argument("--accuracy", metavar="FILE", help=text)
    command_line.add_workers(cli)
    cli.add_argument("--out", default="out/readme", metavar="DIR", help="default: %(default)s")
    return cli


def run(options: argparse.Namespace) -> None:
    """Time, evaluate, and print the table."""
    path = Path(options.out) / "public" / "table.csv"
    path.parent.mkdir(parents=True, exist_ok=True)  # before the minutes that the times take
    took = {} if options.no_times else milliseconds(options)
    if options.accuracy:
        write_text(path, Path(options.accuracy).read_text(encoding="utf-8"))
    else:
        evaluate_public(options)
    add_times(path, took)
    what = f"ms: {len(TIMED)} sequences, one core" if took else "no times taken"
    cores = os.cpu_count()
    say(f"commit {provenance.commit()}, {provenance.processor()}, {cores} cores; {what}")
    say(evaluation_report.readme_table(evaluation_report.read_means(path), intervals=True))
    command_line.say_written(path)


def evaluate_public(options: argparse.Namespace) -> None:
    """Evaluate all trackers on the public sequences."""
    networks = evaluate.at_hand(options, options.networks.split(","))
    given = ["--benchmark", "public", "--data", options.data, "--networks", networks]
    given += ["--engine", options.engine, "--jobs", str(options.jobs), "--out", options.out]
    given += ["--networks-dir", options.networks_dir] if options.networks_dir else []
    evaluate.run(evaluate.parser().parse_args(given))


def milliseconds(options: argparse.Namespace) -> dict[str, float]:
    """Time all trackers in turns, those in INT8 in fp32 too; returns tracker -> median ms a frame.

    Raises:
        BadRun: this computer is busy, or a sequence is missing.
    """
    load = os.getloadavg()[0]
    if load > MOST_LOAD:
        raise BadRun(
            f"this computer has a load of {load:.1f}, so times mean nothing; wait until it is "
            f"below {MOST_LOAD}, or leave them out with --no-times"
        )
    clips = {clip.name: clip for clip in benchmarks.sequences("public", Path(options.data)).clips}
    missing = [name for name in TIMED if name not in clips]
    if missing:
        raise BadRun(f"{options.data} has no {missing[0]}; fetch it with hotpath_lab.public")
    names = options.networks.split(",")
    names += [name[: -len(":int8")] for name in names if name.endswith(":int8")]
    names = evaluate.at_hand(options, list(dict.fromkeys(names)))
    specs = trackers.specs_of(argparse.Namespace(**{**vars(options), "networks": names}))
    if hasattr(os, "sched_setaffinity"):  # one core, as a board's other programs leave it
        usable = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(usable)})
    running = {spec.name: trackers.build(spec) for spec in specs}
    taken: dict[str, list[float]] = {name: [] for name in running}
    for name in TIMED:
        held = list(clips[name].beginning(min(FRAMES, len(clips[name]))).in_memory(1 << 31))
        for counted_round in range(-1, ROUNDS):
            for one, ms in in_turns(running, held, clips[name].boxes[0]).items():
                taken[one] += ms if counted_round >= 0 else []
    for tracker in running.values():
        tracker.close()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, usable)
    return {name: float(np.median(ms)) for name, ms in taken.items()}


def in_turns(
    running: Mapping[str, Any], frames: Sequence[np.ndarray], box: Sequence[float]
) -> dict[str, list[float]]:
    """Let trackers follow frames, a block each; returns tracker -> milliseconds of each frame.

    The first block of each tracker's turn warms nothing up for the others, so its first frame,
    which finds the caches as another tracker left them, does not count.
    """
    from hotpath_lab.clip_run import take

    taken: dict[str, list[float]] = {name: [] for name in running}
    for tracker in running.values():
        take(tracker, frames[0], box)
    for first in range(1, len(frames), BLOCK):
        for name, tracker in running.items():
            for place, frame in enumerate(frames[first : first + BLOCK]):
                begun = time.perf_counter()
                tracker.update(frame)
                if place:
                    taken[name].append((time.perf_counter() - begun) * 1e3)
    return taken


def add_times(path: Path, took: Mapping[str, float]) -> None:
    """Write milliseconds into the rows of a table.csv that are means over all sequences."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for column, end in ((evaluation_report.AT_REST, ""), (evaluation_report.IN_FP32, "-int8")):
            name = row["tracker"].replace(end, "")
            ms = took.get(name) if row["clip"] == "mean" else None
            row[column] = "" if ms is None else f"{ms:.3f}"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


main = command_line.main("hotpath_lab.readme", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
