"""Links come and go, and nothing blocks: UDP, TCP and serial lines."""

import ipaddress
import os
import pty
import socket
import time

import pytest

from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink.transport import open_transport
from hotpath_vehicle.mavlink.transport.datagrams import PEERS, PEERS_OF_ADDRESS
from hotpath_vehicle.mavlink.transport.streams import BACKLOG_BYTES
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
BEAT = (255, 190)  # system and component of a heartbeat


def seconds_with_place(link, strangers, rate, began_s):
    """The seconds in which the station still has its place, while strangers send heartbeats."""
    inside = []
    for n in range(60 * rate):
        for host in range(strangers):
            link.welcome((f"10.0.1.{host}", 14550), n / rate, BEAT)
        if n % rate == 0 and n / rate >= began_s:  # once a second
            inside += [n // rate] if STATION in link._peers else []
            link.welcome(STATION, n / rate + 0.5 / rate, BEAT)
    return inside


def test_a_station_keeps_its_place_whatever_strangers_send(opened):
    for rate in (1, 25):
        link = opened(f"udpin:127.0.0.1:{free_port()}")
        link.welcome(STATION, 0.0, BEAT)
        assert seconds_with_place(link, 12, rate, 0) == list(range(60)), rate


def test_a_station_gets_in_where_strangers_came_first(opened):
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    assert seconds_with_place(link, 12, 25, 10) == list(range(11, 60))  # floods have no place
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    inside = seconds_with_place(link, 12, 1, 10)  # polite ones take turns with it
    assert inside[0] < 45 and inside[3] - inside[0] == 3
    assert len(link._peers) == PEERS


def test_a_router_may_pass_on_the_heartbeats_of_many_components(opened):
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    for second in range(30):
        for component in range(40):
            link.welcome(STATION, second + component / 100, (1 + component // 5, component))
    assert STATION in link._peers and link.note is None
    for n in range(100):  # but one of them may not flood
        link.welcome(STATION, 30 + n / 100, (1, 0))
    assert STATION not in link._peers and "component 1/0" in link.note


def test_an_address_has_few_places_and_a_silent_peer_loses_its(opened):
    link = opened(f"udpin:127.0.0.1:{free_port()}")
    for port in range(9):
        link.welcome(("10.0.0.66", port), 0.0, BEAT)
    assert len(link._peers) == PEERS_OF_ADDRESS
    for host in range(12):
        link.welcome((f"10.0.1.{host}", 1), 0.1)
    assert len(link._peers) == PEERS
    link.welcome(STATION, 1.0, BEAT)
    assert STATION not in link._peers
    link.welcome(STATION, 6.0)  # only a heartbeat replaces another peer
    assert STATION not in link._peers
    last = list(link._peers)[-1]
    link.welcome(last, 6.0, BEAT)
    link.welcome(STATION, 6.0, BEAT)
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
