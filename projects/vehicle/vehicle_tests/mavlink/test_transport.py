"""Links come and go, and nothing blocks: UDP, TCP and serial lines."""

import ipaddress
import os
import pty
import socket
import time

import pytest

from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink.transport import (
    BACKLOG_BYTES,
    PEER_S,
    PEERS,
    PEERS_OF_ADDRESS,
    SILENT_S,
    open_transport,
)
from tests.support.errors import refusal
from tests.support.needs import needs_terminal
from tests.support.ports import free_port

pytestmark = pytest.mark.pythons("sockets")


def receive(transport):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        got = transport.receive()
        if got:
            return got[0]
        time.sleep(0.005)
    raise AssertionError("nothing came")


def datagrams():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(60)
    return made


@pytest.fixture
def opened():
    made = []

    def make(url, allowed=()):
        made.append(open_transport(url, allowed))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
        transport.close()


def test_udpout_survives_that_nobody_listens(opened):
    port = free_port()
    link = opened(f"udpout:127.0.0.1:{port}")
    for _ in range(20):
        link.send(b"nobody hears this")
        link.receive()
    with datagrams() as peer:
        peer.bind(("127.0.0.1", port))
        link.send(b"hello")
        link.send(b"hello")  # an older error may swallow the first packet
        data, address = peer.recvfrom(64)
        peer.sendto(b"answer", address)
        assert data == b"hello" and receive(link)[1] == b"answer"
        with datagrams() as stranger:
            stranger.sendto(b"stranger", address)
        peer.sendto(b"more", address)
        assert receive(link)[1] == b"more"


def test_udpin_answers_those_that_were_welcome(opened):
    port = free_port()
    link = opened(f"udpin:127.0.0.1:{port}")
    with datagrams() as peer:
        peer.sendto(b"hello", ("127.0.0.1", port))
        address, data = receive(link)
        assert data == b"hello"
        link.send(b"not for strangers")
        link.welcome(address, time.monotonic())
        link.send(b"for you")
        assert peer.recv(64) == b"for you"


STATION = ("10.0.0.1", 14550)
STRANGERS = [(f"10.0.1.{host}", 14550) for host in range(12)]


@pytest.fixture
def listener(opened):
    return opened(f"udpin:127.0.0.1:{free_port()}")


def test_a_station_keeps_its_place_whatever_strangers_send(listener):
    for second in range(60):
        listener.welcome(STATION, second)
        for stranger in STRANGERS:
            listener.welcome(stranger, second + 0.5)
        assert STATION in listener._peers and len(listener._peers) == PEERS


def test_an_address_that_floods_leaves_places_for_a_station(listener):
    for port in range(1000):
        listener.welcome(("10.0.0.66", port), port / 1000)
    assert len(listener._peers) == PEERS_OF_ADDRESS
    listener.welcome(STATION, 1.0)
    assert STATION in listener._peers


def test_a_newcomer_takes_the_place_of_a_silent_peer_alone(listener):
    for stranger in STRANGERS[:PEERS]:
        listener.welcome(stranger, 0.0)
    assert listener.note is None
    listener.welcome(STATION, SILENT_S)
    assert STATION not in listener._peers
    assert "10.0.0.1:14550" in listener.note and "--mavlink-allow" in listener.note
    for stranger in STRANGERS[1:PEERS]:
        listener.welcome(stranger, SILENT_S)
    listener.welcome(STATION, SILENT_S + 0.1)
    assert set(listener._peers) == {STATION, *STRANGERS[1:PEERS]}


def test_a_peer_that_was_silent_for_long_is_forgotten(listener):
    now = time.monotonic()
    listener.welcome(STATION, now - PEER_S - 1)
    listener.welcome(STRANGERS[0], now)
    listener.receive()
    assert list(listener._peers) == STRANGERS[:1]


def test_only_allowed_addresses_are_heard(opened):
    port = free_port()
    link = opened(f"udpin:127.0.0.1:{port}", [ipaddress.ip_network("127.0.0.2/32")])
    with datagrams() as stranger:
        stranger.sendto(b"stranger", ("127.0.0.1", port))
    with datagrams() as station:
        station.bind(("127.0.0.2", 0))
        station.sendto(b"station", ("127.0.0.1", port))
        assert receive(link)[1] == b"station"
    with refusal(BadOutput, "does not listen"):
        open_transport("udpout:127.0.0.1:1", link.allowed)


def test_tcp_comes_back_after_the_other_side_went(opened):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2)
        listener.settimeout(60)
        link = opened(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        for word in (b"first", b"second"):
            end = time.monotonic() + 60
            while link.fileno() is None and time.monotonic() < end:
                link.receive()
                time.sleep(0.02)
            peer, _ = listener.accept()
            peer.sendall(word)
            assert receive(link) == (None, word)
            link.send(b"back")
            peer.settimeout(60)
            assert peer.recv(64) == b"back"
            peer.close()
            end = time.monotonic() + 60
            while link.fileno() is not None and time.monotonic() < end:
                link.receive()


def test_a_peer_that_reads_nothing_costs_bounded_memory(opened):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        link = opened(f"tcp:127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        started, connection = time.monotonic(), link._socket
        for _ in range(20000):
            link.send(b"x" * 280)
        assert time.monotonic() - started < 60 and link._socket is connection
        assert len(link._backlog) <= BACKLOG_BYTES < 0.5 * 57600 / 10  # at that baud, half a second
        peer.close()


@pytest.fixture
def line():
    """(the other end of a serial line, its address)."""
    needs_terminal()
    master, slave = pty.openpty()
    yield master, f"serial:{os.ttyname(slave)}:115200"
    os.close(slave)
    os.close(master)


def test_a_serial_line_carries_every_byte(opened, line):
    (master, address), everything = line, bytes(bytearray(range(256)))
    link = opened(address)
    os.write(master, everything)
    got = b""
    while len(got) < 256:
        got += receive(link)[1]
    assert got == everything
    link.send(everything)
    back = b""
    while len(back) < 256:
        back += os.read(master, 256)
    assert back == everything  # no newline was turned into another


@pytest.mark.parametrize(
    "url",
    ["", "serial:/dev/ttyS0:12345"]
    + "udpout:x udpout:127.0.0.1:0 udp:1:2 tcp:h:99999 serial:/dev/ttyS0:x".split(),
)
def test_other_addresses_are_refused(url):
    with pytest.raises(BadOutput):
        open_transport(url)


def test_a_serial_line_that_another_program_uses_is_refused(opened, line):
    first = opened(line[1])
    with refusal(BadOutput, "in use"):
        open_transport(line[1])
    first.close()
    assert opened(line[1]).fileno() is not None
