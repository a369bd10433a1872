"""The quickstart notebook, executed from its own cells. Its cells of the tag "install" are not."""

import json
import os
import sys

import pytest

from tests.support import ROOT, run

pytest.importorskip("matplotlib")
pytest.importorskip("onnxruntime")
NOTEBOOK = ROOT / "docs" / "examples" / "quickstart.ipynb"
TOLD = """
import json

print(json.dumps({
    "states": states,
    "figures": [len(plt.figure(number).axes) for number in plt.get_fignums()],
    "boxes": [list(track.box) for track in tracks],
    "speeds": speeds,
}))
"""


@pytest.fixture
def code():
    """The source of the cells that are run, and of a last one that tells what came of them."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell["metadata"].get("tags") for cell in cells].count(["install"]) == 1
    plain = [cell for cell in cells if cell["cell_type"] == "code" and not cell["metadata"]]
    return "\n".join(["".join(cell["source"]) for cell in plain] + [TOLD])


def test_it_installs_a_wheel_beside_it_a_clone_or_the_published(tmp_path, monkeypatch):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if cell["metadata"].get("tags") == ["install"]]
    program, pip = "".join(cell["source"]).rsplit("\n", 1)
    assert pip.startswith("%pip install") and "{HOTPATH}" in pip

    def installed(folder):
        monkeypatch.chdir(folder)
        names = {}
        exec(program, names)
        return names["HOTPATH"]

    assert installed(NOTEBOOK.parent) == "../.."
    assert installed(tmp_path) == "hotpath-tracker"
    wheel = "hotpath_tracker-0.4.0.dev0-py3-none-any.whl"
    (tmp_path / wheel).touch()
    assert installed(tmp_path) == wheel


def check(told):
    """The cart goes behind the wall and comes out of it again."""
    found = json.loads(told.strip().splitlines()[-1])
    order = [now for now, before in zip(found["states"], ["", *found["states"]]) if now != before]
    assert "".join(state[0] for state in order if state != "unsure") == "tlt"
    x, y, w, h = found["boxes"][-1]
    assert abs(x + w / 2 - 40 - 3.4 * 149 - 30) < 15 and 0.7 < w / 60 < 1.4
    assert abs(found["speeds"][-1] - 85) < 15 and found["figures"] == [4, 2]


def test_the_notebook_finds_its_target_again(code, tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), MPLBACKEND="Agg")
    done = run([sys.executable, "-c", code], cwd=str(tmp_path), env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    check(done.stdout)
