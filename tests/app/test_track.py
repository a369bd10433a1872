"""The command line as a user runs it: real processes and files, a tracker built in the test."""

import contextlib
import csv
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import cv2
import numpy as np
import onnx
import pytest

from hotpath.app.cli.networks import networks_command
from hotpath.app.cli.profile import KEPT
from hotpath.app.track_command import main
from hotpath.runtime import bearing
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.tracker.motion import Motion
from hotpath.runtime.types import Box, Track
from hotpath.video.sources import open_source
from tests.support import run, tiny
from tests.support.ports import free_port
from tests.support.tiny import write_video

pytest.importorskip("onnxruntime")

on_each_python = pytest.mark.pythons("the whole program")
FRAMES = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the tiny network, its film as pictures and as a video, and the true boxes."""
    folder = tmp_path_factory.mktemp("world")
    return folder, tiny.write_world(folder, FRAMES)


def command(folder, *arguments):
    """The command line, on the tiny network."""
    words = [
        sys.executable,
        "-m",
        "hotpath.app.track_command",
        "--network",
        folder / "tiny.toml",
        *arguments,
    ]
    return [str(word) for word in words]


def film_command(world, video, *arguments):
    """The command line on a video, by its name in the world's folder, from the true first box."""
    folder, boxes = world
    return command(folder, "--video", folder / video, "--box", box_text(boxes), *arguments)


def on_film(world, video, *arguments, **options):
    """Run ``film_command`` to its end."""
    return run(film_command(world, video, *arguments), timeout=120, **options)


def here(world, video, *arguments):
    """The exit code of ``film_command`` in this process."""
    return main(film_command(world, video, *arguments)[3:])


def box_text(boxes):
    return ",".join(f"{value:g}" for value in boxes[0])


def rows_of(path):
    with open(str(path)) as file:
        return list(csv.DictReader(file))


def lines_in(path):
    """The lines that are in a file now."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def boxes_of(rows):
    return np.array([[float(row[key]) for key in "xywh"] for row in rows])


@on_each_python
@pytest.mark.parametrize("source", ["film.avi", "frames"])
def test_the_target_is_followed_through_every_frame(world, tmp_path, source):
    folder, boxes = world
    out = tmp_path / "out.csv"
    done = on_film(world, source, "--results", out)
    assert done.returncode == 0, done.stderr
    rows = rows_of(out)
    assert [int(row["frame"]) for row in rows] == list(range(FRAMES))
    assert overlap(boxes_of(rows), boxes).min() > 0.4  # cells are 10 frame pixels apart
    assert f"{FRAMES} frames" in done.stderr


@on_each_python
def test_results_go_to_standard_output_and_nothing_else_does(world):
    folder, boxes = world
    done = on_film(world, "frames", "--results", "-", "--frames", "5")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("frame,time_s,x,y,w,h,score")
    assert len(lines) == 6


@on_each_python
def test_several_targets_have_rows_and_boxes_of_single_runs(world, tmp_path):
    folder, boxes = world
    other = np.array([[20, 150, 30, 30]])
    both, alone = tmp_path / "both.csv", tmp_path / "alone.csv"
    assert here(world, "frames", "--box", box_text(other), "--results", both) == 0
    for number, box in enumerate((boxes, other)):
        assert here((folder, box), "frames", "--results", alone) == 0
        rows = [row for row in rows_of(both) if row["target"] == str(number)]
        np.testing.assert_allclose(boxes_of(rows), boxes_of(rows_of(alone)), atol=1e-3)


REFUSED = [  # one of each kind; the tests of boxes, networks and sources have the others
    ("--box=10,10,20", "not four numbers"),
    ("", "give --box X,Y,W,H.*--page"),
    ("--network=nanotrack2 --box=90,70,40,40", "did you mean nanotrack_v2"),
    ("--witness=nanotrack2 --box=90,70,40,40", "the witness: no network is called 'nanotrack2'"),
    (
        "--network=alone/tiny.toml --box=90,70,40,40",
        "tiny_backbone.onnx.* networks_dir .--networks-dir",
    ),
    ("--network=other/tiny.toml --box=90,70,40,40", "sha256 abababababab"),
    ("--network=cut/tiny.toml --box=90,70,40,40", "not a whole ONNX file"),
    ("--network=large/tiny.toml --box=90,70,40,40", "tiny"),
    ("--network=small/tiny.toml --box=90,70,40,40", "tiny"),
    ("--video=empty.csv --box=1,1,9,9", "empty"),
    ("--box=90,70,40,40 --save=no/out.mp4", "does not exist"),
    ("--box=90,70,40,40 --results=boxes.csv --save=out.xyz", "ending"),
    ("--box=90,70,40,40 --save=link.mp4", "is also an input of this run"),
    (
        "--box=90,70,40,40 --results=rows.csv --threads=1000",
        "threads is 1000, but this process may use ",
    ),
]


@pytest.fixture(scope="module")
def mistakes(world):
    """The world's folder with files and networks that a run refuses."""
    folder, _ = world
    for name, toml in (
        ("other", tiny.TOML.replace('_head.onnx"', '_head.onnx"\nsha256 = "{}"'.format("ab" * 32))),
        ("cut", tiny.TOML),
        ("large", tiny.TOML.replace("search = 255", "search = 300")),
        ("small", tiny.TOML.replace("search = 255", "search = 3")),
    ):
        (folder / name).mkdir()
        tiny.write_network(folder / name, toml)
    head = folder / "cut" / "tiny_head.onnx"
    head.write_bytes(head.read_bytes()[:-300])
    (folder / "alone").mkdir()
    (folder / "alone" / "tiny.toml").write_text(tiny.TOML)
    (folder / "empty.csv").write_text("")
    (folder / "boxes.csv").write_text("90,70,40,40\n")
    (folder / "link.mp4").symlink_to(folder / "film.avi")
    return folder


