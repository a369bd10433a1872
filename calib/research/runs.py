"""python -m calib.research.runs: list trainings, and compare them.

    python -m calib.research.runs runs            all runs below a folder
    python -m calib.research.runs runs/a runs/b   also the options in which they differ

A run is a folder that `python -m calib.research.train --out` made. One line each: when it began,
how far it is, the last figures on each set of validation clips, the commit.
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

NAME = "calib.research.runs"
COLUMNS = ("run", "started", "stage", "pairs", "hours", "figures", "seed", "commit")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    cli = command.parser(NAME, __doc__)
    cli.add_argument("folders", nargs="+", metavar="DIR")
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
            print(f"--{name.replace('_', '-')}: {'  |  '.join(values)}")


def runs_below(folders: Sequence[str]) -> list[Path]:
    """The folders of runs in or below folders, in the order of their names."""
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
    """What is known of a run."""
    kept, log = record.read(folder), folder / "log.jsonl"
    lines = record.read_log(log) if log.is_file() else []
    steps = [line for line in lines if "pairs" in line and "stage" in line]
    last = {line["stage"]: line for line in steps}
    judged = [line for line in steps if line.get("event") == "judged"]
    return {
        "run": str(folder),
        "started": kept["history"][0]["time"],
        "stage": steps[-1]["stage"] if steps else "-",
        "pairs": f"{steps[-1]['pairs'] if steps else 0:,}",
        "hours": f"{sum(line['seconds'] for line in last.values()) / 3600:.2f}",
        "figures": figures(judged[-1] if judged else {}),
        "seed": kept["seed"],
        "commit": (kept["history"][0]["git"] or "-")[:12],
        "options": kept["options"],
    }


def figures(judged: dict[str, Any]) -> str:
    """The overlaps of a judgement with their standard errors, a text."""
    told = []
    for name in (name for name in judged if name.startswith("os_")):
        error = judged.get(name.replace("os_", "se_", 1))
        sure = "" if error is None else f" ± {error:.3f}"
        told.append(f"{name[3:]} {judged[name]:.3f}{sure}")
    return ", ".join(told) or "-"


def text(found: list[dict[str, Any]]) -> str:
    """The table of runs."""
    rows = [COLUMNS, *(tuple(str(each[name]) for name in COLUMNS) for each in found)]
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
