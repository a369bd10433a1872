"""Where a run takes place: the board, its state and clocks, libraries and the commit."""

import os
import platform
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath.boards import detect, installed, snapshot
from hotpath.boards.files import Recorder, Root
from hotpath.boards.telemetry import Telemetry
from hotpath.runtime.errors import HotpathError

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

Commit = Tuple[Optional[str], Optional[bool]]  # hash, whether files differ from it


class WrongBoard(HotpathError):
    """It is not known which board this is, or it is not the one that was named."""


class Place:
    """A board."""

    def __init__(self, root: str = "/", name: str = "auto") -> None:
        self.root = Root(root)
        self.found = detection = detect.detect(self.root)
        if detection.board is None:
            raise WrongBoard(
                f"this is a {detection.soc} ({detection.model or 'no model name'}), but it is not "
                "known which board; name one with BOARD=: " + ", ".join(detection.candidates)
            )
        self.board = detection.board
        if name not in ("auto", "", self.board.name):
            here = self.board.name
            raise WrongBoard(
                f"this is {here}, not {name}; run the suite there, or leave BOARD away"
            )
        self.telemetry = Telemetry(self.root, self.board)

    def describe(self) -> Dict[str, Any]:
        """Return the evidence's ``board``."""
        return {
            "name": self.board.name,
            "model": self.found.model,
            "soc": self.found.soc,
            "release": self.found.l4t,
            "jetpack": self.found.jetpack,
            "system": self.found.system,
            "cpus": self.telemetry.read().get("cpu_online_count"),
        }

    def state(self) -> Dict[str, Any]:
        """Return the state that the evidence keeps as ``before`` and ``after``."""
        recorder = Recorder(self.root.folder)
        board = detect.detect(recorder).board
        telemetry = Telemetry(recorder, board)
        sample, locked, mode = telemetry.read(), telemetry.locked(), telemetry.power_mode()
        fastest = telemetry.fastest_power_mode()
        return {
            "power_mode": {"id": mode.id, "name": mode.name} if mode else None,
            "fastest_power_mode": fastest.name if fastest else None,
            "locked": locked,
            "sample": sample,
            "snapshot": snapshot.dumps(recorder.seen),
        }

    def libraries(self) -> Dict[str, str]:
        """Return dict of library -> version."""
        system = installed.look(self.root)
        versions = {name: package.version for name, package in system.packages.items()}
        versions["python"] = platform.python_version()
        if system.cuda:
            versions["cuda"] = system.cuda
        return {name: str(version) for name, version in sorted(versions.items())}


def commit() -> Commit:
    """Return (commit, whether files differ from it) of this checkout; (None, None) without git."""
    try:
        head = git(["rev-parse", "HEAD"]).strip()
        return head, bool(git(["status", "--porcelain", "--untracked-files=no"]).strip())
    except GitFailed:
        return None, None


def run(words: Sequence[object], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, without input: its ``returncode``, ``stdout`` and ``stderr``."""
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    streams.update(stdin=subprocess.DEVNULL, universal_newlines=True)
    return subprocess.run([str(word) for word in words], **dict(streams, **options))


class GitFailed(HotpathError):
    """git is not installed, or failed."""


def git(arguments: List[str]) -> str:
    """Return what a git command prints."""
    if not os.path.exists(os.path.join(CHECKOUT, ".git")):
        raise GitFailed(f"{CHECKOUT} is not a git checkout; clone the repository")
    try:
        done = run(["git"] + arguments, cwd=CHECKOUT)
    except OSError as error:
        raise GitFailed(f"git does not run: {error.strerror}; install it") from None
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise GitFailed(
            "git {}: {}; name a commit of this repository".format(
                arguments[0], words[-1] if words else "it failed"
            )
        )
    return done.stdout
