"""A run in a real window: keys pause, step, seek and end it; the mouse selects targets."""

import signal
import subprocess
import sys
import time

import pytest

from hotpath.runtime.frames.boxes import overlap
from hotpath.video.desktop_window import PictureView, no_window
from tests.app.test_track import command, rows_of
from tests.support import ROOT, display, object_scene
from tests.support.pages import write_world

pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.skipif(bool(display.why_none()), reason=str(display.why_none())),
    pytest.mark.skipif("ALSO=window" in (no_window({}) or ""), reason="an OpenCV without windows"),
]


def frames_of(path, count, limit_s=60, act=lambda: None):
    """Act, and wait until that many rows are written; return the frames' indices.

    While no row is added it acts anew: a window drops what the mouse does before the window is
    laid out, which takes seconds on a busy computer.
    """
    deadline = time.monotonic() + limit_s
    before = acted = None
    while True:
        rows = rows_of(path) if path.exists() else []
        if len(rows) >= count:
            return [int(row["frame"]) for row in rows]
        assert time.monotonic() < deadline, rows
        before = len(rows) if before is None else before
        if acted is None or (len(rows) == before and time.monotonic() > acted + 15):
            act()
            acted = time.monotonic()
        time.sleep(0.05)


def test_keys_pause_step_seek_select_and_end_a_run(tmp_path):
    boxes = write_world(tmp_path, 120)
    box = ",".join(f"{value:g}" for value in boxes[0])
    out = tmp_path / "out.csv"
    with display.display() as screen:
        words = ["--video", tmp_path / "frames", "--box", box, "--show", "--fps", "10"]
        words = command(tmp_path, *words, "--results", out)
        run = subprocess.Popen(words, env=screen.environment, stderr=subprocess.PIPE)
        frames_of(out, 5)
        screen.press("frames", "space")
        stood = frames_of(out, 1)
        before = None
        limit = time.monotonic() + 30
        while stood != before and time.monotonic() < limit:
            time.sleep(1.5)
            stood, before = frames_of(out, 1), stood
        assert stood == before, "a paused recording goes on"
        assert len(stood) < 60, "it does not play at its own speed"

        last = stood[-1]
        screen.press("frames", "period")
        assert frames_of(out, len(stood) + 1)[-1] == last + 1
        screen.press("frames", "comma")
        assert frames_of(out, len(stood) + 2)[-1] == last

        # a new box, drawn where the window lies on the screen
        screen.press("frames", "b")
        time.sleep(3)  # until the mouse draws
        assert screen.tool("search", "--name", "^frames$"), "it is drawn in the same window"

        def draw_and_go_on():
            screen.drag((50, 50), (130, 110))  # done when the button is released
            time.sleep(0.5)
            screen.press("frames", "space")  # nothing while the mouse draws

        frames_of(out, len(stood) + 5, act=draw_and_go_on)
        assert {row["target"] for row in rows_of(out)[-2:]} == {"1"}
        screen.press("frames", "q")
        messages = run.communicate(timeout=60)[1].decode()
    assert run.returncode == 0, messages
    assert "Font" not in messages and "Traceback" not in messages


def test_the_first_box_is_drawn_in_the_window_of_the_run(tmp_path):
    write_world(tmp_path, 60)
    out = tmp_path / "out.csv"
    with display.display() as screen:
        words = ["--video", tmp_path / "frames", "--show", "--fps", "10", "--results", out]
        words = command(tmp_path, *words)
        run = subprocess.Popen(words, env=screen.environment, stderr=subprocess.PIPE)
        screen.press("frames", "x")  # waits for the window
        before = windows(screen)
        frames_of(out, 3, act=lambda: screen.drag((100, 100), (260, 220)))
        assert windows(screen) == before and len(before) == 1
        screen.press("frames", "q")
        messages = run.communicate(timeout=60)[1].decode()
    assert run.returncode == 0, messages


@pytest.mark.parametrize("how", ["Escape", "q", "SIGTERM", "SIGINT"])
def test_leaving_before_the_first_box_says_nothing_was_written(tmp_path, how):
    write_world(tmp_path, 20)
    video, out = tmp_path / "out.mp4", tmp_path / "out.csv"
    out.write_text("an older file")
    with display.display() as screen:
        words = ["--video", tmp_path / "frames", "--show", "--save", video, "--results", out]
        words = command(tmp_path, *words)
        run = subprocess.Popen(words, env=screen.environment, stderr=subprocess.PIPE)
        screen.press("frames", how if how in ("Escape", "q") else "x")
        if how not in ("Escape", "q"):
            run.send_signal(getattr(signal, how))
        messages = run.communicate(timeout=60)[1].decode()
    if how in ("Escape", "q"):
        assert run.returncode == 2 and "nothing was tracked or written" in messages
    else:
        assert run.returncode == 128 + getattr(signal, how)
        assert f"{out} and {video} were not written" in messages
    assert not video.exists() and out.read_text() == "an older file"


def test_a_click_follows_the_object_and_the_last_frame_stays(tmp_path):
    pytest.importorskip("openvino")
    object_scene.write_film(tmp_path / "film", 40)
    out = tmp_path / "out.csv"
    words = [
        sys.executable,
        "-m",
        "hotpath",
        "track",
        tmp_path / "film",
        "--show",
        "--results",
        out,
    ]
    with display.display() as screen:
        words = [str(word) for word in words] + ["--fps", "20"]
        run = subprocess.Popen(words, env=screen.environment, stderr=subprocess.PIPE, cwd=str(ROOT))
        screen.press("film", "x")  # waits for the window
        view = PictureView((240, 320), screen_of(screen))
        frames_of(out, 40, act=lambda: screen.click(view.in_view(*object_scene.CENTRE)))
        time.sleep(3.5)
        assert run.poll() is None, "the last frame does not stay for who used the mouse"
        assert len(rows_of(out)) == 40, "the file is whole while the window is open"
        run.send_signal(signal.SIGTERM)
        messages = run.communicate(timeout=60)[1].decode()
    assert run.returncode == 128 + signal.SIGTERM and "has ended" in messages
    box = [float(rows_of(out)[0][key]) for key in "xywh"]
    assert overlap(box, object_scene.OBJECT) > 0.6


def screen_of(screen):
    """(width, height) of the display, pixels."""
    words = ["xdotool", "getdisplaygeometry"]
    text = subprocess.check_output(words, env=screen.environment)
    return tuple(map(int, text.split()))


def windows(screen):
    """The ids of the visible windows of the film."""
    words = ["xdotool", "search", "--onlyvisible", "--name", "^frames$"]
    return subprocess.check_output(words, env=screen.environment).split()
