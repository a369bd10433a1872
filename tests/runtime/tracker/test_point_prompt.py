"""The object at a point, and the object in a loose box, become the target."""

import subprocess
import sys
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from hotpath import BadBox, BadOption, load_targets, load_tracker
from hotpath.runtime import loading
from hotpath.runtime.errors import BadNetwork, NoEngine, NoObject
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.network import AuxiliaryFile
from hotpath.runtime.tracker import point_prompt
from tests.support.errors import refusal
from tests.support.object_scene import CENTRE, OBJECT, scene

pytest.importorskip("openvino")


@pytest.fixture(scope="module", params=["int8", "fp32"])
def tracker(request):
    with load_tracker("kestrel", precision=request.param) as loaded:
        yield loaded


def test_a_point_on_a_thing_makes_it_the_target(tracker):
    for point in (CENTRE, (165.0, 100.0)):
        track = tracker.init(scene(), point=point, time_s=0.0)
        assert track.taken == "point" and overlap(track.box, OBJECT) > 0.6
    assert tracker.first == track
    np.testing.assert_allclose(tracker.box, track.box)
    later = tracker.update(scene(), 0.1)
    assert later.taken is None and overlap(later.box, OBJECT) > 0.6


def test_a_loose_box_becomes_snug_and_a_tight_one_stays(tracker):
    x, y, w, h = OBJECT
    loose = (x - w / 2, y - h / 2, 2 * w, 2 * h)
    track = tracker.init(scene(), loose, snug=True)
    assert track.taken == "snug" and overlap(track.box, OBJECT) > 0.6
    assert tracker.init(scene(), OBJECT, snug=True)[0] == OBJECT
    assert tracker.first.taken == "box"
    assert tracker.init(scene(), loose).box == loose


def test_a_loose_box_wider_than_the_frame_is_cut_to_it(tracker):
    _, y, _, h = OBJECT
    width = scene().shape[1]
    wide = (-10, y - h / 2, width + 20, 2 * h)
    with refusal(BadBox, "too large"):
        tracker.init(scene(), (-width, y, 3 * width, h))
    tracker.init(scene(), wide, snug=True)
    x, _, w, _ = tracker.first.box
    assert x >= 0 and x + w <= width
    with refusal(BadBox, "not finite"):
        tracker.init(scene(), (0, float("nan"), 3 * width, h), snug=True)


def test_a_point_on_nothing_is_refused_and_the_old_target_stays(tracker):
    tracker.init(scene(), OBJECT)
    with refusal(NoObject, "nothing"):
        tracker.init(np.full((240, 320, 3), 170, np.uint8), point=(40, 40))
    assert tracker.box == OBJECT
    tracker.update(scene())


def test_another_object_at_the_point_differs_from_the_wrong_one(tracker):
    first = tracker.init(scene(), point=CENTRE)
    try:
        other = tracker.init(scene(), point=CENTRE, besides=first.box)
    except NoObject as error:
        assert error.what == "no other"
    else:
        assert overlap(other.box, first.box) < 0.6
        assert other.box[2] * other.box[3] > first.box[2] * first.box[3], "a part of it"


@pytest.mark.parametrize("share", [0.4, 0.7, 1.0, 1.3, 2.0, 4.0])
def test_a_tap_on_what_is_followed_never_goes_to_a_part_of_it(tracker, share):
    x, y, w, h = tracker.init(scene(), point=CENTRE).box
    w, h = w * share, h * share
    followed = CENTRE[0] - w / 2, CENTRE[1] - h / 2, w, h
    try:
        other = tracker.init(scene(), point=CENTRE, besides=followed)
    except NoObject as error:
        assert error.what == "no other"
    else:
        assert other.box[2] * other.box[3] > w * h


def test_another_object_is_as_likely_as_the_first_has_to_be(tracker):
    nothing = np.full((240, 320, 3), 170, np.uint8)
    with refusal(NoObject, "no other"):
        tracker.init(nothing, point=(40, 40), besides=(300, 220, 10, 10))


@pytest.mark.parametrize(
    "how, what", [({}, "no box"), ({"box": OBJECT, "point": CENTRE}, "box and point")]
)
def test_either_a_box_or_a_point_is_given(tracker, how, what):
    with refusal(BadOption, what):
        tracker.init(scene(), **how)


@pytest.mark.parametrize("point", [(320, 10), (-1, 5), (1, 2, 3), "ab", (float("nan"), 1)])
def test_a_point_outside_the_frame_or_that_is_none_is_refused(tracker, point):
    with pytest.raises(BadBox) as refused:
        tracker.init(scene(), point=point)
    assert refused.value.what in ("outside", "no point")


def test_several_targets_share_one_head_and_say_how_they_began():
    with load_targets() as targets:
        number = targets.add(scene(), point=CENTRE)
        point_prompt = targets.device.point_prompt
        other = targets.add(scene(), OBJECT, snug=True)
        assert targets.device.point_prompt is point_prompt
        assert [targets.first(n).taken for n in (number, other)] == ["point", "box"]


