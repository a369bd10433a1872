"""Find or make the checkouts that are timed: this one, and those of other commits."""

import contextlib
import os
import shutil
import tempfile
from subprocess import PIPE, run
from typing import Iterator, List, Optional, Tuple

from hotpath.deploy.errors import GitFailed

CHECKOUT = os.path.abspath(os.path.join(os.path.realpath(__file__), *[os.pardir] * 4))


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
