"""Bare RTP that comes in datagrams, as drones send video: what it is, and how FFmpeg reads it.

FFmpeg has to be told the codec of RTP by an SDP file. The first datagrams tell it as well.
"""

import io
import re
import socket
from typing import Optional
from urllib.parse import urlsplit

DATAGRAM = 65536
HEADER = 12  # bytes
DYNAMIC = range(96, 128)  # payload types without a fixed meaning; FFmpeg knows the others
HEVC = (*range(10), *range(16, 22), *range(32, 41), 48, 49)  # types of its units, and of RTP's
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP {payload}\na=rtpmap:{payload} {codec}/90000\n"
)
OPTIONS = {"protocol_whitelist": "rtp,udp"}


def sniffed(address: str, patience_s: float) -> Optional[io.BytesIO]:
    """An SDP file for the RTP that comes to an address of datagrams; None if something else comes.

    It returns at the first datagram. None, too, where none comes in that time, and where nobody can
    listen: the port is taken, or the address is that of a group.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme.lower() not in ("udp", "rtp") or not parts.port:
            return None
        host = parts.netloc.rpartition("@")[2]
        if re.match(r"\[|2(2[4-9]|3\d)\.", host):  # IPv6, a group
            return None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
            port.bind(("", parts.port))
            port.settimeout(patience_s)
            return sdp_of(port.recv(DATAGRAM), parts.port)
    except (OSError, ValueError):  # FFmpeg finds that, too
        return None


def sdp_of(data: bytes, port: int) -> Optional[io.BytesIO]:
    """An SDP file for RTP with a payload type that it has to name; None if it is something else."""
    if len(data) < HEADER + 2 or data[0] >> 6 != 2 or data[1] & 127 not in DYNAMIC:
        return None
    start = HEADER + 4 * (data[0] & 15)
    if data[0] & 16 and len(data) >= start + 4:  # an extension
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    unit = data[start : start + 2]
    if len(unit) < 2:
        return None
    is_hevc = not unit[0] & 0x81 and unit[1] == 1 and unit[0] >> 1 in HEVC
    codec = "H265" if is_hevc else "H264"
    text = SDP.format(port=port, payload=data[1] & 127, codec=codec)
    return io.BytesIO(text.encode("ascii"))
