"""Live sources give the newest frame, survive the loss of a sender, and never wait too long."""

import functools
import subprocess
import sys
import threading
import time
import types
import weakref
from fractions import Fraction

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video import cameras, live, sources
from hotpath.video.base import WAITING
from hotpath.video.cameras import NetworkStream
from hotpath.video.live import LiveSource
from hotpath.video.pyav_capture import ONE_FRAME, AvCapture
from hotpath.video.sources import open_source
from tests.support import ROOT
from tests.support.errors import refusal
from tests.support.streams import rtsp, scene, watch
from tests.support.streams.mjpeg import FAULT_AFTER, MjpegServer
from tests.support.streams.mpegts import UdpSender
from tests.support.streams.watch import Watcher


@pytest.fixture(autouse=True)
def each_decoder(planes, monkeypatch):
    """Run every test with OpenCV's decoder and with PyAV's."""
    for name, opener in (("open_source", sources.open_source), ("Stream", cameras.NetworkStream)):
        monkeypatch.setitem(globals(), name, functools.partial(opener, planes=planes))
    monkeypatch.setitem(globals(), "Watcher", functools.partial(watch.Watcher, planes=planes))


def frames_until(source, done, limit_s=60.0):
    """Read until ``done()``; return the frames, and how many reads gave none in 0.3 s."""
    frames = []
    waits = 0
    deadline = time.monotonic() + limit_s
    while not done(frames):
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        frame = source.read(timeout_s=0.3)
        assert frame is not None
        waits += frame is WAITING
        if frame is not WAITING:
            frames.append(frame)
    return frames, waits


def count(number):
    """A condition for ``frames_until``: that many frames have come."""
    return lambda frames: len(frames) >= number


@pytest.mark.parametrize("sender", [MjpegServer, rtsp.make_server, UdpSender])
def test_a_killed_or_frozen_senders_stream_is_found_again(sender):
    if sender is rtsp.make_server and rtsp.missing():
        pytest.skip(rtsp.missing())
    log = []
    with sender() as running, open_source(running.address, log.append) as source:
        assert source.live and source.frames is None and source.first_box is None
        frames_until(source, count(10))
        assert source.gaps == [] and log == []

        for pull, put_back in ((running.kill, running.start), (running.freeze, running.thaw)):
            gaps, messages = len(source.gaps), len(log)
            pull()
            # frames in flight still come, then only WAITING, and the loss is reported once
            _, waits = frames_until(source, lambda _, messages=messages: len(log) > messages)
            assert waits > 1, "a read waits for the loss"
            assert f"no frames after frame {source.given - 1}" in log[-1]
            last = source.given
            put_back()
            frames_until(source, count(10))
            assert [index for index, _ in source.gaps[gaps:]] == [last]
            assert 1.0 < source.gaps[-1][1] < 60.0
            assert f"back at frame {last} after" in log[-1]
        assert len(log) == 4 and len(source.gaps) == 2


def test_a_slow_reader_gets_the_newest_frame():
    with MjpegServer() as running, open_source(running.address) as source:
        frames_until(source, count(5))
        dropped = source.dropped
        ages_s = [1.0]
        started = time.monotonic()
        while len(ages_s) < 4 or (min(ages_s) > 0.25 and len(ages_s) < 40):
            time.sleep(0.5)  # 15 frames go by, so an old frame would be half a second old
            ages_s.append(scene.age_s(source.read()))
        assert min(ages_s) < 0.25
        assert 4 <= source.dropped - dropped <= 40 * (time.monotonic() - started)
        assert source.given == 4 + len(ages_s) and source.gaps == []
        assert 1.0 < source.time_s < time.monotonic() - started + 60.0


