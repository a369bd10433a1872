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
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from hotpath.links import made_socket
from hotpath.runtime.errors import BadOutput

WAYS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, serial:DEVICE:BAUD"
Address = Tuple[Any, ...]  # of a peer, as the socket gives it: (host, port), longer with IPv6
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Received = Tuple[Optional[Address], bytes]  # the sender, None on a stream, and its bytes

PEERS = 8  # most peers that a listening link answers
PEERS_OF_ADDRESS = 3  # of them at one address
SILENT_S = 5.0  # after which another peer may take the place; heartbeats come once a second
PEER_S = 30.0  # after which a silent peer is forgotten
RETRY_S = 1.0  # pause before a lost connection or a serial line is opened again
READ_BYTES = 4096
READS = 64  # most reads in one call of ``receive``
# most unsent bytes of a stream; packets above that are dropped. A "stand still" waits behind them.
BACKLOG_BYTES = 2048
DRAIN_S = 0.4  # in which a slow serial line takes them
# errors after which a link goes on: a lost packet, nobody there, a full buffer, still connecting
PASSING = (errno.EAGAIN, errno.ECONNREFUSED, errno.ENOBUFS, errno.EMSGSIZE, errno.ENOTCONN)


class Transport:
    """Sends bytes to the other side and receives bytes from it.

    Attributes:
        allowed: networks that a listening link takes packets from; none: from everywhere.
        note: a sentence on a peer that is not answered, to say; None without news.
        why_closed: why a link that is not open is not.
        unsent: packets that no open link took. UDP can't know, and counts none.
    """

    allowed: Sequence[Network] = ()
    note: Optional[str] = None
    why_closed = "nothing answers there yet"

    def __init__(self) -> None:
        self.unsent = 0
        self._socket: Optional[socket.socket] = None
        self._next_try = 0.0

    def fileno(self) -> Optional[int]:
        """The file descriptor to wait on, or None while the link is not open."""
        return self._socket.fileno() if self._socket else None

    def welcome(self, peer: Address, now: float) -> None:
        """Learn that a peer sent a packet that was understood; ``now`` is the monotonic clock."""

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

    def allows(self, host: str) -> bool:
        """Whether packets of an address are taken."""
        address = ipaddress.ip_address(host.partition("%")[0])  # without the interface of IPv6
        address = getattr(address, "ipv4_mapped", None) or address
        return not self.allowed or any(address in network for network in self.allowed)

    def may_try(self) -> bool:
        """Whether to open the link now: it is closed, and ``RETRY_S`` have passed."""
        now = time.monotonic()
        if self.fileno() is not None or now < self._next_try:
            return False
        self._next_try = now + RETRY_S
        return True


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
            if self.allows(peer[0]):
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
        if self.may_try():
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


class UdpIn(_Datagrams):
    """Listens at an address, and sends to the peers that were heard there recently.

    A peer keeps its place while it is heard. A newcomer gets a free place, or that of a peer that
    was silent for ``SILENT_S``. No address has more than ``PEERS_OF_ADDRESS`` places.
    """

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._peers: Dict[Address, float] = {}  # when they were heard
        try:
            self._socket = made_socket(host, port, socket.SOCK_DGRAM, False)
        except OSError as error:
            raise BadOutput(
                f"--mavlink {name}: can't listen there: {error.strerror or error}", what="in use"
            ) from None

    def receive(self) -> List[Received]:
        got, now = super().receive(), time.monotonic()
        self._peers = {a: heard_s for a, heard_s in self._peers.items() if now - heard_s <= PEER_S}
        return got

    def welcome(self, peer: Address, now: float) -> None:
        """Send to that peer from now on, if it gets a place."""
        here = [other for other in self._peers if other[0] == peer[0]]
        rivals: List[Address] = []  # for a place, where none is free
        if peer not in self._peers and len(here) == PEERS_OF_ADDRESS:
            rivals = here
        elif peer not in self._peers and len(self._peers) == PEERS:
            rivals = list(self._peers)
        if rivals:
            quietest = min(rivals, key=self._peers.__getitem__)
            if now - self._peers[quietest] <= SILENT_S:
                self.note = (
                    f"{peer[0]}:{peer[1]} is not answered: {PEERS} others are, or "
                    f"{PEERS_OF_ADDRESS} at its address; --mavlink-allow shuts out strangers"
                )
                return
            del self._peers[quietest]
        self._peers[peer] = now

    def send(self, data: bytes) -> None:
        for peer in self._peers:
            with contextlib.suppress(OSError):  # lost
                if self._socket is not None:
                    self._socket.sendto(data, peer)


class _Stream(Transport):
    """The common part of TCP and serial lines: a backlog, and opening the link again."""

    def __init__(self) -> None:
        super().__init__()
        self._backlog = bytearray()
        self._waiting = 0  # packets in it, with those that went out in part

    def _open(self) -> None:
        """Open the link; raises ``OSError``."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """Whether the link is open. A closed one is tried at most once in ``RETRY_S``."""
        if self.may_try():
            self._backlog, self._waiting = bytearray(), 0
            with contextlib.suppress(OSError):  # nobody there, or not plugged in
                self._open()
        return self.fileno() is not None

    def receive(self) -> List[Received]:
        got: List[Received] = []
        for _ in range(READS if self._ready() else 0):
            fd = self.fileno()
            if fd is None:
                break
            waiting = select.poll()  # ``select`` takes no number above 1023
            waiting.register(fd, select.POLLIN)
            # a serial line without data reads as empty, as one that the other side closed
            if not waiting.poll(0):
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
        self.unsent += 1
        if not self._ready() or len(self._backlog) + len(data) > BACKLOG_BYTES:
            return
        self._backlog += data
        self._waiting += 1
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
            if not self._backlog:
                self.unsent -= self._waiting
                self._waiting = 0
        except OSError as error:
            if error.errno not in PASSING:
                self.close()


class Tcp(_Stream):
    """A connection to a listening router or ground station."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._address = (host, port)
        self._ready()

    def _open(self) -> None:
        self._socket = made_socket(*self._address, socket.SOCK_STREAM, True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


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

        try:
            fd = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            is_missing = error.errno == errno.ENOENT
            self.why_closed = "no such device yet" if is_missing else str(error.strerror)
            raise
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


def open_transport(url: str, allowed: Sequence[Network] = ()) -> Transport:
    """Open the transport of an address.

    Args:
        url: see ``WAYS``; with or without ``//`` after the first colon.
        allowed: networks that ``udpin`` takes packets from; none: from everywhere.

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
        "serial": Serial,
    }
    if way not in kinds or not place or not number.isdigit():
        raise BadOutput(f"--mavlink {url}: not an address; give one of {WAYS}")
    if way != "serial" and not 0 < int(number) < 65536:
        raise BadOutput(f"--mavlink {url}: a port is a number from 1 to 65535")
    if allowed and way != "udpin":
        raise BadOutput(
            f"--mavlink-allow: {way} does not listen; use it with udpin",
            what="does not listen",
        )
    transport = kinds[way](url, place.strip("[]"), int(number))
    transport.allowed = allowed
    return transport
