"""Tracks as other libraries take them."""

import importlib
import sys

import numpy as np
import pytest

from hotpath.runtime.types import Box, Track

TRACKS = {
    2: Track(Box(10.0, 20.0, 30.0, 40.0), 0.75, class_id=8, class_name="boat"),
    5: Track(Box(1.0, 2.0, 3.0, 4.0), 0.25, True, "lost"),
    7: Track(Box(0.5, 60.0, 20.0, 10.0), 0.5, False, "unsure", presence=0.25),
}


def test_a_missing_supervision_is_one_sentence_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    monkeypatch.delitem(sys.modules, "hotpath.runtime.interop.supervision", raising=False)
    with pytest.raises(ImportError, match="supervision.*make setup ALSO=exam"):
        importlib.import_module("hotpath.runtime.interop.supervision")


def test_supervision_takes_the_targets_that_are_not_lost():
    sv = pytest.importorskip("supervision")
    from hotpath.runtime.interop.supervision import detections

    found = detections(TRACKS)
    np.testing.assert_allclose(found.xyxy, [[10, 20, 40, 60], [0.5, 60, 20.5, 70]])
    assert found.tracker_id.tolist() == [2, 7] and found.data["state"].tolist() == [
        "tracked",
        "unsure",
    ]
    np.testing.assert_allclose(found.confidence, [0.75, 0.25])  # presence, where there is one
    assert found.class_id.tolist() == [8, 0] and found["class_name"].tolist() == ["boat", ""]
    assert detections(TRACKS[5]).is_empty() and detections({}).is_empty()
    picture = sv.BoxAnnotator(thickness=1).annotate(np.zeros((100, 100, 3), np.uint8), found)
    assert picture[20, 10:40].any(axis=1).all()
    zone = sv.PolygonZone(np.array([[0, 0], [50, 0], [50, 62], [0, 62]]))
    assert zone.trigger(found).tolist() == [True, False]  # by the middle of the lower edge