def test_a_stream_that_ends_in_half_a_picture_is_reopened():
    log = []
    with MjpegServer() as running, open_source(running.address + "half", log.append) as source:
        frames_until(source, count(2 * FAULT_AFTER + 5))
    assert len(source.gaps) >= 2
    assert all(seconds < 9 for _, seconds in source.gaps)  # an opening alone may take ten
    assert sum("back at frame" in line for line in log) == len(source.gaps)


def test_frames_that_change_size_are_passed_on():
    with MjpegServer() as running, open_source(running.address + "sizes") as source:
        frames, _ = frames_until(source, count(3 * FAULT_AFTER))
    assert {frame.shape[2] for frame in frames} == {3}
    assert len({frame.shape for frame in frames}) in (1, 2)  # FFmpeg's scaler may hold the first


def test_motion_jpeg_is_not_decoded_before_somebody_looks(planes):
    with MjpegServer() as running, open_source(running.address) as source:
        frame = frames_until(source, count(5))[0][-1]
    assert source.captured_at == "arrival"
    assert isinstance(frame, JpegFrame) == planes
    if planes:
        assert frame.decode_ms == 0.0
    truth = scene.picture_at(scene.tick_of(frame))
    assert cv2.absdiff(bgr_of(frame), truth).mean() < 6.0  # grey levels


def test_an_address_without_a_stream_is_told_without_password():
    with MjpegServer() as running:
        own = [running.address + page for page in ("nothing", "page")]
        for address in [*own, "rtsp://me:secret@127.0.0.1:9/x"]:
            with refusal(BadSource, "no stream") as caught:
                open_source(address)
            assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert "me:***@127.0.0.1" in str(caught.value)


def test_nobody_there_is_said_within_the_timeout():
    start = time.monotonic()
    with refusal(BadSource, "no stream"):
        LiveSource(NetworkStream("udp://127.0.0.1:9", open_timeout_s=1.0))
    assert time.monotonic() - start < 8.0  # of the ten that are usual


def test_a_stream_without_headers_is_given_up_with_a_reason(monkeypatch):
    monkeypatch.setattr(cameras, "FIRST_PICTURE_S", 3.0)
    monkeypatch.setattr(live, "EMPTY_S", 0.0)
    with UdpSender(headless=True) as running:
        start = time.monotonic()
        with pytest.raises(BadSource, match="parameter sets"):
            open_source(running.address)
        assert time.monotonic() - start < 60.0  # it sends for ever


class Endless:
    """A file that begins again at its end, for some seconds."""

    def __init__(self, data, seconds):
        self._data, self._at, self._until_s = data, 0, time.monotonic() + seconds

    def read(self, size):
        if time.monotonic() > self._until_s:
            return b""
        part = self._data[self._at : self._at + size]
        self._at = (self._at + len(part)) % len(self._data)
        return part


def test_packets_that_never_make_a_picture_are_given_up(tmp_path):
    av = pytest.importorskip("av")
    if "libx265" not in av.codecs_available:
        pytest.skip("this FFmpeg encodes no H.265")
    from tests.support.streams.films import even, write

    quiet = {"x265-params": "log-level=error"}
    path = write(tmp_path / "a.ts", even(10), "libx265", quiet, base=Fraction(1, 30))
    with open(path, "rb") as file:
        data = file.read()
    for kind in (b"\x40", b"\x42", b"\x44"):  # VPS, SPS, PPS become filler
        assert b"\0\0\1" + kind + b"\1" in data
        data = data.replace(b"\0\0\1" + kind + b"\1", b"\0\0\1\x4c\1")
    how = {"format": "mpegts", "options": {"probesize": "100000"}}
    opened = functools.partial(av.open, Endless(data, 60.0), **how)
    start = time.monotonic()
    capture = AvCapture(av, opened, ONE_FRAME, patience_s=0.5)
    assert not capture.isOpened() and time.monotonic() - start < 30.0
    capture.release()


def test_closing_ends_the_thread_and_reading_ends():
    with MjpegServer() as running, open_source(running.address) as source:
        frames_until(source, count(3))
        source.close()
        assert source.read() is None
        assert not any(running.address in thread.name for thread in threading.enumerate())


