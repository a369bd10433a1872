"""Where a run takes place: the board, its state and libraries, and checkouts of commits."""

import contextlib
import os
import platform
import shutil
import tempfile
from subprocess import PIPE, run
from typing import Any, Dict, Iterator, List, Optional, Tuple

from hotpath.boards import detect, installed, snapshot
from hotpath.boards.errors import UnknownBoard
from hotpath.boards.files import Recorder, Root
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.errors import GitFailed

CHECKOUT = os.path.abspath(os.path.join(os.path.realpath(__file__), *[os.pardir] * 4))


class Place:
    """The board under a root."""

    def __init__(self, root: str = "/") -> None:
        self.root = Root(root)
        self._detection = detection = detect.detect(self.root)
        if detection.board is None:
            raise UnknownBoard(
                f"this is a {detection.soc} ({detection.model or 'no model name'}), but it is not "
                f"known which board of {', '.join(detection.candidates)}; run `hotpath boards`"
            )
        self.board = detection.board
        self.telemetry = Telemetry(self.root, self.board)

    def describe(self) -> Dict[str, Any]:
        """Return the evidence's ``board``."""
        return {
            "name": self.board.name,
            "model": self._detection.model,
            "soc": self._detection.soc,
            "release": self._detection.l4t,
            "jetpack": self._detection.jetpack,
            "system": self._detection.system,
            "cpus": self.telemetry.read().get("cpu_online_count"),
        }

    def state(self) -> Dict[str, Any]:
        """Return the state that the evidence keeps as ``before`` and ``after``."""
        recorder = Recorder(self.root.folder)
        telemetry = Telemetry(recorder, detect.detect(recorder).board)
        sample, locked, mode = telemetry.read(), telemetry.locked(), telemetry.power_mode()
        return {
            "power_mode": {"id": mode.id, "name": mode.name} if mode else None,
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


def commit_of(tree: str) -> Tuple[Optional[str], Optional[bool]]:
    """Return (commit, whether files differ from it) of a checkout; (None, None) without git."""
    try:
        head = git(["rev-parse", "HEAD"], tree).strip()
        return head, bool(git(["status", "--porcelain", "--untracked-files=no"], tree).strip())
    except GitFailed:
        return None, None


@contextlib.contextmanager
def worktree(reference: str) -> Iterator[str]:
    """Check a commit out into a temporary folder, and give this."""
    folder = tempfile.mkdtemp(prefix="hotpath-fps-")
    tree = os.path.join(folder, "tree")
    try:
        git(["worktree", "add", "--detach", tree, reference])
        yield tree
    finally:
        with contextlib.suppress(GitFailed):
            git(["worktree", "remove", "--force", tree])
        shutil.rmtree(folder, ignore_errors=True)


def git(arguments: List[str], tree: str = CHECKOUT) -> str:
    """Return what a git command prints in a checkout."""
    if not os.path.exists(os.path.join(tree, ".git")):
        raise GitFailed(f"{tree} is not a git checkout; clone the repository")
    try:
        done = run(["git", *arguments], cwd=tree, universal_newlines=True, stdout=PIPE, stderr=PIPE)
    except OSError as error:
        raise GitFailed(f"git does not run: {error.strerror}; install it") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        raise GitFailed(f"git {arguments[0]}: {why}; name a commit of this repository")
    return done.stdout