@on_each_python
@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_a_mistake_is_one_sentence_and_no_file_is_touched(
    mistakes, capsys, monkeypatch, arguments, words
):
    monkeypatch.chdir(mistakes)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    before = {path: path.read_bytes() for path in mistakes.rglob("*") if path.is_file()}
    usual = ("--network=tiny.toml", "--video=film.avi")
    given = [word for word in usual if word.split("=")[0] + "=" not in arguments]
    given += arguments.split()
    assert main(given) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("hotpath track: ") and re.search(words, line), line
    assert before == {path: path.read_bytes() for path in mistakes.rglob("*") if path.is_file()}


def test_a_picture_smaller_than_the_smallest_box_is_refused(world, tmp_path, capsys):
    for side, code in ((9, 2), (10, 0)):  # min_size is 10
        picture = np.random.default_rng(0).integers(0, 255, (side, 16, 3), np.uint8)
        tiny.write_pictures(tmp_path / str(side), [picture] * 2)
        words = [tmp_path / str(side), "--box", "2,2,5,5", "--no-show"]
        assert main([str(word) for word in ["--network", world[0] / "tiny.toml", *words]]) == code
        assert ("16x9 is smaller than the smallest box" in capsys.readouterr().err) == (code == 2)


LATE = {
    "a name that no host can have": "--page --page-host " + "a" * 70 + ".example",
    "a page's port in use": "--page --page-port {tcp}",
    "an unknown host": "--publish udp://no-such-host.invalid:1",
    "a stream's port in use": "--stream rtsp://:{tcp}/live",
}


@pytest.mark.parametrize("why", sorted(LATE))
def test_a_run_refused_late_keeps_earlier_results(world, tmp_path, capsys, why):
    old = tmp_path / "old.csv"
    old.write_text("frame,precious\n1,2\n")
    with socket.create_server(("", 0)) as tcp:
        words = LATE[why].format(tcp=tcp.getsockname()[1]).split()
        assert here(world, "frames", "--results", old, "--no-show", *words) == 2
    assert old.read_text() == "frame,precious\n1,2\n", capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


def test_a_truncated_video_is_followed_as_far_as_it_goes(world, tmp_path, capsys):
    whole = (world[0] / "film.avi").read_bytes()
    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out.csv"
    assert here(world, tmp_path / "half.avi", "--results", out) == 2
    rows = rows_of(out)
    assert 10 < len(rows) < FRAMES
    assert str(len(rows)) in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("errors", "code"), [(1, 0), (2, 2)])
