"""Tracks as other libraries take them."""

import importlib
import sys

import numpy as np
import pytest

from hotpath.runtime.types import Box, Track
from tests.support import tiny

TRACKS = {
    2: Track(Box(10.0, 20.0, 30.0, 40.0), 0.75, class_id=8, class_name="boat"),
    5: Track(Box(1.0, 2.0, 3.0, 4.0), 0.25, True, "lost"),
    7: Track(Box(0.5, 60.0, 20.0, 10.0), 0.5, False, "unsure", presence=0.25),
}


def test_a_missing_supervision_is_one_sentence_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    monkeypatch.delitem(sys.modules, "hotpath.interop.supervision", raising=False)
    with pytest.raises(ImportError, match="supervision.*make setup ALSO=exam"):
        importlib.import_module("hotpath.interop.supervision")


def test_supervision_takes_the_targets_that_are_not_lost():
    sv = pytest.importorskip("supervision")
    from hotpath.interop.supervision import detections

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


@pytest.mark.parametrize("tracks", [{}, TRACKS[5], {5: TRACKS[5], 6: TRACKS[5]}])
def test_supervision_gets_the_same_columns_while_a_target_is_lost(tmp_path, tracks):
    sv = pytest.importorskip("supervision")
    from hotpath.interop.supervision import detections

    seen, none = detections(TRACKS), detections(tracks)
    assert len(none) == 0 and sorted(none.data) == sorted(seen.data)
    assert [f"#{number}" for number in none.tracker_id] == [] == list(none["class_name"])
    assert len(none[none["state"] == "tracked"]) == 0 and len(none[none.tracker_id == 2]) == 0
    for name in ("xyxy", "confidence", "class_id", "tracker_id"):
        assert getattr(none, name).dtype == getattr(seen, name).dtype
    picture = np.zeros((100, 100, 3), np.uint8)
    labels = [f"{number}" for number in none.tracker_id]
    assert not sv.LabelAnnotator().annotate(picture.copy(), none, labels).any()
    with sv.CSVSink(str(tmp_path / "a.csv")) as sink:
        sink.append(none, {})
        sink.append(seen, {})
    assert len(sv.Detections.merge([none, seen])) == 2


def test_opencv_programs_change_one_line(tmp_path):
    """``ok`` is false while the target is lost, and rectangles are whole numbers."""
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("onnxruntime")
    from hotpath.interop.opencv import Tracker
    from hotpath.runtime import NotReady, load_tracker

    pictures, boxes = tiny.film(6)
    network = tiny.write_network(tmp_path, tiny.watched())
    tracker = Tracker(network)
    with pytest.raises(NotReady):
        tracker.update(pictures[0])
    for ask in (tracker.getTrackingScore, lambda: tracker.track):
        with pytest.raises(NotReady):
            ask()
    assert tracker.init(pictures[0], tuple(map(int, boxes[0]))) is None
    ours = load_tracker(network)
    ours.init(pictures[0], boxes[0])
    for picture in pictures[1:]:
        ok, box = tracker.update(picture)
        track = ours.update(picture)
        assert ok and box == tuple(round(value) for value in track.box)
        assert {type(value) for value in box} == {int} and tracker.track == track
        cv2.rectangle(picture, box, (200, 0, 0))  # which takes whole numbers only
        assert 0 <= tracker.getTrackingScore() <= 1


def test_opencv_hears_that_a_target_is_lost(tmp_path):
    pytest.importorskip("onnxruntime")
    from hotpath.interop.opencv import Tracker

    pictures, boxes = tiny.film(30)
    gone = [picture[:1, :1].repeat(240, 0).repeat(320, 1) for picture in pictures[10:]]
    tracker = Tracker(tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY)))
    tracker.init(pictures[0], boxes[0])
    messages = [tracker.update(picture) for picture in pictures[1:10] + gone]
    assert messages[0][0] and not messages[-1][0] and tracker.track.state == "lost"
    assert messages[-1][1] == tuple(round(value) for value in tracker.track.box)


def test_the_got10k_toolkit_gives_rgb_and_paths(tmp_path):
    pytest.importorskip("onnxruntime")
    image = pytest.importorskip("PIL.Image")
    from hotpath.interop.got10k import Tracker
    from hotpath.runtime import load_tracker

    pictures, boxes = tiny.film(5)
    pictures = [np.ascontiguousarray(picture * (1, 0.5, 0.2)).astype("u1") for picture in pictures]
    folder = tiny.write_pictures(tmp_path / "frames", pictures)
    network = tiny.write_network(tmp_path)
    ours = load_tracker(network)
    ours.init(pictures[0], boxes[0])
    wanted = [boxes[0]] + [ours.update(picture).box for picture in pictures[1:]]
    tracker = Tracker(network, name="named")
    assert tracker.name == "named" and tracker.is_deterministic
    given, times = tracker.track(sorted(folder.iterdir()), boxes[0])
    assert np.array_equal(given, wanted) and (times > 0).all()
    for form in (image.fromarray, np.asarray):
        rgb = [form(np.ascontiguousarray(picture[..., ::-1])) for picture in pictures]
        tracker.init(rgb[0], boxes[0])
        assert [tracker.update(each) for each in rgb[1:]] == wanted[1:]
