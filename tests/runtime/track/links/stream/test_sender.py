"""Pictures are sent as RTSP, RTP and a file, and the frame loop waits for none of them."""

import argparse
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from hotpath.runtime.errors import BadOutput
from hotpath.runtime.track.links.stream import sender
from hotpath.runtime.types import Track, TrackedFrame
from tests import support
from tests.support.disks import small_disk
from tests.support.needs import GSTREAMER, lacks, needs_program, why_no_program
from tests.support.ports import free_port


def _missing():
    code = "import gi; [gi.require_version(n, '1.0') for n in ('GstRtspServer', 'GstVideo')]"
    if support.run(["env", "/usr/bin/python3", "-c", code]).returncode:
        return lacks(*GSTREAMER)
    return why_no_program("ffmpeg")


needs_gstreamer = pytest.mark.skipif(bool(_missing()), reason=_missing())
SOURCE_FPS = 10.0  # by the time stamps; frames come three times as fast
SIZE = (318, 200)  # a width that GStreamer would pad


def frame_of(number):
    """A frame that shows its number: 16 bits as black and white columns."""
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for bit in range(16):
        if number >> bit & 1:
            frame[:, 8 + bit * 18 : 26 + bit * 18] = 255
    return frame


def number_of(picture):
    row = picture[20:60].mean(axis=(0, 2))
    return sum(int(row[10 + bit * 18 : 24 + bit * 18].mean() > 128) << bit for bit in range(16))