def test_ctrl_c_ends_a_gap_at_once_while_the_sender_is_frozen():
    with MjpegServer() as running, Watcher(running.address) as watcher:
        watcher.wait_for("open")
        running.freeze()
        watcher.wait_for("no frames after")
        end = watcher.interrupt()
    assert end["exit_code"] == 0 and end["exit_s"] < 8.0  # the opening ends after ten
    assert end["waits"] > 1, "a read waits for the loss"
    assert [index for index, _ in end["gaps"]] == [end["given"]]


@pytest.mark.parametrize("seconds, lines", [(0.0, 0), (1.2, 1)])
def test_who_waits_for_a_stream_is_told_once(seconds, lines, monkeypatch):
    monkeypatch.setattr(live, "PATIENT_S", 0.3)
    log, device = [], types.SimpleNamespace(name="slow", open=lambda: time.sleep(seconds))
    live.open_in_background(device, log.append)
    assert len(log) == lines and all(line.startswith("slow: waiting") for line in log)


def test_what_a_library_raises_is_told_and_ends_the_start():
    class Odd:
        name = "odd"

        def open(self):
            raise KeyError("colour")

    with pytest.raises(BadSource, match="odd: KeyError: 'colour'"):
        LiveSource(Odd())


def test_a_gap_names_its_cause():
    class Odd:
        name = "odd"
        openings = 0

        def open(self):
            self.openings += 1
            self.given = 0
            return self

        def read(self):
            self.given += 1
            if self.given == 3 and self.openings == 1:
                raise BadSource("a picture in bayer_rggb8")
            picture = np.zeros((4, 4, 3), np.uint8)
            pictures.append(weakref.ref(picture))
            return True, picture

        def get(self, what):
            time.sleep(0.01)  # between two frames
            return 0.0

        def release(self):
            pass

    log, pictures = [], []
    with LiveSource(Odd(), log.append) as source:
        frames_until(source, lambda _: log)
        assert len(source.gaps) == 1
        time.sleep(0.1)  # a picture comes that nobody takes
    assert log[0].endswith("without a picture: a picture in bayer_rggb8")
    assert all(picture() is None for picture in pictures)


def test_a_program_ends_at_once_while_a_source_is_read():
    """Python would take libraries down beside the thread that is inside them."""
    code = (
        "import atexit, threading, time\n"
        "from hotpath.video.live import READING, end_program\n"
        "atexit.register(print, 'libraries go down')\n"
        "reader = dict(target=time.sleep, args=(60,), name=READING + 'cam0', daemon=True)\n"
        "threading.Thread(**reader).start()\n"
        "end_program(7)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (7, b"")


@pytest.mark.parametrize("fault", ["endless", "filled", "started"])
def test_pictures_without_an_end_come_at_the_cameras_rate(fault, planes):
    if fault != "endless" and not planes:
        pytest.skip("OpenCV reads what its own FFmpeg can")
    with MjpegServer() as running, open_source(running.address + fault) as source:
        frames, _ = frames_until(source, count(20))  # where the end is awaited, 1 in 12 s
    ticks = [scene.tick_of(frame) for frame in frames]
    assert ticks == sorted(ticks) and len(set(ticks)) > 1


LEFT_OPEN = """
import sys
from hotpath.video import pyav
from hotpath.video.sources import open_source
if {by_opencv}:
    pyav.pyav = lambda: None
source = open_source({address!r})
source.read(5.0)
sys.exit(3)
"""


def test_a_program_that_leaves_a_stream_open_ends_as_it_says(planes):
    with UdpSender() as running:
        code = LEFT_OPEN.format(by_opencv=not planes, address=running.address)
        done = subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), stderr=-1, timeout=60)
    assert done.returncode == 3, done.stderr[-2000:]
