"""The origin of figures: the commit of the code, its contents, and the processor."""

import functools
import hashlib
import platform
import subprocess
from pathlib import Path

from hotpath import kernels, runtime
from hotpath.boards.detect import detect

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (".py", ".toml", ".cpp", ".h", ".onnx")  # files that the boxes may depend on


def commit() -> str | None:
    """The commit of the code and whether files differ from it; None outside of a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The name of this machine's processor, or of the board."""
    return detect().model or platform.processor() or platform.machine()


@functools.cache
def code_identity() -> str:
    """sha256 of all code of the runtime and the kernels, on which every run depends."""
    digest = hashlib.sha256()
    for package in (runtime, kernels):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                digest.update(str(path.relative_to(root)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
