"""The command line on live sources that break and come back: it survives, says so, and goes on."""

import csv
import signal
import subprocess
import time

import numpy as np
import pytest

from calib.metrics import overlap
from tests.runtime.test_track import command
from tests.support import tiny
from tests.support.streams import camera, mjpeg, rtsp

pytest.importorskip("onnxruntime")
slow = pytest.mark.slow("a source that breaks is noticed after seconds")

ENDS_IN_S = 10.0  # after Ctrl-C, whatever the source does


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the tiny network and two still pictures, and the target's box in them."""
    folder = tmp_path_factory.mktemp("live")
    tiny.write_network(folder)
    (frame,), (box,) = tiny.film(1, width=640, height=480, side=80)
    tiny.write_pictures(folder / "frames", [frame] * 2)
    return folder, frame, box


class Run:
    """The command line on a source, in a process of its own."""

    def __init__(self, world, source, out, environment=None):
        folder, _, self.box = world
        self.out, self.errors = out, out.with_suffix(".err")
        words = command(folder, "--video", source, "--box", ",".join(map(str, self.box)))
        with open(str(self.errors), "wb") as errors:
            words += ["--results", str(out)]
            self.process = subprocess.Popen(words, stderr=errors, env=environment)

    def rows(self):
        """The rows written so far, whole lines only."""
        if not self.out.exists():
            return []
        lines = self.out.read_text().splitlines(True)
        return list(csv.DictReader([line for line in lines if line.endswith("\n")]))

    def wait_for_rows(self, more, limit_s=25.0):
        """Wait until ``more`` further rows came; return the number of all rows."""
        wanted, deadline = len(self.rows()) + more, time.monotonic() + limit_s
        while len(self.rows()) < wanted:
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.05)
        return len(self.rows())

    def wait_for_words(self, words, limit_s=10.0):
        """Wait until the run has said ``words``."""
        deadline = time.monotonic() + limit_s
        while words not in self.errors.read_text():
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.05)

    def end(self):
        """Send Ctrl-C; return the output."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=ENDS_IN_S)
        assert self.process.returncode == 130
        return self.errors.read_text()

    def on_target(self):
        """Whether the last box is on the target."""
        row = self.rows()[-1]
        return overlap([float(row[key]) for key in "xywh"], np.array(self.box))[0] > 0.4


def _break_and_mend(run, break_it, mend_it, on_target=True):
    """Break the source during the run, mend it, and check that the run goes on."""
    run.wait_for_rows(10)
    break_it()
    run.wait_for_words("lost")
    silent = len(run.rows())
    time.sleep(0.5)
    assert len(run.rows()) == silent
    mend_it()
    run.wait_for_rows(10)
    assert run.on_target() or not on_target
    said = run.end()
    assert "1 gaps" in said, said
    assert "Traceback" not in said


def test_an_mjpeg_sender_that_dies_and_is_started_again(world, tmp_path):
    with mjpeg.MjpegServer(str(world[0] / "frames")) as sender:
        run = Run(world, sender.address, tmp_path / "out.csv")
        _break_and_mend(run, sender.kill, sender.start)


@slow
def test_an_mjpeg_sender_that_freezes(world, tmp_path):
    with mjpeg.MjpegServer(str(world[0] / "frames")) as sender:
        run = Run(world, sender.address, tmp_path / "out.csv")
        _break_and_mend(run, sender.freeze, sender.thaw)


def test_ctrl_c_ends_a_run_whose_sender_is_gone(world, tmp_path):
    with mjpeg.MjpegServer(str(world[0] / "frames")) as sender:
        run = Run(world, sender.address, tmp_path / "out.csv")
        run.wait_for_rows(5)
        sender.kill()
        run.wait_for_words("lost")
        run.end()


@slow
@pytest.mark.skipif(camera.compiler() is None, reason="no C compiler for the emulated camera")
def test_a_camera_unplugged_and_plugged_again(world, tmp_path):
    device = camera.FakeCamera(tmp_path, [world[1]] * 2, number=7)
    run = Run(world, "cam7", tmp_path / "out.csv", device.environment())
    _break_and_mend(run, device.unplug, device.plug)


@slow
def test_an_rtsp_sender_that_dies_and_is_started_again(world, tmp_path):
    reason = rtsp.missing()
    if reason:
        pytest.skip(reason)
    clock = (100.0, 80.0, 60.0, 60.0)  # somewhere in the sender's own picture, which shows the time
    with rtsp.make_server() as sender:
        run = Run(world[:2] + (clock,), sender.address, tmp_path / "out.csv")
        _break_and_mend(run, sender.kill, sender.start, on_target=False)