@pytest.mark.parametrize("name", ["lightfc", "kestrel_small"])
def test_a_network_without_a_head_takes_the_points_of_one_that_has_it(tracker, name):
    wanted = tracker.init(scene(), point=CENTRE).box
    precision = "int8" if tracker.network.name.endswith("int8") else "fp32"
    with load_tracker(name, precision=precision) as other:
        track = other.init(scene(), point=CENTRE)
        assert (track.box, track.taken) == (wanted, "point")
        prompt = other.device.point_prompt
        assert other.init(scene(), point=CENTRE).box == wanted
        assert other.device.point_prompt is prompt  # it was loaded once


def test_where_no_other_network_can_be_loaded_a_point_is_refused():
    with load_tracker("kestrel_small") as other:

        def fails(name):
            raise NoEngine("no engine runs it")

        for other.device.open_other in (None, fails):
            with refusal(BadOption, "no head"):
                other.init(scene(), point=CENTRE)
            assert other.init(scene(), OBJECT).taken == "box"


def test_an_fpga_loads_no_other_network_for_a_point(monkeypatch):
    made = [Mock(open_other=None) for _ in range(2)]
    monkeypatch.setattr(loading, "_device_of", lambda *_: made[-1])
    for fabric in (None, object()):
        engine = Mock(fabric=fabric, bundle=None)
        device = loading.create_device(Mock(), engine, Mock())
        assert (device.open_other is None) == (fabric is not None)
        made.pop()


def test_another_network_whose_head_cannot_be_read_is_closed(monkeypatch):
    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", Mock(side_effect=cv2.error("no")))
    with load_tracker("kestrel_small") as tracker:
        opened = []
        open_other = tracker.device.open_other

        def watched(name):
            device = open_other(name)
            device.close = Mock(side_effect=device.close)
            opened.append(device)
            return device

        tracker.device.open_other = watched
        with refusal(BadNetwork, "unreadable"):
            tracker.init(scene(), point=CENTRE)
        assert opened[0].close.called and tracker.device.point_prompt is None


def test_a_head_that_is_missing_or_damaged_is_named(tracker, tmp_path):
    with refusal(BadNetwork, "other file") as caught:
        tracker.network.locate_made(AuxiliaryFile("no.onnx", "0" * 64))
    assert "no.onnx" in str(caught.value)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with refusal(BadNetwork, "not ONNX", where="broken.onnx"):
        point_prompt.PointPrompt(tracker.device, str(broken))


def test_a_head_that_opencv_cannot_run_is_named(tracker, monkeypatch):
    head = point_prompt.prompt_of_device(tracker.device)
    monkeypatch.setattr(head, "_net", Mock(forward=Mock(side_effect=cv2.error("no layer"))))
    with refusal(BadNetwork, "cannot run"):
        tracker.init(scene(), point=CENTRE)


def test_a_tracker_that_gets_no_point_does_not_load_the_head():
    program = (
        "import sys, numpy as np; from hotpath import load_tracker; "
        "t = load_tracker(); f = np.zeros((90, 120, 3), np.uint8); t.init(f, (9, 9, 30, 30)); "
        "t.update(f); assert 'hotpath.runtime.tracker.point_prompt' not in sys.modules; "
        "assert t.device.point_prompt is None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_head_reads_how_far_a_drawn_box_covers_each_cell():
    """Compared with a fine grid of samples."""
    features = np.random.RandomState(1).rand(2, 5, 64).astype(np.float32)
    drawn = (-0.31, -0.2, 0.07, 0.44)
    values = point_prompt.inputs(features, drawn)
    assert values.shape == (2, 11, 8, 8) and (values[:, :5].reshape(2, 5, 64) == features).all()
    fine = (np.arange(800) + 0.5) / 800 - 0.5
    covered = np.outer(
        (fine >= drawn[1]) & (fine < drawn[3]), (fine >= drawn[0]) & (fine < drawn[2])
    )
    shares = covered.reshape(8, 100, 8, 100).mean(axis=(1, 3))
    np.testing.assert_allclose(values[0, 9], shares, atol=0.02)
    assert (values[:, 10] == 1).all() and not point_prompt.inputs(features)[:, 9:].any()
    np.testing.assert_allclose(values[0, 5, 0], np.arange(-7, 8, 2) / 16, atol=1e-6)


def test_boxes_stay_inside_the_frame(tracker):
    frame = scene()
    for point in ((0, 0), (319, 239), (319, 0)):
        for found in point_prompt.prompt_of_device(tracker.device).proposals(frame, point):
            x, y, w, h = found.box
            assert x >= 0 and y >= 0 and x + w <= 320.001 and y + h <= 240.001
            assert min(w, h) >= point_prompt.SMALLEST_PX and 0 <= found.score <= 1