def test_a_recording_with_several_decoder_errors_ends_with_two(world, monkeypatch, errors, code):
    @contextlib.contextmanager
    def damaged(*given, **more):
        with open_source(*given, **more) as source:
            source.errors = errors
            source.file_of = lambda index: None  # as a video, whose last frame may be damaged
            yield source

    monkeypatch.setattr("hotpath.app.frames.open_source", damaged)
    assert here(world, "frames", "--frames", "2", "--no-show") == code


def test_pictures_that_cannot_be_decoded_are_skipped_and_the_run_ends_with_two(world, tmp_path):
    frames, out = tmp_path / "frames", tmp_path / "out.csv"
    frames.mkdir()
    for path in sorted((world[0] / "frames").iterdir())[:12]:
        cv2.imwrite(str(frames / path.with_suffix(".jpg").name), cv2.imread(str(path)))
    for name in ("0004.jpg", "0005.jpg", "0011.jpg"):
        (frames / name).write_bytes((frames / name).read_bytes()[:2000])
    done = on_film(world, frames, "--results", out)
    assert done.returncode == 2, done.stderr
    assert [int(row["frame"]) for row in rows_of(out)] == [0, 1, 2, 3, 6, 7, 8, 9, 10]
    assert done.stderr.count("is skipped") == 1
    assert "frame 4 is skipped: " in done.stderr and "0004.jpg: the picture is cut" in done.stderr
    assert "0 of 9 frames damaged, 3 more skipped" in done.stderr
    assert on_film(world, frames, "--results", out, "--frames", "5").returncode == 2
    assert [int(row["frame"]) for row in rows_of(out)] == [0, 1, 2, 3]


def test_frames_that_change_size_carry_the_target_over(world, tmp_path):
    pytest.importorskip("av")
    folder, boxes = world
    scale = np.ones(10)
    scale[5:] = 2
    for path, factor in zip(sorted((folder / "frames").iterdir()), scale):
        picture = cv2.resize(cv2.imread(str(path)), None, fx=factor, fy=factor)
        cv2.imwrite(str(tmp_path / path.name), picture)
    out = tmp_path / "out.csv"
    assert here(world, tmp_path, "--results", out, "--save", tmp_path / "out.mp4") == 0
    assert overlap(boxes_of(rows_of(out)), boxes[:10] * scale[:, None]).min() > 0.5


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """A film that no run of these tests comes to the end of."""
    path = tmp_path_factory.mktemp("long") / "long.avi"
    write_video(path, tiny.film(FRAMES)[0] * 70)
    return path


@on_each_python
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_has_written_every_frame(world, long_film, tmp_path, number):
    pytest.importorskip("av")
    out, video = tmp_path / "out.csv", tmp_path / "out.mp4"
    words = film_command(world, long_film, "--results", out, "--save", video)
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 200  # on a computer that is very busy
    while time.monotonic() < deadline and lines_in(out) < 100 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    rows = rows_of(out)
    assert len(rows) >= 99
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    assert all(row["score"] for row in rows)  # the last line is whole
    capture = cv2.VideoCapture(str(video))
    saved = 0
    while capture.read()[0]:
        saved += 1
    assert saved >= len(rows) - 25  # the film has 25 frames a second


def test_a_tiny_frame_among_others_is_left_out(world, tmp_path):
    pictures = tiny.film(8)[0]
    pictures[3] = pictures[3][:2, :2]
    tiny.write_pictures(tmp_path / "frames", pictures)
    out = tmp_path / "out.csv"
    done = on_film(world, tmp_path / "frames", "--results", out)
    assert done.returncode == 0 and "frame 3 is skipped: a frame of 2x2" in done.stderr
    assert [int(row["frame"]) for row in rows_of(out)] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.slow("thirty thousand frames")
def test_memory_is_steady_once_all_kept_times_are_there(world, tmp_path):
    folder, boxes = world
    pictures, _ = tiny.film(100, width=160, height=120, side=20)
    write_video(tmp_path / "long.avi", pictures * 410)
    out = tmp_path / "out.csv"
    process = subprocess.Popen(
        command(folder, "--video", tmp_path / "long.avi", "--box", "48,36,20,20", "--results", out),
        stderr=subprocess.PIPE,
    )
    resident_kb = {}
    for count in (KEPT + 10000, KEPT + 20000):  # deques fill, then arenas
        while process.poll() is None and lines_in(out) < count:
            time.sleep(0.01)
        with open(f"/proc/{process.pid}/status") as file:
            resident_kb[count] = int(file.read().split("VmRSS:")[1].split()[0])
    process.communicate(timeout=60)
    assert process.returncode == 0
    before, after = resident_kb.values()
    assert abs(after - before) < 512, resident_kb


