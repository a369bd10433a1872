"""``--pipeline 2``: rows, boxes and pictures are those of ``--pipeline 1``, and none is lost."""

import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from runtime.errors import NoEngine
from runtime.track import main
from tests.fakes.cuda import build
from tests.runtime.test_track import box_text, command, lines_in, long_film, rows_of
from tests.support import tiny
from tests.support.fake_gpu import surroundings
from tests.support.streams import mjpeg

__all__ = ["long_film"]
FRAMES = 12
STEP_BY_STEP, GRAPH = "10020", "12060"  # CUDA versions


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A folder with the film as pictures that grow half-way, and as a video; its true boxes."""
    folder = tmp_path_factory.mktemp("film")
    pictures, boxes = tiny.film(FRAMES)
    (folder / "frames").mkdir()
    for index, picture in enumerate(pictures):
        if index >= FRAMES // 2:
            picture = cv2.resize(picture, (480, 360))
        cv2.imwrite(str(folder / "frames" / f"{index:04d}.png"), picture)
    tiny.write_video(folder / "film.avi", pictures)
    return folder, np.array(boxes)


def start(folder, boxes, cuda, *arguments):
    """Start the command line on the fake GPU, in a folder that no other run uses."""
    (folder / "bundle").mkdir(parents=True)
    words = [sys.executable, "-m", "tests.fakes.tensorrt.loop", folder / "bundle"]
    words = [str(word) for word in (*words, "--box", box_text(boxes), *arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "universal_newlines": True}
    environment = surroundings(FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION=cuda)
    return subprocess.Popen(words, cwd=build.ROOT, env=environment, **pipes)


def run(folder, boxes, cuda, *arguments):
    """Run the command line as ``start`` does, to its end; return (exit code, standard error)."""
    process = start(folder, boxes, cuda, *arguments)
    _, said = process.communicate(timeout=120)
    assert "PyCUDA" not in said and "Traceback" not in said, said
    return process.returncode, said


@pytest.mark.parametrize("cuda", [STEP_BY_STEP, GRAPH])
def test_rows_are_the_same_with_two_targets_and_frames_that_change_size(film, tmp_path, cuda):
    folder, boxes = film
    written = []
    for depth in (1, 2):
        out, work = tmp_path / f"{depth}.csv", tmp_path / str(depth)
        words = ["--video", folder / "frames", "--pipeline", depth, "--results", out]
        code, said = run(work, boxes, cuda, "--box", "150,120,40,40", *words)
        assert code == 0, said
        written.append(out.read_text())
    assert written[0] == written[1]
    frames = [int(row["frame"]) for row in rows_of(out)]
    assert frames == [index for index in range(FRAMES) for _ in range(2)]


def test_frames_that_were_asked_for_are_all_told_and_pictures_have_their_own_boxes(film, tmp_path):
    pytest.importorskip("av")
    folder, boxes = film
    videos = []
    for depth in (1, 2):
        out, rows = tmp_path / f"{depth}.mp4", tmp_path / f"{depth}.csv"
        words = ["--video", folder / "film.avi", "--frames", 7, "--pipeline", depth]
        words += ["--save", out, "--results", rows]
        code, said = run(tmp_path / str(depth), boxes, GRAPH, *words)
        assert code == 0 and "7 frames of" in said, said
        assert [int(row["frame"]) for row in rows_of(rows)] == list(range(7))
        videos.append(around_the_target(out))
    one, two = videos
    assert len(one) == len(two) == 7
    same, next_one = np.abs(one - two).mean(), np.abs(one[1:] - two[:-1]).mean()
    assert same < 0.2 * next_one


def around_the_target(path):
    """The part of a saved video with the target and its box, where no times are drawn."""
    capture, parts = cv2.VideoCapture(str(path)), []
    while True:
        good, picture = capture.read()
        if not good:
            return np.array(parts, np.float32)
        parts.append(picture[60:140, 80:180])


def test_a_source_that_breaks_loses_no_frame(film, tmp_path):
    folder, boxes = film
    (tmp_path / "frames").mkdir()
    pictures = sorted((folder / "frames").iterdir())
    for path in pictures:
        content = path.read_bytes()
        broken = path == pictures[6]
        (tmp_path / "frames" / path.name).write_bytes(content[:200] if broken else content)
    told = []
    for depth in (1, 2):
        out, work = tmp_path / f"{depth}.csv", tmp_path / str(depth)
        words = ["--video", tmp_path / "frames", "--pipeline", depth, "--results", out]
        code, said = run(work, boxes, GRAPH, *words)
        assert code == 2 and "0006.png" in said.splitlines()[-1]
        told.append(out.read_text())
    assert told[0] == told[1]
    assert [int(row["frame"]) for row in rows_of(out)] == list(range(6))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_on_the_way_is_told_when_the_run_is_stopped(film, long_film, tmp_path, number):
    out = tmp_path / "out.csv"
    words = ["--video", long_film, "--pipeline", 2, "--results", out]
    process = start(tmp_path / "work", film[1], GRAPH, *words)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and lines_in(out) < 22:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    given = int(re.search(r"(\d+) frames of", said).group(1))
    assert 20 < given < 2000
    assert [int(row["frame"]) for row in rows_of(out)] == list(range(given))


def test_a_camera_that_pauses_has_shown_all_that_came(tmp_path):
    """The last frame's boxes do not wait for the next one."""
    (frame,), (box,) = tiny.film(1, width=640, height=480, side=80)
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), frame)
    out = tmp_path / "out.csv"
    with mjpeg.MjpegServer(tmp_path / "frames", fps=10) as server:
        words = ["--video", server.address + "stall", "--pipeline", 2, "--results", out]
        process = start(tmp_path / "work", np.array([box]), GRAPH, *words)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and lines_in(out) < 2:
            time.sleep(0.05)
        before, still = -1, 0  # no output for two seconds: no frame comes any more
        while time.monotonic() < deadline and still < 40:
            still, before = (still + 1 if lines_in(out) == before else 0), lines_in(out)
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, said
    assert before > 3 and before == lines_in(out)


def test_a_processor_takes_one_frame_at_a_time(film, tmp_path, capsys):
    folder, boxes = film
    tiny.write_network(tmp_path)
    words = ["--video", folder / "film.avi", "--box", box_text(boxes), "--pipeline", 2]
    assert main(command(tmp_path, *words)[3:]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "--pipeline 2 keeps frames in flight on a GPU" in said
    assert "runs on" in said and "leave --pipeline away" in said
    with pytest.raises(NoEngine, match="leave --pipeline away"):
        load_tracker(tmp_path / "tiny.toml", pipeline=2)
