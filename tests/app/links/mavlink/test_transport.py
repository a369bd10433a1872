"""Links come and go, and nothing blocks: UDP, TCP and serial lines."""

import ipaddress
import os
import pty
import select
import socket
import time

import pytest

from hotpath.app.links.mavlink.transport import open_transport, streams
from hotpath.app.links.mavlink.transport.datagrams import PEERS, PEERS_OF_ADDRESS
from hotpath.app.links.mavlink.transport.streams import BACKLOG_BYTES, STATIONS
from hotpath.runtime.errors import BadOutput
from tests.support.errors import refusal
from tests.support.needs import needs_terminal
from tests.support.ports import free_port

pytestmark = pytest.mark.pythons("sockets")


def receive(transport, seconds=3.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = transport.receive()
        if got:
            return got[0]
        time.sleep(0.005)
    raise AssertionError("nothing came")


def datagrams():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(3)
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


def test_udpout_talks_to_one_address_and_survives_that_nobody_listens(opened):
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
        link.welcome(address, time.monotonic(), False)
        link.send(b"for you")
        assert peer.recv(64) == b"for you"


STATION = ("10.0.0.1", 14550)


def seconds_with_place(link, strangers, rate, began_s):
    """The seconds in which the station still has its place, while strangers send heartbeats."""
    inside = []
    for n in range(60 * rate):
        for host in range(strangers):
            link.welcome((f"10.0.1.{host}", 14550), n / rate, True)
        if n % rate == 0 and n / rate >= began_s:  # once a second
            inside += [n // rate] if STATION in link._peers else []
            link.welcome(STATION, n / rate + 0.5 / rate, True)
    return inside


def test_a_station_keeps_its_place_whatever_strangers_send(opened):
    for rate in (1, 25):
        link = opened(f"udpin:127.0.0.1:{free_port()}")
        link.welcome(STATION, 0.0, True)
        assert seconds_with_place(link, 12, rate, 0) == list(range(60)), rate


def test_a_station_gets_in_where_strangers_came_first(opened):
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    assert seconds_with_place(link, 12, 25, 10) == list(range(11, 60))  # floods have no place
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    inside = seconds_with_place(link, 12, 1, 10)  # polite ones take turns with it
    assert inside[0] < 45 and inside[3] - inside[0] == 3
    assert len(link._peers) == PEERS


def test_an_address_has_few_places_and_a_silent_peer_loses_its_own(opened):
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    for port in range(9):
        link.welcome(("10.0.0.66", port), 0.0, True)
    assert len(link._peers) == PEERS_OF_ADDRESS
    for host in range(12):
        link.welcome((f"10.0.1.{host}", 1), 0.1, False)
    assert len(link._peers) == PEERS
    link.welcome(STATION, 1.0, True)
    assert STATION not in link._peers
    link.welcome(STATION, 6.0, False)  # only a heartbeat replaces another peer
    assert STATION not in link._peers
    last = list(link._peers)[-1]
    link.welcome(last, 6.0, True)
    link.welcome(STATION, 6.0, True)
    assert STATION in link._peers and last in link._peers and len(link._peers) == PEERS


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
    listener = opened(f"tcpin:127.0.0.1:{port}", link.allowed)
    with socket.create_connection(("127.0.0.1", port), 3) as stranger:
        while not select.select([stranger], [], [], 0.02)[0]:
            assert listener.receive() == [] and listener.fileno() is None
        assert stranger.recv(1) == b""  # hung up
    listener.close()  # as at the program's end
    opened(f"tcpin:127.0.0.1:{port}")  # at once, though the old connection still waits


def connections(port, count):
    return [socket.create_connection(("127.0.0.1", port), 3) for _ in range(count)]


def test_tcpin_holds_several_stations_and_a_silent_one_shuts_none_out(opened, monkeypatch):
    monkeypatch.setattr(streams, "SILENT_S", 0.3)
    port = free_port()
    link = opened(f"tcpin:127.0.0.1:{port}")
    silent = connections(port, STATIONS)
    assert link.receive() == [] and link.fileno() is not None
    (late,) = connections(port, 1)
    end = time.monotonic() + 2
    while select.select([late], [], [], 0)[0] == [] and time.monotonic() < end:
        link.receive()
    assert late.recv(1) == b""  # all places are taken, for now
    time.sleep(0.4)
    stations = connections(port, 2)
    for n, station in enumerate(stations):
        station.sendall(b"hello %d" % n)
    heard = {}
    end = time.monotonic() + 3
    while len(heard) < 2 and time.monotonic() < end:
        heard.update(link.receive())
    assert sorted(heard.values()) == [b"hello 0", b"hello 1"]
    time.sleep(0.4)
    for peer in heard:
        link.welcome(peer, time.monotonic(), True)
    more = connections(port, STATIONS)  # they take the places of the silent ones alone
    link.receive()
    link.send(b"to all")
    assert [station.recv(9) for station in stations] == [b"to all"] * 2
    for each in silent + more + stations + [late]:
        each.close()


def test_a_station_that_sends_nothing_is_ended(opened, monkeypatch):
    monkeypatch.setattr(streams, "IDLE_S", 0.2)
    port = free_port()
    link = opened(f"tcpin:127.0.0.1:{port}")
    (station,) = connections(port, 1)
    link.receive()
    assert link.fileno() is not None
    time.sleep(0.3)
    link.receive()
    assert link.fileno() is None and station.recv(1) == b""
    station.close()


def test_tcp_comes_back_after_the_other_side_went(opened):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2)
        listener.settimeout(5)
        link = opened(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        for word in (b"first", b"second"):
            end = time.monotonic() + 4
            while link.fileno() is None and time.monotonic() < end:
                link.receive()
                time.sleep(0.02)
            peer, _ = listener.accept()
            peer.sendall(word)
            assert receive(link) == (None, word)
            link.send(b"back")
            peer.settimeout(3)
            assert peer.recv(64) == b"back"
            peer.close()
            end = time.monotonic() + 3
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
        assert time.monotonic() - started < 5 and link._socket is connection
        assert len(link._backlog) <= BACKLOG_BYTES < 0.5 * 57600 / 10  # at that baud, half a second
        peer.close()


def test_a_serial_line_carries_every_byte(opened):
    needs_terminal()
    master, slave = pty.openpty()
    try:
        link = opened(f"serial:{os.ttyname(slave)}:115200")
        everything = bytes(bytearray(range(256)))
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
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    "url",
    ["", "serial:/dev/ttyS0:12345"]
    + "udpout:x udpout:127.0.0.1:0 udp:1:2 tcp:h:99999 serial:/dev/ttyS0:x".split(),
)
def test_other_addresses_are_refused(url):
    with pytest.raises(BadOutput):
        open_transport(url)


def test_a_port_that_is_taken_is_said():
    with datagrams() as taken:
        taken.bind(("127.0.0.1", 0))
        with refusal(BadOutput, "in use"):
            open_transport(f"udpin:127.0.0.1:{taken.getsockname()[1]}")


def test_a_serial_line_that_another_program_uses_is_refused(opened):
    needs_terminal()
    master, slave = pty.openpty()
    try:
        address = f"serial:{os.ttyname(slave)}:115200"
        first = opened(address)
        with refusal(BadOutput, "in use"):
            open_transport(address)
        first.close()
        assert opened(address).fileno() is not None
    finally:
        os.close(master)
        os.close(slave)
