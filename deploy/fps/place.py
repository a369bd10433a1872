"""Where a run takes place: the board, its state and clocks, libraries and the commit."""

import os
import platform
import shutil
import subprocess
import tempfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

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


class CannotLock(HotpathError):
    """Clocks can't be held here: there is no tool for it, or it is not allowed."""


class Lock:
    """Sets the fastest mode and holds the clocks on entering, sets them back on leaving."""

    def __init__(
        self,
        place: Place,
        clocks: bool,
        run: Optional[Callable[[List[str]], None]] = None,
    ) -> None:
        self._place, self._wanted = place, clocks
        self._run = run or _run
        self._undo: List[List[str]] = []
        self._folder: Optional[str] = None
        self.changed: List[str] = []

    def __enter__(self) -> "Lock":
        if not self._wanted:
            return self
        try:
            self._set_mode()
            self._hold_clocks()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for command in reversed(self._undo):
            try:
                self._run(command)
            except CannotLock as error:
                print(f"hotpath fps: not set back: {error}")
        self._undo = []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _set_mode(self) -> None:
        telemetry = self._place.telemetry
        now, fastest = telemetry.power_mode(), telemetry.fastest_power_mode()
        if not now or not fastest or now.id == fastest.id:
            return
        self._run(["nvpmodel", "-m", str(fastest.id)])
        self._undo.append(["nvpmodel", "-m", str(now.id)])
        self.changed.append(f"power mode {fastest.name} instead of {now.name or now.id}")

    def _hold_clocks(self) -> None:
        if self._place.telemetry.locked().get("gpu"):
            return
        self._folder = tempfile.mkdtemp(prefix="hotpath-fps-")
        kept = os.path.join(self._folder, "clocks")
        self._run(["jetson_clocks", "--store", kept])
        self._undo.append(["jetson_clocks", "--restore", kept])
        self._run(["jetson_clocks"])
        self.changed.append("clocks held by jetson_clocks")


def _run(command: List[str]) -> None:
    if shutil.which(command[0]) is None:
        raise CannotLock(f"{command[0]} is not here, so nothing can be locked; leave --lock away")
    words = command if os.geteuid() == 0 else ["sudo", "-n"] + command
    done = run(words, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CannotLock(
            "`{}` fails: {}; run as root, or leave --lock away".format(
                " ".join(words), (done.stdout.strip().splitlines() or ["no message"])[-1]
            )
        )
