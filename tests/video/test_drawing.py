"""What is drawn is inside the picture, legible, and never changes the frame itself."""

import cv2
import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.kernels.planes import Planes
from hotpath.runtime.errors import BadBox, BadFrame, BadOutput
from hotpath.runtime.types import LOST, UNSURE, Track
from hotpath.video.desktop_window import DesktopWindow, no_window
from hotpath.video.drawing import (
    AMBER,
    DARK,
    RED,
    TARGETS,
    UNIT_PX,
    draw,
    draw_in_planes,
)
from tests.support.errors import refusal

STRIP = 65  # pixels of the texts below the picture, on a screen of 1366x768


def black(size):
    """A black frame of (width, height)."""
    return np.zeros((size[1], size[0], 3), np.uint8)


def test_the_box_is_drawn_where_it_is():
    picture = draw(black((320, 240)), Track((100, 80, 60, 50), 0.9))
    assert tuple(picture[105, 100]) == TARGETS[0] and tuple(picture[105, 160]) == TARGETS[0]
    assert tuple(picture[80, 150]) == TARGETS[0] and tuple(picture[130, 130]) == TARGETS[0]
    assert not picture[90:120, 110:150].any()
    assert tuple(picture[105, 98]) == DARK  # the line that sets it off from a bright ground


@pytest.mark.parametrize("tracks", [None, (1, 2, 3, 4), [Track((1, 2, 3, 4), 0.9)]])
def test_what_is_no_track_and_no_frame_is_one_sentence(tracks):
    with refusal(BadBox, "not tracks"):
        draw(black((320, 240)), tracks)
    with refusal(BadFrame, "no frame"):
        draw(None, Track((1, 2, 30, 40), 0.9))
    with refusal(BadBox, "not drawn"):
        draw(black((320, 240)), {}, {"fps": 30, "since": {}})


def test_a_target_keeps_its_colour_when_another_one_ends():
    tracks = {0: Track((30, 60, 40, 40), 0.9), 1: Track((200, 60, 40, 40), 0.8)}
    assert tuple(draw(black((320, 240)), tracks)[80, 200]) == TARGETS[1]
    del tracks[0]
    assert tuple(draw(black((320, 240)), tracks)[80, 200]) == TARGETS[1]
    warned = {}
    for state in (UNSURE, LOST):
        tracks[1] = tracks[1]._replace(lost=state == LOST, state=state)
        warned[state] = tuple(draw(black((320, 240)), tracks)[80, 200])
    assert warned == {UNSURE: AMBER, LOST: RED} and not {AMBER, RED} & set(TARGETS)


def labels_in(picture, colours):
    """Bounds (left, top, right, bottom) of the filled areas of those colours."""
    found = []
    for colour in colours:
        filled = (picture == np.array(colour, np.uint8)).all(axis=2).astype(np.uint8)
        filled = cv2.morphologyEx(filled, cv2.MORPH_CLOSE, np.ones((5, 5)))
        filled = cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((7, 7)))
        rows, columns = np.where(filled)
        found.append((columns.min(), rows.min(), columns.max(), rows.max()))
    return found


def test_labels_on_the_same_place_do_not_overlap():
    box = (100, 100, 80, 60)
    tracks = {n: Track((box[0] + 2 * n, box[1] + n, *box[2:]), 0.96) for n in range(6)}
    labels = labels_in(draw(black((320, 240)), tracks), TARGETS)
    for index, (left, top, right, bottom) in enumerate(labels):
        assert right - left > 25 and bottom - top > 8, "whole"
        for other in labels[:index]:
            assert bottom < other[1] or top > other[3] or right < other[0] or left > other[2]


@pytest.mark.parametrize(
    "box",
    [
        (-500, -500, 9000, 9000),
        (170, 140, 50, 50),
        (0, 0, 20, 20),
        (1e12, -1e12, 5, 5),
        (60, 60, 0.2, 0.2),
        (float("nan"), 0, 5, 5),
        (0, float("inf"), 5, 5),
        (-5e6, -5e6, 1e7, 1e7),
    ],
)
@pytest.mark.parametrize("size", [(176, 144), (40, 30), (1, 1)])
def test_any_box_on_any_picture_can_be_drawn(box, size):
    name = "r\u00e9seau"  # the font lacks a letter
    for state in ("tracked", "lost"):  # a lost one has dashes, which may be millions
        drawn = draw(black(size), Track(box, 0.5, state == "lost", state, class_name=name))
        assert drawn.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("side", [9, 20, 33, 200])
