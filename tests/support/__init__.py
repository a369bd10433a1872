"""What tests share: small networks, films, senders of streams, boards as folders."""

import fnmatch
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "hotpath"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def run(words, **options):
    """Run a program to its end, without input: its ``returncode``, ``stdout`` and ``stderr``."""
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    streams.update(stdin=subprocess.DEVNULL, universal_newlines=True)
    return subprocess.run([str(word) for word in words], **dict(streams, **options))


def files():
    """List the sources, relative to the root: by git, or in a release without it by .gitignore."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.check_output(words, cwd=str(ROOT)).decode().split("\0")
        return sorted({name for name in names if name and os.path.lexists(str(ROOT / name))})
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    at_top = {line.strip("/") for line in ignored if line.count("/") == 2 and line[0] == "/"}
    anywhere = [line.strip("/").split("/")[-1] for line in ignored if line.strip("/") not in at_top]
    found = []
    for folder, folders, names in os.walk(str(ROOT)):
        here = pathlib.Path(folder).relative_to(ROOT)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        kept = [
            name
            for name in folders + names
            if name != ".git"
            and not any(fnmatch.fnmatch(name, pattern) for pattern in anywhere)
            and not (here == pathlib.Path() and name in at_top)
        ]
        folders[:] = [name for name in folders if name in kept and name not in links]
        found += [str(here / name) for name in kept if name not in folders]
    return sorted(found)
