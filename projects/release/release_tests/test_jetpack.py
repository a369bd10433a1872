"""The table of JetPacks is the one place of their versions: everything else says the same."""

import re

import pytest

from hotpath.boards import jetpacks, load_board, names
from tests.boards.test_dockerfile import SNAPSHOTS
from tests.support import ROOT, files
from tests.support.board_roots import BoardRoot

pytestmark = pytest.mark.pythons("TOML without a library")

JETSONS = [load_board(name) for name in names() if name.startswith("jetson_")]
PIN = re.compile(r"\b([a-z][\w-]*)(==|<)([\d.]*\d)")
# what happened, and a computer's own PyCUDA
ELSEWHERE = ("CHANGELOG.md", "docs/results/", "boards/software/", "tests/boards/snapshots/")
OWN = {("projects/nogpu/hotpath_nogpu/cuda/prepare.sh", "pycuda" + "==2026.1")}


def pins():
    """Library -> the requirements of it in the table."""
    found = {}
    for versions in jetpacks().values():
        for name, sign, version in PIN.findall(versions["gpu_arrays"]):
            found.setdefault(name, set()).add(name + sign + version)
    return found


def test_every_jetpack_is_of_a_board_and_says_what_is_known():
    used = {name for board in JETSONS for name in board.software}
    assert used == set(jetpacks()) and all(board.software for board in JETSONS)
    keys = {"l4t", "python", "cuda", "cudnn", "tensorrt", "numpy", "gpu_arrays", "graphs"}
    assert all(keys <= set(versions) <= keys | {"opencv"} for versions in jetpacks().values())


def test_no_file_names_another_version_of_what_the_table_pins():
    known = pins()
    assert {"pycuda", "pytools", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x"} <= set(known)
    other = []
    for name in files():
        path = ROOT / name
        kind = path.suffix in (".py", ".md", ".toml", ".sh", ".l4t", ".txt", ".yml", "")
        if not kind or name.startswith(ELSEWHERE) or not path.is_file() or path.is_symlink():
            continue
        for library, sign, version in PIN.findall(path.read_text("utf-8", "replace")):
            pin = library + sign + version
            if library in set(known) - {"numpy"} and pin not in known[library]:
                other.append((name, pin))
    assert set(other) == OWN


def test_the_files_of_each_fresh_board_are_of_its_release(tmp_path):
    for release, snapshot in SNAPSHOTS.items():
        found = BoardRoot(snapshot, tmp_path / release).detect()
        assert found.software["l4t"].split()[0].startswith(release[1:]), release
