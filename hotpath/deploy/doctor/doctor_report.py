"""Write the texts of ``python -m hotpath boards``, for this machine and for all boards."""

import contextlib
import textwrap
from typing import List, Optional, Sequence

from hotpath.base.errors import HotpathError
from hotpath.base.messages import make_command, program_command
from hotpath.boards import HOST, Board, load_board, names
from hotpath.boards.detect import Detection
from hotpath.boards.installed import InstalledSoftware
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.doctor import Situation
from hotpath.deploy.doctor.missing_packages import (
    ALTERNATIVES,
    missing_packages,
    own_python,
    python_of,
)
from hotpath.deploy.doctor.traps import traps
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.networks import default_of

WIDTH = 88  # of sentences; a command stays on one line, so that it can be copied
LABEL = "  {:<16}{}"
NO_INT8 = "fp32, since this processor has no instructions for INT8"


def machine(situation: Situation, telemetry: Telemetry) -> List[str]:
    """Return lines about a machine: what it is, has and lacks, and the next command."""
    detection, installed = situation.detection, situation.installed
    is_here = bool(situation.environ)  # not another root
    lines = _identity(detection, installed, is_here) + _state(telemetry) + [""]
    lines += _software(installed)
    if python_of(situation) != "python3":
        lines.append(LABEL.format("of all commands", python_of(situation)))
    lacking, caught = missing_packages(situation), traps(situation)
    if lacking:
        lines += ["", "Missing"]
        for number, entry in enumerate(lacking):
            lines.append(LABEL.format(entry.name, entry.why))
            if [later.command for later in lacking[number + 1 :][:1]] != [entry.command]:
                lines.append("      " + entry.command)
    if caught:
        lines += ["", "Beware"]
        for trap in caught:
            lines += textwrap.wrap("  " + trap.sentence, WIDTH, subsequent_indent="  ")
            lines.append("      " + trap.command)
    commands = [trap.command for trap in caught] + [entry.command for entry in lacking]
    built = _built(detection.board) if is_here else False
    lines += ["", _next(detection, commands, built)]
    return lines


def _identity(detection: Detection, installed: InstalledSoftware, is_here: bool) -> List[str]:
    board = detection.board
    if board is None:
        candidates = ", ".join(detection.candidates)
        title = f"A {detection.soc}, but which board? One of: {candidates}"
        return [title, LABEL.format("model", detection.model or "not named")]
    doubt = "" if detection.sure else ", so perhaps not"
    lines = [
        f"{board.title[0].upper() + board.title[1:]} ({board.name})",
        LABEL.format("recognised by", detection.how + doubt),
    ]
    if detection.model:
        lines.append(LABEL.format("model", detection.model))
    if detection.l4t:
        jetpack = detection.jetpack or "unknown"
        lines.append(LABEL.format("system", f"JetPack {jetpack}, L4T {detection.l4t}"))
    elif detection.system:
        lines.append(LABEL.format("system", detection.system))
    if board.family == "jetson":
        lines.append(LABEL.format("CUDA", installed.cuda or "no toolkit in /usr/local/cuda"))
        capability = str(board.gpu["compute_capability"]).replace(".", "")
        lines.append(LABEL.format("kernels for", "sm_" + capability))
    default, exists = board.precision["default"], board.precision["exists"]
    alternatives = [name for name in exists if name != default]
    text = "{} (also: {})".format(default, ", ".join(alternatives)) if alternatives else default
    if board.engine in ALTERNATIVES:  # which run the network's own files
        text = "int8 where the processor has instructions for it, else fp32"
        if is_here and board.name == HOST:
            named = ", ".join(sorted(arithmetic.instructions()))
            text = f"int8, since this processor has {named}" if named else NO_INT8
    networks = [name for name in (default_of(board), board.witness) if name]
    lines.append(LABEL.format("networks", " and its witness ".join(networks)))
    lines.append(LABEL.format("precision", text))
    return lines + [LABEL.format("lost targets", _search(board))]


def _search(board: Board) -> str:
    """Return how a lost target is searched for here, as a phrase."""
    search = board.search
    if search["default"] != "search":
        return "not searched for, unless --recover asks for it"
    return "searched for in the whole picture"


def _state(telemetry: Telemetry) -> List[str]:
    lines = []
    mode, fastest = telemetry.power_mode(), telemetry.fastest_power_mode()
    if mode:
        name = mode.name or "not in nvpmodel.conf"
        text = f"{name} (mode {mode.id})"
        if fastest and fastest.id != mode.id:
            text += f"; the fastest is {fastest.name}: sudo nvpmodel -m {fastest.id}"
        elif fastest:
            text += ", the fastest"
        lines.append(LABEL.format("power mode", text))
    locked = telemetry.locked()
    states = {name.upper(): state for name, state in locked.items() if state is not None}
    if states:
        held = [name for name, state in states.items() if state]
        free = [name for name, state in states.items() if not state]
        groups = [
            f"{word}: {', '.join(names)}"
            for word, names in (("held", held), ("free", free))
            if names
        ]
        lines.append(LABEL.format("clocks", "; ".join(groups)))
    return lines


def _software(installed: InstalledSoftware) -> List[str]:
    lines = ["Python {}".format(installed.python or "not found")]
    for name, package in sorted(installed.packages.items()):
        lines.append(LABEL.format(name, f"{package.version} ({package.by})"))
    return lines


def _built(board: Optional[Board]) -> bool:
    """Whether the bundles of a board's networks are there."""
    with contextlib.suppress(ImportError, HotpathError):  # without NumPy nothing is built
        from hotpath.runtime.networks import bundle

        networks = [default_of(board), board and board.witness]
        return board is not None and all(
            bundle.bundles_of(board.name, name) for name in networks if name is not None
        )
    return False


def _next(detection: Detection, commands: Sequence[str], is_built: bool = False) -> str:
    if commands:
        return "Next: " + commands[0]
    if detection.board is None:
        command = make_command("engine", BOARD=detection.candidates[0])
        return f"Next: name the board yourself: {command}"
    if is_built:
        return "Next: " + program_command("boards bringup", "hotpath boards bringup")
    if detection.board.engine in ALTERNATIVES:
        return "Next: " + program_command("track --help", "hotpath track --help", own_python())
    build = make_command("engine", BOARD=detection.board.name)
    if detection.board.family == "computer":  # what converts its networks runs on x86-64
        return f"Next: {build}, on a computer; then copy engines/{detection.board.name} here"
    return f"Next: {build}"


def listing() -> List[str]:
    """Return one line for each board."""
    row = "{:<18} {:<18} {:<9} {:<5} {}"
    lines = [row.format("board", "title", "engine", "cc", "precisions")]
    for name in names():
        board = load_board(name)
        made = board.precision["default"] if name != HOST else ""  # there by the processor
        marked = ["*" + p if p == made else p for p in board.precision["exists"]]
        capability = board.gpu["compute_capability"] or "-"
        lines.append(row.format(name, board.title, board.engine, capability, " ".join(marked)))
    return lines + [f"* what `{make_command('engine')}` makes by default"]
