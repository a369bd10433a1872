"""The commit of this checkout, and other commits in a folder of their own."""

import contextlib
import os
import shutil
import tempfile
from subprocess import PIPE, run
from typing import Iterator, List, Optional, Tuple

from hotpath.deploy.errors import GitFailed

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

Commit = Tuple[Optional[str], Optional[bool]]  # hash, whether files differ from it


def commit() -> Commit:
    """Return (commit, whether files differ from it) of this checkout; (None, None) without git."""
    try:
        head = git(["rev-parse", "HEAD"]).strip()
        return head, bool(git(["status", "--porcelain", "--untracked-files=no"]).strip())
    except GitFailed:
        return None, None


@contextlib.contextmanager
def worktree(reference: str) -> Iterator[Tuple[str, str]]:
    """Check a commit out into a temporary folder. Gives (folder, commit)."""
    name = git(["rev-parse", "--verify", reference + "^{commit}"]).strip()
    folder = tempfile.mkdtemp(prefix="hotpath-fps-")
    tree = os.path.join(folder, "tree")
    try:
        git(["worktree", "add", "--detach", tree, name])
        yield tree, name
    finally:
        with contextlib.suppress(GitFailed):
            git(["worktree", "remove", "--force", tree])
        shutil.rmtree(folder, ignore_errors=True)


def git(arguments: List[str]) -> str:
    """Return what a git command prints."""
    if not os.path.exists(os.path.join(CHECKOUT, ".git")):
        raise GitFailed(f"{CHECKOUT} is not a git checkout; clone the repository")
    try:
        done = run(
            ["git", *arguments], cwd=CHECKOUT, universal_newlines=True, stdout=PIPE, stderr=PIPE
        )
    except OSError as error:
        raise GitFailed(f"git does not run: {error.strerror}; install it") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        raise GitFailed(f"git {arguments[0]}: {why}; name a commit of this repository")
    return done.stdout
