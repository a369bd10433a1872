"""The command line as a user runs it: real processes and files, a tracker built in the test."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from calib.metrics import overlap
from tests.support import tiny
from tests.support.disks import small_disk
from tests.support.tiny import write_video

pytest.importorskip("onnxruntime")

on_each_python = pytest.mark.pythons("the whole program")
FRAMES = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the tiny network, its film as pictures and as a video, and the true boxes."""
    folder = tmp_path_factory.mktemp("world")
    tiny.write_network(folder)
    pictures, boxes = tiny.film(FRAMES)
    (folder / "frames").mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "frames" / f"{index:04d}.png"), picture)
    write_video(folder / "film.avi", pictures)
    return folder, np.array(boxes)


def command(folder, *arguments):
    """The command line, on the tiny network."""
    return [sys.executable, "-m", "runtime.track", "--network", str(folder / "tiny.toml")] + [
        str(argument) for argument in arguments
    ]


def finished(words, **options):
    """The process of a command that has ended."""
    return subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        universal_newlines=True,
        timeout=120,
        **options,
    )


def film_command(world, video, *arguments):
    """The command line on a video, by its name in the world's folder, from the true first box."""
    folder, boxes = world
    return command(folder, "--video", folder / video, "--box", box_text(boxes), *arguments)


def track(folder, *arguments, **options):
    """Run the command line to its end."""
    return finished(command(folder, *arguments), **options)


def on_film(world, video, *arguments):
    """Run ``film_command`` to its end."""
    return finished(film_command(world, video, *arguments))


def box_text(boxes):
    return ",".join(f"{value:g}" for value in boxes[0])


def rows_of(path):
    with open(str(path)) as file:
        return list(csv.DictReader(file))


def boxes_of(rows):
    return np.array([[float(row[key]) for key in "xywh"] for row in rows])


def sentence(done):
    """The one line on standard error of a run that failed as it should."""
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("runtime.track: ")
    return lines[0]


def last_line(done):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


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
def test_jsonl_has_one_object_a_frame(world, tmp_path):
    folder, boxes = world
    out = tmp_path / "out.jsonl"
    on_film(world, "frames", "--results", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(FRAMES))
    assert all(0 <= row["score"] <= 1 for row in rows)


@on_each_python
def test_the_saved_video_has_every_frame_with_the_box_on_it(world, tmp_path):
    pytest.importorskip("av")
    folder, boxes = world
    out = tmp_path / "out.mp4"
    done = on_film(world, "frames", "--save", out)
    assert done.returncode == 0, done.stderr
    video = cv2.VideoCapture(str(out))
    frames = []
    while True:
        good, frame = video.read()
        if not good:
            break
        frames.append(frame)
    assert len(frames) == FRAMES
    plain = cv2.imread(str(folder / "frames" / "0010.png"))
    assert np.abs(frames[10].astype(int) - plain).max() > 100


@on_each_python
def test_profile_prints_every_step(world):
    folder, boxes = world
    done = on_film(world, "frames", "--profile")
    for step in ("decode", "crop", "network", "select", "total", "median", "p95", "p99"):
        assert step in done.stderr


def test_an_annotated_sequence_brings_its_own_box(world, tmp_path):
    folder, boxes = world
    sequence = tmp_path / "sequence"
    sequence.mkdir()
    (sequence / "img").symlink_to(folder / "frames")
    lines = ["frame,x,y,w,h"] + [
        "{},{},{},{},{}".format(index, *box) for index, box in enumerate(boxes)
    ]
    (sequence / "boxes.csv").write_text("\n".join(lines))
    out = tmp_path / "out.csv"
    done = track(folder, "--video", sequence, "--results", out)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(boxes_of(rows_of(out))[0], boxes[0])


@on_each_python
def test_several_targets_have_a_row_each_and_the_boxes_of_single_runs(world, tmp_path):
    folder, boxes = world
    one, other = box_text(boxes), "20,150,30,30"
    (tmp_path / "boxes.txt").write_text(other + "\n")
    both = tmp_path / "both.csv"
    done = track(
        folder,
        "--video",
        folder / "frames",
        "--box",
        one,
        "--boxes",
        tmp_path / "boxes.txt",
        "--results",
        both,
    )
    assert done.returncode == 0, done.stderr
    for number, box in enumerate((one, other)):
        alone = tmp_path / "alone.csv"
        track(folder, "--video", folder / "frames", "--box", box, "--results", alone)
        rows = [row for row in rows_of(both) if row["target"] == str(number)]
        np.testing.assert_allclose(boxes_of(rows), boxes_of(rows_of(alone)), atol=1e-3)


