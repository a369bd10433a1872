"""First boxes: those with which tracking works badly give one warning, and each has its style."""

import math
import sys
import warnings

import cv2
import numpy as np
import pytest

from hotpath import load_targets, load_tracker
from hotpath.kernels.planes import Planes
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.errors import BadBox
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.runtime.tracker.first_box import UNSMOOTHED, DoubtfulBox, bias_of, doubt_of
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Box, WindowResult
from tests.support import tiny
from tests.support.needs import needs_kernels

SHAPE = 240, 320, 3


def noisy(low=0, high=255):
    return np.random.RandomState(3).randint(low, high, SHAPE).astype(np.uint8)


@pytest.mark.parametrize(
    "box, sentence",
    [
        ((100, 100, 1, 1), "only 1 x 1 pixels"),
        ((100, 100, 60, 3.5), "only 60 x 3.5 pixels"),
        ((0, 0, 320, 240), "nearly the whole picture"),
        ((5, 5, 300, 225), "nearly the whole picture"),
        ((-70, 100, 100, 80), "outside the picture"),
        ((290, 200, 50, 100), "outside the picture"),
        ((100, 100, 40, 30), ""),
        ((0, 0, 320, 100), ""),
        ((-20, 100, 100, 80), ""),
        ((300, 220, 20, 20), ""),
    ],
)
def test_a_box_is_doubted_for_its_place_and_size(box, sentence):
    doubt = doubt_of(noisy(), Box(*box), SHAPE)
    assert sentence in doubt and bool(sentence) == bool(doubt)
    assert not doubt or "; draw" in doubt


def test_a_box_without_an_edge_around_it_is_doubted():
    flat = noisy(100, 108)
    assert "one colour" in doubt_of(flat, Box(100, 100, 40, 30), SHAPE)
    inside, beside = flat.copy(), flat.copy()
    inside[110:115, 110:115] = 0
    assert not doubt_of(inside, Box(100, 100, 40, 30), SHAPE)
    beside[:, 143:] = 0  # a white sheet before something dark
    assert not doubt_of(beside, Box(100, 100, 40, 30), SHAPE)
    assert doubt_of(beside, Box(40, 100, 40, 30), SHAPE)


def two_colours(kind, u, v):
    """A frame of one luma, with U and V of their own in a rectangle, in one of the kinds."""
    colour = np.full((2, 240, 320), 128, np.uint8)
    colour[:, 106:126, 106:134] = np.array([u, v])[:, None, None]
    luma = np.full((240, 320), 100, np.uint8)
    bgr = cv2.cvtColor(np.dstack([luma, colour[1], colour[0]]), cv2.COLOR_YCrCb2BGR)
    if kind == "JPEG":
        return JpegFrame(cv2.imencode(".jpg", bgr)[1].ravel())
    if kind == "BGR":
        return bgr
    halves = colour[:, ::2, ::2]
    planes = {
        "BGRx": [np.dstack([bgr, luma])],
        "I420": [luma, *halves],
        "NV12": [luma, halves.transpose(1, 2, 0).reshape(120, 320)],
        "YUYV": [np.dstack([luma, np.where(np.arange(320) % 2, *colour[::-1])]).reshape(240, 640)],
        "GREY": [luma],
    }
    return PlanarFrame(Planes(kind, planes[kind], 320, 240))


@pytest.mark.parametrize("kind", ["BGR", "BGRx", "I420", "NV12", "YUYV", "GREY", "JPEG"])
def test_colours_of_one_grey_level_are_an_edge_in_every_frame(kind):
    box = Box(100, 100, 40, 30)
    assert "one colour" in doubt_of(two_colours(kind, 128, 128), box, SHAPE)
    assert ("one colour" in doubt_of(two_colours(kind, 90, 190), box, SHAPE)) == (kind == "GREY")


@pytest.mark.parametrize("ground", [(0, 0, 0), (200, 0, 0)])
def test_a_red_thing_on_black_or_blue_is_not_doubted(ground):
    frame = np.full(SHAPE, ground, np.uint8)
    frame[106:126, 106:134] = 0, 0, 200
    assert doubt_of(frame, Box(100, 100, 40, 30), SHAPE) == ""


def test_a_program_is_warned_once_and_goes_on():
    needs_kernels()
    film, truth = tiny.film(3)
    with load_tracker("kestrel", precision="fp32") as tracker:
        with warnings.catch_warnings(record=True) as result:
            warnings.simplefilter("default")
            tracker.init(film[0], truth[0])
            assert not result and tracker.doubt == ""
            tracker.init(film[0], (50, 50, 1.5, 1.5))
            tracker.update(film[1])
        (warning,) = result
        assert warning.category is DoubtfulBox and "1.5 x 1.5" in str(warning.message)
        assert warning.filename == __file__, "it names the caller's line"
        assert tracker.doubt == str(warning.message)


