"""No circle of files at all; `make lint` holds the layers that pyproject.toml states."""

import importlib.util
import sys

import pytest

from tests.support import ROOT, run

# In a process of its own: grimp starts threads, which do not go with all libraries of other tests.
CODE = """
import graphlib, grimp
packages = "kernels", "boards", "runtime", "calib"
graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
assert len(graph.modules) > 200
imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
graphlib.TopologicalSorter(imports).prepare()
"""


@pytest.mark.skipif(importlib.util.find_spec("grimp") is None, reason="needs import-linter")
def test_no_file_imports_itself_through_others():
    """Also where the contract about folders makes an exception, and inside functions."""
    done = run([sys.executable, "-c", CODE], cwd=str(ROOT))
    assert done.returncode == 0, done.stderr
