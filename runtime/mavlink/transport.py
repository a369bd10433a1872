"""Carry bytes of a MAVLink link: UDP, TCP or a serial line. Knows nothing of MAVLink.

Nothing here blocks and nothing here ends the run: a link that is not there is tried again.
"""

import errno
import os
import select
import socket
import termios
import time
import tty
from typing import List, Optional, Tuple

from runtime.errors import BadOutput

RETRY_S = 1.0  # before a lost connection or a serial line is opened again
PEERS = 8  # that a listening link answers at most
PEER_S = 30.0  # a peer that says nothing is forgotten after that
READ_BYTES = 4096
READS = 64  # at most so many in a turn
BACKLOG_BYTES = 65536  # unsent on a stream; above that, packets are dropped
WAYS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, tcpin:HOST:PORT, serial:DEVICE:BAUD"


def open_transport(url: str) -> "Transport":
    """The transport of an address.

    Args:
        url: see ``WAYS``; with or without ``//`` after the first colon.

    Raises:
        BadOutput: the address is not one of them, or a port to listen at is taken.
    """
    way, _, rest = url.partition(":")
    rest = rest[2:] if rest.startswith("//") else rest
    place, _, number = rest.rpartition(":")
    kinds = {"udpout": UdpOut, "udpin": UdpIn, "tcp": Tcp, "tcpin": TcpIn, "serial": Serial}
    if way not in kinds or not place or not number.isdigit():
        raise BadOutput("--mavlink {}: not an address; give one of {}".format(url, WAYS))
    if way != "serial" and not 0 < int(number) < 65536:
        raise BadOutput("--mavlink {}: a port is a number from 1 to 65535".format(url))
    return kinds[way](url, place.strip("[]"), int(number))


