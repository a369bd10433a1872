"""A reader that is slow has its file; one that stands still keeps nobody else from the page."""

import contextlib
import http.client
import time
from unittest.mock import Mock

import pytest

pytest.importorskip("aiohttp")

from hotpath.app.links.page import access
from hotpath.app.links.page import server as page_server
from hotpath.app.links.page.server import Server
from hotpath.app.records import LinkOptions, PageOptions

BYTES = 24 << 20  # more than a system keeps for one connection


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(access, "STRANGER_S", 0.5)
    monkeypatch.setattr(page_server, "IDLE_S", 0.5)
    video = tmp_path / "film.mp4"
    video.write_bytes(b"x" * BYTES)

    def wait(version, timeout_s):
        time.sleep(timeout_s)
        return 0, None

    controller = Mock(wait=wait)
    page = PageOptions(page=True, port=0)
    server = Server(controller, LinkOptions(page=page, save=str(video)))
    server.start()
    yield server
    server.close()


def port_of(server):
    return int(server.link.split(":")[2].split("/")[0])


@contextlib.contextmanager
def asked(server, path):
    """A connection that has asked for a path."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=30)
    with contextlib.closing(connection):
        bearer = {"Authorization": "Bearer " + server.guard.token}
        connection.request("GET", path, headers=bearer)
        yield connection


def test_a_slow_reader_has_its_whole_file(server):
    """A file takes longer than a stranger, or an idle connection, is waited for."""
    with asked(server, "/api/video") as connection:
        answer = connection.getresponse()
        assert answer.status == 200
        time.sleep(3.0)
        assert len(answer.read()) == BYTES