class Feed:
    pause_s = 1 / 30.0

    def __init__(self, sender_):
        self.sender, self.number, self.shown_s, self.recording = sender_, 0, [], True

    def run(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            frame, now = frame_of(self.number), time.monotonic()
            tracks = {0: Track((100.0, 120.0, 60.0, 40.0), 0.9)}
            time_s = self.number / SOURCE_FPS
            shown = TrackedFrame(frame, self.number, time_s, tracks, now)
            self.sender.show(shown, self.recording)
            self.shown_s.append(time.monotonic() - now)
            self.number += 1
            time.sleep(self.pause_s)


@pytest.fixture
def opened():
    made = []

    def make(*arguments, **more):
        made.append(sender.open_sender(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def receive(command, feed, frames=12, row_bytes=SIZE[0] * 3):
    """Run a program while frames are fed; return the raw pictures from its standard output."""
    size = row_bytes * SIZE[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        os.set_blocking(program.stdout.fileno(), False)
        data = bytearray()

        def enough():
            data.extend(program.stdout.read() or b"")
            return len(data) >= frames * size

        feed.run(20, enough)
        program.kill()
    count = min(frames, len(data) // size)
    rows = np.frombuffer(bytes(data[: count * size]), np.uint8).reshape(count, SIZE[1], row_bytes)
    return list(rows[:, :, : SIZE[0] * 3].reshape(count, SIZE[1], SIZE[0], 3))


def packet_times_s(path):
    shown = "-v error -show_entries packet=pts_time -of csv=p=0".split()
    out = subprocess.check_output(["ffprobe", *shown, str(path)])
    return [float(line.strip(b",")) for line in out.split()]


@needs_gstreamer
def test_ffmpeg_receives_the_picture_over_rtsp(opened):
    port = free_port()
    streaming = opened([f"rtsp://127.0.0.1:{port}/live"], None, 30.0, True, print)
    feed = Feed(streaming)
    feed.run(0.5)
    address = f"rtsp://127.0.0.1:{port}/live"
    look = f"ffmpeg -v quiet -rtsp_transport tcp -i {address} -f rawvideo -pix_fmt bgr24 -"
    pictures = receive(look.split(), feed)
    numbers = [number_of(picture) for picture in pictures]
    assert len(numbers) == 12
    assert numbers == sorted(numbers) and 0 < numbers[0] <= feed.number
    # the frame is handed over without a copy; a busy machine may interrupt a few of them
    assert np.median(feed.shown_s) < 0.005
    green = pictures[-1][118:123, 110:150].mean(axis=(0, 1))
    assert green[1] > green[0] + 20  # the box is drawn


@needs_gstreamer
def test_gstreamer_receives_rtp_over_udp(opened):
    needs_program("gst-launch-1.0")
    port = free_port()
    streaming = opened([f"udp://127.0.0.1:{port}"], None, 30.0, False, print)
    caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96"
    command = (
        f"gst-launch-1.0 -q udpsrc port={port} caps={caps} ! rtph264depay ! h264parse ! "
        "openh264dec ! videoconvert ! video/x-raw,format=BGR,width=318 ! fdsink fd=1"
    ).split()
    feed, row_bytes = Feed(streaming), (SIZE[0] * 3 + 3) // 4 * 4  # GStreamer pads the rows
    picture = receive(command, feed, 5, row_bytes)[0]
    assert 0 <= number_of(picture) <= feed.number


@needs_gstreamer
def test_a_recording_holds_each_frame_with_its_time_and_older_files_stay(opened, tmp_path):
    path = tmp_path / "run.mkv"
    path.write_bytes(b"an older file")
    recording = opened([], str(path), 30.0, False, print)
    before_us = int(time.time() * 1e6)
    feed = Feed(recording)
    feed.run(2.0)
    recording.close()
    assert path.read_bytes() == b"an older file"
    data = (tmp_path / "run-2.mkv").read_bytes()
    uuid = bytes(bytearray.fromhex("6f1d0c5b3a7e4c19a2b48f60d7e3915a"))
    ends = [found.end() for found in re.finditer(re.escape(uuid), data)]
    plain = [data[at : at + 40].replace(b"\0\0\3", b"\0\0") for at in ends]  # no guard bytes
    stamps = [struct.unpack(">QQq", each[:24]) for each in plain]
    assert len(stamps) > 30
    indices = [index for _, _, index in stamps]
    assert indices == sorted(set(indices))
    decode = f"ffmpeg -v error -i {tmp_path}/run-2.mkv -vsync 0 -f rawvideo -pix_fmt bgr24 -"
    pictures = np.frombuffer(subprocess.check_output(decode.split()), np.uint8)
    shown = [number_of(each) for each in pictures.reshape(-1, SIZE[1], SIZE[0], 3)]
    assert shown == indices[: len(shown)] and len(indices) - len(shown) <= 1
    for unix_us, boot_us, _ in stamps:
        assert before_us - 1e6 < unix_us < before_us + 30e6
        assert abs(boot_us / 1e6 - time.monotonic()) < 60
    times_s = packet_times_s(tmp_path / "run-2.mkv")
    expected = [(index - indices[0]) / SOURCE_FPS for index in indices]
    assert times_s == pytest.approx(expected[: len(times_s)], abs=0.002)
    assert len(stamps) - len(times_s) <= 1


@needs_gstreamer
@pytest.mark.parametrize("waits", [True, False])
def test_a_recording_has_all_frames_of_a_file_and_counts_those_that_a_camera_loses(
    opened, tmp_path, waits
):
    path = tmp_path / "run.mkv"
    path.write_bytes(b"an older file")
    recording = opened([], str(path), 30.0, False, print, waits=waits)
    feed = Feed(recording)
    feed.pause_s = 0.0
    feed.run(30.0, lambda: feed.number == 200)
    recording.close()
    (path,) = recording.files
    assert path == str(tmp_path / "run-2.mkv")
    written = len(packet_times_s(path))
    if waits:
        assert (written, recording.dropped) == (200, 0)
    else:
        assert written <= recording.sent and recording.sent + recording.dropped >= 199
        assert f"not recorded, as the encoder was late: {recording.dropped}" in recording.lines()[0]


@needs_gstreamer
def test_a_recording_on_a_full_disk_ends_with_a_sentence(opened, tmp_path):
    with small_disk(tmp_path / "disk", 16) as disk:
        recording = opened([], str(disk / "run.mkv"), 30.0, False, print)
        with pytest.raises(BadOutput, match="No space left"):  # at each frame from then on
            Feed(recording).run(15)
        recording.close()
        subprocess.check_call(["mount", "-o", "remount,ro", str(disk)])
        with pytest.raises(BadOutput, match="no permission"):
            sender.check_options(argparse.Namespace(stream=None, record=str(disk / "other.mkv")))


@needs_gstreamer
def test_a_process_that_dies_is_started_again(opened):
    said = []
    streaming = opened([f"udp://127.0.0.1:{free_port()}"], None, 30.0, False, said.append)
    feed = Feed(streaming)
    feed.run(0.5)
    streaming._process.kill()
    feed.run(15, lambda: streaming.restarts and streaming._ready.is_set() and feed.number > 60)
    sent = streaming.sent
    feed.run(1.0)
    assert streaming.restarts == 1 and streaming.sent > sent
    assert any("starting it again" in text for text in said)


@needs_gstreamer
def test_a_process_that_hangs_holds_no_frame_and_not_the_end(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(sender, "END_S", 1.0)
    recording = opened([], str(tmp_path / "run.mkv"), 30.0, False, print)
    feed = Feed(recording)
    feed.run(0.5)
    recording._process.send_signal(signal.SIGSTOP)
    feed.run(2.0)
    assert max(feed.shown_s) < 0.5 and recording.dropped > 30
    began = time.monotonic()
    recording.close()
    assert time.monotonic() - began < 5.0 and recording._process.poll() is not None


@needs_gstreamer
def test_a_process_that_hangs_is_ended_and_started_again(opened, monkeypatch):
    monkeypatch.setattr(sender, "STALLED_S", 0.5)
    said = []
    streaming = opened([f"udp://127.0.0.1:{free_port()}"], None, 30.0, False, said.append)
    feed = Feed(streaming)
    feed.run(0.3)
    streaming._process.send_signal(signal.SIGSTOP)
    feed.run(20, lambda: streaming.restarts and streaming._ready.is_set())
    assert said == ["stream: GStreamer ended (GStreamer's process hangs); starting it again"]


@needs_gstreamer
def test_frames_of_another_size_and_tiny_ones_stay_in_the_recording(opened, tmp_path):
    path = tmp_path / "run.mkv"
    recording = opened([], str(path), 30.0, False, print, waits=True)
    sizes = [SIZE] * 10 + [(1, 1)] * 9 + [(640, 480)] * 10 + [(3, 500)] * 5 + [SIZE] * 10
    for number, (width, height) in enumerate(sizes):
        frame = np.full((height, width, 3), 5 * number, np.uint8)
        recording.show(TrackedFrame(frame, number, number / 30, {}, time.monotonic()), True)
    recording.close()
    assert len(packet_times_s(path)) == len(sizes) and recording.restarts == 0


@needs_gstreamer
def test_nothing_is_encoded_while_nobody_looks(opened):
    address = f"rtsp://127.0.0.1:{free_port()}/live"
    streaming = opened([address], None, 30.0, False, print)
    Feed(streaming).run(1.5)
    assert streaming.sent <= 5  # the first one tells the size
    assert streaming.lines() == ["stream: nobody watched"]
    sending = opened([f"udp://127.0.0.1:{free_port()}"], None, 30.0, False, print)
    feed = Feed(sending)
    feed.run(5.0, lambda: sending.sent > 1)
    assert re.match(r"stream: \d+ frames by \w+$", sending.lines()[0])


@needs_gstreamer
def test_a_password_is_asked_for_in_digests_and_no_process_shows_it(opened):
    port, said = free_port(), []
    address = f"rtsp://127.0.0.1:{port}/live"
    streaming = opened([address], None, 30.0, False, said.append, ("eye", "secret"))
    with open(f"/proc/{streaming._process.pid}/cmdline") as file:
        assert "secret" not in file.read()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(f"DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        answer = client.recv(4096)
    assert b" 401 " in answer and b"Digest" in answer and b"Basic" not in answer
    probe = f"ffmpeg -v error -rtsp_transport tcp -i rtsp://eye:secret@127.0.0.1:{port}/live"
    pictures = receive(probe.split() + "-f rawvideo -pix_fmt bgr24 -".split(), Feed(streaming), 1)
    assert len(pictures) == 1
    assert said == [sender.audience(sender.parse_address(address)[1])]


def test_an_address_without_a_host_is_the_loopback_and_the_audience_is_named():
    def said(address):
        return sender.audience(sender.parse_address(address)[1])

    assert "rtsp://127.0.0.1:8554/live, only for this computer" in said("rtsp://:8554/live")
    assert "0.0.0.0" not in said("rtsp://0.0.0.0:8554/live").split(",")[0]  # nobody can open it
    assert "without a password; --stream-login" in said("rtsp://0.0.0.0:8554/live")
    assert "the password of eye" in said("rtsp://eye:a%40b@0.0.0.0:8554/live")


def test_a_login_is_read_from_a_file_or_a_variable_or_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("STREAM_LOGIN", raising=False)
    assert sender.read_login("stream-login", None) == ("", "")
    monkeypatch.setenv("STREAM_LOGIN", "eye:of:needle")
    assert sender.read_login("stream-login", None) == ("eye", "of:needle")
    path = tmp_path / "login"
    path.write_text("ear:drum\n")
    assert sender.read_login("stream-login", str(path)) == ("ear", "drum")
    for content in (b"ear\n", b"\xff:x"):
        path.write_bytes(content)
        with pytest.raises(BadOutput, match="--stream-login"):
            sender.read_login("stream-login", str(path))
    for lacking, given in (("password", "eye@"), ("user", ":drum@")):
        with pytest.raises(BadOutput, match=f"has no {lacking}; give --stream-login"):
            sender.open_sender([f"rtsp://{given}:8554/live"], None, 30.0, False, print)


def test_addresses_and_files_are_understood_or_refused():
    kind, place = sender.parse_address("rtsp://:8554/live")
    assert [kind, *list(place.values())[:3]] == ["rtsp", "127.0.0.1", 8554, "/live"]
    assert sender.parse_address("udp://10.0.0.2:5600") == ("udp", ("10.0.0.2", 5600))
    assert sender.parse_address("rtsp://eye:a%40b@:1/live")[1]["password"] == "a@b"
    for wrong in ("rtsp://host/live", "udp://:5600", "http://a:1/", "rtsp://a:b:c/", "live", ""):
        with pytest.raises(BadOutput, match="not an address"):
            sender.parse_address(wrong)
    for file, said in (("/nowhere/a.mkv", "not exist"), ("a.avi", "name the file .mkv or .mp4")):
        with pytest.raises(BadOutput, match=said):
            sender.check_options(argparse.Namespace(stream=None, record=file))


def test_without_gstreamer_the_sentence_says_what_to_install(monkeypatch, tmp_path):
    empty = tmp_path / "python3"
    empty.write_text(f"#!/bin/sh\nexec {sys.executable} -S -c 'import gi'\n")
    empty.chmod(0o755)
    monkeypatch.setattr(sender, "find_python", lambda: (str(empty), ""))
    with pytest.raises(BadOutput, match="python3-gi"):
        sender.open_sender(["udp://127.0.0.1:5600"], None, 30.0, False, lambda text: None)
