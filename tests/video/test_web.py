"""A recording on a web server is a recording: every frame once, then the end."""

import contextlib
import glob
import hashlib
import os
import re
import threading
import time
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource, LoginRefused
from hotpath.video import pyav
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
    if name in ("a.mkv", "a.avi"):
        write_video(tmp_path / name, 60)
    else:  # no length is stated
        films = pytest.importorskip("tests.support.streams.films")
        form = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if name == "a.mp4" else {}
        codec = "mpeg2video" if name == "a.mpg" else "libx264"
        films.write(name, films.even(60), codec, form=form, base=Fraction(1, 30))
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
        frames, messages = read_until_broken(open_source(address + "a.mkv"))
    assert 50 <= len(frames) <= 65 and f"frame {len(frames)} of 120" in messages


@pytest.mark.parametrize("planes", [False, True])
def test_an_address_without_a_stream_says_why(tmp_path, monkeypatch, planes):
    def sentence_of(address):
        with refusal(BadSource, "no stream") as caught:
            open_source(address, planes=planes)
        return str(caught.value)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.html").write_text("<p>no video</p>")
    with web_server(Files) as address:
        assert "404" in sentence_of(address + "wrong.mp4")
        assert "no picture came" in sentence_of(address + "page.html")
    for scheme in ("rtsp", "http"):
        assert "Connection refused" in sentence_of(f"{scheme}://127.0.0.1:1/t")
    assert "nowhere.invalid" in sentence_of("http://nowhere.invalid/a.mp4")


def test_what_ffmpeg_says_to_another_thread_is_not_the_reason(tmp_path):
    """An MP4 that is cut off is opened all the time beside an address where nobody answers."""
    pytest.importorskip("av")
    cut = tmp_path / "a.mp4"
    cut.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\x10\0mdat" + bytes(2000))
    stop = threading.Event()

    def open_others():
        while not stop.is_set():
            assert pyav.open_recording(str(cut)) is None

    thread = threading.Thread(target=open_others)
    thread.start()
    try:
        for _ in range(200):
            messages = pyav.open_stream("rtsp://127.0.0.1:1/t", 1.0, 1.0, 1.0)[1]
            assert "refused" in messages.lower()
    finally:
        stop.set()
        thread.join()
    assert pyav.pyav().logging.get_level() is None


def test_a_broken_transport_stream_is_no_shorter_recording(tmp_path, monkeypatch):
    films = pytest.importorskip("tests.support.streams.films")
    monkeypatch.chdir(tmp_path)
    noise = np.random.RandomState(3)
    pictures = [noise.randint(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(60)]
    how = dict(pictures=pictures, base=Fraction(1, 30), bit_rate=8000000)
    films.write("a.ts", films.even(60), "mpeg2video", **how)

    class Breaking(Files):
        def copyfile(self, source, outputfile):
            data = source.read()
            outputfile.write(data[: len(data) // 2])

    with web_server(Breaking) as address:
        with open_source(address + "a.ts") as source:
            frames, error = read_until_broken(source)
    assert 20 < len(frames) < 40 and "broke at frame" in error


class Closing(Files):
    """HTTP/1.1 with ranges; it closes each connection without saying so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        data = open(self.path.strip("/"), "rb").read()
        first, last = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-")).groups()
        part = data[int(first) : int(last or len(data)) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(part)
        self.close_connection = True


class Locked(Files):
    """Asks for a digest by SHA-256; whoever answers gets one picture after the other."""

    def do_GET(self):
        digest = re.findall(r'(\w+)="([^"]*)"', self.headers.get("Authorization", ""))
        is_right = dict(digest).get("username") == "ann" and self.is_right(dict(digest))
        self.send_response(200 if is_right else 401)
        if not is_right:
            how = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
            self.send_header("WWW-Authenticate", how)
            return self.end_headers()
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", scene.picture_at(5))[1].tobytes()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")

    def is_right(self, digest):
        def hashed(*parts):
            return hashlib.sha256(":".join(parts).encode()).hexdigest()

        line = self.headers["Authorization"]
        count = re.search(r"nc=(\w+)", line).group(1)
        secret = hashed("ann", "r", "secret")
        request = hashed("GET", digest["uri"])
        answer = hashed(secret, "n", count, digest["cnonce"], "auth", request)
        return answer == digest["response"]


def write_mp4(name, **how):
    """An MP4 by PyAV whose index is at its end; it is longer than FFmpeg reads at once."""
    films = pytest.importorskip("tests.support.streams.films")
    films.write(name, films.even(60), "libx264", {"qp": "4"}, **how)


def write_list(name, ending):
    """A playlist by PyAV, whose segments get another ending."""
    form = {"hls_time": "0.5", "hls_list_size": "0", "hls_segment_filename": "s%d.ts"}
    films = pytest.importorskip("tests.support.streams.films")
    films.write(name, films.even(60), "libx264", {"g": "15", "bf": "0"}, form=form)
    for path in glob.glob("s*.ts"):
        os.rename(path, path.replace(".ts", ending))
    with open(name) as file:
        text = file.read()
    with open(name, "w") as file:
        file.write(text.replace(".ts", ending))


WEB = {  # name -> (what writes it, which server, frames or words of the refusal)
    "closing": (lambda: write_mp4("a.mp4"), Closing, "a.mp4", 60),
    "no ranges": (lambda: write_mp4("a.mp4"), Files, "a.mp4", "faststart"),
    "no ending": (lambda: write_list("a.m3u8", ""), Files, "a.m3u8", 60),
    "another ending": (lambda: write_list("a.m3u8", ".html"), Files, "a.m3u8", 60),
    "not there": (lambda: write_list("a.m3u8", ".ts") or os.remove("s0.ts"), Files, "a.m3u8", 45),
}


@pytest.mark.parametrize("name", sorted(WEB))
def test_a_server_is_read_or_named_with_what_it_lacks(tmp_path, monkeypatch, name):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    write, handler, file, expected = WEB[name]
    write()
    with web_server(handler) as address:
        if isinstance(expected, str):
            with pytest.raises(BadSource, match=expected):
                open_source(address + file)
            return
        with open_source(address + file) as source:
            assert len(list(source)) == expected


def test_a_digest_by_sha_256_is_answered():
    with web_server(Locked) as address:
        with open_source(address.replace("://", "://ann:secret@")) as source:
            assert scene.tick_of(source.read()) == 5
        with refusal(LoginRefused, "wrong login"):
            open_source(address.replace("://", "://ann:wrong@"))


def test_a_playlist_that_is_a_file_shows_no_texts(tmp_path, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    write_list("a.m3u8", ".ts")
    with open_source("a.m3u8") as source:
        assert scene.tick_of(source.read()) == 0
    (tmp_path / "secret.txt").write_text("a line of a text that FFmpeg would draw\n" * 400)
    text = (tmp_path / "a.m3u8").read_text()
    for segment in glob.glob("s*.ts"):
        text = text.replace(segment, "secret.txt")
    (tmp_path / "a.m3u8").write_text(text)
    with pytest.raises(BadSource, match="neither MPEG-TS nor MP4"):
        open_source("a.m3u8")
    write_list("b.m3u8", ".bin")  # a video by another name is played
    with open_source("b.m3u8") as source:
        assert scene.tick_of(source.read()) == 0


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_the_address_of_a_still_picture_says_that_it_is_one(tmp_path, monkeypatch, ending):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    assert cv2.imwrite("a" + ending, scene.picture_at(3))
    with web_server(Files) as address, open_source(address + "a" + ending) as source:
        assert len(list(source)) == 1
        assert "gives one picture" in source.left_out[0]