def test_networks_and_cameras_are_listed(networks_dir, monkeypatch, capsys):
    assert networks_command.main(["list"]) == 0
    assert "nanotrack_v2" in capsys.readouterr().out
    monkeypatch.setattr("hotpath.video.cameras.list_cameras", lambda: [(7, "Emulated")])
    assert main(["--list-cameras"]) == 0
    assert capsys.readouterr().out == "cam7  Emulated\n"
    monkeypatch.setenv("NETWORKS_DIR", str(networks_dir))
    assert networks_command.main(["show", "nanotrack_v2"]) == 0
    assert "present" in capsys.readouterr().out


def _broken(folder, *names):
    """An environment in which some libraries fail when they are imported."""
    for name in names:
        (folder / (name + ".py")).write_text("raise ImportError('its library is damaged')\n")
    return dict(os.environ, PYTHONPATH=str(folder))


def test_a_broken_engine_gives_way_to_the_next(world, tmp_path):
    pytest.importorskip("openvino")
    done = on_film(world, "film.avi", env=_broken(tmp_path, "openvino"))
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" in done.stderr


TAKES_IT = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.{})
    time.sleep(5)
except KeyboardInterrupt:
    raise ImportError("it was interrupted")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_a_library_takes_for_a_fault_ends_the_run(world, tmp_path, name):
    pytest.importorskip("openvino")
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as below nohup, and a run leaves it so")
    (tmp_path / "openvino.py").write_text(TAKES_IT.format(name))
    rows, environment = tmp_path / "rows.csv", dict(os.environ, PYTHONPATH=str(tmp_path))
    done = on_film(world, "film.avi", "--results", rows, env=environment)
    assert done.returncode == 128 + getattr(signal, name) and not rows.exists()
    first, last = done.stderr.splitlines()  # the other engine is loaded before the run looks
    assert first.startswith("tiny runs in fp32 on onnxruntime ")
    assert last == f"hotpath track: stopped before tracking began; {rows} was not written"


def test_broken_engines_are_one_sentence(world, tmp_path):
    environment = _broken(tmp_path, "openvino", "onnxruntime")
    for engine in ("auto", "onnxruntime"):
        done = on_film(world, "film.avi", "--engine", engine, env=environment)
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == 2 and line.startswith("hotpath track: ")
        assert "its library is damaged" in line


def test_a_frame_without_numbers_is_left_out_and_many_end_a_run(world, tmp_path):
    tiny.write_network(tmp_path)
    onnx.save(tiny.blinded(), str(tmp_path / "tiny_backbone.onnx"))
    pictures, boxes = tiny.film(60)
    words = ["--box", box_text(np.array(boxes)), "--no-show", "--results", tmp_path / "out.csv"]
    for white, code in (([7, 8, 30], 0), (range(20, 60), 2)):
        film = [np.full_like(p, 255) if n in white else p for n, p in enumerate(pictures)]
        tiny.write_pictures(tmp_path / "frames", film)
        done = run(command(tmp_path, "--video", tmp_path / "frames", *words), timeout=120)
        assert done.returncode == code, done.stderr
        found = [int(row["frame"]) for row in rows_of(tmp_path / "out.csv")]
        assert found == [n for n in range(60) if n not in white]
        assert f"frame {white[0]} is skipped: " in done.stderr
        assert done.stderr.count("is skipped: ") == 1 and "Traceback" not in done.stderr


HANGS = """
import sys, threading, time
from hotpath.app.track_command import StopRequest
def tell():
    while not stop.requested:
        time.sleep(0.01)
    print("asked", flush=True)
with StopRequest() as stop:
    stop.begin()
    threading.Thread(target=tell, daemon=True).start()
    print("ready", flush=True)
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # for ever
"""


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
def test_a_second_signal_ends_a_run_that_hangs(first, second):
    def heard():  # also where nohup started the tests
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    words = [sys.executable, "-c", HANGS]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, preexec_fn=heard)
    process.stdout.readline()
    process.send_signal(getattr(signal, first))
    assert process.stdout.readline() == b"asked\n" and process.poll() is None
    number = getattr(signal, second)
    process.send_signal(number)
    assert process.wait(60) == -number
    process.stdout.close()


