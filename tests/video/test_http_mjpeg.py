"""Motion JPEG over HTTP comes as browsers show it, whatever its headers say."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler

import cv2
import pytest

from hotpath.runtime.errors import LoginRefused
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.http_mjpeg import open_parts
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.needs import needs_kernels
from tests.support.ports import ThreadingHTTPServer
from tests.support.streams import scene

COUNT = 24
JPEGS = [cv2.imencode(".jpg", scene.picture_at(tick))[1].tobytes() for tick in range(COUNT)]
TYPE = b"Content-Type: image/jpeg\r\n"
MIXED = "multipart/x-mixed-replace; boundary="


def part(jpeg, kind=TYPE, length=0, mark=b"--frame", end=b"\r\n"):
    stated = b"" if length is None else b"Content-Length: %d\r\n" % (len(jpeg) + length)
    return mark + b"\r\n" + kind + stated + b"\r\n" + jpeg + end


def chunked(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


# name -> (type of the answer, what comes first, a part)
FORMS = {
    "plain": (MIXED + "frame", b"", part),
    "a length that is too small": (MIXED + "frame", b"", lambda j: part(j, length=-len(j) // 2)),
    "a length that is too large": (MIXED + "frame", b"", lambda j: part(j, length=100)),
    "a length of nothing": (MIXED + "frame", b"", lambda j: part(j, length=-len(j))),
    "no length": (MIXED + "frame", b"", lambda j: part(j, length=None)),
    "image/jpg": (MIXED + "frame", b"", lambda j: part(j, b"Content-Type: image/jpg\r\n")),
    "a parameter": (MIXED + "frame", b"", lambda j: part(j, b"content-type: image/jpeg;a=9\r\n")),
    "no type": (MIXED + "frame", b"", lambda j: part(j, b"")),
    "no header": (MIXED + "frame", b"", lambda j: part(j, b"", None)),
    "a preamble": (MIXED + "frame", b"A message in parts.\r\n", part),
    "quotes": (MIXED + '"frame"', b"\r\n", part),
    "dashes in the boundary": (MIXED + "--frame", b"", part),
    "more dashes": (MIXED + "----a", b"", lambda j: part(j, mark=b"------a")),
    "no boundary in the type": ("multipart/x-mixed-replace", b"", part),
    "multipart/mixed": ("multipart/mixed;boundary=frame", b"", part),
    "ends of lines of Unix": (
        MIXED + "frame",
        b"",
        lambda j: part(j).replace(b"\r\n", b"\n", 4),
    ),
    "no end of a line": (MIXED + "frame", b"", lambda j: part(j, end=b"")),
    "texts between": (
        MIXED + "frame",
        b"",
        lambda j: part(b"hello", b"Content-Type: text/plain\r\n") + part(j),
    ),
    "chunks": (MIXED + "frame", b"", lambda j: chunked(part(j)[:50]) + chunked(part(j)[50:])),
}


@contextlib.contextmanager
def sender(kind, first=b"", packed=part, jpegs=JPEGS, pause_s=0.0, user="", then_s=0.0):
    """A server that sends each JPEG once, then ends; gives its address and the times of sending."""
    sent_s = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            """Print no log."""

        def do_GET(self):
            self.close_connection = True
            if user and self.headers.get("Authorization") != "Basic " + user:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if packed(JPEGS[0])[:2].isalnum():
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(first)
                for jpeg in jpegs:
                    sent_s.append(time.monotonic())
                    self.wfile.write(packed(jpeg))
                    time.sleep(pause_s)
                time.sleep(then_s)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", sent_s
        server.shutdown()


def frames_of(address, planes=True):
    """(capture, its frames) of a connection, one after another."""
    capture = open_parts(address, 5.0, 1.0, 5.0, planes)
    assert capture is not None and capture.isOpened()
    frames = []
    good, frame = capture.read()
    while good:
        frames.append(bgr_of(frame))
        good, frame = capture.read()
    capture.release()
    return capture, frames


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_gives_each_picture_once(form):
    with sender(*FORMS[form]) as (address, _):
        capture, frames = frames_of(address)
    ticks = [scene.tick_of(frame) for frame in frames]
    assert ticks == list(range(COUNT))
    assert capture.errors == 0
    assert capture.skipped == (COUNT if form == "texts between" else 0)


@pytest.mark.parametrize("planes", [False, True])
def test_pictures_that_are_cut_off_are_given_and_counted(planes):
    needs_kernels()  # which decode a part of a JPEG
    cut = [jpeg[: len(jpeg) // 2] if n % 5 == 3 else jpeg for n, jpeg in enumerate(JPEGS)]
    with sender(MIXED + "frame", jpegs=cut) as (address, _):
        capture, frames = frames_of(address, planes)
    assert len(frames) == COUNT and capture.errors == sum(n % 5 == 3 for n in range(COUNT))


def test_pictures_without_an_end_marker_are_whole():
    with sender(MIXED + "frame", jpegs=[jpeg[:-2] for jpeg in JPEGS]) as (address, _):
        capture, frames = frames_of(address)
    assert [scene.tick_of(frame) for frame in frames] == list(range(COUNT))
    assert capture.errors == 0


def test_a_picture_of_stated_length_does_not_wait_for_the_next():
    late_s = []
    with sender(MIXED + "frame", pause_s=0.3, jpegs=JPEGS[:6]) as (address, sent_s):
        capture = open_parts(address, 5.0, 1.0, 5.0)
        for number in range(6):
            assert capture.read()[0]
            late_s.append(time.monotonic() - sent_s[number])
        capture.release()
    assert min(late_s[1:]) < 0.15  # of a busy computer too; who waits is late each time


def test_a_run_says_how_many_frames_of_a_stream_are_damaged():
    needs_kernels()
    cut = [jpeg[: len(jpeg) // 2] if n % 4 == 3 else jpeg for n, jpeg in enumerate(JPEGS)]
    with sender(MIXED + "frame", jpegs=cut, pause_s=0.02) as (address, _):
        with open_source(address, planes=True) as source:
            while source.gaps == [] and source.given < COUNT - 1:
                source.read(0.2)
            assert source.live and 3 <= source.errors <= 6


def test_a_user_and_a_password_are_sent_where_they_are_asked_for():
    user = "YWRtaW46YSBi"  # admin:a b
    with sender(MIXED + "frame", user=user) as (address, _):
        with refusal(LoginRefused, "wrong login"):
            open_parts(address, 5.0, 1.0, 5.0)
        _, frames = frames_of(address.replace("//", "//admin:a%20b@"))
    assert len(frames) == COUNT


def test_a_silent_connection_ends_after_the_time_of_a_read():
    with sender(MIXED + "frame", jpegs=JPEGS[:3], then_s=60.0) as (address, _):
        capture = open_parts(address, 5.0, 0.5, 5.0)
        began_s = time.monotonic()
        while capture.read()[0]:
            pass
        assert 0.4 < time.monotonic() - began_s < 30.0
        capture.release()


def test_other_answers_are_left_to_ffmpeg():
    with sender("image/jpeg") as (address, _):
        assert open_parts(address, 5.0, 1.0, 5.0) is None
    assert open_parts("http://127.0.0.1:9/", 1.0, 1.0, 1.0) is None
