"""Our boxes compared with those of OpenCV's own trackers, on networks that the tests build."""

import re

import cv2
import numpy as np
import onnx
import pytest

from hotpath.kernels.votes import inner_hanning_window
from hotpath.runtime import load_tracker
from hotpath.runtime.networks import load_network
from tests.support import blobs


def picture_of(side):
    return (1, 3, side, side)


@pytest.mark.skipif(not hasattr(cv2, "TrackerVit"), reason="this OpenCV has no VitTrack")
def test_vittrack_has_the_boxes_and_scores_of_opencv(tmp_path):
    """OpenCV's scale is measured first: 5.0 divides by the standard deviation as a quaternion."""
    scale = [vit_scale(tmp_path / "probe.onnx", channel) for channel in range(3)]
    toml = blobs.write_network(tmp_path, "vittrack")
    line = "scale = [{:.9f}, {:.9f}, {:.9f}]".format(*scale)
    toml.write_text(re.sub(r"(?m)^scale = .*$", line, toml.read_text()))
    ours = load_tracker(toml)
    model = blobs.centre(ours.network)["whole"]
    path = tmp_path / ours.network.files[0].name
    onnx.save(model, str(path))
    ours = load_tracker(toml)
    theirs = vit(path)

    frames, boxes = blobs.film(size=(37, 24))
    first = tuple(int(value) for value in boxes[0])
    theirs.init(frames[0], first)
    ours.init(frames[0], first)
    for frame in frames[1:]:
        found, box = theirs.update(frame)
        track = ours.update(frame)
        assert found
        assert track.box == tuple(float(value) for value in box)
        assert track.score == pytest.approx(theirs.getTrackingScore(), abs=1e-4)


def test_the_scale_of_vittrack_is_that_of_imagenet():
    """OpenCV's boxes are worse, since ``1 / Scalar`` is a quaternion's inverse there."""
    meant = 1 / np.array([0.229, 0.224, 0.225]) / 255
    np.testing.assert_allclose(load_network("vittrack").scale, meant, rtol=1e-4)


@pytest.mark.skipif(not hasattr(cv2, "TrackerVit"), reason="this OpenCV has no VitTrack")
def test_vittrack_stays_where_it_was_when_it_sees_nothing(tmp_path):
    ours = load_tracker(blobs.write_network(tmp_path, "vittrack"))
    frames, boxes = blobs.film(2)
    ours.init(frames[0], boxes[0])
    track = ours.update(np.zeros_like(frames[0]))
    assert track.score > 0.2  # a black frame still scores at its centre; next, a black exemplar
    ours.init(np.zeros_like(frames[0]), boxes[0])
    track = ours.update(frames[1])
    assert track.score < 0.2
    assert track.box == boxes[0]


def vit(path):
    params = cv2.TrackerVit_Params()
    params.net = str(path)
    return cv2.TrackerVit_create(params)


def vit_scale(path, channel):
    """OpenCV's factor for a channel, measured with a network that returns it."""
    graph = blobs.BlobGraph()
    ends = [np.array(v, np.int64) for v in ([0, channel, 0, 0], [1, channel + 1, 1, 1])]
    value = graph.Slice("search", *ends)
    nothing = graph.Mul(graph.ReduceMean("template", axes=[1, 2, 3], keepdims=1), 0.0)
    telling = graph.Add(graph.Add(graph.Mul(value, 0.1), 0.5), nothing)
    graph.Add(telling, np.zeros((1, 1, 16, 16)), output="output1")
    for name in ("output2", "output3"):
        graph.Add(nothing, np.full((1, 2, 16, 16), 0.25), output=name)
    inputs = [("template", picture_of(128)), ("search", picture_of(256))]
    outputs = [("output1", (1, 1, 16, 16))]
    outputs += [(name, (1, 2, 16, 16)) for name in ("output2", "output3")]
    onnx.save(graph.model(inputs, outputs), str(path))
    peak = inner_hanning_window(16).max()
    told = []
    for grey in (0, 255):
        tracker, frame = vit(path), np.full((240, 320, 3), grey, np.uint8)
        tracker.init(frame, (150, 110, 30, 30))
        tracker.update(frame)
        told.append((tracker.getTrackingScore() / peak - 0.5) * 10)
    return (told[1] - told[0]) / 255