def test_a_file_without_boxes_is_one_sentence(world, tmp_path):
    folder, _ = world
    (tmp_path / "boxes.txt").write_text("\n")
    done = track(folder, "--video", folder / "film.avi", "--boxes", tmp_path / "boxes.txt")
    assert "holds no box" in sentence(done)
    done = track(folder, "--video", folder / "film.avi", "--boxes", tmp_path / "absent.txt")
    assert "can't be read" in sentence(done)


@pytest.mark.parametrize(
    "box, words",
    [
        ("400,20,10,10", "outside the frame"),
        ("10,10,0,20", "above zero"),
        ("10,10,-5,20", "above zero"),
        ("nan,10,20,20", "not finite"),
        ("1e400,10,20,20", "not finite"),
        ("10,10,20", "not four numbers"),
        ("face", "not four numbers"),
    ],
)
def test_a_box_that_no_target_can_have_is_refused(world, box, words):
    folder, _ = world
    assert words in sentence(track(folder, "--video", folder / "film.avi", "--box=" + box))


def test_no_box_and_no_display_says_what_to_give(world):
    folder, _ = world
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = track(folder, "--video", folder / "film.avi", env=environment)
    assert "give --box X,Y,W,H" in sentence(done)


def test_unknown_network_names_the_near_ones(world):
    folder, _ = world
    done = subprocess.run(
        [sys.executable, "-m", "runtime.track", "--video", "x", "--network", "nanotrack2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert "did you mean nanotrack_v2" in sentence(done)


def test_missing_network_file_says_where_to_get_it(tmp_path):
    (tmp_path / "alone.toml").write_text(tiny.TOML)
    done = track(tmp_path, "--video", "x", "--network", tmp_path / "alone.toml")
    assert "tiny_backbone.onnx" in sentence(done)
    assert "--networks-dir" in sentence(done)


def test_network_file_with_another_sha256_is_refused(tmp_path):
    text = tiny.TOML.replace(
        'name = "tiny_head.onnx"', 'name = "tiny_head.onnx"\nsha256 = "{}"'.format("ab" * 32)
    )
    tiny.write_network(tmp_path, text)
    assert "sha256 abababababab" in sentence(track(tmp_path, "--video", "x"))


@on_each_python
def test_truncated_onnx_is_refused(tmp_path):
    tiny.write_network(tmp_path)
    head = tmp_path / "tiny_head.onnx"
    head.write_bytes(head.read_bytes()[:-300])
    assert "not a whole ONNX file" in sentence(track(tmp_path, "--video", "x"))


def test_onnx_of_another_shape_is_refused(tmp_path):
    tiny.write_network(tmp_path, tiny.TOML.replace("map_size = 16", "map_size = 17"))
    assert "says maps of 1x2x17x17" in sentence(track(tmp_path, "--video", "x"))


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("absent.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is no video\n" * 40, "not a video"),
    ],
)
def test_a_file_that_is_no_video_is_refused(world, tmp_path, name, content, words):
    folder, _ = world
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = track(folder, "--video", tmp_path / name, "--box", "1,1,9,9")
    assert words in sentence(done)


def test_no_camera_names_those_that_exist(world):
    folder, _ = world
    assert "cam41" in sentence(track(folder, "--video", "cam41", "--box", "1,1,9,9"))


def test_a_truncated_video_is_followed_as_far_as_it_goes(world, tmp_path):
    folder, boxes = world
    whole = (folder / "film.avi").read_bytes()
    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out.csv"
    done = on_film(world, tmp_path / "half.avi", "--results", out)
    rows = rows_of(out)
    assert 10 < len(rows) < FRAMES
    assert str(len(rows)) in last_line(done)


