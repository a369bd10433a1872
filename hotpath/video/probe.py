"""Find out why an address gives no stream, as FFmpeg's message differs between versions."""

import re
import socket
import ssl
from typing import Optional
from urllib.parse import SplitResult, urlsplit

from hotpath.runtime.errors import BadSource
from hotpath.video.base import without_password

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
WAIT_S = 2.0
KEY_FRAMES = (
    "if it is H.264 or H.265, let the sender repeat the parameter sets (SPS, PPS) with each key "
    "frame, and send one every second (GStreamer: x264enc key-int-max=30 ! h264parse "
    "config-interval=-1; ffmpeg: -g 30 -bsf:v dump_extra)"
)
TRANSPORT_STREAM = (
    "send an MPEG transport stream (GStreamer: h264parse config-interval=-1 ! mpegtsmux ! udpsink; "
    "ffmpeg: -f mpegts)"
)
CHALLENGES = re.compile(
    r"^WWW-Authenticate:(?: *(Basic)|[^\r\n]*?algorithm=\"?([\w-]+))", re.I | re.M
)
REDIRECTS, REDIRECT_S, LONGEST = 10, 1.0, 4096  # of RTSP; for each answer; of an address
HTTP = "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
ASKED = {
    "http": HTTP,
    "https": HTTP,
    "rtsp": "DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\n\r\n",
}


def why_no_stream(address: str, waited_s: float, reason: str = "") -> str:
    """The reason in words, and what to do.

    Args:
        address: address of the stream.
        waited_s: for how long it was tried.
        reason: what FFmpeg said, or "".
    """
    within = f" within {waited_s:.0f} s" if waited_s >= 1 else ""
    silent = f"nobody answered{within}; check the address and that the sender runs"
    try:
        parts = urlsplit(address)
        scheme = parts.scheme.lower()
        host = parts.hostname or ""
        port = parts.port or PORTS.get(scheme)
    except ValueError as error:
        return f"{error}; correct the address"
    if scheme in ("udp", "rtp"):  # nobody can refuse datagrams
        return f"no picture came{within}; check the port; {TRANSPORT_STREAM}; {KEY_FRAMES}"
    if scheme not in PORTS and scheme != "tcp" or not (host and port):
        return silent
    try:
        connection = socket.create_connection((host, port), WAIT_S)
        if scheme == "https":
            context = ssl.create_default_context()
            connection = context.wrap_socket(connection, server_hostname=host)
        with connection:
            answer = _answer(connection, scheme, parts._replace(netloc=f"{host}:{port}"))
    except ssl.SSLError as error:
        return f"{host} gives no secure connection ({error.reason}); check the address"
    except (socket.gaierror, UnicodeError):  # the latter: it can't be a name
        return f"no host is called {host}; correct the address"
    except socket.timeout:
        return silent
    except OSError as error:
        return f"{host} refuses port {port} ({error.strerror}); check the port, start the sender"
    return _why_answered(answer, parts, port, reason)


def _why_answered(answer: str, parts: SplitResult, port: int, reason: str) -> str:
    """The reason in words where a server answers."""
    status = re.match(r"(?:HTTP|RTSP)/\d\.\d (\d{3}[^\r\n]*)", answer)
    if status and status.group(1)[0] in "45":
        if status.group(1)[:3] == "401" and parts.username:
            kinds = [(a or b).upper() for a, b in CHALLENGES.findall(answer)]
            if any("SHA" in kind for kind in kinds) and not {"MD5", "BASIC"}.intersection(kinds):
                return (
                    "this camera asks for a digest by SHA-256, which FFmpeg does not know; set it "
                    "to MD5 or to both (digest algorithm, in its settings of the network)"
                )
            return "the server asks for a user and password; check those in the address"
        return f"the server answers {status.group(1).strip()}; correct the address"
    if parts.scheme.lower() == "rtsp" and status:
        return f"{parts.hostname} has this stream, but no picture can be decoded; {KEY_FRAMES}"
    if reason:
        return f"{parts.hostname} answers at port {port}, but FFmpeg finds no video: {reason}"
    return (
        f"{parts.hostname} answers at port {port}, but gives no video that can be decoded; check "
        "the address"
    )


def check_redirects(address: str) -> None:
    """Follow the redirects of an RTSP server, which FFmpeg does without a limit.

    An answer that is not a redirect, and none at all, are left to FFmpeg.

    Raises:
        BadSource: there are over ``REDIRECTS``.
    """
    asked = address
    for _ in range(REDIRECTS + 1):
        found = _redirected(asked)
        if found is None:
            return
        asked = found
    raise BadSource(
        f"{without_password(address)}: the server redirects over {REDIRECTS} times, or in a "
        "circle; correct the address, or the server",
        what="redirects",
    )


def _redirected(address: str) -> Optional[str]:
    """Where an RTSP server sends who asks for an address; None: nowhere."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme.lower(), 0)
        if parts.scheme.lower() != "rtsp" or not host or len(address) > LONGEST:
            return None
        url = parts._replace(netloc=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        with socket.create_connection((host, port), REDIRECT_S) as connection:
            for number, method in enumerate(("OPTIONS", "DESCRIBE"), 1):
                head = f"{method} {url.geturl()} RTSP/1.0\r\nCSeq: {number}\r\n\r\n"
                connection.sendall(head.encode("utf-8"))
                answer = connection.recv(4096).decode("latin-1")
                status = re.match(r"RTSP/\d\.\d 3\d\d", answer)
                place = re.search(r"^Location: *(\S+)", answer, re.M | re.I)
                if status and place:
                    return place.group(1)
    except (OSError, ValueError):  # a timeout, a name that is none: FFmpeg finds that, too
        pass
    return None


def _answer(connection: socket.socket, scheme: str, parts: SplitResult) -> str:
    """The first line with which a server answers; "" where it has none in time."""
    if scheme not in ASKED:
        return ""
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    asked = ASKED[scheme].format(path=path, host=parts.netloc, address=parts.geturl())
    try:
        connection.sendall(asked.encode("utf-8"))
        return connection.recv(1024).decode("latin-1")
    except OSError:
        return ""
