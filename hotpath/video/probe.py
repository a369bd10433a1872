"""What to say of an address that gives no stream; certificates, and redirects of RTSP."""

import os
import re
import socket
import ssl
from typing import Dict, Optional
from urllib.parse import urlsplit

from hotpath.runtime.errors import BadSource, LoginRefused
from hotpath.video.base import without_password

RTSP_PORT, RTSPS_PORT = 554, 322
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"
KEY_FRAMES = (
    "if it is H.264 or H.265, let the sender repeat the parameter sets (SPS, PPS) with each key "
    "frame, and send one every second (GStreamer: x264enc key-int-max=30 ! h264parse "
    "config-interval=-1; ffmpeg: -g 30 -bsf:v dump_extra)"
)
TRANSPORT_STREAM = (
    "send an MPEG transport stream (GStreamer: h264parse config-interval=-1 ! mpegtsmux ! udpsink; "
    "ffmpeg: -f mpegts)"
)
RTP = (
    "RTP packets arrive at this port, but no picture of H.264 or H.265 could be decoded from them; "
    "install PyAV (pip install av), let the sender repeat the parameter sets (SPS, PPS) with each "
    f"key frame, or {TRANSPORT_STREAM}"
)
REFUSED = (401, 403)  # codes of HTTP and RTSP
LOGIN = re.compile(r"\b40[13] \(?(Unauthorized|Forbidden)", re.IGNORECASE)  # in FFmpeg's words
REDIRECTS, REDIRECT_S, LONGEST = 10, 1.0, 4096  # of RTSP; for each answer; of an address


def why_no_stream(address: str, waited_s: float, reason: str = "") -> str:
    """The reason in words, and what to do.

    Args:
        address: address of the stream.
        waited_s: for how long it was tried.
        reason: what FFmpeg said, or "".
    """
    within = f" within {waited_s:.0f} s" if waited_s >= 1 else ""
    if address.lower().startswith(("udp:", "rtp:")):  # nobody can refuse datagrams
        return f"no picture came{within}; check the port; {TRANSPORT_STREAM}; {KEY_FRAMES}"
    check = "check the address, its user and password, and that the sender runs"
    if reason:
        return f"{reason}; {check}" if "ffmpeg -i" in reason else f"FFmpeg says: {reason}; {check}"
    return f"no picture came{within}; {check}; {KEY_FRAMES}"


def login_refused(name: str, answer: str) -> LoginRefused:
    """The error to raise for a sender that answered so, such as "401 Unauthorized"."""
    return LoginRefused(
        f"{name}: the sender refuses the user or the password ({answer}); check them in the "
        "address, and how many viewers it allows",
        what="wrong login",
    )


def check_certificate(address: str, open_timeout_s: float) -> None:
    """Verify the certificate behind an address by TLS. If nobody answers, the reader says so; it
    verifies the certificate, too.

    Raises:
        BadSource: it is not one of that host, signed by an authority that this computer trusts.
    """
    try:
        parts = urlsplit(address)
        ports, host = {"https": 443, "rtsps": RTSPS_PORT}, parts.hostname or ""
        if parts.scheme.lower() not in ports:
            return
        place = host, parts.port or ports[parts.scheme.lower()]
        with socket.create_connection(place, open_timeout_s) as connection:
            context = ssl.create_default_context()
            with context.wrap_socket(connection, server_hostname=host):
                return
    except (ssl.SSLError, ssl.CertificateError) as error:
        why = getattr(error, "verify_message", "") or error
        raise BadSource(
            f"{without_password(address)}: its certificate is not trusted ({why}), so no login was "
            "sent; check the address. A camera often has a certificate of its own: --insecure "
            "accepts any, and sends the login to whoever answers",
            what="certificate",
        ) from None
    except (OSError, ValueError):
        return


def verifying_options() -> Dict[str, str]:
    """FFmpeg's options that verify certificates; none where this computer has no list of them."""
    places = ssl.get_default_verify_paths().cafile, *AUTHORITIES
    found = [place for place in places if place and os.path.isfile(place)]
    return {"tls_verify": "1", "ca_file": found[0]} if found else {}


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
        host, port = parts.hostname or "", parts.port or RTSP_PORT
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
