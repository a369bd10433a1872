"""``--publish``: send one JSON datagram per frame to another program.

The schema is docs/publish.schema.json.
"""

import json
import socket
import time
from typing import Dict, List, Optional, Sequence

from hotpath.app.links.as_json import target_json
from hotpath.app.links.base import Context, Link, resolve_address, split_address
from hotpath.base.messages import counted
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.tracker.motion import is_time
from hotpath.video.base import TrackedFrame

SCHEMA = 1


class Publisher(Link):
    """Sends to one UDP address without blocking. Datagrams that nobody reads are lost.

    Args:
        address: ``udp://HOST:PORT``.
        holds: what is steered and stands still, which goes into every datagram.
        fov: field of view, degrees, as in ``hotpath.bearing``; None sends no bearings.

    Raises:
        BadOutput: another address, or an unknown host.
    """

    def __init__(
        self,
        address: str,
        holds: Optional[Dict[str, str]] = None,
        fov: Optional[Sequence[float]] = None,
    ) -> None:
        parts = split_address(address)
        if parts.scheme != "udp" or not parts.hostname or not parts.port:
            raise BadOutput(
                f"--publish {address}: not an address; give udp://HOST:PORT, or, with "
                "projects/bridges, mqtt://USER@HOST/PREFIX or ros:/TOPIC",
                what="not an address",
            )
        try:
            family, self._to = resolve_address(parts.hostname, parts.port, socket.SOCK_DGRAM)
        except OSError as error:
            raise BadOutput(f"--publish {address}: {error.strerror or error}") from None
        self.name = address
        self.sent = 0
        self.lost = 0
        self._holds = holds
        self._fov = fov
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, tracked: TrackedFrame) -> None:
        """Send the datagram of a frame."""
        data = encode_datagram(tracked, time.monotonic(), time.time(), self._holds, self._fov)
        try:
            self._socket.sendto(data, self._to)
            self.sent += 1
        except OSError:
            self.lost += 1

    def lines(self) -> List[str]:
        """Return how many datagrams were sent."""
        return ["published " + counted(self.sent, "datagram")]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def open_link(context: Context) -> Publisher:
    """The publisher of ``--publish``."""
    return Publisher(context.options.publish, context.holds, context.options.fov)


def encode_datagram(
    tracked: TrackedFrame,
    now_s: float,
    unix_s: float,
    holds: Optional[Dict[str, str]] = None,
    fov: Optional[Sequence[float]] = None,
) -> bytes:
    """The datagram of a frame.

    Args:
        tracked: the frame and its tracks.
        now_s, unix_s: the monotonic clock and the wall clock now, seconds.
        holds: as in ``Publisher``.
        fov: as in ``Publisher``.

    Returns:
        bytes, JSON in UTF-8.
    """
    height, width = tracked.frame.shape[:2]
    age_s = now_s - tracked.captured_s
    size = width, height
    targets = [target_json(n, track, size, fov) for n, track in tracked.tracks.items()]
    message = {
        "schema": SCHEMA,
        "frame": tracked.index,
        "time_s": tracked.time_s if is_time(tracked.time_s) else None,
        "captured_us": int((unix_s - age_s) * 1e6),
        "captured_boot_us": int(tracked.captured_s * 1e6),
        "age_ms": round(age_s * 1e3, 3),
        "size": list(size),
        "targets": targets,
        "holds": dict(holds or {}),
    }
    return json.dumps(message, allow_nan=False).encode("utf-8")
