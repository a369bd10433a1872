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
-E PYTHONPATH={work}:{work}/projects/release:{site} \
-E LD_LIBRARY_PATH={paths} {root}/usr/bin/python{version} "$@"
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


class MissingDownload(Exception):
    """A program or a download is missing; the text says which."""


TABLE = toml.read(pathlib.Path(__file__).with_name("machines.toml"), MissingDownload)


def exit_code(name, main):
    """Run ``main``; returns its exit code, or 2 where something is missing."""
    try:
        return main()
    except MissingDownload as error:
        print(f"hotpath_release.arm.{name}: {error}", file=sys.stderr)
        return 2


class ArmMachine:
    """A machine of ``machines.toml``; its folder is made unless it is complete. Raises Missing."""

    def __init__(self, name):
        self.name, self.table = name, TABLE[name]
        self.cores = self.table["cores"]
        self.folder = HOME / name
        self.root, self.site, self.bin = (self.folder / n for n in ("root", "site", "bin"))
        for program in ("mmdebstrap", self.table["qemu"], self.table["compiler"]):
            if shutil.which(program) is None:
                raise MissingDownload(f"{program} is not installed")
        stamp = self.folder / "complete"
        wanted = hashlib.sha256(
            json.dumps([self.table, PYTHON, COMPILER, str(ROOT)], sort_keys=True).encode()
        ).hexdigest()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        shutil.rmtree(str(self.folder), ignore_errors=True)
        self.bin.mkdir(parents=True)
        self._unpack_packages()
        self._unpack_wheels()
        self._write_programs()
        stamp.write_text(wanted)

    def emulated(self, core):
        """Name of the core that QEMU emulates for ``core``: an older one where it lacks that."""
        return self.table.get("emulated", {}).get(core, core)

    def _unpack_packages(self):
        command = ["mmdebstrap", "--variant=extract", "--quiet"]
        command += ["--architectures=" + self.table["debian"]]
        command += ["--include=" + ",".join(self.table["packages"]), self.table["release"]]
        self._download(command + [str(self.root), MIRROR])

    def _unpack_wheels(self):
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        command += ["--no-deps", "--only-binary", ":all:", "--target", str(self.site)]
        command += ["--python-version", self.table["python"].replace(".", "")]
        processor = self.table.get("processor", self.name)  # its name in wheels
        for version in self.table["platforms"]:
            command += ["--platform", f"manylinux_{version}_{processor}"]
        command += ["--platform", "manylinux2014_" + processor, "--platform", "any"]
        self._download(command + self.table["wheels"])

    def _download(self, command):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, **streams)
        if done.returncode:
            text = done.stdout.decode(errors="replace")[-1500:]
            raise MissingDownload("`{}` failed:\n{}".format(" ".join(command), text))

    def _write_programs(self):
        paths = ":".join(str(self.root) + path for path in self.table.get("libraries", ()))
        values = dict(self.table, root=self.root, site=self.site, work=ROOT, paths=paths)
        texts = {"python3": PYTHON.format(version=self.table["python"], **values)}
        for core in self.cores:
            for name in ("c++", "g++"):
                texts[f"{core}/{name}"] = COMPILER.format(core=core, **values)
        for name, text in texts.items():
            path = self.bin / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def run(self, core, arguments, more=None, **options):
        """Run its Python on a core, as ``subprocess.run``; more: dict of environment variables."""
        path = [str(self.bin / core), str(self.bin), os.environ.get("PATH", os.defpath)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_"))}
        variables = dict(
            kept,
            PATH=os.pathsep.join(path),
            QEMU_CPU=self.emulated(core),
            OMP_NUM_THREADS="1",
            HYPOTHESIS_STORAGE_DIRECTORY=str(self.folder / "hypothesis"),
            **(more or {}),
        )
        command = [str(self.bin / "python3")] + [str(argument) for argument in arguments]
        return subprocess.run(
            command, cwd=str(ROOT), env=variables, stdin=subprocess.DEVNULL, **options
        )
