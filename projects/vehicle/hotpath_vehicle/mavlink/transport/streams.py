"""A MAVLink link over TCP or a serial line: bytes arrive in order, and packets in pieces."""

import contextlib
import os
import select
import socket
import time
from typing import Dict, List, Optional

from hotpath.links import made_socket
from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink.transport import base
from hotpath_vehicle.mavlink.transport.base import Address, Component, Received, Transport

STATIONS, WAITING = 4, 12  # connections of a listening TCP link: understood so far, and not yet
OF_ADDRESS = 3  # of each at one address
IDLE_S = 30.0  # one that sends nothing that is understood for so long is ended
# most unsent bytes of a stream; packets above that are dropped. A "stand still" waits behind them.
BACKLOG_BYTES = 2048
DRAIN_S = 0.4  # in which a slow serial line takes them


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
        if self.may_try():
            self._backlog = bytearray()
            with contextlib.suppress(OSError):  # nobody there, or not plugged in
                self._open()
        return self.fileno() is not None

    def receive(self) -> List[Received]:
        got: List[Received] = []
        for _ in range(base.READS if self._ready() else 0):
            fd = self.fileno()
            # a serial line without data reads as empty, as one that the other side closed
            if fd is None or not _has_data(fd):
                break
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(fd, base.READ_BYTES)
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
            if error.errno not in base.PASSING:
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
    """Listens, and holds ``STATIONS`` connections that were understood, and ``WAITING`` others.

    A newcomer waits, in the place of the one that waited longest where all are taken. The first
    packet that is understood makes it a station, if one of the places is free, or if one of the
    stations was not understood for ``SILENT_S``. With a key, only signed packets are understood.
    An address holds at most ``OF_ADDRESS`` of each kind. All are ended after ``IDLE_S``.
    """

    in_pieces = True

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__()
        self._stations: Dict[Address, _Station] = {}  # those that came first stand first
        self._socket = base.listening(name, host, port, socket.SOCK_STREAM)

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
        """Take those that connected; they wait until they are understood."""
        while self._socket is not None:
            try:
                made, peer = self._socket.accept()
            except OSError:  # nobody more
                return
            if not self.allows(peer[0]):
                made.close()
                continue
            rivals = self._rivals(peer[0], False, WAITING)
            if rivals:
                self._end(rivals[0])
            self._stations[peer] = _Station(made, now)

    def _rivals(self, host: str, is_known: bool, places: int) -> List[Address]:
        """Those among which one must go for a newcomer of an address; none if there is room."""
        same = [p for p, station in self._stations.items() if station.is_known == is_known]
        here = [peer for peer in same if peer[0] == host]
        if len(here) >= OF_ADDRESS:
            return here
        return same if len(same) >= places else []

    def _end(self, peer: Address) -> None:
        self._stations.pop(peer).close()

    def welcome(self, peer: Address, now: float, beats: Optional[Component] = None) -> None:
        station = self._stations.get(peer)
        if station is None:
            return
        if not station.is_known:
            rivals = self._rivals(peer[0], True, STATIONS)
            silent = min(rivals, key=lambda p: self._stations[p].heard_s, default=None)
            if silent is not None:
                if now - self._stations[silent].heard_s <= base.SILENT_S:
                    return
                self._end(silent)
                self.note = f"{silent[0]}:{silent[1]} is silent and made room for {peer[0]}"
            station.is_known = True
        station.heard_s = now

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
        self._socket, self.heard_s, self.is_known = made, now, False
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
