"""Downloads of networks' files: verified, and not made twice."""

import contextlib
import hashlib
import http.server
import re
import ssl
import threading

import pytest

from hotpath.app import detect
from hotpath.app.cli.networks import fetch
from hotpath.app.cli.networks import networks_command as networks
from hotpath.runtime.errors import BadNetwork, UnknownNetwork
from hotpath.runtime.networks import load_network
from tests.support import tiny, tiny_detector
from tests.support.errors import refusal
from tests.support.needs import needs_program
from tests.support.ports import ThreadingHTTPServer, certificate

needs_program("openssl")

CONTENT = bytes(range(256)) * 2000


class _Files(http.server.BaseHTTPRequestHandler):
    """Serves ``CONTENT`` under every path; breaks off after ``server.limit`` bytes."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            return self.end_headers()
        self.send_response(200)
        if self.server.length is not None:
            self.send_header("Content-Length", self.server.length or str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: self.server.limit])
        while self.server.length is None:
            self.server.sent += 1
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server by TLS, whose certificate is trusted here and in programs that are started."""
    folder = tmp_path / "tls"
    folder.mkdir()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "c.pem"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _served(server):
        yield server


@contextlib.contextmanager
def _served(server):
    server.handle_error = lambda *_: None  # the other side may hang up
    server.asked = []
    server.limit = len(CONTENT)
    server.length = ""
    server.elsewhere = ""  # where it sends whoever asks
    server.sent = 0  # more copies of the content than asked for
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _network(folder, server, sha256):
    """The tiny network with an address for each of its files."""
    address = f"https://127.0.0.1:{server.server_port}"
    extra = f'sha256 = "{sha256}"\nsize = {len(CONTENT)}\nurl = "{address}'
    path = folder / "far.toml"
    path.write_text(re.sub(r'name = "(.*)"', rf'\g<0>\n{extra}/\1"', tiny.TOML))
    return path


RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("length", ["", "abc", "-7"])  # one that is no number is ignored
def test_files_are_brought_and_verified_and_not_asked_for_again(tmp_path, server, length):
    server.length = length
    network = load_network(_network(tmp_path, server, RIGHT))
    paths = fetch.fetch(network, tmp_path / "got", print)
    assert [path.read_bytes() == CONTENT for path in paths] == [True, True]
    server.asked.clear()
    fetch.fetch(network, tmp_path / "got", print)
    assert server.asked == []


def test_nothing_is_kept_of_a_broken_download(tmp_path, server):
    server.limit = 100000
    with refusal(BadNetwork, "not downloaded"):
        fetch.fetch(load_network(_network(tmp_path, server, RIGHT)), tmp_path / "got", print)
    assert list((tmp_path / "got").iterdir()) == []


@pytest.mark.parametrize(
    "sha256, length, told",
    [("0" * 64, "", "is not the file that"), (RIGHT, None, f"more than {len(CONTENT)} bytes")],
)
def test_a_wrong_file_and_an_endless_answer_are_not_kept(tmp_path, server, sha256, length, told):
    server.length = length
    with pytest.raises(BadNetwork, match=told):
        fetch.fetch(load_network(_network(tmp_path, server, sha256)), tmp_path / "got", print)
    assert list((tmp_path / "got").iterdir()) == [] and server.sent < 50


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:{}/", "file://{1}", "data:,x"])
def test_a_redirect_to_anything_but_https_is_refused(tmp_path, server, elsewhere):
    (tmp_path / "content").write_bytes(CONTENT)
    with _served(ThreadingHTTPServer(("127.0.0.1", 0), _Files)) as plain:
        server.elsewhere = elsewhere.format(plain.server_port, tmp_path / "content")
        with refusal(BadNetwork, "not downloaded"):
            fetch.fetch(load_network(_network(tmp_path, server, RIGHT)), tmp_path / "got", print)
    assert list((tmp_path / "got").iterdir()) == [] and len(server.asked) == 1
    assert plain.asked == []


def test_a_download_does_not_replace_another_file_of_its_name(tmp_path, server):
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "tiny_head.onnx").write_text("mine")
    with refusal(BadNetwork, "other file"):
        fetch.fetch(load_network(_network(tmp_path, server, RIGHT)), tmp_path / "got", print)
    assert (tmp_path / "got" / "tiny_head.onnx").read_text() == "mine"


def test_a_detector_is_listed_and_brought_by_its_name(tmp_path, server, capsys):
    for name in detect.names():
        assert (
            networks.main(["get", name, "--networks-dir", "/dev/null/x"]) == 2
        )  # known, no folder
        assert "can't write to /dev/null/x" in capsys.readouterr().err
        file = detect.describe(name).file
        assert file.url.startswith("https://") and len(file.sha256) == 64
    assert networks.main(["get", "nosuch", "--networks-dir", str(tmp_path)]) == 2
    messages = capsys.readouterr().err
    assert "kestrel" in messages and f"the detectors are: {', '.join(detect.names())}" in messages
    assert networks.main(["list", "--networks-dir", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    for name in ("yolox_nano +yolox +416", "nanotrack_v2 +points +127 +255"):
        assert re.search(f"{name} +missing: hotpath networks get {name.split()[0]}\n", listed)
    assert re.search("lighttrack +points .* +missing: export them from https://github.com/", listed)

    own = tmp_path / "own.toml"
    address = f"https://127.0.0.1:{server.server_port}/tiny_detector.onnx"
    own.write_text(tiny_detector.TOML + f'sha256 = "{RIGHT}"\nurl = "{address}"\n')
    (tmp_path / "colours.toml").write_text('names = ["blue"]')
    assert networks.main(["get", str(own), "--networks-dir", str(tmp_path)]) == 0
    assert (tmp_path / "tiny_detector.onnx").read_bytes() == CONTENT

    with refusal(UnknownNetwork, "unknown name"):
        load_network("yolox_nan")
    with refusal(UnknownNetwork, "detector"):
        load_network("yolox_nano")
    with refusal(BadNetwork, "missing file", command="networks get yolox_nano"):
        detect.load_detector("yolox_nano", classes=["person"], networks_dir=tmp_path)


@pytest.mark.parametrize("address", ["https://[x", "https://127.0.0.1"])
def test_an_address_where_nobody_is_is_refused_in_a_sentence(tmp_path, server, capsys, address):
    path = _network(tmp_path, server, RIGHT)
    path.write_text(path.read_text().replace("https://127.0.0.1", address))
    server.server_close()
    assert networks.main(["get", str(path), "--networks-dir", str(tmp_path)]) == 2
    messages = capsys.readouterr().err
    assert messages.count("\n") == 1 and "can't be downloaded" in messages


def test_list_and_show_name_a_folder_that_is_none(tmp_path, capsys):
    for words in (["list"], ["show", "kestrel_fast"]):
        assert networks.main([*words, "--networks-dir", str(tmp_path / "no")]) == 2
        told = capsys.readouterr()
        assert "no is not a folder" in told.err and not told.out


def test_an_onnx_file_is_no_network_and_the_next_step_is_named():
    with refusal(UnknownNetwork, "ONNX file", command="hotpath networks add"):
        load_network("/nope/x.onnx")
