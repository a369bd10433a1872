"""Carry the bytes of a MAVLink link over UDP, TCP or a serial line.

No call here blocks, and no failure of a link ends the run: the link is opened again later. This
folder does not look at what the bytes mean.
"""

from typing import Callable, Dict, Sequence

from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink.transport.base import Network, Transport
from hotpath_vehicle.mavlink.transport.datagrams import UdpIn, UdpOut
from hotpath_vehicle.mavlink.transport.streams import Serial, Tcp

WAYS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, serial:DEVICE:BAUD"


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