def test_the_dashes_of_a_lost_box_show_its_four_corners_and_gaps(side):
    picture = draw(black((320, 240)), Track((60, 30, side, side), 0.5, True, "lost"))[:240]
    drawn = picture[:, :, 2] > 100
    for x in (60, 60 + side):
        for y in (30, 30 + side):
            assert drawn[y - 1 : y + 2, x - 1 : x + 2].any(), (x, y)
    row = drawn[30 + side, 60 : 60 + side]
    assert side < 20 or not row.all()


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (3840, 2160), (7680, 4320)])
def test_labels_grow_with_the_picture_and_stay_whole_at_its_edges(size, monkeypatch):
    width, height = size
    grounds, texts = [], []
    fill, put = cv2.rectangle, cv2.putText
    monkeypatch.setattr(cv2, "rectangle", lambda *a: grounds.append(a[1:]) or fill(*a))
    monkeypatch.setattr(cv2, "putText", lambda *a: texts.append(a[1:]) or put(*a))
    side = height // 24
    for x, y in ((0, 0), (width - side, 0), (0, height - side), (width - side, height - side)):
        track = Track((x, y, side, side), 0.31, state=UNSURE, class_name="traffic light")
        draw(black(size), {7: track})
        (left, top), (right, bottom) = grounds.pop()[:2]
        text, (start, base), font, scale, _, line_px = texts.pop()[:6]
        assert text == "#7 traffic light  unsure .31"
        wide, high = cv2.getTextSize(text, font, scale, line_px)[0]
        assert 0 <= left < start and start + wide < right <= width
        assert 0 <= top < base - UNIT_PX * scale and base < bottom <= height
        assert 0.02 < UNIT_PX * scale / height < 0.022, "readable in a window of any size"


def test_a_label_in_a_narrow_picture_leaves_out_the_class_and_then_the_number(monkeypatch):
    written = []
    put = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda *a: written.append(a[1]) or put(*a))
    track = Track((4, 20, 20, 20), 0.31, state=UNSURE, class_name="traffic light")
    for width, text in (
        (640, "#3 traffic light  unsure .31"),
        (90, "#3  unsure .31"),
        (60, "unsure .31"),
    ):
        draw(black((width, 60)), {3: track})
        assert written.pop() == text


def test_a_missing_or_unserved_display_is_one_sentence(monkeypatch):
    reason = no_window({"DISPLAY": ":7777"})  # before Qt ends the program
    assert reason and ("ALSO=window" in reason or ":7777 does not answer" in reason)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with refusal(BadOutput, "no display"):
        DesktopWindow()


def select_with(monkeypatch, frame, events, keys=()):
    """Draw a box by events of the mouse and keys. Return (the window, what it showed, box)."""
    shown, answers, callbacks = [], iter(keys), []
    places = iter(events)

    def wait(_):
        key = next(answers, None)
        if key is not None:
            return ord(key)
        callbacks[0](*next(places))
        return -1

    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "setMouseCallback", lambda _, call: callbacks.append(call))
    monkeypatch.setattr(cv2, "waitKey", wait)
    monkeypatch.setattr(cv2, "waitKeyEx", wait)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr("hotpath.video.desktop_window.no_window", lambda: None)
    monkeypatch.setattr("hotpath.video.desktop_window.screen_size", lambda: (1366, 768))
    window = DesktopWindow()
    return window, shown, lambda: window.select(frame, ["Drag a box"])


def test_a_box_drawn_in_the_window_is_done_at_the_release(monkeypatch):
    frame = black((320, 240))
    down, move, up = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP
    click = [(down, 500, 755, 0, None), (up, 502, 755, 0, None)]  # on the texts: is nothing
    drag = [(move, 9, 9, 0, None), (down, 500, 200, 0, None), (move, 400, 150, 0, None)]
    window, shown, draw = select_with(monkeypatch, frame, [*click, *drag, (up, 300, 9999, 0, None)])
    x, y, w, h = draw()
    factor = (0.86 * 768 - STRIP) / 240  # above two rows of texts
    left = (shown[0].shape[1] - round(320 * factor)) // 2
    assert (x, w) == pytest.approx(((300 - left) / factor, 200 / factor), rel=0.01)
    assert (y, y + h) == pytest.approx((200 / factor, 240), rel=0.01)  # not below the picture
    assert (shown[-1] == (0, 255, 255)).all(axis=2).any() and not frame.any()
    assert shown[0][int(240 * factor) + 2 :].max() > 200  # texts below, nothing on the picture
    assert not shown[0][: int(240 * factor), left : -left - 1].any() and window.open


def test_esc_goes_back_without_a_box_and_without_ending_the_run(monkeypatch):
    window, _, draw = select_with(monkeypatch, black((320, 240)), [], ["\x1b"])
    assert draw() is None and window.open


def test_a_click_is_the_point_under_it(monkeypatch):
    down, up = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONUP
    click = [(down, 700, 302, 0, None), (up, 701, 302, 0, None)]
    window, shown, select = select_with(monkeypatch, black((320, 240)), click)
    x, y, w, h = select()
    factor = (0.86 * 768 - STRIP) / 240
    left = (shown[0].shape[1] - round(320 * factor)) // 2
    assert (x, y) == pytest.approx(((701 - left) / factor, 302 / factor), rel=0.01)
    assert (w, h) == (0, 0) and window.touched


