"""A recording on a web server is a recording: every frame once, then the end."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runtime.errors import BadSource
from runtime.video.base import stated_frames
from runtime.video.cameras import Stream
from runtime.video.save import Video
from runtime.video.sources import open_source
from tests.runtime.video.test_sources import read_all, write_video
from tests.support.ports import free_port
from tests.support.streams import rtsp, scene
from tests.support.streams.mjpeg import MjpegServer
from tests.support.streams.mpegts import UdpSender
from tests.support.streams.process import ROOT, answers


@contextlib.contextmanager
def web_server(folder):
    """Run ``python -m http.server`` on a folder; give its address."""
    port = free_port(socket.SOCK_STREAM)
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        cwd=str(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20.0
        while not answers(port):
            assert time.monotonic() < deadline and server.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_a_recording_on_a_web_server_gives_every_frame_and_ends(tmp_path, name):
    write_video(tmp_path / name, 60)
    with web_server(tmp_path) as address:
        source = open_source(address + name)
        assert (source.live, source.frames, source.fps) == (False, 60, 30)
        frames = []
        with source:
            for _ in range(70):
                time.sleep(0.005)  # slower than the server: nothing may be dropped
                frame = source.read()
                if frame is None:
                    break
                frames.append(frame)
            assert source.read() is None
    assert [scene.tick_of(frame) for frame in frames] == list(range(60))
    assert source.dropped == 0 and source.gaps == []
    assert source.time_s == pytest.approx(59 / 30.0, abs=1e-3)  # Matroska counts milliseconds


def test_a_saved_video_on_a_web_server_is_one_too(tmp_path):
    pytest.importorskip("av")
    with Video(str(tmp_path / "a.mp4"), 30) as video:
        for tick in range(60):
            video.write(scene.picture_at(tick))
    with web_server(tmp_path) as address:
        frames = read_all(open_source(address + "a.mp4"))
    assert [scene.tick_of(frame) for frame in frames] == list(range(60))


def test_a_recording_whose_server_goes_away_says_where_it_broke(tmp_path):
    with open(write_video(tmp_path / "a.mkv", 120), "rb") as file:
        data = file.read()

    class HalfAFile(BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Print no log."""

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the viewer left
                self.wfile.write(data[: len(data) // 2])

    server = HTTPServer(("127.0.0.1", 0), HalfAFile)
    thread = threading.Thread(target=server.serve_forever)
    thread.daemon = True
    thread.start()
    good = 0
    try:
        with open_source(f"http://127.0.0.1:{server.server_port}/a.mkv") as source:
            with pytest.raises(BadSource) as caught:
                while source.read() is not None:
                    good += 1
    finally:
        server.shutdown()
        server.server_close()
    assert 50 <= good <= 65
    assert f"broke at frame {good} of 120" in str(caught.value)


@pytest.mark.parametrize("kind", ["http", "rtsp", "udp"])
def test_a_stream_states_no_number_of_frames(kind):
    if kind == "rtsp" and rtsp.missing():
        pytest.skip(rtsp.missing())
    with {"http": MjpegServer, "rtsp": rtsp.make_server, "udp": UdpSender}[kind]() as running:
        capture = Stream(running.address).open()
        stated = stated_frames(capture)
        capture.release()
    assert stated is None


def test_ctrl_c_interrupts_an_opening_and_the_program_ends():
    code = (
        "import sys, time; from runtime.video.sources import open_source\n"
        "print('opening'); sys.stdout.flush()\n"
        "try: open_source(sys.argv[1])\n"
        "except KeyboardInterrupt: print(time.time())\n"
    )
    address = f"udp://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, address], cwd=str(ROOT), stdout=subprocess.PIPE
    )
    with process.stdout:
        assert process.stdout.readline() == b"opening\n"
        time.sleep(1.0)  # FFmpeg listens for some 5 s
        sent = time.time()
        process.send_signal(signal.SIGINT)
        caught = float(process.stdout.readline().decode("ascii"))
    assert process.wait(20) == 0
    assert caught - sent < 2.5 and time.time() - sent < 4.0
