"""A fresh board: a Python of its own, a root with the board's files, and sudo and apt-get.

The Python is a copy of one that pyenv installed, so that pip treats it as the system's. ``apt-get``
installs what an image would bring, from the table of ``environments.toml``, and refuses all else.
"""

import os
import pathlib
import shutil
import subprocess

from hotpath.base import toml
from hotpath.boards import jetpacks, load_board
from tests.support import board_roots, run

TABLE = pathlib.Path(__file__).with_name("environments.toml")

LEFT_OUT = shutil.ignore_patterns("test", "tests", "__pycache__", "config-*", "idlelib", "tkinter")
APT = """#!/bin/sh
[ "$1" = update ] && exit 0
shift
for package in "$@"; do
  case $package in
{cases}
    *) echo "E: Unable to locate package $package" >&2; exit 100;;
  esac
done
"""


# The environment of `make setup`: small wheels, and the metadata of those that are large.
MAKE = """#!/bin/sh -e
[ "$1" = setup ]
python3 -m venv .venv
.venv/bin/python -m pip install -q -c constraints.txt {wheels}
for name in {marks}; do mkdir .venv/lib/{python}/site-packages/$name-0.dist-info; done
"""


class Failed(Exception):
    """A step of a fresh board failed; the text says which, with the end of its output."""


def environments():
    """The tables of ``environments.toml``, with what their JetPack and their board say."""
    tables = toml.read(TABLE, Failed)
    for table in tables.values():
        if "jetpack" in table:
            versions = jetpacks()[table["jetpack"]]
            table["python"] = versions["python"]
            table["capability"] = load_board(table["board"]).gpu["compute_capability"]
            table["image"]["python3-numpy"] = "numpy==" + versions["numpy"]
    return tables


class Machine:
    """A fresh board in a folder: the Python, the root and the programs; nothing is installed yet.

    Args:
        table: one of ``environments``.
        source: folder of the Python to copy (pyenv's).
        say: is told of each step.
    """

    def __init__(self, table, folder, source, say):
        self.table, self.folder, self.say = table, folder, say
        names = ("python", "bin", "home", "root")
        self.system, self.bin, self.home, self.root = (folder / name for name in names)
        self._python = "python" + table["python"]
        shutil.rmtree(str(folder), ignore_errors=True)
        for path in (self.bin, self.home, self.root):
            path.mkdir(parents=True)
        shutil.copytree(str(source), str(self.system), symlinks=True, ignore=LEFT_OUT)
        for site in self.system.glob("lib/python3*/site-packages/*"):
            if site.name not in ("README.txt",) and not site.name.startswith("_sandboxing"):
                shutil.rmtree(str(site)) if site.is_dir() else site.unlink()
        self._lay_out_root()
        self._write("sudo", '#!/bin/sh\nexec "$@"\n')
        self._write("apt-get", APT.format(cases="\n".join(self._cases())))
        if "setup" in table:
            self._write("make", MAKE.format(python=self._python, **table["setup"]))

    def _lay_out_root(self):
        """The board's files, without any Python package."""
        if self.table["snapshot"]:
            board_roots.restore(
                board_roots.FOLDER / (self.table["snapshot"] + ".snapshot"), self.root
            )
        else:
            board = self.root / "proc/driver/nvidia"
            board.mkdir(parents=True)
            (board / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580\n")
            (self.root / "usr/bin").mkdir(parents=True)
            (self.root / "usr/bin" / self._python).write_text("")
            library = self.root / "usr/lib" / self._python
            library.mkdir(parents=True)
            (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]")  # as Debian 12
        for packages in self.root.glob("usr/**/dist-packages"):
            shutil.rmtree(str(packages))
        managed = self.root / "usr/lib" / self._python / "EXTERNALLY-MANAGED"
        if managed.exists():  # pip must refuse here too
            target = self.system / "lib" / self._python / managed.name
            target.write_text("[externally-managed]\nError=use an environment\n")
        here = self.root / "usr/local/lib" / self._python / "dist-packages"
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(self.packages_of(self.system))

    def _cases(self):
        """One branch of apt-get for each package of the image."""
        managed = any(self.root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"))
        python = f"{self.system}/bin/python3"
        # an image's packages need no pip on it: that of ensurepip runs from its wheel
        library = self.packages_of(self.system).parent
        wheel = sorted(library.glob("ensurepip/_bundled/pip-*.whl"))[-1]
        pip = f"{python} -m pip install -q -I --no-deps"
        for package, version in self.table["image"].items():
            install = f"PYTHONPATH={wheel} {pip}" if managed or package == "python3-pip" else pip
            install += " --break-system-packages" if managed else ""
            wheels = " ".join(f"'{wheel}'" for wheel in version.split())
            install = f"{install} {wheels}" if version else ":"
            yield f"    {package}) {install} || exit;;"
        # TensorRT is the fake; its metadata is what the doctor looks for
        mark = self.packages_of(self.system) / "tensorrt-0.dist-info"
        yield f"    python3-libnvinfer|nvidia-jetpack) mkdir -p '{mark}' || exit;;"

    def _write(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def packages_of(self, prefix):
        return prefix / "lib" / self._python / "site-packages"

    @property
    def environment(self):
        """The environment that the doctor's commands made, or None."""
        made = self.home / "hotpath-venv"
        return made if made.exists() else None

    def run(self, what, command, folder, accepted=(0,), **more):
        """Run a shell command on the board and return its output.

        Raises:
            Failed: its exit code is none of the accepted ones.
        """
        made = [self.environment, folder / ".venv"]  # what the doctor's commands made
        first = [str(each / "bin") for each in made if each and each.exists()]
        path = os.pathsep.join(first + [str(self.bin), str(self.system / "bin"), "/usr/bin:/bin"])
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_"))}
        # the user's own cache of pip, so that large wheels come once
        kept.setdefault("PIP_CACHE_DIR", os.path.expanduser("~/.cache/pip"))
        variables = dict(kept, PATH=path, HOME=str(self.home), **more)
        shell = ["sh", "-c", command]
        done = run(shell, cwd=str(folder), env=variables, stderr=subprocess.STDOUT)
        if done.returncode not in accepted:
            raise Failed(
                f"{what}: `{command}` ended with {done.returncode}:\n{done.stdout[-3000:]}"
            )
        return done.stdout
