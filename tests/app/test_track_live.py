"""The command line on a live source that breaks and comes back: it says so, and goes on."""

import json
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.app.track_command import first_frame
from hotpath.runtime.frames.boxes import overlap
from hotpath.video.sources import WAITING
from tests.app.test_track import box_text, boxes_of, command, lines_in, rows_of
from tests.support import tiny
from tests.support.streams.mjpeg import MjpegServer

pytest.importorskip("onnxruntime")


def test_a_dead_sender_is_found_again_and_ctrl_c_ends_the_run(tmp_path):
    tiny.write_network(tmp_path)
    pictures, boxes = tiny.film(1, width=640, height=480, side=80)
    frames = tiny.write_pictures(tmp_path / "frames", pictures * 2)
    out, log = tmp_path / "out.csv", tmp_path / "log"

    def wait_until(what, limit_s=60.0):
        deadline = time.monotonic() + limit_s
        while not what():
            assert run.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def is_still():
        before = lines_in(out)
        time.sleep(0.5)
        return lines_in(out) == before

    with MjpegServer(str(frames)) as sender, open(str(log), "wb") as errors:
        words = ["--video", sender.address, "--box", box_text(boxes), "--results", out]
        run = subprocess.Popen(command(tmp_path, *words), stderr=errors)
        wait_until(lambda: lines_in(out) > 10)
        sender.kill()
        wait_until(lambda: "no frames after" in log.read_text())
        wait_until(is_still)  # a frame that came before the loss may still be tracked
        silent = lines_in(out)
        sender.start()
        wait_until(lambda: lines_in(out) > silent + 10)
        sender.kill()
        wait_until(lambda: log.read_text().count("no frames after") == 2)
        run.send_signal(signal.SIGINT)
        run.wait(timeout=60)
    messages = log.read_text()
    assert run.returncode == 130 and "2 gaps" in messages and "Traceback" not in messages, messages
    assert overlap(boxes_of(rows_of(out))[-1], np.array(boxes[0])) > 0.4


def test_a_stopped_reader_of_results_holds_neither_run_nor_end(tmp_path):
    tiny.write_network(tmp_path)
    pipe = tmp_path / "out.csv"
    os.mkfifo(str(pipe))
    reader = os.open(str(pipe), os.O_RDONLY | os.O_NONBLOCK)
    words = ["--page", "--page-port", "0", "--results", pipe, "--json"]
    words += [f"--box={20 * n},10,40,40" for n in range(5)]
    with MjpegServer(fps=60) as sender:
        words = command(tmp_path, "--video", sender.address, *words)
        run = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = []
        for line in run.stderr:
            lines.append(line)
            if "the reader is too slow" in line:
                break
        run.send_signal(signal.SIGTERM)
        out, messages = run.communicate(timeout=60)
    os.close(reader)
    assert run.returncode == 143, lines
    assert "dropped from the results" in messages
    assert json.loads(out)["frames"] > 100  # whose rows the pipe holds


def test_a_source_without_a_first_frame_is_said_once(monkeypatch):
    messages, frames = [], [WAITING, WAITING, WAITING, "a frame"]
    source = SimpleNamespace(name="cam0", read=lambda timeout_s: frames.pop(0), log=messages.append)
    monkeypatch.setattr("hotpath.app.frames.PATIENCE_S", -1.0)
    assert first_frame(source) == "a frame"
    assert messages == ["cam0: waiting for its first frame; Ctrl-C ends the run"]
    frames += [WAITING, "a frame"]
    monkeypatch.setattr("hotpath.app.frames.PATIENCE_S", 60.0)
    assert first_frame(source) == "a frame" and len(messages) == 1
