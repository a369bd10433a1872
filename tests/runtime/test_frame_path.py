"""A tracked frame can be read in one sitting: it runs through few files, on every device."""

import json
import os
import re
import sys

import pytest

pytest.importorskip("onnxruntime")

from hotpath_nogpu.gpu import python
from tests.support import ROOT, run
from tests.support.needs import needs_kernels

ELSEWHERE = (
    "hotpath.kernels.cuda",
    "hotpath.kernels.fpga",
    "hotpath.runtime.devices.gpu",
    "hotpath.runtime.devices.fpga",
)


MODULES, LINES = 58, 9050  # with a network that searches, after a frame
COUNT = """
import sys
from hotpath import load_tracker
from tests.support import tiny

film, truth = tiny.film(2)
tracker = load_tracker(precision="fp32")
tracker.init(film[0], truth[0])
tracker.update(film[1])
files = {name: module.__file__ for name, module in sys.modules.items()
         if name.startswith("hotpath.")}
print(*(f"{len(open(path).readlines())} {name}" for name, path in sorted(files.items())), sep="\\n")
"""
NOT_LOADED = (
    *("graphs", "kernels.golden", "kernels.cpu.jpeg", "boards.detect", "runtime.bundle"),
    *("runtime.places", "runtime.learner.definition"),  # where nothing could be compiled
)


def test_a_tracker_on_a_computer_loads_few_files(tmp_path):
    """It is the second start that counts: the first one prepares the network's files."""
    needs_kernels()
    words = [sys.executable, "-c", COUNT]
    starts = dict(cwd=str(ROOT), check=True, env=dict(os.environ, HOME=str(tmp_path)))
    said = [run(words, **starts).stdout.splitlines() for _ in range(2)][-1]
    lines = {name: int(count) for count, name in (row.split() for row in said)}
    lines = {name: count for name, count in lines.items() if count > 1}
    loaded = [name for name in lines if name[len("hotpath.") :].startswith(NOT_LOADED)]
    engines = {name for name in lines if name.startswith("hotpath.runtime.engines.")}
    assert not loaded and len(engines) <= 4, (loaded, engines)
    assert 40 < len(lines) <= MODULES and 5000 < sum(lines.values()) <= LINES, lines


@pytest.mark.parametrize(
    "kind, most, own",
    [
        ("processor", 17, {"runtime/devices/processor.py"}),
        ("search", 17, {"runtime/devices/processor.py", "runtime/search/search.py"}),
        ("gpu", 11, {"runtime/devices/gpu.py", "kernels/cuda/windows.py"}),
    ],
)
def test_a_frame_runs_through_few_files(kind, most, own):
    needs_kernels()
    words = ["-m", "tests.support.frame_path", kind]
    if kind == "gpu":
        said = python(words)
    else:
        said = run([sys.executable, *words], cwd=str(ROOT), check=True).stdout
    report = json.loads(said.splitlines()[-1])
    files = set(max(report["files"], key=len))
    assert {"runtime/tracker.py", "runtime/identity.py"} | own <= files
    # what is not searched for is judged by the same cues; the network of the GPU has none
    assert ("runtime/search/search.py" in files) == (kind != "gpu")
    assert len(files) <= most, files
    if kind in ("processor", "search"):
        loaded = [name for name in report["modules"] if name.startswith(ELSEWHERE)]
        assert not loaded and "hotpath.app.links" not in report["modules"]


MOST_CALLS, MOST_FILES = 96, 28  # as many as there are, of one target with its row as CSV
LINE = re.compile(r"^\d+\. `([\w/.]+)`, `(\w+)`: ", re.M)


def test_the_documents_way_of_a_frame_is_that_of_a_trace():
    needs_kernels()
    lines = LINE.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(lines) == 15
    words = [sys.executable, "-m", "tests.support.frame_path", "program"]
    said = run(words, cwd=str(ROOT), check=True).stdout
    calls = list(map(tuple, json.loads(said.splitlines()[-1])))
    assert len(calls) <= MOST_CALLS and len({file for file, _ in calls}) <= MOST_FILES, calls
    calls = iter(calls)
    missing = [line for line in lines if line not in calls]  # each after the one before
    assert not missing
