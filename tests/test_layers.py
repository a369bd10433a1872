"""No circle of files at all; `make lint` holds the layers that pyproject.toml states."""

import os
import re
import sys

import pytest

from hotpath.base.messages import PROJECTS
from tests.support import PACKAGE, ROOMS, ROOT, run
from tests.support.needs import why_no_module

# In a process of its own: grimp starts threads, which do not go with all libraries of other tests.
CODE = """
import graphlib, grimp
graph = grimp.build_graph("hotpath", exclude_type_checking_imports=True, cache_dir=None)
assert graph.modules
imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
graphlib.TopologicalSorter(imports).prepare()
"""


@pytest.mark.skipif(bool(why_no_module("grimp")), reason=why_no_module("grimp"))
def test_no_file_imports_itself_through_others():
    """Also where the contract about folders makes an exception, and inside functions."""
    done = run([sys.executable, "-c", CODE], cwd=str(ROOT))
    assert done.returncode == 0, done.stderr


def test_the_package_has_the_rooms_and_nothing_else():
    files = {path.name for path in PACKAGE.iterdir()} - set(ROOMS) - {"__pycache__"}
    assert files == {"__init__.py", "__main__.py", "links.py", "py.typed"}


def test_four_rooms_have_a_link_at_the_root():
    links = {path.name: os.readlink(str(path)) for path in ROOT.iterdir() if path.is_symlink()}
    assert links == {room: f"hotpath/{room}" for room in ("boards", "calib", "kernels", "runtime")}


def test_hotpath_finds_its_projects_by_their_entry_points():
    named = re.compile(r"^\s*(from|import) hotpath_\w+", re.MULTILINE)
    assert named.search("def f():\n    from hotpath_lab import tune\n")
    files = [path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")]
    assert files
    assert not [path for path in files if named.search(path.read_text(encoding="utf-8"))]


def test_sentences_know_the_projects_that_there_are():
    folders = {path.parent.name for path in (ROOT / "projects").glob("*/pyproject.toml")}
    assert set(PROJECTS) == folders
