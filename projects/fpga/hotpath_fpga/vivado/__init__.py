"""Runs Vivado, if there is one, to make the overlay of a board.

Reading the sizes, the board and the addresses is all that happens here; the design itself is made
by ``overlay.tcl``. Vivado itself was never run on it.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
from typing import Any, List, Tuple

import hotpath_fpga as design
from hotpath.base.errors import HotpathError
from hotpath_fpga.sim import hwh

SCRIPT = design.FOLDER / "vivado" / "overlay.tcl"
WORK = design.ROOT / ".cache" / "vivado"


class NoOverlay(HotpathError):
    """The overlay can't be made: no such board, no Vivado, or Vivado failed."""


def command(name: str, jobs: int = 2) -> List[str]:
    """What to run.

    Args:
        name: name of a section of ``sizes.toml``.
        jobs: processes that Vivado may run at once.

    Returns:
        list of arguments, the first is ``vivado``. Paths are below the root of the clone.

    Raises:
        NoOverlay: there is no such section.
    """
    sizes = design.sizes()
    if name not in sizes:
        raise NoOverlay(f"no overlay for a board {name!r}; there are: {', '.join(sorted(sizes))}")
    size, part = sizes[name], design.parts()[name]["part"]
    settings: List[Tuple[str, Any]] = [
        ("board", name),
        ("part", part),
        ("clock_mhz", size["assumed_clock_mhz"]),
        ("address", f"0x{hwh.ADDRESS[hwh.family_of(part)]:08x}"),
    ]
    settings += [(key, size[key]) for key in design.PARAMETERS]
    settings += [("work", _below_root(WORK / name)), ("out", _below_root(folder(name)))]
    settings += [("jobs", jobs)]
    arguments = ["vivado", "-mode", "batch", "-nojournal", "-source", _below_root(SCRIPT)]
    arguments += ["-log", _below_root(WORK / name / "vivado.log"), "-tclargs"]
    for pair in settings:
        arguments += [str(part) for part in pair]
    return arguments


def _below_root(path: pathlib.Path) -> str:
    return path.relative_to(design.ROOT).as_posix()


def folder(name: str) -> pathlib.Path:
    """The folder of a board's overlay: ``hotpath.bit`` and ``hotpath.hwh``."""
    return design.ROOT / "engines" / name / "overlay"


def build(name: str, jobs: int = 2) -> pathlib.Path:
    """Run Vivado to its end, its words on standard output.

    Returns:
        folder of the two files.

    Raises:
        NoOverlay: no such board, no Vivado on the PATH, or Vivado failed.
    """
    arguments = command(name, jobs)
    if shutil.which("vivado") is None:
        line = " ".join(shlex.quote(argument) for argument in arguments)
        raise NoOverlay(
            f"no vivado on the PATH, so no overlay for {name} was made; where Vivado 2020.2 or "
            f"newer is installed (source its settings64.sh) run in a clone's root: {line}"
        )
    (WORK / name).mkdir(parents=True, exist_ok=True)
    status = subprocess.call(arguments, cwd=str(design.ROOT), stdin=subprocess.DEVNULL)
    outputs = [folder(name) / file for file in ("hotpath.bit", "hotpath.hwh")]
    missing = [path.name for path in outputs if not path.is_file()]
    if status or missing:
        what = f"ended with {status}" if status else "made no " + " and ".join(missing)
        log = os.path.relpath(str(WORK / name / "vivado.log"))
        raise NoOverlay(f"Vivado {what} for {name}; read {log}")
    return folder(name)