class Transport:
    """Bytes to and from the other side.

    Attributes:
        name: the address as the user gave it.
        up: whether the other side can be reached, as far as that is known.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = False

    def fileno(self) -> Optional[int]:
        """What to wait on; None while there is nothing to wait on."""
        raise NotImplementedError

    def receive(self) -> List[Tuple[object, bytes]]:
        """What came: pairs of the sender and its bytes. Never blocks, never raises."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send one packet to every peer. Never blocks, never raises; it may be lost."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the link; may be called twice."""
        raise NotImplementedError


class UdpOut(Transport):
    """Packets to one address; only packets from that address are taken."""

    def __init__(self, name, host, port):
        super().__init__(name)
        self._address = (host, port)
        self._socket = None
        self._next_try = 0.0
        self._connect()

    def _connect(self):
        """Look the name up and connect; a name that is not known yet is tried again."""
        now = time.monotonic()
        if self._socket is not None or now < self._next_try:
            return
        self._next_try = now + RETRY_S
        made = None
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self._address[0], self._address[1], 0, socket.SOCK_DGRAM
            )[0]
            made = socket.socket(family, kind)
            made.setblocking(False)
            made.connect(address)
            self._socket = made
        except OSError:  # no such name, or no network yet
            if made is not None:
                made.close()

    def fileno(self):
        return self._socket.fileno() if self._socket else None

    def receive(self):
        got = []
        for _ in range(READS if self._socket else 0):
            try:
                got.append((self._address, self._socket.recv(READ_BYTES)))
            except BlockingIOError:
                break
            except ConnectionRefusedError:  # nobody listens there now
                self.up = False
            except OSError:
                self.close()
                break
        self.up = self.up or bool(got)
        return got

    def send(self, data):
        self._connect()
        if self._socket is None:
            return
        try:
            self._socket.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            pass  # lost, as on a radio
        except OSError as error:
            if error.errno not in (errno.ENOBUFS, errno.EMSGSIZE):
                self.close()  # the network went; opened again by the next packet

    def close(self):
        made, self._socket, self.up = self._socket, None, False
        if made is not None:
            made.close()


class UdpIn(Transport):
    """Listens at an address and answers everyone who was heard there of late."""

    def __init__(self, name, host, port):
        super().__init__(name)
        self._peers = {}  # address -> when it was heard
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, port, 0, socket.SOCK_DGRAM, 0, socket.AI_PASSIVE
            )[0]
            self._socket = socket.socket(family, kind)
            self._socket.setblocking(False)
            self._socket.bind(address)
        except OSError as error:
            raise BadOutput(
                "--mavlink {}: can't listen there: {}".format(name, error.strerror or error)
            ) from None

    def fileno(self):
        return self._socket.fileno() if self._socket else None

    def receive(self):
        got, now = [], time.monotonic()
        for _ in range(READS if self._socket else 0):
            try:
                data, peer = self._socket.recvfrom(READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                continue
            got.append((peer, data))
        for address in [a for a, heard in self._peers.items() if now - heard > PEER_S]:
            del self._peers[address]
        self.up = bool(self._peers)
        return got

    def welcome(self, peer):
        """Answer that peer from now on: it sent a packet that was good."""
        if peer in self._peers or len(self._peers) < PEERS:
            self._peers[peer] = time.monotonic()

    def send(self, data):
        for peer in list(self._peers) if self._socket else ():
            try:
                self._socket.sendto(data, peer)
            except OSError:
                pass  # lost

    def close(self):
        made, self._socket = self._socket, None
        if made is not None:
            made.close()


class _Stream(Transport):
    """What a TCP connection and a serial line share: a backlog, and opening again."""

    def __init__(self, name):
        super().__init__(name)
        self._backlog = bytearray()
        self._next_try = 0.0

    def fileno(self):
        raise NotImplementedError

    def _read(self):
        raise NotImplementedError

    def _write(self, data):
        raise NotImplementedError

    def _open(self):
        raise NotImplementedError

    def _ready(self):
        """Whether it is open; try to open it at most once in ``RETRY_S``."""
        now = time.monotonic()
        if self.fileno() is None and now >= self._next_try:
            self._next_try = now + RETRY_S
            self._backlog = bytearray()
            self._open()
        return self.fileno() is not None

    def receive(self):
        got = []
        for _ in range(READS if self._ready() else 0):
            try:
                data = self._read()
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                break
            got.append((None, data))
            self.up = True
        self._flush()
        return got

    def send(self, data):
        if not self._ready() or len(self._backlog) + len(data) > BACKLOG_BYTES:
            return
        self._backlog += data
        self._flush()

    def _flush(self):
        try:
            while self._backlog and self.fileno() is not None:
                sent = self._write(bytes(self._backlog))
                del self._backlog[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # still connecting
                self.close()


class Tcp(_Stream):
    """A connection to a listening router or ground station."""

    def __init__(self, name, host, port):
        super().__init__(name)
        self._address = (host, port)
        self._socket = None
        self._ready()

    def _open(self):
        made = None
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self._address[0], self._address[1], 0, socket.SOCK_STREAM
            )[0]
            made = socket.socket(family, kind)
            made.setblocking(False)
            result = made.connect_ex(address)
            if result not in (0, errno.EINPROGRESS):
                raise OSError(result, os.strerror(result))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = made
        except OSError:
            if made is not None:
                made.close()

    def fileno(self):
        return self._socket.fileno() if self._socket else None

    def _read(self):
        try:
            return self._socket.recv(READ_BYTES)
        except OSError as error:
            if error.errno == errno.ENOTCONN:  # still connecting
                raise BlockingIOError() from None
            raise

    def _write(self, data):
        return self._socket.send(data)

    def close(self):
        made, self._socket, self.up = self._socket, None, False
        if made is not None:
            made.close()


class TcpIn(Tcp):
    """Listens for one connection at a time."""

    def __init__(self, name, host, port):
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
            )[0]
            self._listener = socket.socket(family, kind)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.setblocking(False)
            self._listener.bind(address)
            self._listener.listen(1)
        except OSError as error:
            raise BadOutput(
                "--mavlink {}: can't listen there: {}".format(name, error.strerror or error)
            ) from None
        super().__init__(name, host, port)

    def _open(self):
        self._next_try = 0.0
        try:
            self._socket, _ = self._listener.accept()
            self._socket.setblocking(False)
        except OSError:
            pass  # nobody yet


class Serial(_Stream):
    """A serial line, raw, without flow control."""

    def __init__(self, name, device, baud):
        super().__init__(name)
        self._device, self._fd = device, None
        self._speed = getattr(termios, "B{}".format(baud), None)
        if self._speed is None:
            raise BadOutput(
                "--mavlink {}: {} baud is not a speed of a serial line; 57600, 115200 "
                "and 921600 are common".format(name, baud)
            )
        self._ready()

    def _open(self):
        fd = None
        try:
            fd = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(fd, termios.TCSANOW)
            modes = termios.tcgetattr(fd)
            modes[2] |= termios.CLOCAL | termios.CREAD
            modes[4] = modes[5] = self._speed
            termios.tcsetattr(fd, termios.TCSANOW, modes)
            self._fd = fd
        except (OSError, termios.error):  # not plugged in
            if fd is not None:
                os.close(fd)

    def fileno(self):
        return self._fd

    def _read(self):
        # a line without data reads as empty, which on a socket would mean that it was closed
        if not select.select([self._fd], [], [], 0)[0]:
            raise BlockingIOError()
        return os.read(self._fd, READ_BYTES)

    def _write(self, data):
        return os.write(self._fd, data)

    def close(self):
        fd, self._fd, self.up = self._fd, None, False
        if fd is not None:
            os.close(fd)
