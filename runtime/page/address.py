"""Where the page is found: the socket that is listened at, and the link that leads there."""

import io
import socket


def listen(host, port):
    """A listening socket."""
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


def shown_host(host):
    """The address for the link: this computer's own when it listens at all of them."""
    if host in ("0.0.0.0", "::", ""):
        family, outside = (
            (socket.AF_INET6, "2001:db8::1") if host == "::" else (socket.AF_INET, "192.0.2.1")
        )
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((outside, 9))  # sends nothing, but chooses the way out
                host = probe.getsockname()[0]
        except OSError:
            host = socket.gethostname()
    return "[{}]".format(host) if ":" in host else host


def qr_code(link):
    """The link as a QR code of text, or None where its library is not installed."""
    try:
        import segno
    except ImportError:
        return None
    out = io.StringIO()
    segno.make(link, error="l").terminal(out, border=2, compact=True)
    return out.getvalue()
