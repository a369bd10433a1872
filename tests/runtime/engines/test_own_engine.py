"""An engine is one file: added beside the project, it is chosen by its name like the others."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")

from tests import support
from tests.support import ROOT, tiny

# It runs the network by ONNX Runtime, one call at a time, and counts its calls.
MINE = """
import onnxruntime

from hotpath.runtime.engines.base import Engine as Base


class Engine(Base):
    name = "mine"
    runs_files = True
    libraries = ("onnxruntime",)
    install = "pip install onnxruntime"

    def __init__(self, setup):
        super().__init__(setup)
        import numpy as np
        from hotpath.graphs import assemble

        self._graphs = assemble.build(setup.network, setup.paths)
        self._sessions = [
            onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
            for m in (self._graphs.exemplar, self._graphs.search)
        ]
        sides = setup.network.exemplar, setup.network.search
        self.exemplar_crop, self.search_crop = (
            np.zeros((1, 3, side, side), np.float32) for side in sides
        )

    def exemplar(self):
        return tuple(self._sessions[0].run(
            list(self._graphs.features), {self._graphs.image[0]: self.exemplar_crop}
        ))

    def search(self, features):
        given = dict(zip(self._graphs.features, features))
        given[self._graphs.image[1]] = self.search_crop
        return tuple(self._sessions[1].run(list(self._graphs.maps), given))

    def describe(self):
        return {"engine": self.name, "version": "1", "device": "CPU", "precision": "fp32"}
"""


def run(home, *arguments):
    """A fresh Python with the folder ``home`` on its path; its standard output and error."""
    path = os.pathsep.join([str(ROOT), str(home)])
    options = {"cwd": str(home), "env": dict(os.environ, PYTHONPATH=path), "timeout": 200}
    done = support.run([sys.executable, *arguments], stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


CODE = """
import sys
from hotpath.runtime import NoEngine, engines, load_tracker
from tests.support import tiny

assert not {"base", "_helper"} & set(engines.names()) and "mine" in engines.choices(of_files=True)
boxes = []
for engine in ("mine", "onnxruntime"):
    tracker = load_tracker(sys.argv[1], engine=engine)
    assert tracker.engine.name == engine
    film, truth = tiny.film(12)
    tracker.init(film[0], truth[0])
    boxes.append([tracker.update(frame).box for frame in film[1:]])
assert boxes[0] == boxes[1]
try:
    engines.find("broken")
except NoEngine as error:
    print("same boxes:", error)
"""


def test_it_is_listed_beside_files_that_can_not_be_imported(tmp_path):
    toml, home = tiny.write_network(tmp_path), tmp_path / "home"
    folder = home / "runtime" / "engines"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(MINE)
    (folder / "broken.py").write_text("import nothing_of_that_name\n")
    (folder / "cut.py").write_text("class Engine(\n")
    (folder / "old.py").write_text("raise OSError('libold.so')\n")
    (folder / "_helper.py").write_text("raise OSError('never imported')\n")
    told = run(home, "-c", CODE, toml)
    assert (
        "same boxes: " in told
        and "can't be imported: No module named 'nothing_of_that_name'" in told
    )
    told = run(home, "-m", "hotpath.app.cli.networks", "show", toml)
    (row,) = [line for line in told.splitlines() if line.startswith("mine ")]
    assert " ms a frame" in row and "fp32" in row
