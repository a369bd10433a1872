"""What a run says and writes, by real processes: exit codes, summaries, closed streams."""

import contextlib
import fcntl
import gc
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import types
import weakref

import cv2
import numpy as np
import pytest

from hotpath.app import track_command as track
from hotpath.app.cli.outputs import Outputs
from tests.app.test_track import film_command, here, lines_in, long_film, rows_of, world
from tests.support import ROOT, run
from tests.support.disks import small_disk
from tests.support.needs import needs_terminal

__all__ = ["long_film", "world"]
pytest.importorskip("onnxruntime")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_summary_that_can_not_be_printed_is_one_sentence(world):
    with open("/dev/full", "wb") as full:
        words = film_command(world, "frames", "--json", "--frames", "2", "--quiet", "--no-show")
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, timeout=120)
    last = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 2 and "standard output: " in last and "disk is full" in last


def test_a_run_without_outputs_says_where_the_target_was(world, capsys, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert here(world, "frames") == 0
    told = capsys.readouterr().err
    assert re.search(r"target 0: [\d.]+,[\d.]+,[\d.]+,[\d.]+ in frame 29", told)


def test_a_folder_gets_times_by_fps_and_says_where_it_has_none(world, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert here(world, "frames", "--results", out) == 0
    assert re.search("has no frame rate.*--fps", capsys.readouterr().err)
    assert rows_of(out)[10]["time_s"] == ""
    assert here(world, "frames", "--results", out, "--fps", "20") == 0
    assert "has no frame rate" not in capsys.readouterr().err
    assert float(rows_of(out)[10]["time_s"]) == 0.5


def test_a_saved_video_has_the_box_and_nothing_else(world, tmp_path):
    pytest.importorskip("av")
    plain = cv2.imread(str(world[0] / "frames" / "0000.png"))
    out = tmp_path / "full.mp4"
    assert here(world, "frames", "--save", out, "--frames", "3") == 0
    full = cv2.VideoCapture(str(out)).read()[1].astype(int)
    changed = np.abs(full - plain).max(axis=2) > 60
    assert full.shape == plain.shape and changed.any() and changed.mean() < 0.1


def test_a_long_path_leaves_room_for_the_bar_on_a_terminal(world, tmp_path):
    long = tmp_path / ("a_folder_with_quite_a_long_name_" * 4)
    (long / "frames").mkdir(parents=True)
    pictures = sorted((world[0] / "frames").iterdir())
    for index in range(10 * len(pictures)):  # the bar is drawn five times a second
        name = f"{index:05d}{pictures[0].suffix}"
        (long / "frames" / name).symlink_to(pictures[index % len(pictures)])
    out = tmp_path / "out.csv"
    words = film_command(world, long / "frames", "--results", out, "--fps", "25")
    needs_terminal()
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    run = subprocess.Popen(words, stderr=side)
    os.close(side)
    text = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while True:
            text += os.read(terminal, 4096)
    assert run.wait(60) == 0
    os.close(terminal)
    lines = re.split("[\r\n]", re.sub("\x1b\\[[0-9;]*m", "", text.decode("utf-8")))
    assert b"\x1b[32mtracked" in text, "the word has its colour"
    bars = [line for line in lines if "%|" in line]  # the summary, too, may have shares in per cent
    assert bars and all(len(line) < 60 for line in bars)
    told = "FPS", "tracked", "/300", "left"
    assert any(all(word in line for word in told) for line in bars), bars


def test_tracking_runs_and_speaks_without_tqdm(world):
    code = "import sys; sys.modules['tqdm'] = None; "
    code += "from hotpath.app import track_command as track; track.main()"
    done = run([sys.executable, "-c", code, *film_command(world, "frames")[3:]], cwd=str(ROOT))
    assert done.returncode == 0 and "30 frames" in done.stderr, done.stderr


def test_the_profile_names_each_step_and_the_programs_own_speed(world, tmp_path, capsys):
    pytest.importorskip("av")
    assert here(world, "frames", "--profile", "--json", "--save", tmp_path / "out.mp4") == 0
    found, told = capsys.readouterr()
    steps = "decode", "crop", "network", "select", "tracking", "drawing", "encoding", "writing"
    for step in (*steps, "median", "p95", "p99"):
        assert step in told
    assert re.findall(r"(\d+) FPS", told) == [f"{json.loads(found)['fps']:.0f}"]


def test_a_run_begins_at_the_time_that_is_given(world, tmp_path, capsys):
    out = tmp_path / "out.csv"
    at_20 = ["--fps", "20", "--results", out]
    assert here(world, "frames", "--start", "0.5", "--frames", "3", *at_20) == 0
    times = [(row["frame"], row["time_s"]) for row in rows_of(out)]
    assert times == [("10", "0.5"), ("11", "0.55"), ("12", "0.6")]
    capsys.readouterr()
    assert here(world, "frames", "--start", "1:20", *at_20) == 2
    assert "ends at 1.4 s" in capsys.readouterr().err
    assert here(world, "frames", "--start", "1") == 2
    assert "--fps" in capsys.readouterr().err


def test_a_quiet_run_prints_its_summary_as_json_and_nothing_else(world, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert here(world, "frames", "--quiet", "--json", "--fps", "20", "--results", out) == 0
    messages = capsys.readouterr()
    assert messages.err == ""
    found = json.loads(messages.out)
    assert (found["frames"], found["files"], found["failed"]) == (30, [str(out)], [])
    last = rows_of(out)[-1]
    assert found["targets"][0]["box"] == [round(float(last[key]), 2) for key in "xywh"]
    assert 0 < found["ms"]["median"] <= found["ms"]["p95"] and 0 < found["score"] <= 1
    assert here(world, "frames", "--json", "--results", "-") == 2
    assert "both take standard output" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_outputs_fail_one_by_one_and_the_others_go_on(world, tmp_path, capsys, monkeypatch):
    pytest.importorskip("av")
    (tmp_path / "a.csv").symlink_to("/dev/full")
    files = ["--fps", "20", "--results", tmp_path / "a.csv"]
    assert here(world, "frames", *files, "--save", tmp_path / "a.mp4") == 2
    messages = capsys.readouterr().err
    assert messages.count("a.csv: the disk is full") == 1  # not at the end again, within a minute
    assert f"wrote {tmp_path / 'a.mp4'}" in messages and "30 frames" in messages
    assert f"wrote {tmp_path / 'a.csv'}" not in messages
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    monkeypatch.setattr("hotpath.app.cli.outputs.AGAIN_S", 0.0)
    assert here(world, "frames", *files, "--save", tmp_path / "a.mp4", "--append") == 2
    assert capsys.readouterr().err.count("a.csv: the disk is full") == 31
    assert here(world, "frames", *files) == 2  # nothing is left to run for
    assert "1 frame of" in capsys.readouterr().err


@pytest.mark.parametrize("live", [True, False])
def test_a_camera_goes_on_where_no_file_can_be_written(live):
    output = object()
    source = types.SimpleNamespace(live=live)
    run = types.SimpleNamespace(_files={output}, _window=None, _links=[], _source=source)
    run._failing = {output}
    assert Outputs.open.fget(run) is live
    run._failing = set()  # there is room again
    assert Outputs.open.fget(run)


def test_a_video_on_a_full_disk_ends_and_the_results_go_on(world, tmp_path, capsys, monkeypatch):
    pytest.importorskip("av")
    write, frames, alive = Outputs.write, [], []

    def counted(outputs, tracked):
        frames.append(weakref.ref(tracked.frame))
        write(outputs, tracked)
        alive.append(sum(frame() is not None for frame in frames))

    monkeypatch.setattr(Outputs, "write", counted)
    with small_disk(tmp_path / "disk", 4) as disk:
        out = tmp_path / "out.csv"
        assert here(world, "frames", "--save", disk / "a.mp4", "--results", out) == 2
    assert "a.mp4: the disk is" in capsys.readouterr().err
    assert len(rows_of(out)) == 30
    assert max(alive) <= 6, "an error that is raised again holds the frames of its callers"


@pytest.mark.skipif(sys.version_info < (3, 7), reason="Python 3.6 can't leave any out")
def test_garbage_collection_skips_objects_older_than_the_loop(world, monkeypatch):
    loop = track.run_loop
    left_out = []

    def run_loop(*arguments):
        left_out.append(gc.get_freeze_count())
        return loop(*arguments)

    monkeypatch.setattr(track, "run_loop", run_loop)
    assert here(world, "film.avi", "--frames", "6") == 0
    assert left_out[0] > 1000 and gc.get_freeze_count() == 0


def test_systemd_knows_a_run_and_a_restart_keeps_its_rows(world, long_film, tmp_path):
    rows, notify = tmp_path / "rows.csv", str(tmp_path / "notify")
    words = film_command(world, long_film, "--results", rows, "--append")
    environment = dict(os.environ, NOTIFY_SOCKET=notify, WATCHDOG_USEC="1000000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(notify)
        systemd.settimeout(60)
        process = subprocess.Popen(words, env=environment)
        assert systemd.recv(256).startswith(b"READY=1")
        assert systemd.recv(256) == b"WATCHDOG=1"
        while lines_in(rows) < 4:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
    before = rows.read_text()
    assert subprocess.call([*words, "--frames", "30"], timeout=120) == 0
    after = rows.read_text()
    assert after.startswith(before) and after.count("\n") == before.count("\n") + 30
    assert after.count("frame,") == 1  # one header


def test_a_terminal_that_is_closed_ends_a_run_in_order(world, tmp_path):
    out = tmp_path / "out.csv"
    words = film_command(world, "frames", "--page", "--page-port=0", "--fps=3", "--results", out)
    pytest.importorskip("aiohttp")
    needs_terminal()
    child, terminal = pty.fork()
    if not child:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run below nohup would not end by it
        os.execv(words[0], words)
    while not (out.exists() and out.read_text().count("\n") > 2):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.05)
    os.close(terminal)  # SIGHUP, and nothing can be written there any more
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 129
    assert out.read_text().endswith("\n")


def test_the_last_frame_is_held_where_the_recording_ended(world, monkeypatch):
    held = []
    monkeypatch.setattr(Outputs, "hold", lambda outputs: held.append(outputs))
    assert here(world, "film.avi", "--frames", "6") == 0 and not held
    assert here(world, "film.avi") == 0 and len(held) == 1


def test_a_doubt_names_its_target_where_there_are_several():
    targets = types.SimpleNamespace(doubt=["", "too small", "too large"].__getitem__)
    assert track.doubts_of(targets, {1: None}) == ["too small"]
    expected = ["target 1: too small", "target 2: too large"]
    assert track.doubts_of(targets, dict.fromkeys(range(3))) == expected
