"""cupy_launch.py uses only names that the real CuPy has, and does what pycuda_launch.py does.

It runs on a stand-in with those names on the fake driver; the real CuPy needs the real driver.
"""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.fakes.cuda import build
from tests.support.fake_gpu import TOOLS, need, track

STAND_IN = os.path.join(build.HERE, "cupy_stand_in")
REAL = os.path.join(build.CACHE, "cupy-{}.{}".format(*sys.version_info))
SOURCE = os.path.join(build.KERNELS, "cupy_launch.py")

RESOLVE = """
import importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    here = importlib.import_module("cupy")
    try:
        for part in name.split(".")[1:]:
            here = getattr(here, part)
        found[name] = "there"
    except AttributeError:
        found[name] = "missing"
import cupy
found["ptr of a stream"] = hasattr(cupy.cuda.ExternalStream(0), "ptr")
found["file of a module"] = cupy.RawModule(path="/nowhere.cubin").file_path
print(json.dumps(found))
"""


def real(names):
    """dict of dotted name -> "there" or "missing" in the real CuPy, which imports without a GPU."""
    if not os.path.isfile(os.path.join(REAL, "as-installed.txt")):
        pytest.skip(
            f"no {os.path.relpath(REAL, build.ROOT)}: CuPy was not prepared for this Python"
        )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((REAL, TOOLS)))
    printed = subprocess.check_output(
        [sys.executable, "-c", RESOLVE, json.dumps(sorted(names))], env=environment
    )
    return json.loads(printed.decode())


def names_in(source):
    """Dotted names below ``cupy`` that a file uses."""
    with open(source) as file:
        tree = ast.parse(file.read())
    names = set()
    for node in ast.walk(tree):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id == "cupy":
            names.add(".".join(["cupy"] + parts[::-1]))
    return names


def test_every_name_that_is_used_is_in_the_real_cupy():
    names = names_in(SOURCE)
    assert "cupy.RawModule" in names and "cupy.cuda.runtime.memcpyAsync" in names
    found = real(names | {"cupy.cuda.runtime.memcpyLater"})
    assert [name for name in names if found[name] != "there"] == []
    assert found["cupy.cuda.runtime.memcpyLater"] == "missing"
    assert found["ptr of a stream"] and found["file of a module"] == "/nowhere.cubin"


def test_the_stand_in_has_nothing_that_the_real_cupy_has_not():
    """Otherwise a test could pass with a name that only the stand-in has."""
    names = set()
    for folder, _, files in os.walk(STAND_IN):
        for name in files:
            if not name.endswith(".py") or (name.startswith("_") and name != "__init__.py"):
                continue
            path = os.path.relpath(os.path.join(folder, name), STAND_IN)[: -len(".py")]
            module = path.replace(os.sep, ".").replace(".__init__", "")
            with open(os.path.join(folder, name)) as file:
                tree = ast.parse(file.read())
            for node in tree.body:
                names.update(module + "." + part for part in _public(node))
    assert "cupy.cuda.Stream.synchronize" in names
    found = real(names)
    assert [name for name in names if found[name] != "there"] == []


def _public(node):
    """Names that a top-level statement defines, methods included."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
        yield node.name
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                yield node.name + "." + inner.name
    if isinstance(node, ast.Assign) and not node.targets[0].id.startswith("_"):
        yield node.targets[0].id


@pytest.fixture(scope="module")
def stand_in():
    need(TOOLS)
    return STAND_IN


@pytest.mark.parametrize("graph", [False, True])
def test_a_film_is_tracked_as_through_pycuda(stand_in, graph):
    found = track(graph=graph, frames=30, library="cupy", site=stand_in)
    assert found["library"] == "cupy" and found["uses_graph"] == graph
    expected = track(graph=False, frames=30)
    assert found["cells"] == expected["cells"]
    assert found["states"].tobytes() == expected["states"].tobytes()
    for name in ("allocations", "pinned_allocations"):
        assert found["counts"][name] == 0
    assert found["counts"]["synchronisations"] == 30
    assert found["counts"]["download_bytes"] == 30 * 64
    assert found["own"]["launches"] == found["counts"]["launches"] == 90


def test_both_files_add_the_same_methods_with_the_same_parameters():
    methods = []
    for name in ("device", "cupy_launch", "pycuda_launch"):
        with open(os.path.join(build.KERNELS, name + ".py")) as file:
            tree = ast.parse(file.read())
        device = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Device")
        methods.append(
            {
                node.name: [argument.arg for argument in node.args.args]
                for node in device.body
                if isinstance(node, ast.FunctionDef) and node.name != "__init__"
            }
        )
    shared, cupy, pycuda = methods
    assert all(shared[n] == each[n] for each in (cupy, pycuda) for n in each if n in shared)
    added = [{n: each[n] for n in each if n not in shared} for each in (cupy, pycuda)]
    assert added[0] == added[1] and len(added[0]) > 11