@pytest.mark.parametrize("kind", ["grey", "bgra", "sixteen"])
def test_other_kinds_of_picture_are_converted(world, tmp_path, kind):
    folder, boxes = world
    for path in sorted((folder / "frames").iterdir())[:8]:
        picture = cv2.imread(str(path))
        if kind == "grey":
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        elif kind == "bgra":
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        else:
            picture = picture.astype(np.uint16) * 257
        cv2.imwrite(str(tmp_path / path.name), picture)
    out = tmp_path / "out.csv"
    done = on_film(world, tmp_path, "--results", out)
    assert done.returncode == 0, done.stderr
    assert overlap(boxes_of(rows_of(out)), boxes[:8]).min() > 0.5


def test_frames_that_change_size_carry_the_target_over(world, tmp_path):
    pytest.importorskip("av")
    folder, boxes = world
    scale = np.ones(10)
    scale[5:] = 2
    for index in range(10):
        picture = cv2.imread(str(folder / "frames" / f"{index:04d}.png"))
        size = None if scale[index] == 1 else (640, 480)
        picture = picture if size is None else cv2.resize(picture, size)
        cv2.imwrite(str(tmp_path / f"{index:04d}.png"), picture)
    out = tmp_path / "out.csv"
    done = on_film(world, tmp_path, "--results", out, "--save", tmp_path / "out.mp4")
    assert done.returncode == 0, done.stderr
    assert overlap(boxes_of(rows_of(out)), boxes[:10] * scale[:, None]).min() > 0.5


def test_output_folder_that_is_not_there_is_one_sentence(world, tmp_path):
    folder, boxes = world
    for option, name in (("--results", "no/out.csv"), ("--save", "no/out.mp4")):
        out = tmp_path / name
        done = on_film(world, "film.avi", option, out)
        assert "does not exist" in sentence(done)


def test_video_ending_without_encoder_is_one_sentence(world, tmp_path):
    folder, boxes = world
    done = on_film(world, "film.avi", "--save", tmp_path / "out.xyz")
    assert "ending" in sentence(done)


def test_a_full_disk_keeps_the_rows_written_before(world, tmp_path):
    folder, boxes = world
    with small_disk(tmp_path / "disk", 4) as disk:
        write_video(tmp_path / "long.avi", tiny.film(FRAMES)[0] * 8)
        done = on_film(world, tmp_path / "long.avi", "--results", disk / "out.csv")
        assert "disk is full" in last_line(done)
        rows = rows_of(disk / "out.csv")
        assert len(rows) > 30
        assert all(row["score"] for row in rows)  # the last line is whole


@on_each_python
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_has_written_every_frame(world, tmp_path, number):
    pytest.importorskip("av")
    folder, boxes = world
    pictures, _ = tiny.film(30)
    write_video(tmp_path / "long.avi", pictures * 120)
    out, video = tmp_path / "out.csv", tmp_path / "out.mp4"
    process = subprocess.Popen(
        film_command(world, tmp_path / "long.avi", "--results", out, "--save", video),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not out.exists() or out.read_bytes().count(b"\n") < 200):
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    rows = rows_of(out)
    assert len(rows) >= 199
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    assert all(row["score"] for row in rows)  # the last line is whole
    capture, saved = cv2.VideoCapture(str(video)), 0
    while capture.read()[0]:
        saved += 1
    assert saved >= len(rows) - 25  # the film has 25 frames a second


@pytest.mark.slow("twenty thousand frames")
def test_memory_is_steady_over_twenty_thousand_frames(world, tmp_path):
    folder, boxes = world
    pictures, _ = tiny.film(100, width=160, height=120, side=20)
    write_video(tmp_path / "long.avi", pictures * 201)
    out = tmp_path / "out.csv"
    process = subprocess.Popen(
        command(folder, "--video", tmp_path / "long.avi", "--box", "48,36,20,20", "--results", out),
        stderr=subprocess.PIPE,
    )
    resident_kb = {}
    for count in (1000, 20000):
        while process.poll() is None and _lines(out) < count:
            time.sleep(0.01)
        with open(f"/proc/{process.pid}/status") as file:
            resident_kb[count] = int(file.read().split("VmRSS:")[1].split()[0])
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert abs(resident_kb[20000] - resident_kb[1000]) < 2048, resident_kb


def _lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_lists_cameras_and_networks():
    for option, words in (("--list-cameras", ""), ("--list-networks", "nanotrack_v2")):
        done = subprocess.run(
            [sys.executable, "-m", "runtime.track", option],
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        assert done.returncode == 0
        assert words in done.stdout
