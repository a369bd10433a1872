"""Carry the bytes of a MAVLink link over UDP, TCP or a serial line.

No call here blocks, and no failure of a link ends the run: the link is opened again later. This
file does not look at what the bytes mean.
"""

import contextlib
import errno
import ipaddress
import os
import select
import socket
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from hotpath.app.links.base import made_socket
from hotpath.runtime.errors import BadOutput

Address = Tuple[Any, ...]  # of a peer, as the socket gives it: (host, port), longer with IPv6
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Received = Tuple[Optional[Address], bytes]  # the sender, None on a stream, and its bytes

RETRY_S = 1.0  # pause before a lost connection or a serial line is opened again
PEERS = 8  # most peers that a listening link answers
PEERS_OF_ADDRESS = 3  # of them at one address
PEER_S = 30.0  # a peer that was silent for so long is forgotten
SILENT_S = 5.0  # without heartbeats: a newcomer may take the place; heartbeats come once a second
TURN_S = 5.0  # newcomers share the last place in turns of this length
BEATS_PER_S = 5.0  # heartbeats of one address; who sends more has no place
BEATS = 10.0  # of them at once
ADDRESSES = 1024  # whose heartbeats are counted
STATIONS = 4  # connections that a listening TCP link holds
IDLE_S = 30.0  # one that sends nothing that is understood for so long is ended
READ_BYTES = 4096
READS = 64  # most reads in one call of ``receive``
# most unsent bytes of a stream; packets above that are dropped. A "stand still" waits behind them.
BACKLOG_BYTES = 2048
DRAIN_S = 0.4  # in which a slow serial line takes them
# errors after which a link goes on: a lost packet, nobody there, a full buffer, still connecting
PASSING = (errno.EAGAIN, errno.ECONNREFUSED, errno.ENOBUFS, errno.EMSGSIZE, errno.ENOTCONN)
WAYS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, tcpin:HOST:PORT, serial:DEVICE:BAUD"


def open_transport(url: str, allowed: Sequence[Network] = ()) -> "Transport":
    """Open the transport of an address.

    Args:
        url: see ``WAYS``; with or without ``//`` after the first colon.
        allowed: networks that a listening link takes packets from; none: from everywhere.

    Raises:
        BadOutput: the address has none of these forms, a port to listen at is in use, or
            ``allowed`` is given to a link that does not listen.
    """
    way, _, rest = url.partition(":")
    rest = rest[2:] if rest.startswith("//") else rest
    place, _, number = rest.rpartition(":")
    kinds: Dict[str, Callable[[str, str, int], Transport]] = {
        "udpout": UdpOut,
        "udpin": UdpIn,
        "tcp": Tcp,
        "tcpin": TcpIn,
        "serial": Serial,
    }
    if way not in kinds or not place or not number.isdigit():
        raise BadOutput(f"--mavlink {url}: not an address; give one of {WAYS}")
    if way != "serial" and not 0 < int(number) < 65536:
        raise BadOutput(f"--mavlink {url}: a port is a number from 1 to 65535")
    if allowed and way not in ("udpin", "tcpin"):
        raise BadOutput(
            f"--mavlink-allow: {way} does not listen; use it with udpin or tcpin",
            what="does not listen",
        )
    transport = kinds[way](url, place.strip("[]"), int(number))
    transport.allowed = allowed
    return transport


