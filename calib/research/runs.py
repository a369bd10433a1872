"""python -m calib.research.runs: list trainings, and compare them.

    python -m calib.research.runs runs            all runs below a folder
    python -m calib.research.runs runs/a runs/b   also the options in which they differ

A run is a folder that `python -m calib.research.train --out` made. One line each: when it began,
how far it is, the last figures on each set of validation clips, the commit. --json writes it all.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib import command
from calib.errors import BadRun
from calib.research.train import record
from calib.research.train.plots import read_log

NAME = "calib.research.runs"
COLUMNS = ("run", "started", "stage", "pairs", "hours", "figures", "seed", "commit")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    cli = command.parser(NAME, __doc__)
    cli.add_argument("folders", nargs="+", metavar="DIR")
    cli.add_argument("--json", metavar="FILE", help="write everything as JSON")
    return cli


def run(options: argparse.Namespace) -> None:
    """Print the table, and the options that differ."""
    found = [summary(folder) for folder in runs_below(options.folders)]
    print(text(found))
    differing = different_options([each["options"] for each in found])
    if len(found) > 1 and differing:
        print()
        for name in differing:
            values = [json.dumps(each["options"].get(name)) for each in found]
            print("--{}: {}".format(name.replace("_", "-"), "  |  ".join(values)))
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


def runs_below(folders: Sequence[str]) -> list[Path]:
    """The folders of runs in or below folders, in the order of their names.

    Raises:
        BadRun: a folder is not there, or has no run.
    """
    found = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise BadRun(f"{folder} is not there; name a folder with runs of calib.research.train")
        below = sorted(path.parent for path in folder.rglob(record.FILE))
        if not below:
            raise BadRun(f"{folder} has no run: no {record.FILE} below it")
        found += [path for path in below if path not in found]
    return found


def summary(folder: Path) -> dict[str, Any]:
    """What is known of a run, a dict that is fit for JSON."""
    kept = record.read(folder)
    log = folder / "log.jsonl"
    lines = read_log(log) if log.is_file() else []
    steps = [line for line in lines if "pairs" in line and "stage" in line]
    last = {line["stage"]: line for line in steps}
    judged = [line for line in steps if line.get("event") == "judged"]
    return {
        "run": str(folder),
        "started": kept["history"][0]["time"],
        "commit": kept["history"][0]["git"],
        "seed": kept["seed"],
        "stage": steps[-1]["stage"] if steps else None,
        "pairs": steps[-1]["pairs"] if steps else 0,
        "pairs_of_stages": {stage: line["pairs"] for stage, line in last.items()},
        "seconds": sum(line["seconds"] for line in last.values()),
        "processor_seconds": sum(line.get("processor_seconds", 0) for line in last.values()),
        "judged": judged[-1] if judged else {},
        "best": best(judged),
        "options": kept["options"],
        "history": kept["history"],
    }


def best(judged: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """dict of stage -> the judgement with the highest first figure of overlap."""
    found: dict[str, dict[str, Any]] = {}
    for line in judged:
        names = sorted(name for name in line if name.startswith("os_"))
        if names and line[names[0]] > found.get(line["stage"], line)[names[0]]:
            found[line["stage"]] = line
        elif names:
            found.setdefault(line["stage"], line)
    return found


def figures(judged: dict[str, Any]) -> str:
    """The overlaps of a judgement with their standard errors, a text."""
    names = [name for name in judged if name.startswith("os_")]
    told = []
    for name in names:
        error = judged.get(name.replace("os_", "se_", 1))
        told.append(
            "{} {:.3f}{}".format(
                name[3:], judged[name], f" ± {error:.3f}" if error is not None else ""
            )
        )
    return ", ".join(told) or "-"


def text(found: list[dict[str, Any]]) -> str:
    """The table of runs."""
    rows = [COLUMNS]
    for each in found:
        rows.append(
            (
                each["run"],
                each["started"],
                each["stage"] or "-",
                "{:,}".format(each["pairs"]),
                "{:.2f}".format(each["seconds"] / 3600),
                figures(each["judged"]),
                str(each["seed"]),
                (each["commit"] or "-")[:12],
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def different_options(options: list[dict[str, Any]]) -> list[str]:
    """Names of options that are not the same in all runs; folders of the machine are left out."""
    names = sorted({name for each in options for name in each} - set(record.OF_THE_MACHINE))
    return [n for n in names if len({json.dumps(each.get(n)) for each in options}) > 1]


main = command.main(NAME, run, parser, stopped="stopped")

if __name__ == "__main__":
    sys.exit(main())
