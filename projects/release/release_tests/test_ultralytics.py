"""docs/examples/ultralytics_targets.py: a detector of ultralytics starts a target."""

import importlib.util
import sys

import numpy as np
import pytest

from tests.support import ROOT, run, tiny

ultralytics = pytest.importorskip("ultralytics")
EXAMPLE = ROOT / "docs" / "examples" / "ultralytics_targets.py"
CONFIDENT = """
import runpy, sys
from ultralytics import YOLO
call = YOLO.__call__

def sure(self, frame, **more):  # weights that learnt nothing are sure of nothing
    return call(self, frame, conf=1e-9, max_det=3, **more)

YOLO.__call__ = sure
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A detector of the smallest kind, with weights as they are before training."""
    path = tmp_path_factory.mktemp("weights") / "untrained.pt"
    ultralytics.YOLO("yolo11n.yaml").save(str(path))
    return path


def test_its_boxes_are_those_of_ultralytics(weights, monkeypatch):
    spec = importlib.util.spec_from_file_location("ultralytics_targets", str(EXAMPLE))
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    call = ultralytics.YOLO.__call__
    results = []

    def sure(self, frame, **more):
        results.append(call(self, frame, conf=1e-9, max_det=5, **more))
        return results[-1]

    monkeypatch.setattr(ultralytics.YOLO, "__call__", sure)
    frame = tiny.film(1)[0][0]
    boxes, scores, classes, names = example.detector(str(weights))(frame)
    theirs = results[0][0].boxes
    assert len(boxes) == len(theirs) > 0
    xywh = theirs.xywh.cpu().numpy()  # of their centres
    np.testing.assert_allclose(boxes[:, :2] + boxes[:, 2:] / 2, xywh[:, :2], atol=0.01)
    np.testing.assert_allclose(boxes[:, 2:], xywh[:, 2:], atol=0.01)
    assert scores.tolist() == theirs.conf.tolist() and classes.tolist() == theirs.cls.tolist()
    assert names == list(results[0][0].names.values())


def test_what_it_finds_is_followed(weights, tmp_path):
    pictures, _ = tiny.film(5)
    folder = tiny.write_pictures(tmp_path / "frames", pictures)
    (tmp_path / "sure.py").write_text(CONFIDENT)
    words = [sys.executable, tmp_path / "sure.py", EXAMPLE, folder, weights]
    done = run(words, cwd=str(ROOT))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and all(line.startswith("Box(x=") for line in lines)
    assert all(line.endswith(("tracked", "unsure", "lost")) for line in lines)
