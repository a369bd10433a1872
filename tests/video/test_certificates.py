"""A login goes only to a server whose certificate is trusted, unless --insecure says so."""

import base64
import contextlib
import http.server
import ssl
import subprocess
import threading

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video.base import WAITING
from hotpath.video.sources import open_source
from tests.support import tiny
from tests.support.errors import refusal
from tests.support.needs import needs_program

needs_program("openssl")
JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
LOGIN = "Basic " + base64.b64encode(b"eye:needle").decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A function: the path of a certificate with its key, for an address."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(name):
        path = folder / (name.replace(":", "-") + ".pem")
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        words += ["-subj", "/CN=camera", "-addext", f"subjectAltName={name}"]
        words += ["-keyout", str(path), "-out", str(path) + ".crt"]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
        path.write_text(path.read_text() + path.with_name(path.name + ".crt").read_text())
        return path

    return {name: make(name) for name in ("IP:127.0.0.1", "DNS:other.example")}


@contextlib.contextmanager
def server(certificate, film):
    """(address with a login, the logins that came) of a camera by TLS."""
    logins = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            logins.append(self.headers.get("Authorization"))
            if logins[-1] != LOGIN:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            if self.path == "/film.avi":
                self.send_header("Content-Length", str(len(film)))
                self.end_headers()
                self.wfile.write(film)
                return
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n")

        def log_message(self, *_):
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass

    serving = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate))
    serving.socket = context.wrap_socket(serving.socket, server_side=True)
    threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"https://eye:needle@127.0.0.1:{serving.server_port}", logins
    finally:
        serving.shutdown()
        serving.server_close()


CASES = {  # name: (certificate, whether this computer trusts it, --insecure, whether it is opened)
    "of its own": ("IP:127.0.0.1", False, False, False),
    "of its own, insecure": ("IP:127.0.0.1", False, True, True),
    "trusted": ("IP:127.0.0.1", True, False, True),
    "trusted, of another host": ("DNS:other.example", True, False, False),
}


@pytest.mark.parametrize("path", ["/live", "/film.avi"])
@pytest.mark.parametrize("name, trusted, insecure, opens", CASES.values(), ids=CASES)
def test_a_login_goes_to_who_is_trusted(
    certificates, tmp_path, monkeypatch, path, name, trusted, insecure, opens
):
    pytest.importorskip("av")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[name]) if trusted else "/dev/null")
    tiny.write_video(tmp_path / "film.avi", tiny.film(5)[0])
    film = (tmp_path / "film.avi").read_bytes()
    with server(certificates[name], film) as (address, logins):
        if opens:
            with open_source(address + path, insecure=insecure) as source:
                frame = source.read(10.0)
            assert frame is not WAITING and frame.shape[2] == 3 and LOGIN in logins
            return
        with refusal(BadSource, "certificate") as caught:
            open_source(address + path, insecure=insecure)
        assert "--insecure" in str(caught.value) and "needle" not in str(caught.value)
        assert not logins


def test_ffmpeg_verifies_too(certificates, tmp_path, monkeypatch):
    """A server that answers only the second connection with another certificate gets nothing."""
    pytest.importorskip("av")
    monkeypatch.setattr("hotpath.video.cameras.check_certificate", lambda *_: None)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["DNS:other.example"]))
    with server(certificates["IP:127.0.0.1"], b"") as (address, logins):
        for path in ("/live", "/film.avi"):
            with pytest.raises(BadSource):
                open_source(address + path)
        assert not logins
