"""docs/examples/ultralytics_targets.py: what a detector of ultralytics finds is handed on.

A stand-in has the attributes of ultralytics 8 that the example reads.
"""

import runpy
import sys
from types import SimpleNamespace

import numpy as np

from tests.support import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "ultralytics_targets.py"
CORNERS = np.array([[10.0, 20, 40, 60], [0, 0, 5, 9]], np.float32)


class Results:
    """What a model of ultralytics returns for a picture."""

    boxes = SimpleNamespace(xyxy=CORNERS, conf=np.array([0.9, 0.4]), cls=np.array([1.0, 0.0]))
    names = {0: "person", 1: "car"}

    def cpu(self):
        return self

    numpy = cpu


def test_its_boxes_are_those_of_ultralytics(monkeypatch):
    model = SimpleNamespace(YOLO=lambda weights: lambda frame, verbose: [Results()])
    monkeypatch.setitem(sys.modules, "ultralytics", model)
    boxes, scores, classes, names = runpy.run_path(str(EXAMPLE))["detector"]("yolo11n.pt")(None)
    assert boxes.tolist() == [[10, 20, 30, 40], [0, 0, 5, 9]] and CORNERS[0, 2] == 40
    assert scores.tolist() == [0.9, 0.4] and classes.tolist() == [1, 0]
    assert names == ["person", "car"]