def test_a_failed_init_leaves_no_doubt_of_the_target_before(monkeypatch):
    needs_kernels()
    film, truth = tiny.film(1)
    with load_tracker("kestrel", precision="fp32") as tracker:
        with pytest.warns(DoubtfulBox):
            tracker.init(film[0], (50, 50, 1.5, 1.5))
        with pytest.raises(BadBox):
            tracker.init(film[0], (0, 0, 0, 0))
        assert tracker.doubt and tracker.first, "a refused box leaves the target as it is"
        monkeypatch.setattr(tracker.device, "exemplar", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tracker.init(film[0], truth[0])
        assert (tracker.doubt, tracker.first) == ("", None)


def test_the_targets_of_a_picture_are_doubted_one_by_one():
    needs_kernels()
    film, truth = tiny.film(2)
    with load_targets(precision="fp32") as targets, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers = [targets.add(film[0], box) for box in (truth[0], (20, 20, 2, 2))]
        doubts = [targets.doubt(number) for number in numbers]
    assert doubts[0] == "" and "only 2 x 2 pixels" in doubts[1]


def test_each_line_that_adds_a_doubtful_target_is_warned(monkeypatch):
    needs_kernels()
    film, _ = tiny.film(1)
    tiny_box = 20, 20, 2, 2
    with load_targets("kestrel", precision="fp32") as targets:
        with warnings.catch_warnings(record=True) as result:
            warnings.simplefilter("default")
            number = targets.add(film[0], tiny_box)
            first = sys._getframe().f_lineno - 1
            targets.add(film[0], tiny_box)
            targets.restart(number, film[0], tiny_box)
        assert [w.filename for w in result] == [__file__] * 3
        assert [w.lineno - first for w in result] == [0, 2, 3]
        before, released = targets.numbers, []
        monkeypatch.setattr(Tracker, "release", lambda tracker: released.append(tracker))
        with warnings.catch_warnings():
            warnings.simplefilter("error", DoubtfulBox)
            with pytest.raises(DoubtfulBox):
                targets.add(film[0], tiny_box)
        assert targets.numbers == before and len(released) == 1
        monkeypatch.undo()


# the style of a drawn box


@pytest.fixture(scope="module")
def kestrel():
    needs_kernels()
    with load_tracker("kestrel", precision="fp32") as tracker:
        yield tracker


def own_box(tracker, frame, drawn):
    """The network's own size in the first frame: that of a network whose size follows at once."""
    state = geometry.state_of(tracker.network, drawn, 320, 240)
    request = WindowRequest(tracker.device.exemplar(frame, state), state, prior=UNSMOOTHED)
    shown = tracker.device.run(frame, [request])[0][0]
    share = shown.scores[0] ** tracker.network.score_power
    assert share < 0.97, "with a share of 1 nothing of the drawn size is left in any case"
    return (shown.states[0][2:] - (1 - share) * state[2:]) / share


def test_sizes_are_the_drawn_boxs_by_the_root_of_its_ratio(kestrel):
    film, ((x, y, w, h), *_) = tiny.film(12)
    drawn = Box(x, y - 2, w, h + 4)
    own = own_box(kestrel, film[0], drawn)
    kestrel.init(film[0], drawn)
    assert kestrel.box == drawn
    for frame in film[1:]:
        track, followed = kestrel.update(frame), kestrel.state
        np.testing.assert_allclose(track.box[2:], followed[2:] * np.sqrt(drawn[2:] / own))
        np.testing.assert_allclose(track.box.centre, followed[:2])
        assert kestrel.box == track.box
    assert abs(np.sqrt(drawn.h / own[1]) - 1) > 0.01, "the two styles differ in this film"


def test_a_style_changes_no_box_that_is_followed():
    needs_kernels()
    film, truth = tiny.film(12)
    runs = []
    for with_bias in (True, False):
        with load_tracker("kestrel", precision="fp32") as tracker:
            tracker.init(film[0], truth[0])
            if not with_bias:
                tracker.target.bias = None
            runs.append(
                [(tracker.update(frame), tracker.target.state.copy())[1] for frame in film[1:]]
            )
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("ratio, factor", [(1.1, 1.1**0.5), (4.0, 1.2**0.5), (0.1, 1.2**-0.5)])
def test_a_badly_drawn_box_changes_a_side_by_a_tenth_at_most(kestrel, ratio, factor):
    state = np.array([160.0, 120.0, 40.0, 40.0])
    own = state / [1, 1, ratio, 1]
    shown = state + (own - state) * 0.9  # by the share with which kestrel's size follows
    result = WindowResult(state, (1.0, 1.0), states=[shown], scores=[0.9])
    np.testing.assert_allclose(bias_of(kestrel.network, state, result, SHAPE), [1, 1, factor, 1])


@pytest.mark.parametrize("score, x", [(0.1, 160.0), (math.nan, 160.0), (0.9, 19.0), (0.9, 301.0)])
def test_a_box_that_is_cut_or_shows_nothing_has_no_style(kestrel, score, x):
    state = np.array([x, 120.0, 40.0, 40.0])
    result = WindowResult(state, (1.0, 1.0), states=[state * 0.9], scores=[score])
    assert bias_of(kestrel.network, state, result, SHAPE) is None


def test_only_a_drawn_box_has_a_style_and_only_with_the_search(kestrel):
    film, ((x, y, w, h), *_) = tiny.film(2)
    loose = x - w / 2, y - h / 2, 2 * w, 2 * h
    for given, taken in (
        ({"box": (x, y, w, h)}, "box"),
        ({"point": (x + w / 2, y + h / 2)}, "point"),
        ({"box": loose, "snug": True}, "snug"),
    ):
        assert kestrel.init(film[0], **given).taken == taken
        track, plain = kestrel.update(film[1]), geometry.box_of(kestrel.network, kestrel.state)
        assert (track.box != plain) == (taken == "box")
    with load_tracker(precision="fp32", recover=False) as tracker:
        tracker.init(film[0], (x, y, w, h))
        track = tracker.update(film[1])
        assert track.box == geometry.box_of(tracker.network, tracker.target.state)


def test_a_styled_box_stays_in_the_picture(kestrel):
    film, truth = tiny.film(1)
    kestrel.init(film[0], truth[0])
    kestrel.target.bias = np.array([1.0, 1.0, 1.09, 1.09])
    x, y, right, bottom = kestrel.target.box_of(np.array([20.0, 220.0, 40.0, 40.0])).xyxy
    np.testing.assert_allclose((x, y, right, bottom), (0, 220 - 21.8, 41.8, 240))
