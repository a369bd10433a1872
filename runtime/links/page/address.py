"""The page's address: the listening socket, and the link that leads to it."""

import io
import socket
from typing import Optional


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError or UnicodeError where the address can't be used."""
    family, kind, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def shown_host(host: str) -> str:
    """The host for the link: one of this computer's own addresses when it listens on all."""
    if host in ("0.0.0.0", "::", ""):
        family, outside = socket.AF_INET, "192.0.2.1"
        if host == "::":
            family, outside = socket.AF_INET6, "2001:db8::1"
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((outside, 9))  # sends nothing, but selects the outgoing address
                host = probe.getsockname()[0]
        except OSError:
            host = socket.gethostname()
    return f"[{host}]" if ":" in host else host


def qr_code(link: str) -> Optional[str]:
    """The link as a QR code made of text, or None where ``segno`` is not installed."""
    try:
        import segno
    except ImportError:
        return None
    out = io.StringIO()
    segno.make(link, error="l").terminal(out, border=2, compact=True)
    return out.getvalue()
