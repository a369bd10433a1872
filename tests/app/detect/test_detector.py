"""Detectors find what is in a frame, and say in a sentence what is wrong with a TOML."""

import numpy as np
import pytest

from hotpath.app.detect import describe, families, load_detector, names
from hotpath.app.detect.detector import non_maximum_suppression
from hotpath.runtime import decode
from hotpath.runtime.errors import BadFrame, BadNetwork, UnknownNetwork
from hotpath.runtime.frames.boxes import overlaps
from tests.support import tiny_detector
from tests.support.errors import refusal

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def toml(tmp_path_factory):
    return tiny_detector.write_detector(tmp_path_factory.mktemp("detector"))


def written(tmp_path, old, new):
    """The tiny detector's TOML with a change."""
    return tiny_detector.write_detector(tmp_path, tiny_detector.TOML.replace(old, new))


@pytest.mark.parametrize("width, height", [(256, 256), (640, 360), (90, 200)])
def test_objects_of_the_class_are_found_where_they_are(toml, width, height):
    places = [("red", width // 8, height // 8), ("blue", width // 2, height // 2)]
    frame = tiny_detector.frame(places, width, height)
    found = load_detector(toml, classes=["red"]).detect(frame)
    box = (width // 8, height // 8, tiny_detector.BOX * width, tiny_detector.BOX * height)
    assert len(found.boxes) == 1 and found.classes.tolist() == [1]
    assert overlaps([box], found.boxes)[0, 0] > 0.5
    both = load_detector(toml).detect(frame)
    assert sorted(both.classes.tolist()) == [0, 1]
    boxes, scores = load_detector(toml, classes=["red"]).proposals(frame)
    assert np.array_equal(boxes, found.boxes) and np.array_equal(scores, found.scores)


def test_a_letterbox_keeps_the_shape_of_objects(tmp_path):
    path = written(tmp_path, "[detection]", 'resize = "letterbox"\n[detection]')
    frame = np.zeros((128, 256, 3), np.uint8)
    frame[32:80, 64:112, 2] = 255  # 24 x 24 pixels of the input
    (box,) = load_detector(path, classes=["red"]).detect(frame).boxes
    assert overlaps([(64, 32, 48, 48)], [box])[0, 0] > 0.5


def test_boxes_stay_inside_the_frame_and_grey_is_refused(toml):
    detector = load_detector(toml)
    found = detector.detect(np.full((64, 64, 3), 255, np.uint8))
    assert len(found.boxes) and (found.boxes >= 0).all()
    assert (found.boxes[:, :2] + found.boxes[:, 2:] <= 64).all()
    found = detector.detect(np.zeros((50, 60, 3), np.uint8))
    assert found.boxes.shape == (0, 4) and found.scores.shape == (0,)
    with pytest.raises(BadFrame):
        detector.detect(np.zeros((5, 5), np.uint8))


def test_each_shipped_description_is_whole_and_of_a_family():
    shipped = [describe(name) for name in names()]
    for description in shipped:
        assert description.licence and description.source and description.file.sha256
        assert len(description.class_names) == 80 and description.class_names[0] == "person"
    assert {description.family for description in shipped} == set(
        decode.families(families.__path__)
    )


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ('family = "yolox"', 'family = "yolo9"', "is not known; did you mean yolox?"),
        ('family = "yolox"', "", "family is missing"),
        ("score = 0.5", "scores = 0.4", "did you mean score"),
        ("score = 0.5", "score = 8", "must lie in 0 to 1"),
        ("side = [128, 128]", "side = [128]", "must hold 2 numbers"),
        ("colours.toml", "coco17", "no classes are called 'coco17'"),
        ("[[file]]\n", "[file]\n", r"one \[\[file\]\] must name the ONNX file"),
        ("[[file]]\n", '[[file]]\nname = "x"\n[[file]]\n', r"one \[\[file\]\] must name"),
        ("[[file]]", "map_size = 16\n[[file]]", "not a known key"),
        ("[detection]", "[[input]]\n[detection]", "can't be read as TOML"),
    ],
)
def test_a_wrong_toml_is_one_sentence(tmp_path, old, new, sentence):
    path = written(tmp_path, old, new)
    with pytest.raises(BadNetwork, match=sentence) as caught:
        load_detector(path)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_one_sentence(toml, tmp_path):
    with refusal(UnknownNetwork, "unknown name"):
        load_detector("n" * 300)  # no file can be called so
    with refusal(UnknownNetwork, "unknown name"):
        load_detector("fastestdet")
    with refusal(BadNetwork, "unknown class"):
        load_detector(toml, classes=["rred"])
    with refusal(BadNetwork, "missing file"):
        load_detector("yolox_nano", networks_dir=tmp_path)


def test_a_network_of_another_shape_is_one_sentence(tmp_path):
    path = written(tmp_path, "strides = [8]", "strides = [4]")
    with refusal(BadNetwork, "wrong outputs"):
        load_detector(path).detect(np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "tiny_detector.onnx").write_bytes(b"no network")
    with refusal(BadNetwork, "not ONNX"):
        load_detector(path)


def test_of_boxes_that_say_the_same_the_best_stays():
    boxes = [(0, 0, 10, 10), (1, 0, 10, 10), (30, 30, 10, 10), (0, 0, 10, 9)]
    assert non_maximum_suppression(boxes, [0.5, 0.9, 0.2, 0.6], 0.5).tolist() == [1, 2]
    assert non_maximum_suppression(np.zeros((0, 4)), [], 0.5).tolist() == []


def test_overlaps_of_cases_computed_by_hand():
    assert overlaps([(0, 0, 4, 4)], [(2, 0, 4, 4), (9, 9, 1, 1)]).tolist() == [[8 / 24, 0.0]]
    assert overlaps(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
