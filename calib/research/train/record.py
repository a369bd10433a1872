"""What a run hangs on, kept in its folder as ``run.json``: options, versions, commit."""

import argparse
import importlib.metadata
import json
import platform
import time
from pathlib import Path

from calib.provenance import commit

FILE = "run.json"
LIBRARIES = "torch numpy opencv-python opencv-python-headless onnx onnxruntime".split()


def write(out: Path, options: argparse.Namespace) -> None:
    """Add an entry to the list in ``run.json``; the first one is that of the start."""
    path = out / FILE
    entries = json.loads(path.read_text()) if path.is_file() else []
    now = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "options": vars(options),
        "versions": versions(),
        "git": commit(),
    }
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps([*entries, now], indent=1))
    beside.replace(path)


def versions() -> dict[str, str]:
    """dict of library -> version, with Python's own."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found