RESTORES = """
import os, signal
from hotpath.app.track_command import StopRequest
signal.signal(signal.SIGTERM, lambda number, frame: print("the caller's"))
with StopRequest() as stop:
    stop.begin()
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.requested, stop.exit_code, signal.getsignal(signal.SIGINT) == signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGTERM)
"""


SWALLOWED = """
import os, signal, sys, weakref
from hotpath.app.track_command import StopRequest
class Module: pass
def callback(reference, signals=True):
    os.kill(os.getpid(), signal.SIGQUIT) if signals else 1 / 0
with StopRequest() as stop:
    module = Module()
    reference = weakref.ref(module, lambda gone: callback(gone, signals=False))
    del module
    module = Module()
    reference = weakref.ref(module, callback)
    del module
    try:
        stop.begin()
    except KeyboardInterrupt:
        print("stopped", stop.exit_code)
print(sys.unraisablehook is sys.__unraisablehook__)
"""


@pytest.mark.skipif(sys.version_info < (3, 8), reason="Python before 3.8 prints it always")
def test_a_signal_in_a_callback_of_the_interpreter_stops_a_run_without_a_traceback():
    done = run([sys.executable, "-c", SWALLOWED])
    assert done.stdout == f"stopped {128 + signal.SIGQUIT}\nTrue\n"
    assert "ZeroDivisionError" in done.stderr and "KeyboardInterrupt" not in done.stderr


def test_after_a_run_signals_are_handled_as_before():
    done = run([sys.executable, "-c", RESTORES])
    assert done.returncode == 0 and done.stdout == "True 143 True\nthe caller's\n"


def test_ctrl_c_ends_a_run_whose_source_is_still_opening(world):
    port = free_port()
    words = command(world[0], "--video", f"udp://127.0.0.1:{port}", "--box", "1,1,9,9")
    process = subprocess.Popen(words, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        limit = time.monotonic() + 120
        while f":{port:04X} " not in pathlib.Path("/proc/net/udp").read_text():
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=8)  # the opening ends after ten
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in messages


def test_results_have_the_direction_with_a_field_of_view(world, tmp_path):
    assert here(world, "frames", "--results", tmp_path / "a.csv", "--fov", "60,45") == 0
    rows = rows_of(tmp_path / "a.csv")
    for row, box in zip(rows, boxes_of(rows)):
        told = float(row["bearing_right"]), float(row["bearing_down"])
        assert told == pytest.approx(bearing(box, (320, 240), (60, 45)), abs=0.01)
        assert 0.0 < float(row["presence"] or 1) <= 1.0


def test_results_have_the_velocity_where_the_frames_have_times(world, tmp_path):
    paths = tmp_path / "timed.csv", tmp_path / "untimed.csv"
    assert here(world, "frames", "--results", paths[0], "--fps", "10") == 0
    assert here(world, "frames", "--results", paths[1]) == 0
    timed, untimed = (rows_of(path) for path in paths)
    names, motion = ("velocity_x", "velocity_y"), Motion()
    for row, own in zip(timed, boxes_of(timed)):
        wanted = motion.step(Track(Box(*own), 1.0), float(row["time_s"])).velocity
        told = [float(row[name]) for name in names if row[name]]
        assert told == pytest.approx(wanted or (), abs=0.01)
    assert len(told) == 2 and not timed[0]["velocity_x"]
    assert {row[name] for row in untimed for name in names} == {""}
    assert overlap(boxes_of(untimed), world[1]).min() > 0.4


def test_a_refused_run_ends_by_its_sentence_without_imports():
    """As where memory is short: the end of the program loads nothing."""
    words = ["hotpath track", "--video", "a.mp4", "--box", "1,1,20,20"]
    code = (
        f"import runpy, sys\nsys.modules['ssl'] = None\nsys.argv = {words}\n"
        "runpy.run_module('hotpath.app.track_command', run_name='__main__', alter_sys=False)"
    )
    ran = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 2 and ran.stderr.startswith("hotpath track: a.mp4: no such")
