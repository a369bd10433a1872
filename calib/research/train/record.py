"""What a run hangs on, kept in its folder, so that another computer can go on with it.

``run.json`` has the options, the seed, versions, the commit and a fingerprint of the data. A run
that goes on adds an entry to ``history``; the first entry is that of the start.
"""

import argparse
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from calib.errors import BadRun
from calib.provenance import commit

FILE = "run.json"
FORMAT = 1
LIBRARIES = "torch numpy opencv-python opencv-python-headless onnx onnxruntime".split()
DATA = ("images", "clips", "validation")  # options that name folders of data
OF_THE_MACHINE = ("out", "cache", "device", "threads", "processes", "resume")


def write(out: str | Path, options: argparse.Namespace) -> list[str]:
    """Write ``run.json``, or add to the history of the one that is there."""
    path = Path(out) / FILE
    now = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "versions": versions(),
        "git": commit(),
        "computer": f"{platform.node()}, {platform.machine()}",
        "data": {name: fingerprint(getattr(options, name)) for name in DATA},
    }
    kept = {key: value for key, value in vars(options).items() if key != "resume"}
    if path.is_file():
        record = read(out)
        told = differences(record["history"][0], now)
    else:
        record, told = {"format": FORMAT, "history": []}, []
    record["options"], record["seed"] = kept, options.seed
    record["history"].append(now)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(record, indent=1))
    beside.replace(path)
    return told


def read(folder: str | Path) -> dict[str, Any]:
    """The record of a run."""
    path = Path(folder) / FILE
    try:
        record = json.loads(path.read_text())
    except OSError:
        raise BadRun(
            f"{path} is not there; name the folder of a run of calib.research.train"
        ) from None
    except ValueError:
        raise BadRun(f"{path} is damaged; start the run again with its options") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT or not record.get("history"):
        raise BadRun(f"{path} has another format than this version writes")
    return record


def read_log(path: Path) -> list[dict[str, Any]]:
    """The objects of a log; half a line, which a killed run may have left, is passed over."""
    found = []
    with open(path) as file:
        for line in file:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def versions() -> dict[str, str]:
    """dict of library -> version, with Python's own."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def fingerprint(folders: Iterable[str | Path]) -> dict[str, Any]:
    """Short hash of the names and sizes of all files below folders, wherever these lie.

    Contents are not read: that would take minutes for the pictures of a training.
    """
    lines = []
    for folder in folders:
        folder = Path(folder)
        files = (
            [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
        )
        lines += [f"{p.relative_to(folder.parent)} {p.stat().st_size}" for p in files]
    return {
        "files": len(lines),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16],
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Sentences about versions, code and data that are not those of the start."""
    told = []
    for name in sorted(set(before["versions"]) | set(now["versions"])):
        one, other = before["versions"].get(name), now["versions"].get(name)
        if one != other:
            told.append(f"{name} was {one or 'absent'}, here it is {other or 'absent'}")
    if before["git"] != now["git"]:
        told.append(f"the code was {before['git']}, here it is {now['git']}")
    for name in DATA:
        then, here = before["data"][name], now["data"][name]
        if then != here:
            told.append(f"the files of --{name} differ: {then['files']} then, {here['files']} here")
    return told


def arguments(cli: argparse.ArgumentParser, given: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; ``--resume RUN`` stands for a run's options; others win."""
    first = cli.__class__(add_help=False, allow_abbrev=False)
    first.add_argument("--resume")
    folder = first.parse_known_args(given)[0].resume
    if folder is None:
        return cli.parse_args(given)
    stored = {**read(folder)["options"], "out": folder}
    known = {action.dest for action in cli._actions}
    for action in cli._actions:
        if action.dest in stored:
            action.required = False
    cli.set_defaults(**{key: value for key, value in stored.items() if key in known})
    return cli.parse_args(given)
