"""Make sure that only one run of this computer steers the gimbal at one address.

Two runs hear each other only if the vehicle passes heartbeats on. So a run takes a name for its
address and its ids. The name is an abstract socket of Linux: all users of the computer share the
names, no folder is written, and a name is free again when its process ends, however it ends.
"""

import errno
import hashlib
import os
import socket
from typing import Optional, Tuple

from hotpath.runtime.errors import BadOutput


def take(url: str, me: Tuple[int, int]) -> Optional[socket.socket]:
    """Take the name of an address for our ids, until the result is closed.

    Args:
        url: as for ``open_transport``.
        me: our system and component.

    Returns:
        the socket that has the name; None on a system without such names.

    Raises:
        BadOutput: another run has it.
    """
    named = hashlib.sha256(repr((same_address(url), me)).encode()).hexdigest()[:32]
    holder = None
    try:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        holder.bind("\0hotpath-gimbal-" + named)
    except (AttributeError, OSError) as error:  # of Windows; of macOS
        if holder is not None:
            holder.close()
        if getattr(error, "errno", None) != errno.EADDRINUSE:
            return None
        raise BadOutput(
            f"--mavlink {url}: another run steers a gimbal there as component {me[1]} of system "
            f"{me[0]}; end it, or give this run another --mavlink-component",
            what="another run",
        ) from None
    return holder


def same_address(url: str) -> Tuple[str, ...]:
    """The parts of an address; the same for two spellings of one place."""
    way, _, rest = url.partition(":")
    place, _, number = rest[2 if rest.startswith("//") else 0 :].rpartition(":")
    place = place.strip("[]")
    if way == "serial":
        return way, os.path.realpath(place)  # with any baud rate
    if place.lower() == "localhost":  # it is this computer (RFC 6761), also without /etc/hosts
        place = "127.0.0.1"
    try:
        found = socket.getaddrinfo(place, int(number))
    except (OSError, ValueError):  # it is told where the link is opened
        return way, place, number
    hosts = {str(entry[4][0]) for entry in found}
    loopback = {"::1", "127.0.0.1"}
    return (way, *sorted(loopback if hosts & loopback else hosts), str(int(number)))