class Transport:
    """Sends bytes to the other side and receives bytes from it.

    Attributes:
        allowed: networks that a listening link takes packets from; none: from everywhere.
        in_pieces: whether a packet may come in pieces, as on a stream.
    """

    allowed: Sequence[Network] = ()
    in_pieces = False  # a packet may come in pieces

    def __init__(self) -> None:
        self._socket: Optional[socket.socket] = None
        self._next_try = 0.0

    def fileno(self) -> Optional[int]:
        """The file descriptor to wait on, or None while the link is not open."""
        return self._socket.fileno() if self._socket else None

    def filenos(self) -> List[int]:
        """All file descriptors to wait on."""
        number = self.fileno()
        return [] if number is None else [number]

    def welcome(self, peer: Address, now: float, beats: bool) -> None:
        """Learn that a peer sent a packet that was understood.

        Args:
            peer: who sent it.
            now: seconds of the monotonic clock.
            beats: whether the packet is a heartbeat.
        """

    def receive(self) -> List[Received]:
        """Return what arrived: pairs of the sender and its bytes. Never blocks, never raises."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send one packet to every peer. Never blocks, never raises; it may be lost."""
        raise NotImplementedError

    def drain(self) -> None:
        """Wait a little until the other side has room for all that was sent."""

    def close(self) -> None:
        """Close the link; may be called twice."""
        made = self._socket
        self._socket = None
        if made is not None:
            made.close()

    def _allows(self, host: str) -> bool:
        """Whether packets of an address are taken."""
        address = ipaddress.ip_address(host.partition("%")[0])  # without the interface of IPv6
        address = getattr(address, "ipv4_mapped", None) or address
        return not self.allowed or any(address in network for network in self.allowed)

    def _may_try(self) -> bool:
        """Whether to open the link now: it is closed, and ``RETRY_S`` have passed."""
        now = time.monotonic()
        if self.fileno() is not None or now < self._next_try:
            return False
        self._next_try = now + RETRY_S
        return True


def _listening(name: str, host: str, port: int, kind: int) -> socket.socket:
    """A socket bound to an address; raises ``BadOutput``."""
    try:
        return made_socket(host, port, kind, False)
    except OSError as error:
        raise BadOutput(
            f"--mavlink {name}: can't listen there: {error.strerror or error}", what="in use"
        ) from None


class _Datagrams(Transport):
    """What both ways of UDP share."""

    def receive(self) -> List[Received]:
        got: List[Received] = []
        for _ in range(READS):
            if self._socket is None:
                break
            try:
                data, peer = self._socket.recvfrom(READ_BYTES)
            except BlockingIOError:
                break
            except OSError as error:  # such as that no program listens at the other side now
                self._failed(error)
                continue
            if self._allows(peer[0]):
                got.append((peer, data))
        return got

    def _failed(self, error: OSError) -> None:
        """An error of the socket: the packet is lost, as on a radio."""