def test_a_button_that_went_down_in_the_film_begins_a_box(monkeypatch):
    down, move, up = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP
    frame = black((320, 240))
    late = [(move, 700, 300, 0, None), (up, 720, 330, 0, None)]
    early = [(move, 5, 5, 0, None), (down, 600, 200, 0, None)]
    window, _, _ = select_with(monkeypatch, frame, [*early, *late])
    window.show(frame)
    assert window.wait_key(0.01) is None and not window.pressed, "the mouse only moves"
    assert window.wait_key(0.01) is None and window.pressed and window.touched
    x, y, w, h = window.select(frame, ["Drag a box"], pressed=True)
    factor = (0.86 * 768 - STRIP) / 240
    assert (w, h) == pytest.approx((120 / factor, 130 / factor), rel=0.02)
    assert not window.pressed
    window, _, _ = select_with(
        monkeypatch, frame, [(down, 500, 755, 0, None), (up, 500, 755, 0, None)]
    )
    window.show(frame)
    assert window.wait_key(0.01) is None and window.pressed
    assert window.select(frame, ["Drag a box"], pressed=True) is None, "below the picture"


def test_a_lost_target_has_a_red_broken_line_and_the_time_since():
    track = Track((100, 80, 100, 80), 0.5, True, "lost")
    held = draw(black((480, 360)), Track(track.box, 0.5))
    lost = draw(black((480, 360)), track, {"since": {0: "1.2 s"}})
    side = lost[90:150, 100].astype(int)
    red = (side[:, 2] > side[:, 1] + 100).sum()
    assert 10 < red < 50, "a part of the line is red"
    assert held[90:150, 100].any(axis=1).all() and not side.any(axis=1).all()
    without = draw(black((480, 360)), track)
    assert (lost != without).any()


def test_a_tracked_box_of_low_presence_has_a_thin_line():
    def line_px(**track):
        side = draw(black((960, 720)), Track((300, 200, 200, 160), 0.9, **track))[280, 280:320]
        return (side.max(axis=1) > 100).sum()

    sure = line_px(presence=0.8)
    assert 1 <= line_px(presence=0.79) < sure / 2 and line_px(presence=None) == sure


@pytest.mark.parametrize("colours", [("601", False), ("601", True), ("709", False), ("709", True)])
@pytest.mark.parametrize("kind", ["I420", "NV12"])
@pytest.mark.parametrize("state", ["tracked", UNSURE, LOST])
def test_what_is_drawn_in_planes_looks_as_in_bgr(kind, colours, state):
    """The same picture, but for the colour's lower resolution at the edges of lines and letters."""
    width, height = 320, 240
    noise = cv2.GaussianBlur(
        np.random.RandomState(3).randint(0, 255, (120, 160), np.uint8), (9, 9), 4
    )
    luma = cv2.resize(noise, (width, height))
    u, v = cv2.resize(noise, (160, 120))[::-1], cv2.resize(noise, (160, 120))[:, ::-1]
    pairs = np.stack([u, v], -1).reshape(height // 2, width)
    parts = [luma, u, v] if kind == "I420" else [luma, pairs]
    frame = Planes(kind, [np.ascontiguousarray(part) for part in parts], width, height, *colours)
    before = [plane.copy() for plane in frame.planes]
    box = (101.4, 61.2, 78, 53) if state != LOST else (-20.0, 150, 90, 120)
    tracks = {
        1: Track(box, 0.9, state=state, lost=state == LOST),
        2: Track((9, 7, 31, 400), 0.5, state="tracked", presence=0.5),
    }
    empty = [np.zeros((height, width), np.uint8)]
    empty += [np.zeros((height // 2, width // 2), np.uint8) for _ in range(2)]
    out = Planes("I420", empty, width, height, *colours)
    draw_in_planes(frame, tracks, {}, out)
    wanted = draw(cpu.load().to_bgr(frame), tracks)
    got = cpu.load().to_bgr(out)
    assert got.shape == wanted.shape
    far = np.abs(got.astype(int) - wanted).max(axis=2)
    untouched = (wanted[:height] == cpu.load().to_bgr(frame)).all(axis=2)
    assert np.median(far) <= 2 and (far[:height][untouched] <= 2).mean() > 0.97
    # lines and labels: the brightness everywhere, the colour where they are two pixels wide
    grey = np.abs(
        cv2.cvtColor(got, cv2.COLOR_BGR2GRAY).astype(int) - cv2.cvtColor(wanted, cv2.COLOR_BGR2GRAY)
    )
    assert (grey > 60).mean() < 0.02 and (far > 90).mean() < 0.02
    for plane, kept in zip(frame.planes, before):
        np.testing.assert_array_equal(plane, kept)
