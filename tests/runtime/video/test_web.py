"""A recording on a web server is a recording: every frame once, then the end."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runtime.errors import BadSource
from runtime.video.save import Video
from runtime.video.sources import open_source
from tests.runtime.video.test_sources import read_all, write_video
from tests.support.ports import free_port
from tests.support.streams import scene
from tests.support.streams.process import answers


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
