"""The thin runtime: what a tracker imports for a frame has a budget, which README states."""

import json
import sys

import pytest

from hotpath.runtime import engines
from tests.support import ROOT, run
from tests.support.needs import why_no_module

MOST_LINES = 10000  # of Python on a computer, the C++ aside
MORE_OF_A_BUNDLE = 2200  # the bundle's reader, and which board this is
# The second of two runs counts: the first one makes what later ones find in the user's cache.
CODE = """
import json, os, sys
import numpy as np
import hotpath
with hotpath.load_tracker(**json.loads(sys.argv[1])) as tracker:
    frame = np.random.RandomState(0).randint(0, 255, (360, 640, 3), np.uint8)
    tracker.init(frame, (100, 100, 50, 50))
    tracker.update(frame)
folder = os.path.dirname(hotpath.__file__) + os.sep
modules = sys.modules.values()
files = {getattr(module, "__file__", None) or "" for module in modules}
lines = {f[len(folder):]: sum(1 for _ in open(f)) for f in files if f.startswith(folder)}
print(json.dumps(lines))
"""


def imported(**options):
    """Lines of each file of ours that a tracker imports for a frame."""
    for _ in range(2):
        done = run([sys.executable, "-W", "ignore", "-c", CODE, json.dumps(options)], cwd=str(ROOT))
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check_budget(lines, most):
    total = sum(lines.values())
    largest = sorted(lines, key=lines.get)[-10:]
    assert total <= most, f"{total} lines in {len(lines)} files; the largest are {largest}"
    return total


@pytest.mark.parametrize("engine", engines.PREFERRED)
def test_what_a_tracker_imports_is_within_the_budget(engine):
    if not engines.find(engine).is_installed():
        pytest.skip(f"{engine} is not installed; run `make setup`")
    lines = imported(engine=engine)
    total = check_budget(lines, MOST_LINES)
    assert "runtime/tracker/witness.py" in lines and total > MOST_LINES / 2  # both networks ran
    assert not [name for name in lines if "schema" in name or name.startswith("graphs/")]


@pytest.mark.skipif(bool(why_no_module("ncnn")), reason=why_no_module("ncnn"))
def test_a_bundle_adds_its_reader_and_the_detection_of_the_board(tmp_path):
    build = [sys.executable, "-m", "hotpath", "engine", "host", "--engine", "ncnn"]
    build += ["--network", "kestrel", "--precision", "fp32", "--out", str(tmp_path)]
    assert run(build, cwd=str(ROOT)).returncode == 0
    (bundle,) = (tmp_path / "host").iterdir()
    lines = imported(bundle=str(bundle), engine="ncnn")
    check_budget(lines, MOST_LINES + MORE_OF_A_BUNDLE)
    assert "runtime/networks/bundle.py" in lines


def test_readme_states_the_budget():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"fewer than {MOST_LINES:,} lines of Python" in text
