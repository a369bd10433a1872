"""Bare RTP that comes in datagrams, as drones send video: what it is, and how FFmpeg reads it.

FFmpeg has to be told the codec of RTP by an SDP file. The first datagrams tell it as well.
"""

import io
import re
import socket
import time
from collections import Counter
from typing import Optional, Tuple
from urllib.parse import urlsplit

DATAGRAM = 65536
HEADER = 12  # bytes
DYNAMIC = range(96, 128)  # payload types without a fixed meaning; FFmpeg knows the others
REPORTS = range(192, 224)  # second bytes of RTCP, which may share the port (RFC 5761, section 4)
AGREEING = 3  # datagrams of one payload type and codec, among others such as sound or repairs
# Types of units: slices, parameter sets and the like, packets of several units and of parts. Those
# of 2 to 5 are slices of layers above the first, whose identifier follows.
HEVC = (*range(10), *range(16, 22), *range(32, 41), 48, 49)
LAYERED = range(2, 6)
# Units of H.264 whose first byte is one of a slice of H.265, too: messages (SEI), filler, prefixes.
AMBIGUOUS = (0x06, 0x0C, 0x0E)
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP {payload}\na=rtpmap:{payload} {codec}/90000\n"
)
OPTIONS = {"protocol_whitelist": "rtp,udp"}


def sniff_sdp(address: str, patience_s: float) -> Optional[io.BytesIO]:
    """An SDP file for the RTP that comes to an address of datagrams; None if something else comes.

    It returns as soon as a few datagrams agree. None, too, where none comes in that time, and where
    nobody can listen: the port is taken, or the address is that of a group.
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
            found = _listen(port, time.monotonic() + patience_s)
    except (OSError, ValueError):  # FFmpeg finds that, too
        return None
    if found is None:
        return None
    text = SDP.format(port=parts.port, payload=found[0], codec=found[1])
    return io.BytesIO(text.encode("ascii"))


def _listen(port: socket.socket, until_s: float) -> Optional[Tuple[int, str]]:
    """The payload type and the codec on which datagrams agree; None for other streams."""
    votes: Counter[Tuple[int, str]] = Counter()
    while not votes or max(votes.values()) < AGREEING:
        left_s = until_s - time.monotonic()
        if left_s <= 0:  # where other datagrams come without a pause
            break
        port.settimeout(left_s)
        try:
            data = port.recv(DATAGRAM)
        except socket.timeout:
            break
        if not is_rtp(data):
            return None
        codec = codec_of(data)
        if codec:
            votes[data[1] & 127, codec] += 1
    return votes.most_common(1)[0][0] if votes else None


def is_rtp(data: bytes) -> bool:
    """Whether a datagram is RTP with a payload type that an SDP file has to name, or its report."""
    is_long = len(data) >= 8 and data[0] >> 6 == 2
    return is_long and (data[1] in REPORTS or data[1] & 127 in DYNAMIC)


def codec_of(data: bytes) -> Optional[str]:
    """The codec of a datagram of RTP by the header of its unit; None if that may be of both."""
    start = HEADER + 4 * (data[0] & 15)
    if data[0] & 16 and len(data) >= start + 4:  # an extension
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    unit = data[start : start + 2]
    if data[1] in REPORTS or len(unit) < 2 or unit[0] & 0x80 or unit[0] in AMBIGUOUS:
        return None
    kind, layer = unit[0] >> 1, unit[1]
    is_layer = 2 <= layer < 8 if kind in LAYERED else 1 <= layer < 8
    return "H265" if not unit[0] & 1 and kind in HEVC and is_layer else "H264"
