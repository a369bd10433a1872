"""cupy_launch.py uses only names that the real CuPy has, and does what pycuda_launch.py does.

It runs on a stand-in with those names on the fake driver; the real CuPy needs the real driver.
"""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.counted_run import track
from hotpath_nogpu.fake_gpu import STAND_IN, TOOLS, python
from tests.support.needs import FAKES, skip

REAL = os.path.join(build.CACHE, "cupy-{}.{}".format(*sys.version_info))
DEFINED = re.compile(r"^(    def |class |def |)([a-zA-Z]\w*)(?:[(:]| = )", re.M)
RESOLVE = """
import json, operator, sys
import cupy
missing = []
for name in json.loads(sys.argv[1]):
    try:
        operator.attrgetter(name)(cupy)
    except AttributeError:
        missing.append(name)
stream, module = cupy.cuda.ExternalStream(0), cupy.RawModule(path="/nowhere.cubin")
print(json.dumps([missing, hasattr(stream, "ptr"), module.file_path]))
"""


def names_in_the_stand_in():
    """Dotted names of its public functions, classes, methods and constants."""
    for path in pathlib.Path(STAND_IN).rglob("*.py"):
        *module, last = path.relative_to(STAND_IN).with_suffix("").parts[1:]
        module += [last] * (last != "__init__")
        for before, name in DEFINED.findall(path.read_text()):
            if before == "class ":
                owner = name
            yield ".".join(module + [owner] * before.startswith(" ") + [name])


def test_the_real_cupy_has_every_name_of_the_stand_in():
    """It imports without a GPU."""
    if not os.path.isfile(os.path.join(REAL, "as-installed.txt")):
        skip(*FAKES)
    source = pathlib.Path(build.KERNELS, "cupy_launch.py").read_text()
    used, ours = set(re.findall(r"\bcupy\.([\w.]+)", source)), set(names_in_the_stand_in())
    assert {"RawModule", "cuda.runtime.memcpyAsync"} <= used
    assert {"RawKernel.compile", "cuda.Stream.synchronize"} <= ours
    names = json.dumps(sorted(used | ours | {"cuda.runtime.memcpyLater"}))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((REAL, TOOLS)))
    printed = subprocess.check_output([sys.executable, "-c", RESOLVE, names], env=environment)
    assert json.loads(printed) == [["cuda.runtime.memcpyLater"], True, "/nowhere.cubin"]


PYCUDA = """
from hotpath_nogpu.cuda.counted_run import track
found = track(graph=False, windows=2, frames=30)
print([found["cells"], found["states"].tolist(), found["counts"]["download_bytes"]])
"""


@pytest.mark.fake_gpu(site=STAND_IN)
@pytest.mark.parametrize("graph", [False, True])
def test_a_film_is_tracked_as_through_pycuda(graph):
    found = track(graph=graph, windows=2, frames=30, library="cupy")
    assert found["library"] == "cupy" and found["uses_graph"] == graph
    cells, states, download_bytes = ast.literal_eval(python(["-c", PYCUDA]))
    assert found["cells"] == cells and found["states"].tolist() == states
    assert found["counts"]["allocations"] == 0
    assert found["counts"]["synchronisations"] == 30
    assert found["counts"]["download_bytes"] == download_bytes
    assert found["counts"]["launches"] == 30 * 8
