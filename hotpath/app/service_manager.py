"""Report to systemd that the run is ready and alive (sd_notify), without a library.

Protocol: sd_notify(3). Where no service manager started us, nothing is sent.
"""

import socket
import time
from typing import Mapping, Optional


class ServiceManager:
    """The service manager that started this process, or none.

    Args:
        environment: such as ``os.environ``; ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` are read.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environment.get("WATCHDOG_USEC", "")
        # systemd advises half of the time; a quarter outlives one late frame
        self._every_s = int(usec) / 4e6 if usec.isdigit() else None
        self._next = 0.0
        self._socket: Optional[socket.socket] = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """The run has begun."""
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Tell the watchdog that the frame loop runs; sends no more often than it needs."""
        now = time.monotonic()
        if self._every_s is not None and now >= self._next:
            self._next = now + self._every_s
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The run ends."""
        self._say("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode("utf-8"), self._address)
        except OSError:
            pass  # it does not listen now
