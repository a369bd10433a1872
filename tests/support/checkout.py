"""A reader's checkout: the sources, and what a reader runs in it."""

import os
import pathlib
import shutil
import subprocess
import sys

from hotpath_release import environment
from tests import support
from tests.support import ROOT

# such as the extras that `.ci/run` asks for: PyTorch alone takes minutes
NOT_THE_READERS = ("PYTHONPATH", "DISPLAY", "ALSO", "JOBS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
COMMAND = """#!{0}/.venv/bin/python
import sys
sys.path[0] = {0!r}
from hotpath.app.command import main
sys.exit(main())
"""
CLIP = ".cache/bigbuckbunny.mp4"


def copy_to(folder):
    """Copy the sources."""
    for name in support.files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(ROOT / name), str(folder / name), follow_symlinks=False)


def set_up(folder):
    """What `make setup` and a first `make track` leave, by links to this checkout's."""
    (folder / ".venv").mkdir()
    for path in pathlib.Path(sys.prefix).iterdir():
        if path.name != environment.RECORD.name:
            (folder / ".venv" / path.name).symlink_to(path)
    question = ["make", "-s", "--eval", "python: ; @echo $(PYTHON)", "python"]
    python = subprocess.check_output(question, cwd=str(folder), env=readers()).decode().strip()
    record = [environment.fingerprint(python), *environment.extras(), *environment.projects()]
    (folder / ".venv" / environment.RECORD.name).write_text("\n".join(record))  # pip has no work
    (folder / ".venv" / "bin").unlink()
    (folder / ".venv" / "bin").mkdir()
    for path in (pathlib.Path(sys.prefix) / "bin").iterdir():
        (folder / ".venv" / "bin" / path.name).symlink_to(path)
    (folder / ".venv" / "bin" / "hotpath").unlink()
    (folder / ".venv" / "bin" / "hotpath").write_text(COMMAND.format(str(folder)))
    (folder / ".venv" / "bin" / "hotpath").chmod(0o755)
    for name in (CLIP, "hotpath/kernels/cpu/build"):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(ROOT / name)


def readers():
    """The environment of a reader, who has set nothing."""
    return {k: v for k, v in os.environ.items() if k not in NOT_THE_READERS}


def run(folder, command):
    """Run a command of the reader; returns what it printed."""
    options = {"cwd": str(folder), "env": readers(), "stderr": subprocess.STDOUT}
    done = support.run(["bash", "-ec", command], timeout=1200, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}"
    return done.stdout
