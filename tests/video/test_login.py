"""A camera that refuses the login is not asked again at once, which would lock the account."""

import base64
import contextlib
import re
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

import cv2
import pytest

from hotpath.runtime.errors import LoginRefused
from hotpath.video import live
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.ports import ThreadingHTTPServer
from tests.support.streams import scene

JPEG = cv2.imencode(".jpg", scene.picture_at(3))[1].tobytes()
BASIC = "Basic " + base64.b64encode(b"eye:secret").decode()
REALMS = {
    "basic": 'Basic realm="c"',
    "digest": 'Digest realm="c", nonce="n", qop="auth", algorithm=MD5',
    "digest without qop": 'Digest realm="c", nonce="n"',
    "too many viewers": "",
}


@contextlib.contextmanager
def camera(realm, frames=0):
    """A camera that refuses every login after some frames; gives its address and its logins."""
    logins, left = [], [frames]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Print no log."""

        def do_GET(self):
            login = self.headers.get("Authorization")
            if login:
                logins.append(time.monotonic())
            if login != BASIC or not left[0]:
                self.send_response(401 if realm else 403)
                self.send_header("WWW-Authenticate", realm)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            while left[0]:
                left[0] -= 1
                self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n")
                time.sleep(0.02)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.left = left
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://eye:secret@127.0.0.1:{server.server_port}/v", logins, left
        server.shutdown()


@pytest.mark.parametrize("realm", REALMS.values(), ids=REALMS)
def test_a_login_that_is_refused_at_the_start_is_given_once(realm):
    with camera(realm) as (address, logins, _), refusal(LoginRefused, "wrong login") as caught:
        open_source(address)
    assert len(logins) <= 1 and "secret" not in str(caught.value)


@pytest.mark.parametrize("answer", ["401 Unauthorized", "403 Forbidden"])
def test_an_rtsp_camera_that_refuses_the_login_is_named(answer):
    pytest.importorskip("av")
    logins = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                number = re.search(rb"CSeq: *(\d+)", head).group(1)
                logins.extend(re.findall(rb"^Authorization", head, re.M))
                asks = 'WWW-Authenticate: Digest realm="c", nonce="n"\r\n'
                says = "200 OK" if head.startswith(b"OPTIONS") else answer
                self.wfile.write(f"RTSP/1.0 {says}\r\n{asks}CSeq: {int(number)}\r\n\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with refusal(LoginRefused, "wrong login") as caught:
            open_source(f"rtsp://eye:secret@127.0.0.1:{server.server_address[1]}/v")
        server.shutdown()
    assert answer in str(caught.value) and len(logins) <= 2  # of one connection


def test_a_login_that_is_refused_in_a_run_is_named_and_repeated_after_a_minute():
    log = []
    with camera(REALMS["basic"], frames=30) as (address, logins, _):
        with open_source(address, log.append) as source:
            until_s = time.monotonic() + 60.0
            while not log and time.monotonic() < until_s:
                source.read(0.2)
            for _ in range(15):  # three seconds more
                source.read(0.2)
            assert len(logins) == 2  # the first, and one that was refused
    assert len(log) == 1 and "refuses the user" in log[0] and "next attempt in 60 s" in log[0]


def test_after_a_refused_login_the_stream_comes_back(monkeypatch):
    monkeypatch.setattr(live, "LOGIN_PAUSE_S", 2.0)
    log = []
    with camera(REALMS["basic"], frames=10) as (address, _, left):
        with open_source(address, log.append) as source:
            until_s = time.monotonic() + 60.0
            while not source.gaps and time.monotonic() < until_s:
                source.read(0.2)
                if log:
                    left[0] = 1000
            assert source.gaps
    assert "refuses the user" in log[0] and "back at frame" in log[1]
