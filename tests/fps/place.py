"""Describe where a run takes place: the board, its state, libraries and the commit."""

import os
import platform

from boards import detect, installed, snapshot
from boards.files import Recorder, Root
from boards.telemetry import Telemetry
from runtime.errors import HotpathError
from tests.support import run

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class WrongBoard(HotpathError):
    """It is not known which board this is, or it is not the one that was named."""


class Place:
    """A board."""

    def __init__(self, root="/", name="auto"):
        self.root = Root(root)
        self.found = detect.detect(self.root)
        self.board = _known(self.found)
        if name not in ("auto", "", self.board.name):
            here = self.board.name
            raise WrongBoard(
                f"this is {here}, not {name}; run the suite there, or leave BOARD away"
            )
        self.telemetry = Telemetry(self.root, self.board)

    def describe(self):
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

    def state(self):
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

    def libraries(self):
        """Return dict of library -> version."""
        found = installed.look(self.root)
        versions = {name: package.version for name, package in found.packages.items()}
        versions["python"] = platform.python_version()
        if found.cuda:
            versions["cuda"] = found.cuda
        return {name: str(version) for name, version in sorted(versions.items())}


def _known(found):
    """The board of a detection; ``WrongBoard`` when it is not certain which one it is."""
    if found.board is None:
        raise WrongBoard(
            "this is a {} ({}), but it is not known which board; name one with BOARD=: {}".format(
                found.soc, found.model or "no model name", ", ".join(found.candidates)
            )
        )
    return found.board


def commit(checkout=CHECKOUT):
    """Return (commit, whether files differ from it) of a checkout; (None, None) without git."""
    try:
        head = git(["rev-parse", "HEAD"], checkout).strip()
        return head, bool(git(["status", "--porcelain", "--untracked-files=no"], checkout).strip())
    except GitFailed:
        return None, None


class GitFailed(HotpathError):
    """git is not installed, or failed."""


def git(arguments, checkout=CHECKOUT):
    """Return what a git command prints."""
    try:
        done = run(["git"] + arguments, cwd=checkout)
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
