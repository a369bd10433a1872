"""No circle of files at all; `make lint` holds the layers that pyproject.toml states."""

import fnmatch
import sys

import pytest

from tests.support import ROOT, run
from tests.support.needs import why_no_module

# In a process of its own: grimp starts threads, which do not go with all libraries of other tests.
CODE = """
import graphlib, grimp
graph = grimp.build_graph("hotpath", exclude_type_checking_imports=True, cache_dir=None)
assert len(graph.modules) > 200
imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
graphlib.TopologicalSorter(imports).prepare()
"""


@pytest.mark.skipif(bool(why_no_module("grimp")), reason=why_no_module("grimp"))
def test_no_file_imports_itself_through_others(tmp_path):
    """Also where the contract about folders makes an exception, and inside functions."""
    package = tmp_path / "hotpath"  # grimp reads folders
    package.mkdir()
    (package / "__init__.py").write_text("")  # not hotpath.py: it imports the runtime
    for name in ("boards", "calib", "kernels", "runtime"):
        (package / name).symlink_to(ROOT / name)
    done = run([sys.executable, "-c", CODE], cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_pytest_goes_into_every_folder_of_tests(pytestconfig):
    files = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")]
    folders = {name for path in files for name in path.parts[:-1]}
    assert "build" in folders
    for pattern in pytestconfig.getini("norecursedirs"):
        assert not fnmatch.filter(folders, pattern), pattern
