"""An ARM machine in a folder: Debian's files, real wheels, and QEMU to run its programs here.

``bin/python3`` runs the machine's Python under QEMU. It is that Python's own name too
(``sys.executable``), so that a test may start processes. ``c++`` is the cross compiler: it takes
-mcpu=native for the core, as the compiler of such a board does.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from hotpath.base import toml
from tests.support import ROOT

HOME = ROOT / ".cache" / "arm"
MIRROR = "http://deb.debian.org/debian"  # bare: Ubuntu's mmdebstrap then finds Debian's keys
PYTHON = """#!/bin/sh
exec {qemu} -L {root} -0 "$0" -E PYTHONHOME={root}/usr \
-E PYTHONPATH={work}:{work}/projects/release:{site} {root}/usr/bin/python{python} "$@"
"""
COMPILER = """#!/bin/bash
# The core is part of the version, so that each core has a library of its own.
if [ "$*" = --version ]; then echo "$({compiler} --version | head -1) for {core}"; exit; fi
for flag; do
  case $flag in
    -march=native) echo "error: this compiler knows -mcpu=native" >&2; exit 1;;
    -mcpu=native) flags+=(-mcpu={core});;
    *) flags+=("$flag");;
  esac
done
exec {compiler} "${{flags[@]}}"
"""


class Missing(Exception):
    """A program or a download is missing; the text says which."""


TABLE = toml.read(pathlib.Path(__file__).with_name("machine.toml"), Missing)


def exit_code(prog, main):
    """Run ``main``; returns its exit code, or 2 where something is missing."""
    try:
        return main()
    except Missing as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2


class Machine:
    """The machine of ``machine.toml``; its folder is made unless it is complete. Raises Missing."""

    cores = TABLE["cores"]
    folder = HOME / "aarch64"

    def __init__(self):
        self.root, self.site, self.bin = (self.folder / n for n in ("root", "site", "bin"))
        for program in ("mmdebstrap", TABLE["qemu"], TABLE["compiler"]):
            if shutil.which(program) is None:
                raise Missing(f"{program} is not installed")
        stamp = self.folder / "complete"
        wanted = hashlib.sha256(
            json.dumps([TABLE, PYTHON, COMPILER, str(ROOT)], sort_keys=True).encode()
        ).hexdigest()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        shutil.rmtree(str(self.folder), ignore_errors=True)
        self.bin.mkdir(parents=True)
        self._unpack_packages()
        self._unpack_wheels()
        self._write_programs()
        stamp.write_text(wanted)

    def _unpack_packages(self):
        command = ["mmdebstrap", "--variant=extract", "--quiet"]
        command += ["--architectures=" + TABLE["debian"]]
        command += ["--include=" + ",".join(TABLE["packages"]), TABLE["release"]]
        self._download(command + [str(self.root), MIRROR])

    def _unpack_wheels(self):
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        command += ["--no-deps", "--only-binary", ":all:", "--target", str(self.site)]
        command += ["--python-version", TABLE["python"].replace(".", "")]
        for platform in (*TABLE["platforms"], "any"):
            command += ["--platform", platform]
        self._download(command + TABLE["wheels"])

    def _download(self, command):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, **streams)
        if done.returncode:
            text = done.stdout.decode(errors="replace")[-1500:]
            raise Missing("`{}` failed:\n{}".format(" ".join(command), text))

    def _write_programs(self):
        values = dict(TABLE, root=self.root, site=self.site, work=ROOT)
        texts = {"python3": PYTHON.format(**values)}
        for core in self.cores:
            for name in ("c++", "g++"):
                texts[f"{core}/{name}"] = COMPILER.format(core=core, **values)
        for name, text in texts.items():
            path = self.bin / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def run(self, core, arguments, **options):
        """Run its Python on a core, as ``subprocess.run``."""
        path = [str(self.bin / core), str(self.bin), os.environ.get("PATH", os.defpath)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_"))}
        variables = dict(
            kept,
            PATH=os.pathsep.join(path),
            QEMU_CPU=TABLE["emulated"].get(core, core),  # an older one where it lacks that
            OMP_NUM_THREADS="1",
            HYPOTHESIS_STORAGE_DIRECTORY=str(self.folder / "hypothesis"),
        )
        command = [str(self.bin / "python3")] + [str(argument) for argument in arguments]
        return subprocess.run(
            command, cwd=str(ROOT), env=variables, stdin=subprocess.DEVNULL, **options
        )
