"""Pictures are sent as RTSP, RTP and MPEG-TS, and the frame loop waits for no receiver."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from hotpath.app.links import stream
from hotpath.app.links.base import Context
from hotpath.app.option_records import LinkOptions, StreamOptions
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Track
from hotpath.video.base import TrackedFrame
from tests.support.errors import refusal
from tests.support.needs import why_no_program
from tests.support.ports import free_port

av = pytest.importorskip("av")
needs_ffmpeg = pytest.mark.skipif(bool(why_no_program("ffmpeg")), reason=why_no_program("ffmpeg"))
SIZE = (318, 200)
RAW = "-vsync 0 -f rawvideo -pix_fmt bgr24 -"
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=video {} RTP/AVP 96
a=rtpmap:96 H264/90000
"""


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
    def __init__(self, streams):
        self.streams = streams
        self.number = 0
        self.shown_s = []

    def run(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            frame, now = frame_of(self.number), time.monotonic()
            tracks = {0: Track((100.0, 120.0, 60.0, 40.0), 0.9)}
            self.streams.write(TrackedFrame(frame, self.number, None, tracks, now))
            self.shown_s.append(time.monotonic() - now)
            self.number += 1
            time.sleep(1 / 30)


@pytest.fixture
def opened():
    made = []

    def make(*addresses, login=None, plain=False, say=print):
        options = LinkOptions(stream=StreamOptions(addresses, login, 1000, plain))
        stream.check_options(options)
        made.append(stream.open_link(Context(options, None, 30.0, SIZE, "tiny", say)))
        return made[-1]

    yield make
    for one in made:
        try:
            one.close()
        except BadOutput:
            pass


def listening(address, output=RAW):
    """ffmpeg as a server of RTSP that takes what is sent to it."""
    command = f"ffmpeg -v quiet -rtsp_flags listen -i {address} {output}".split()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    port, ends_s = int(re.search(r":(\d+)", address).group(1)), time.monotonic() + 60
    while f":{port:04X} " not in open("/proc/net/tcp").read() and time.monotonic() < ends_s:
        time.sleep(0.05)
    return process


def pictures(program, feed, frames=12):
    """The raw pictures that a program writes while frames are fed; then it is ended."""
    size = SIZE[0] * SIZE[1] * 3
    data = bytearray()
    os.set_blocking(program.stdout.fileno(), False)

    def enough():
        data.extend(program.stdout.read() or b"")
        return len(data) >= frames * size

    feed.run(90, enough)
    program.kill()
    program.wait()
    program.stdout.close()
    count = min(frames, len(data) // size)
    return list(np.frombuffer(bytes(data[: count * size]), np.uint8).reshape(-1, *SIZE[::-1], 3))


def check(found, feed):
    numbers = [number_of(picture) for picture in found]
    assert len(numbers) > 4 and numbers == sorted(set(numbers))
    assert 0 <= numbers[0] and numbers[-1] <= feed.number
    # the frame is handed over without a copy; a busy machine may interrupt a few of them
    assert np.median(feed.shown_s) < 0.02


@needs_ffmpeg
def test_an_rtsp_server_gets_the_picture_again_after_a_break(opened):
    address = f"rtsp://127.0.0.1:{free_port()}/live"
    messages = []
    streams = opened(address, say=messages.append)
    feed = Feed(streams)
    feed.run(20, lambda: messages)  # the server is not there yet
    assert len(messages) == 1 and address in messages[0] and "refused" in messages[0]
    for _ in range(2):
        found = pictures(listening(address), feed)
        check(found, feed)
        green = found[-1][118:123, 110:150].mean(axis=(0, 1))
        assert green[1] > green[0] + 20  # the box is drawn
    assert re.match(rf"stream: \d+ frames to {address}$", streams.lines()[0])
    streams.close()


@needs_ffmpeg
@pytest.mark.parametrize("scheme", ["rtp", "udp"])
def test_ffmpeg_receives_what_is_sent_over_udp(opened, tmp_path, scheme):
    port = free_port()
    source = f"udp://127.0.0.1:{port}"
    if scheme == "rtp":
        source = tmp_path / "stream.sdp"
        source.write_text(SDP.format(port))
    look = f"ffmpeg -v quiet -protocol_whitelist file,udp,rtp -probesize 100000 -i {source} {RAW}"
    feed = Feed(opened(f"{scheme}://127.0.0.1:{port}", plain=True))
    found = pictures(subprocess.Popen(look.split(), stdout=subprocess.PIPE), feed)
    check(found, feed)
    assert np.ptp(found[-1][150:], axis=2).max() < 40  # grey: no box


def test_a_server_that_hangs_holds_no_frame_and_not_the_end(opened, monkeypatch):
    monkeypatch.setattr(stream, "STALLED_S", 2.0)
    monkeypatch.setattr(stream, "END_S", 0.5)
    messages = []
    over = threading.Event()
    with monkeypatch.context() as patch:  # a thread that hangs is left behind
        patch.setattr(stream.Sender, "_send", lambda *_: over.wait(120))
        hanging = opened("udp://127.0.0.1:9")
        Feed(hanging).run(0.2)
        began = time.monotonic()
        hanging.close()
        assert time.monotonic() - began < 60
    over.set()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        streams = opened(f"rtsp://127.0.0.1:{port}/live", say=messages.append)
        feed = Feed(streams)
        feed.run(60, lambda: messages)
        assert feed.number > 10 and "takes no picture" in messages[0]  # 60 frames in two seconds
        with refusal(BadOutput, "not sent"):
            streams.close()


def test_an_address_that_took_nothing_is_an_error_of_the_run(opened):
    messages = []
    streams = opened(f"rtsp://eye:secret@127.0.0.1:{free_port()}/live", say=messages.append)
    Feed(streams).run(60, lambda: messages)
    with refusal(BadOutput, "not sent") as caught:
        streams.close()
    assert "secret" not in str(caught.value) + " ".join(messages + streams.lines())
    nowhere = opened("rtp://no.such.host.invalid:5600", say=messages.append)
    Feed(nowhere).run(60, lambda: len(messages) > 1)
    assert (
        "no.such.host.invalid" in messages[1] and "known" in messages[1]
    )  # as the resolver says it


def test_frames_of_another_size_and_tiny_ones_stay_in_the_stream(opened, tmp_path):
    sizes = [SIZE, (1, 1), (640, 480), (3, 500), SIZE]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        streams = opened(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
        (sender,) = streams._senders
        for number, (width, height) in enumerate(sizes):
            frame = np.full((height, width, 3), 50 * number, np.uint8)
            streams.write(TrackedFrame(frame, number, None, {}, time.monotonic()))
            ends_s = time.monotonic() + 60
            while sender.sent <= number and time.monotonic() < ends_s:
                time.sleep(0.01)
        streams.close()
        receiver.setblocking(False)
        with open(tmp_path / "got.ts", "wb") as file, contextlib.suppress(BlockingIOError):
            while True:
                packet = receiver.recv(2000)
                assert len(packet) <= 1316
                file.write(packet)
    with av.open(str(tmp_path / "got.ts")) as got:
        shown = [frame.to_ndarray(format="bgr24") for frame in got.decode(video=0)]
    assert [each.shape for each in shown] == [(*SIZE[::-1], 3)] * len(sizes)
    assert abs(int(shown[4][100, 159, 0]) - 200) < 9


def test_a_login_is_read_from_a_file_and_goes_to_servers_only(opened, tmp_path, monkeypatch):
    monkeypatch.delenv("STREAM_LOGIN", raising=False)
    path = tmp_path / "login"
    path.write_text("ear:d/rum\n")
    given = f"rtsp://127.0.0.1:{free_port()}/a", f"rtsp://me:own@127.0.0.1:{free_port()}/b"
    streams = opened(*given, "rtp://127.0.0.1:9", login=str(path))
    first, second, third = (sender.address.url for sender in streams._senders)
    assert "//ear:d%2Frum@" in first and "//me:own@" in second and "@" not in third
    path.write_text("ear\n")
    with refusal(BadOutput, "no login"):
        opened("rtp://127.0.0.1:9", login=str(path))


def test_addresses_are_understood_or_refused():
    assert stream.parse_address("udp://10.0.0.2:5600").url == "udp://10.0.0.2:5600"
    assert stream.parse_address("rtp://[::1]:5600").url == "rtp://[::1]:5600"
    assert stream.parse_address("rtsp://a:b%40c@host/live").url == "rtsp://a:b%40c@host:554/live"
    for wrong in ("udp://:5600", "rtp://host", "http://a:1/", "rtsp://a:b:c/", "live", ""):
        with refusal(BadOutput, "not an address"):
            stream.parse_address(wrong)
    for served in ("rtsp://:8554/live", "rtsp://0.0.0.0:8554/live"):
        with refusal(BadOutput, "no server"):
            stream.parse_address(served)


def test_a_server_here_is_told_by_the_address_others_reach():
    told = stream.parse_address("rtsp://me:own@127.0.0.1:8554/live").for_viewers
    assert told.endswith(":8554/live") and "127.0.0.1" not in told and "own@" not in told


def test_without_pyav_the_run_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    options = LinkOptions(stream=StreamOptions(["rtp://127.0.0.1:9"]))
    with refusal(BadOutput, "missing package"):
        stream.check_options(options)
