"""Strangers at the page: tokens, origins, many connections and slow senders. The run goes on."""

import asyncio
import contextlib
import http.client
import json
import socket
import time
from unittest.mock import Mock

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("onnxruntime")
import aiohttp

from hotpath.app.links.page.access import ConnectionLimiter
from tests.support import pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("safety")
    pages.write_world(folder, 3)
    return folder


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("local")
    with pages.PagedRun(out, folder / "frames", network=folder / "tiny.toml") as run:
        yield run


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def guarded(folder, tmp_path, request):
    """A run, and requests without its token."""
    with pages.PagedRun(
        tmp_path, folder / "frames", "--page-host", request.param, network=folder / "tiny.toml"
    ) as run:
        run.bearer = {}
        yield run


def asked(run, path, headers=None):
    """The answer to GET, wherever it would lead."""
    headers = dict(run.bearer, **(headers or {}))
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        return connection.getresponse()


def handshake(run, **headers):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    return asked(run, "/ws", dict(upgrade, **headers)).status


def cookie_of(run):
    """The cookie that the link of a run sets."""
    answer = asked(run, "/enter?token=" + run.token)
    assert (answer.status, answer.headers["Location"]) == (303, "./")
    return answer.headers["Set-Cookie"]


def test_only_the_token_or_the_cookie_of_its_link_lets_in(guarded):
    paths = "/ /static/main.js /api/state /enter".split()
    for path in paths + ["/enter?token=wrong", "/enter?token=%ff"]:
        assert guarded.ask(path)[0] == 401, path
    assert guarded.ask("/api/stop", {"stop": True})[0] == 401
    assert handshake(guarded) == 401
    for wrong in ("wrong", guarded.token[:-1], "\xff"):
        assert guarded.ask("/api/state", Authorization="Bearer " + wrong)[0] == 401
        assert guarded.ask("/api/state", Cookie=f"hotpath_{guarded.port}={wrong}")[0] == 401
    assert guarded.ask("/api/state", Authorization="Bearer " + guarded.token)[0] == 200
    cookie = cookie_of(guarded)
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie  # not for scripts and foreign pages
    assert guarded.token not in cookie
    value = cookie.split(";")[0]
    assert guarded.ask("/api/state", Cookie=value)[0] == 200
    assert handshake(guarded, Cookie=value) == 101


@pytest.mark.parametrize("guarded", ["0.0.0.0"], indirect=True)
def test_the_token_is_printed_as_a_link_and_as_a_code(guarded):
    pytest.importorskip("segno")
    deadline = time.monotonic() + 60
    while "\u2588" not in guarded._errors.read_bytes().decode("utf-8", "replace"):
        assert time.monotonic() < deadline, guarded.words()
        time.sleep(0.05)


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 400),
        ({"Origin": "http://localhost:7", "Host": "localhost:7"}, 101),
        ({}, 101),
    ],
)
def test_foreign_pages_and_names_are_refused_on_the_loopback(local, headers, status):
    assert handshake(local, **headers) == status


def test_a_foreign_form_can_change_nothing(local):
    body = b'{"stop": true}'
    assert local.ask("/api/stop", body, Origin="http://evil.example")[0] == 403
    assert local.ask("/api/stop", body, Content_Type="text/plain")[0] == 415
    assert local.ask("/api/stop", method="GET")[0] == 405
    assert local.process.poll() is None


def test_every_answer_forbids_what_the_page_does_not_need(local):
    for path in ("/", "/static/main.js", "/api/state", "/nothing"):
        _, headers, _ = local.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in headers.get("Server", "")
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_has_nothing_inline_and_asks_nobody_else(local):
    text = local.ask("/")[2].decode("utf-8")
    assert "<style" not in text and " style=" not in text and "javascript:" not in text
    assert text.count("<script") == text.count('<script type="module" src="static/main.js">')
    for name in ("main.js", "link.js", "view.js", "aim.js", "panel.js", "api.js", "style.css"):
        content = local.ask("/static/" + name)[2].decode("utf-8")
        assert "http://" not in content and "https://" not in content.replace('"https:"', "")


@pytest.mark.parametrize(
    "path",
    "/../api.py /static/..%2fapi.py /static/%2e%2e/api.py //etc/passwd /static//etc/passwd /.git "
    "/api/../../../etc/passwd /static/main.js%00.png /static/ /static/../server.py".split(),
)
def test_no_other_file_can_be_had(local, path):
    assert asked(local, path).status in (404, 403, 400)


HARMLESS = [json.dumps({"hold": index}) for index in (0, 99, 1 << 52, None)] + ['{"seen": 0}']
UNKNOWN = ["{", "[]", "{}", '{"seen": 1, "hold": 1}', "x" * 5000, b"\x00", "[" * 200]
UNKNOWN += [f'{{"seen": {value}}}' for value in ("-1", "1e999", "NaN", '"1"')] + ['{"hold": true}']


