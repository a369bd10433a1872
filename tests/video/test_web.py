"""A recording on a web server is a recording: every frame once, then the end."""

import contextlib
import threading
import time
from http.server import SimpleHTTPRequestHandler
from socketserver import BaseRequestHandler, ThreadingTCPServer

import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.ports import ThreadingHTTPServer
from tests.support.streams import scene
from tests.video.test_sources import read_until_broken, write_video


@contextlib.contextmanager
def web_server(handler):
    """Serve in a thread; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print no log."""


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mp4", "a.ts", "a.mpg", "a.h264"])
def test_a_recording_on_a_web_server_gives_every_frame_and_ends(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)  # what the server serves
    if name == "a.mp4":  # in fragments
        pytest.importorskip("av")
        with Video(str(tmp_path / name), 30) as video:
            for tick in range(60):
                video.write(scene.picture_at(tick))
    elif name in ("a.mkv", "a.avi"):
        write_video(tmp_path / name, 60)
    else:  # no length is stated
        av = pytest.importorskip("av")
        with av.open(str(tmp_path / name), "w") as container:
            codec = "mpeg2video" if name == "a.mpg" else "libx264"
            stream = container.add_stream(codec, rate=30)
            stream.width, stream.height, stream.pix_fmt = scene.WIDTH, scene.HEIGHT, "yuv420p"
            for tick in range(60):
                frame = av.VideoFrame.from_ndarray(scene.picture_at(tick), format="bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with web_server(Files) as address:
        source = open_source(address + name)
        assert (source.live, source.fps) == (False, 30)
        assert source.frames == 60 or name in ("a.mp4", "a.ts", "a.mpg", "a.h264")  # a guess
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


def test_a_recording_whose_server_goes_away_says_where_it_broke(tmp_path):
    with open(write_video(tmp_path / "a.mkv", 120), "rb") as file:
        data = file.read()

    class HalfAFile(Files):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the viewer left
                self.wfile.write(data[: len(data) // 2])

    with web_server(HalfAFile) as address:
        frames, said = read_until_broken(open_source(address + "a.mkv"))
    assert 50 <= len(frames) <= 65 and f"frame {len(frames)} of 120" in said


class Silent(BaseRequestHandler):
    """Answers RTSP as a server does that has no such path."""

    def handle(self):
        asked = self.request.recv(4096)
        if b" /wrong" in asked or b"/wrong RTSP" in asked:
            self.request.sendall(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")


@pytest.mark.parametrize("planes", [False, True])
def test_an_address_without_a_stream_says_what_answered(tmp_path, monkeypatch, planes):
    def sentence_of(address):
        with refusal(BadSource, "no stream") as caught:
            open_source(address, planes=planes)
        return str(caught.value)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("<p>no video</p>")
    with web_server(Files) as address:
        assert "404 File not found" in sentence_of(address + "wrong.mp4")
        assert "gives no video" in sentence_of(address + "page.html")
    with ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert "404 Not Found" in sentence_of(f"rtsp://127.0.0.1:{port}/wrong")
        server.shutdown()
    for scheme in ("rtsp", "http"):
        said = sentence_of(f"{scheme}://127.0.0.1:{port}/t")
        assert f"127.0.0.1 refuses port {port}" in said
    for host in ("nowhere.invalid", "no..name"):
        said = sentence_of(f"http://{host}/a.mp4")
        assert "no host" in said and said.count(host) > 1


def test_a_transport_stream_that_breaks_off_on_the_way_is_no_shorter_recording(
    tmp_path, monkeypatch
):
    av = pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    noise = np.random.RandomState(3)
    with av.open("a.ts", "w") as container:
        stream = container.add_stream("mpeg2video", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.bit_rate = 8000000
        for _ in range(60):
            picture = noise.randint(0, 255, (240, 320, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    class Breaking(Files):
        def copyfile(self, source, outputfile):
            data = source.read()
            outputfile.write(data[: len(data) // 2])

    with web_server(Breaking) as address:
        with open_source(address + "a.ts") as source:
            frames, error = read_until_broken(source)
    assert 20 < len(frames) < 40 and "broke at frame" in error