class UdpOut(_Datagrams):
    """Sends packets to one address, and takes packets from that address only."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._address = (host, port)
        self._connect()

    def _connect(self) -> None:
        """Look the host's name up and connect; if that fails, a later call tries again."""
        if self._may_try():
            with contextlib.suppress(OSError):  # no such name, or no network yet
                self._socket = made_socket(*self._address, socket.SOCK_DGRAM, True)

    def send(self, data: bytes) -> None:
        self._connect()
        if self._socket is not None:
            try:
                self._socket.send(data)
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Close the link if the network is gone; a later packet opens it again."""
        if error.errno not in PASSING:
            self.close()


class Peer(NamedTuple):
    """When a peer got its place, was heard, and sent a heartbeat."""

    joined_s: float
    heard_s: float
    beat_s: float


class UdpIn(_Datagrams):
    """Listens at an address, and sends to all peers that were heard there recently.

    Strangers can shut no ground station out. A peer keeps its place while it sends heartbeats. A
    newcomer gets a free place, or that of a peer without heartbeats. Where all send them, the peer
    that came last makes room, so that newcomers take turns. An address with more heartbeats than
    any ground station sends has no place.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._peers: Dict[Address, Peer] = {}  # those that came first stand first
        self._beats: OrderedDict[str, Tuple[float, float]] = OrderedDict()  # leaky buckets
        self._socket = _listening(name, host, port, socket.SOCK_DGRAM)

    def receive(self) -> List[Received]:
        got, now = super().receive(), time.monotonic()
        self._peers = {a: p for a, p in self._peers.items() if now - p.heard_s <= PEER_S}
        return got

    def welcome(self, peer: Address, now: float, beats: bool) -> None:
        """Send to that peer from now on, if it gets a place."""
        known = self._peers.get(peer)
        if self._floods(peer[0], now, beats):
            self._peers = {a: p for a, p in self._peers.items() if a[0] != peer[0]}
        elif known:
            self._peers[peer] = Peer(known.joined_s, now, now if beats else known.beat_s)
        elif self._has_place(peer[0], now, beats):
            self._peers[peer] = Peer(now, now, now)

    def _floods(self, host: str, now: float, beats: bool) -> bool:
        """Whether an address sends too many heartbeats."""
        level, at = self._beats.pop(host, (0.0, now))
        level = min(2 * BEATS, max(0.0, level - (now - at) * BEATS_PER_S) + beats)
        self._beats[host] = level, now
        if len(self._beats) > ADDRESSES:
            self._beats.popitem(last=False)
        return level > BEATS

    def _has_place(self, host: str, now: float, beats: bool) -> bool:
        """Whether there is a place for a newcomer; one that beats may take another one's."""
        rivals = [peer for peer in self._peers if peer[0] == host]
        if len(rivals) < PEERS_OF_ADDRESS:
            rivals = list(self._peers)
            if len(rivals) < PEERS:
                return True
        quietest = min(rivals, key=lambda peer: self._peers[peer].beat_s)
        if beats and now - self._peers[quietest].beat_s > SILENT_S:
            del self._peers[quietest]
        elif beats and now - self._peers[rivals[-1]].joined_s > TURN_S:
            del self._peers[rivals[-1]]
        else:
            return False
        return True

    def send(self, data: bytes) -> None:
        for peer in self._peers:
            with contextlib.suppress(OSError):  # lost
                if self._socket is not None:
                    self._socket.sendto(data, peer)


