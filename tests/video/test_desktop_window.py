"""How a picture and its texts are laid out in the window, and how the mouse is mapped back."""

import contextlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from hotpath.video import desktop_window
from hotpath.video.desktop_window import PictureView
from tests.support import ROOT, display

KEYS = ["Space: pause or resume", "B: draw a new box", "H: list the keys, or hide them"] * 3
SIZES = [(176, 144), (640, 360), (1280, 720), (3840, 2160), (480, 1200), (2160, 3840), (4000, 90)]
SCREENS = [(1366, 768), (1920, 1080), (3840, 2160), (800, 480), (1080, 1920)]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("size", SIZES)
def test_a_picture_fills_the_screen_and_texts_stand_below(size, screen):
    picture = np.random.RandomState(1).randint(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    view = PictureView(picture.shape, screen)
    shown = view.show(picture, KEYS)
    assert (
        shown.shape == view.show(picture, desktop_window.SHORT).shape
    )  # nothing jumps without the keys
    assert shown.shape[1] < 0.94 * screen[0] + 1 and shown.shape[0] < 0.86 * screen[1] + 1
    (width, height), left = view.size, view.left
    assert width / height == pytest.approx(size[0] / size[1], rel=0.03)
    fills = max(width / (0.94 * screen[0]), (shown.shape[0] + 1) / (0.86 * screen[1]))
    assert fills > 0.98 or width == 4 * size[0] or width == size[0]
    below = view.show(picture, desktop_window.SHORT)
    seen = below[:height, left : left + width].astype(float)
    if width >= size[0]:
        expected = cv2.resize(picture, view.size, interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(seen, expected)
    else:  # a mean, so noise becomes grey
        expected = cv2.resize(picture, view.size, interpolation=cv2.INTER_AREA)
        assert np.abs(seen - expected).mean() < 25 and seen.std() < 0.75 * picture.std()
    assert (shown != view.show(picture, KEYS[:-1])).any()  # the last text is there, too
    assert (shown[height:] > 200).any() and (shown[height:, -3:] == desktop_window.GROUND).all()


def test_a_list_of_keys_is_legible_on_a_small_film():
    picture = np.zeros((352, 640, 3), np.uint8)
    keys = KEYS * 2
    for screen in SCREENS[:4]:
        view = PictureView(picture.shape, screen)
        shown = view.show(picture, keys)
        inked = (shown > 120).any(axis=2)
        lines = np.flatnonzero(np.diff(inked.any(axis=1).astype(int)) != 0)
        heights = lines[1::2] - lines[::2]  # of each row of texts, with what hangs below letters
        assert len(heights) >= 3 and heights.min() >= 14, (screen, heights)
        assert not inked[: view.size[1] * 6 // 10].any()


def test_a_picture_that_would_grow_little_is_shown_unscaled():
    assert PictureView((720, 1280, 3), (1536, 960)).size == (1280, 720)


@pytest.mark.parametrize("size", SIZES)
def test_a_place_in_the_window_is_that_place_of_the_picture(size):
    view = PictureView((size[1], size[0], 3), (1920, 1080))
    mark = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = size[0] * 5 // 7, size[1] * 2 // 3
    side = max(1, min(size) // 30)
    mark[y : y + side, x : x + side] = 255
    rows, columns = np.where(view.show(mark, [])[: view.size[1]].min(axis=2) > 100)
    # the middle of the mark as it is seen, and as it is
    seen = view.in_picture(
        (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    )
    pixel = size[0] / view.size[0]
    assert seen == pytest.approx((x + side / 2, y + side / 2), abs=max(0.6, 0.6 * pixel))
    corner = view.in_picture(view.left + view.size[0], view.size[1])
    assert corner == pytest.approx(size)
    assert view.in_view(*corner) == (view.left + view.size[0], view.size[1])


@pytest.mark.parametrize(
    "code, key",
    [
        *[(-1, None), (0xE1, None), (0xFFE9, None), (0xEB, None), (ord("X"), "x"), (27, "\x1b")],
        *[(0xFF51, "left"), (0x10FF53, "right"), (0xFF50, None), (0xFF52, None), (0xFF54, None)],
    ],
)
def test_a_key_that_only_modifies_others_is_none(monkeypatch, code, key):
    monkeypatch.setattr(desktop_window, "check_window", lambda: None)
    monkeypatch.setattr(cv2, "waitKeyEx", lambda _: code)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    shown = desktop_window.DesktopWindow()
    shown._created = True
    assert shown.wait_key(0.01) == key and shown.touched == (key is not None)
    assert shown.open == (key != "\x1b")


@pytest.mark.parametrize(
    "drag, is_click, done", [(3, True, True), (4, False, True), (30, False, True)]
)
def test_a_drag_of_less_than_four_pixels_is_a_click(drag, is_click, done):
    view = PictureView((480, 640), desktop_window.SCREEN)
    drawn = desktop_window._BoxDrag((480, 640), view, np.zeros((480, 640, 3), np.uint8))
    for event, by in ((cv2.EVENT_LBUTTONDOWN, 0), (cv2.EVENT_LBUTTONUP, drag)):
        drawn.mouse(event, view.left + 100 + by, 100 + by)
    assert drawn.done == done and (drawn.place()[2:] == (0.0, 0.0)) == is_click


def test_a_box_on_4k_is_where_the_mouse_drew_it():
    reason = display.why_none() or desktop_window.no_window({})
    if reason and "no display" not in reason:
        pytest.skip(reason)
    code = (
        "import numpy as np; from hotpath.video.desktop_window import DesktopWindow, screen_size\n"
        "with DesktopWindow('film of 4K') as window:\n"
        "    print(*screen_size())\n"
        "    print(*window.select(np.zeros((2160, 3840, 3), np.uint8), ['Drag']))\n"
    )
    with display.display() as screen:
        options = dict(
            cwd=str(ROOT), env=screen.environment, universal_newlines=True, stdout=subprocess.PIPE
        )
        program = subprocess.Popen([sys.executable, "-c", code], **options)
        screen.press("film of 4K", "x")  # waits for the window
        for _ in range(4):  # a busy computer drops what is drawn before the window is laid out
            screen.drag((60, 30), (660, 330))
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(timeout=15)
                break
        lines = program.communicate(timeout=15)[0].splitlines()
        size, box = (list(map(float, line.split())) for line in lines)
    assert 600 <= size[1] <= size[0] and size != list(desktop_window.SCREEN)
    strip = 2 * desktop_window.ROW_PX + desktop_window.ROW_PX // 3
    scale = min(0.94 * size[0] / 3840, (0.86 * size[1] - strip) / 2160)
    assert box == pytest.approx([60 / scale, 30 / scale, 600 / scale, 300 / scale], abs=1.5 / scale)


@pytest.mark.parametrize(
    "asked, chosen",
    [("wayland", "xcb"), ("offscreen:size=1x1", "xcb"), ("xcb", "xcb"), ("eglfs:x", "eglfs:x")],
)
def test_a_platform_that_the_qt_of_opencv_lacks_is_replaced(tmp_path, asked, chosen):
    for name in ("libqxcb.so", "libqeglfs.so"):
        (tmp_path / name).touch()
    environment = {"QT_QPA_PLATFORM": asked}
    desktop_window.choose_platform(environment, str(tmp_path))
    assert environment["QT_QPA_PLATFORM"] == chosen
