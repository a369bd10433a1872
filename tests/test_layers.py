"""The layers of the packages, which pyproject.toml states, and no circle of files at all."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.support import ROOT

if importlib.util.find_spec("grimp") is None:
    pytest.skip("needs import-linter: make setup", allow_module_level=True)

# In a process of its own: grimp starts threads, which do not go with all libraries of other tests.
CODE = """
import json, grimp
packages = "kernels", "boards", "runtime", "calib"
graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
imports = {m: sorted(graph.find_modules_directly_imported_by(m)) for m in graph.modules}
print(json.dumps(imports))
"""


@pytest.fixture(scope="module")
def imports():
    """dict of module -> modules that it imports, those inside functions too."""
    told = subprocess.run(
        [sys.executable, "-c", CODE], cwd=str(ROOT), stdout=subprocess.PIPE, check=True
    )
    return json.loads(told.stdout.decode())


def reached(imports, module):
    """dict of module that ``module`` needs, directly or not -> the one that it is imported by."""
    found, ahead = {}, [module]
    while ahead:
        importer = ahead.pop(0)
        for imported in imports[importer]:
            if imported not in found:
                found[imported] = importer
                ahead.append(imported)
    return found


def chain(found, module, end):
    """The shortest way from ``module`` to ``end`` as a text."""
    way = [end, found[end]]
    while way[-1] != module:
        way.append(found[way[-1]])
    return " -> ".join(reversed(way))


def test_no_file_imports_itself_through_others(imports):
    """Also where the contract about folders makes an exception."""
    assert len(imports) > 200
    ways = {module: reached(imports, module) for module in imports}
    assert not [chain(way, module, module) for module, way in ways.items() if module in way]


@pytest.mark.parametrize(
    "below, above",
    [
        ("kernels", ("boards", "runtime", "calib")),
        ("runtime", ("calib", "boards.build", "boards.doctor")),
    ],
)
def test_no_package_imports_one_above_it(imports, below, above):
    for module in imports:
        if (module + ".").startswith(below + "."):
            way = reached(imports, module)
            ends = [end for end in way if (end + ".").startswith(tuple(a + "." for a in above))]
            assert not ends, chain(way, module, ends[0])