class _Stream(Transport):
    """The common part of TCP and serial lines: a backlog, and opening the link again."""

    in_pieces = True

    def __init__(self) -> None:
        super().__init__()
        self._backlog = bytearray()

    def _open(self) -> None:
        """Open the link; raises ``OSError``."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """Whether the link is open. A closed one is tried at most once in ``RETRY_S``."""
        if self._may_try():
            self._backlog = bytearray()
            with contextlib.suppress(OSError):  # nobody there, or not plugged in
                self._open()
        return self.fileno() is not None

    def receive(self) -> List[Received]:
        got: List[Received] = []
        for _ in range(READS if self._ready() else 0):
            fd = self.fileno()
            # a serial line without data reads as empty, as one that the other side closed
            if fd is None or not _has_data(fd):
                break
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(fd, READ_BYTES)
            if data:
                got.append((None, data))
            else:
                self.close()
        self._flush()
        return got

    def send(self, data: bytes) -> None:
        if not self._ready() or len(self._backlog) + len(data) > BACKLOG_BYTES:
            return
        self._backlog += data
        self._flush()

    def drain(self) -> None:
        ends_s = time.monotonic() + DRAIN_S
        while self._backlog and self.fileno() is not None and time.monotonic() < ends_s:
            time.sleep(0.01)
            self._flush()

    def _flush(self) -> None:
        """Send as much of the backlog as the link takes now."""
        fd = self.fileno()
        try:
            while self._backlog and fd is not None:
                del self._backlog[: os.write(fd, self._backlog)]
        except OSError as error:
            if error.errno not in PASSING:
                self.close()


def _has_data(fd: int) -> bool:
    """Whether a read gives bytes, or the end, now; ``select`` takes no number above 1023."""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    return bool(waiting.poll(0))


class Tcp(_Stream):
    """A connection to a listening router or ground station."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._address = (host, port)
        self._ready()

    def _open(self) -> None:
        self._socket = made_socket(*self._address, socket.SOCK_STREAM, True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class TcpIn(Transport):
    """Listens, and holds ``STATIONS`` connections.

    One that sends nothing that is understood for ``SILENT_S`` makes room for a newcomer where all
    places are taken, and is ended after ``IDLE_S``.
    """

    in_pieces = True

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._stations: Dict[Address, _Station] = {}
        self._socket = _listening(name, host, port, socket.SOCK_STREAM)

    def fileno(self) -> Optional[int]:
        """That of a connection, or None without one."""
        return next((station.fileno() for station in self._stations.values()), None)

    def filenos(self) -> List[int]:
        found = [station.fileno() for station in self._stations.values()]
        found += [self._socket.fileno() if self._socket else None]
        return [number for number in found if number is not None]

    def receive(self) -> List[Received]:
        now = time.monotonic()
        self._accept(now)
        got: List[Received] = []
        for peer, station in list(self._stations.items()):
            got += [(peer, data) for _, data in station.receive()]
            if station.fileno() is None or now - station.heard_s > IDLE_S:
                self._end(peer)
        return got

    def _accept(self, now: float) -> None:
        """Take those that connected, as far as there is room."""
        while self._socket is not None:
            try:
                made, peer = self._socket.accept()
            except OSError:  # nobody more
                return
            silent = min(self._stations, key=lambda p: self._stations[p].heard_s, default=None)
            if silent is not None and len(self._stations) >= STATIONS:
                if now - self._stations[silent].heard_s > SILENT_S:
                    self._end(silent)
            if not self._allows(peer[0]) or len(self._stations) >= STATIONS:
                made.close()
            else:
                self._stations[peer] = _Station(made, now)

    def _end(self, peer: Address) -> None:
        self._stations.pop(peer).close()

    def welcome(self, peer: Address, now: float, beats: bool) -> None:
        if peer in self._stations:
            self._stations[peer].heard_s = now

    def send(self, data: bytes) -> None:
        for station in self._stations.values():
            station.send(data)

    def drain(self) -> None:
        for station in self._stations.values():
            station.drain()

    def close(self) -> None:
        for peer in list(self._stations):
            self._end(peer)
        super().close()


class _Station(_Stream):
    """A connection that was accepted; it is not opened again."""

    def __init__(self, made: socket.socket, now: float) -> None:
        super().__init__()
        self._socket, self.heard_s = made, now
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _open(self) -> None:
        raise OSError("the other side connects")


class Serial(_Stream):
    """A serial line, raw, without flow control."""

    def __init__(self, name: str, device: str, baud: int) -> None:
        super().__init__()
        self._device = device
        self._fd: Optional[int] = None
        self._is_taken = False
        try:
            import termios
        except ImportError:
            raise BadOutput(f"--mavlink {name}: this Python has no serial lines") from None
        self._speed: Optional[int] = getattr(termios, f"B{baud}", None)
        if self._speed is None:
            raise BadOutput(
                f"--mavlink {name}: {baud} baud is not a speed of a serial line; 57600, 115200 "
                "and 921600 are common"
            )
        self._ready()
        if self._is_taken:
            raise BadOutput(
                f"--mavlink {name}: another program uses this line; end it first", what="in use"
            )

    def _open(self) -> None:
        import fcntl
        import termios
        import tty

        fd = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as pyserial does
        except OSError:
            os.close(fd)
            self._is_taken = True
            raise
        self._is_taken = False
        try:
            tty.setraw(fd, termios.TCSANOW)
            modes = termios.tcgetattr(fd)
            modes[2] |= termios.CLOCAL | termios.CREAD
            modes[4] = modes[5] = self._speed
            termios.tcsetattr(fd, termios.TCSANOW, modes)
        except (OSError, termios.error) as error:
            os.close(fd)
            raise OSError(*error.args) from None
        self._fd = fd

    def fileno(self) -> Optional[int]:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
