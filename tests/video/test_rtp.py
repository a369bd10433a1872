"""Bare RTP on a port of datagrams is read, or named."""

import contextlib
import socket
import threading
import time

import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video import cameras, rtp
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.ports import free_port
from tests.support.streams import scene


@contextlib.contextmanager
def sender(codec, options, port):
    """Send pictures of the scene as FFmpeg's RTP until the end."""
    av = pytest.importorskip("av")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    over = threading.Event()

    def send():
        with av.open(f"rtp://127.0.0.1:{port}", "w", "rtp") as container:
            stream = container.add_stream(codec, scene.FPS)
            stream.width, stream.height, stream.pix_fmt = scene.WIDTH, scene.HEIGHT, "yuv420p"
            stream.options = options
            start_s, tick = time.monotonic(), 0
            while not over.is_set():
                frame = av.VideoFrame.from_ndarray(scene.picture_at(tick), "bgr24")
                for packet in stream.encode(frame):
                    container.mux(packet)
                tick += 1
                time.sleep(max(0.0, start_s + tick / scene.FPS - time.monotonic()))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


X264 = {"tune": "zerolatency", "preset": "ultrafast", "g": "10", "x264-params": "repeat-headers=1"}
# each frame begins with a message whose header is one of H.265, too
TIMED = dict(X264, maxrate="2000k", bufsize="2000k")
TIMED["x264-params"] += ":nal-hrd=vbr:sliced-threads=0"
X265 = {"tune": "zerolatency", "preset": "ultrafast", "g": "10"}
X265["x265-params"] = "repeat-headers=1:log-level=error"


@pytest.mark.parametrize("scheme", ["udp", "rtp"])
@pytest.mark.parametrize(
    "codec, options", [("libx264", X264), ("libx264", TIMED), ("libx265", X265)]
)
def test_rtp_is_read_without_an_sdp_file(scheme, codec, options):
    port = free_port(socket.SOCK_DGRAM)
    with sender(codec, options, port), open_source(f"{scheme}://127.0.0.1:{port}") as source:
        ticks = [scene.tick_of(source.read(20.0)) for _ in range(10)]
        assert source.live and len(set(ticks)) > 5


def test_rtp_that_gives_no_picture_is_named(monkeypatch):
    monkeypatch.setattr(cameras, "FIRST_PICTURE_S", 1.0)
    port = free_port(socket.SOCK_DGRAM)
    over = threading.Event()

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not over.wait(0.02):
                out.sendto(packet(b"\x61\x88" + bytes(200)), ("127.0.0.1", port))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        with refusal(BadSource, "RTP") as caught:
            open_source(f"udp://127.0.0.1:{port}")
    finally:
        over.set()
        thread.join()
    assert "RTP packets arrive at this port" in str(caught.value)


def packet(unit, payload=96, first=0x80, between=b""):
    return bytes([first, payload]) + bytes(10) + between + unit


EXTENSION = b"\xbe\xde\0\1abcd"
REPORT = b"\x80\xc8\0\6" + bytes(24)  # of RTCP
TIMING, SLICE = packet(b"\x06\x01"), packet(b"\x61\x88")  # H.264
SOUND = packet(b"\x78\x81", 111)
DATAGRAMS = {  # name -> (datagrams, payload type and codec)
    "SPS of H.264": ([packet(b"\x67\x42")], (96, "H264")),
    "a part of H.264": ([packet(b"\x7c\x85", 97)], (97, "H264")),
    "the middle of a part": ([packet(b"\x5c\x01", 96 + 128)], (96, "H264")),
    "H.264 with a timing message": ([TIMING] * 9 + [TIMING, SLICE] * 3, (96, "H264")),
    "H.264 with notes of its encoder": ([packet(b"\x06\x05"), SLICE] * 3, (96, "H264")),
    "messages, filler and prefixes": ([packet(b"%c\x01" % kind) for kind in (6, 12, 14)], None),
    "VPS of H.265": ([packet(b"\x40\x01")], (96, "H265")),
    "a part of H.265": ([packet(b"\x62\x01")], (96, "H265")),
    "layers of H.265": ([packet(b"\x02\x01"), packet(b"\x08\x02"), SLICE], (96, "H265")),
    "an extension": ([packet(b"\x40\x01", 96, 0x90, EXTENSION)], (96, "H265")),
    "two sources": ([packet(b"\x40\x01", 127, 0x82, bytes(8))], (127, "H265")),
    "a report before H.264": ([REPORT, REPORT, SLICE], (96, "H264")),
    "a report alone": ([REPORT], None),
    "sound before H.264": ([SOUND, SOUND, SLICE, SLICE, SLICE, SOUND], (96, "H264")),
    "a transport stream": ([b"\x47" + bytes(187), SLICE], None),
    "H.264 alone": ([b"\0\0\0\1\x67\x42" + bytes(20)], None),
    "a transport stream in RTP": ([packet(b"\x47\0", 33)], None),
    "too short": ([packet(b"")], None),
    "cut in an extension": ([packet(b"\xbe\xde\xff\xff", 96, 0x90, b"")], None),
}


@pytest.mark.parametrize("datagrams, payload", DATAGRAMS.values(), ids=DATAGRAMS)
def test_the_first_datagrams_tell_what_comes(datagrams, payload):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        for data in datagrams:
            theirs.send(data)
        assert rtp._listen(ours, time.monotonic() + 0.2) == payload


def test_listening_ends_where_datagrams_of_no_codec_never_pause():
    class Flooded:
        def settimeout(self, patience_s):
            assert patience_s > 0

        def recv(self, size):
            assert time.monotonic() < until_s + 5.0, "it listens without an end"
            return packet(b"\x90\x80")  # VP8

    until_s = time.monotonic() + 0.05
    assert rtp._listen(Flooded(), until_s) is None


@pytest.mark.parametrize("address", ["udp://239.1.1.1:5600", "udp://[::1]:5600", "rtsp://a:1/x"])
def test_other_addresses_are_left_to_ffmpeg(address):
    began_s = time.monotonic()
    assert rtp.sniff_sdp(address, 60.0) is None and time.monotonic() - began_s < 30.0