@pytest.mark.parametrize("message", UNKNOWN)
def test_a_message_not_understood_ends_its_socket_alone(local, message):
    async def send():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(local.address + "/ws", headers=local.bearer) as socket:
                for harmless in HARMLESS:
                    await socket.send_str(harmless)
                say = socket.send_bytes if isinstance(message, bytes) else socket.send_str
                await say(message)
                while True:
                    answer = await asyncio.wait_for(socket.receive(), 10)
                    if answer.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                        return socket.close_code
                    assert answer.type != aiohttp.WSMsgType.ERROR

    code = asyncio.new_event_loop().run_until_complete(send())
    assert code in ((1009, 1006) if len(message) > 1000 else (1008,))
    assert local.state()["frame"] == 0


def connection(limiter):
    transport = Mock(**{"is_closing.side_effect": lambda: transport.abort.called})
    limiter.accept(transport)
    return transport


def test_connections_are_few_and_the_oldest_stranger_goes_first():
    limiter = ConnectionLimiter(Mock())
    every = [connection(limiter) for _ in range(81)]
    assert [each.abort.called for each in every] == [True] * 17 + [False] * 64


def test_a_connection_with_the_token_never_ends_for_a_stranger():
    limiter = ConnectionLimiter(Mock())
    owners = [connection(limiter) for _ in range(64)]
    for each in owners[:63]:
        limiter.trust(each)
    strangers = [connection(limiter) for n in range(500)]
    assert owners[63].abort.called and not any(each.abort.called for each in owners[:63])
    assert sum(not each.abort.called for each in strangers) == 1
    limiter.trust(strangers[-1])
    assert connection(limiter).abort.called, "every place is an owner's"


@pytest.mark.parametrize("kind", ["hold", "half a request", "reconnect"])
def test_strangers_in_every_place_do_not_keep_the_owner_out(local, kind):
    def occupy(host):
        made = socket.create_connection(("127.0.0.1", local.port), 10, source_address=(host, 0))
        if kind == "half a request":
            made.sendall(b"GET / HTTP/1.1\r\nHost: ")
        return made

    hosts = [f"127.0.0.{2 + n % 3}" for n in range(96)]
    with contextlib.ExitStack() as stack:
        for host in hosts:
            stack.enter_context(occupy(host))
        for host in hosts[:10]:
            if kind == "reconnect":
                stack.enter_context(occupy(host))
            assert local.ask("/api/state")[0] == 200


def test_requests_that_drip_are_cut_off(local):
    began = time.monotonic()
    post = b"POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with contextlib.ExitStack() as stack:
        waiting = []
        for start in (
            b"",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            post + b"Content-Length: 14\r\n\r\n",
        ):
            connection = socket.create_connection(("127.0.0.1", local.port), 10)
            stack.enter_context(connection).settimeout(0.2)
            connection.sendall(start)
            waiting.append((connection, start))
        while waiting:
            assert time.monotonic() - began < 60
            waiting = [each for each in waiting if not was_cut_off(*each)]
    assert local.ask("/api/state")[0] == 200


def was_cut_off(connection, start):
    """Send one more byte; returns whether the page has closed the connection or refused it."""
    try:
        connection.sendall(b"x" if start else b"")
        answer = connection.recv(1000)
    except socket.timeout:
        return False
    except OSError:
        return True
    return not answer or b" 408 " in answer or b" 400 " in answer


def test_what_is_no_request_is_not_told_in_the_terminal(local):
    cut_short = b"POST /api/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n"
    cut_short += b"Content-Type: application/json\r\n\r\n{"
    for text in (b"GET / HTTP/9.9\r\n\r\n", cut_short):
        with socket.create_connection(("127.0.0.1", local.port), 10) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(1000)
        assert not answer or answer.split()[1][:1] == b"4", answer
    assert local.ask("/api/state")[0] == 200
    assert "Traceback" not in local.words()


def test_a_port_that_is_taken_is_said_in_one_sentence(folder, local, tmp_path):
    network = folder / "tiny.toml"
    with pytest.raises(RuntimeError, match="can't listen there") as words:
        pages.PagedRun(tmp_path, folder / "frames", network=network, port=local.port)
    assert "Traceback" not in str(words.value) and "another --page-port" in str(words.value)


def test_an_address_of_another_computer_is_said_in_one_sentence(folder, tmp_path):
    options = ["--page-host", "192.0.2.1"]  # of documentation (RFC 5737)
    with pytest.raises(RuntimeError, match="give an address of this computer as --page-host"):
        pages.PagedRun(tmp_path, folder / "frames", *options, network=folder / "tiny.toml")
