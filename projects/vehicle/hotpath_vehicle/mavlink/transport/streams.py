"""A MAVLink link over TCP or a serial line: bytes arrive in order, and packets in pieces."""

import contextlib
import os
import select
import socket
import time
from typing import List, Optional

from hotpath.links import made_socket
from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink.transport import base
from hotpath_vehicle.mavlink.transport.base import Received, Transport

# most unsent bytes of a stream; packets above that are dropped. A "stand still" waits behind them.
BACKLOG_BYTES = 2048
DRAIN_S = 0.4  # in which a slow serial line takes them


class _Stream(Transport):
    """The common part of TCP and serial lines: a backlog, and opening the link again."""

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
