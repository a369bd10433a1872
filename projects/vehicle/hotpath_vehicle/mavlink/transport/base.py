"""What all ways to carry a MAVLink link have in common."""

import errno
import ipaddress
import socket
import time
from typing import Any, List, Optional, Sequence, Tuple, Union

from hotpath.links import made_socket
from hotpath.runtime.errors import BadOutput

Address = Tuple[Any, ...]  # of a peer, as the socket gives it: (host, port), longer with IPv6
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Component = Tuple[int, int]  # system, component
Received = Tuple[Optional[Address], bytes]  # the sender, None on a stream, and its bytes

RETRY_S = 1.0  # pause before a lost connection or a serial line is opened again
SILENT_S = 5.0  # without heartbeats: a newcomer may take the place; heartbeats come once a second
READ_BYTES = 4096
READS = 64  # most reads in one call of ``receive``
# errors after which a link goes on: a lost packet, nobody there, a full buffer, still connecting
PASSING = (errno.EAGAIN, errno.ECONNREFUSED, errno.ENOBUFS, errno.EMSGSIZE, errno.ENOTCONN)


class Transport:
    """Sends bytes to the other side and receives bytes from it.

    Attributes:
        allowed: networks that a listening link takes packets from; none: from everywhere.
        note: a sentence on a peer that is not answered any more, to say once; None without news.
    """

    allowed: Sequence[Network] = ()
    note: Optional[str] = None

    def __init__(self) -> None:
        self._socket: Optional[socket.socket] = None
        self._next_try = 0.0

    def fileno(self) -> Optional[int]:
        """The file descriptor to wait on, or None while the link is not open."""
        return self._socket.fileno() if self._socket else None

    def welcome(self, peer: Address, now: float, beats: Optional[Component] = None) -> None:
        """Learn that a peer sent a packet that was understood.

        Args:
            peer: who sent it.
            now: seconds of the monotonic clock.
            beats: (system, component) of a heartbeat; None: another packet.
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


def listening(name: str, host: str, port: int, kind: int) -> socket.socket:
    """A socket bound to an address; raises ``BadOutput``."""
    try:
        return made_socket(host, port, kind, False)
    except OSError as error:
        raise BadOutput(
            f"--mavlink {name}: can't listen there: {error.strerror or error}", what="in use"
        ) from None
