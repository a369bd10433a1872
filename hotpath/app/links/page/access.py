"""Check who may use the page: connections, host names, origins and token.

Every request needs the token of the printed link. The loopback needs it too, because other users of
the computer can reach it. There a request must also name the loopback as its host. Otherwise a
foreign web page could reach this one under its own name (DNS rebinding). An ``Origin`` header, if
there is one, must be the page itself.
"""

import asyncio
import hmac
import io
import secrets
import time
from typing import Any, Callable, Dict, Optional, Set
from urllib.parse import urlsplit

from hotpath.app.links.base import is_loopback
from hotpath.app.links.requests import RequestRefused

MOST_CONNECTIONS = 64  # open at once
STRANGER_S = 5.0  # a new connection must have shown the token by then
HEADERS = {
    "Server": "hotpath",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Checks every request before anything else reads it.

    Args:
        host: the address that the server listens on.

    Attributes:
        token: the token in the link. Its 24 random bytes can't be guessed.
        is_local: whether only this computer reaches the page.
    """

    def __init__(self, host: str) -> None:
        self.token, self.is_local = secrets.token_urlsafe(24), is_loopback(host)
        self._cookie = secrets.token_urlsafe(24)  # so that the cookie does not hold the token

    def check(
        self, host: str, origin: Optional[str], cookie: Optional[str], bearer: Optional[str]
    ) -> None:
        """Raise ``RequestRefused`` unless a request may pass.

        Args:
            host, origin: the headers; ``origin`` is None if there is none.
            cookie: the value of the page's cookie, or None.
            bearer: the token in the header ``Authorization: Bearer``, or None.
        """
        try:
            name = urlsplit("//" + host).hostname or ""
        except ValueError:
            raise RequestRefused(400, "the header Host can't be read") from None
        if self.is_local and not is_loopback(name):
            raise RequestRefused(403, "this page is served to this computer only, as localhost")
        if origin is not None and origin not in ("http://" + host, "https://" + host):
            raise RequestRefused(403, "the request comes from a foreign page")
        if _equal(cookie, self._cookie) or _equal(bearer, self.token):
            return
        raise RequestRefused(401, "open the link that the run printed in its terminal")

    def log_in(self, token: Optional[str]) -> str:
        """The cookie's value for a request with the right token; raises ``RequestRefused``."""
        if not _equal(token, self.token):
            raise RequestRefused(401, "this link is of another run; open the one in its terminal")
        return self._cookie


def _equal(given: Optional[str], secret: str) -> bool:
    """Compare in constant time."""
    return given is not None and hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), secret.encode("utf-8")
    )


class ConnectionLimiter:
    """Limits how many connections are open, and how long one may wait until it shows the token.

    A newcomer takes the place of the oldest connection that has not shown it. So strangers can't
    keep the owner out.

    Args:
        handler: function that makes aiohttp's protocol for one connection.
    """

    def __init__(self, handler: Callable[[], asyncio.Protocol]) -> None:
        self._handler = handler
        self._open: Dict[asyncio.Transport, float] = {}  # since when, the oldest first
        self._known: Set[asyncio.Transport] = set()  # those of them that have shown the token

    def __call__(self) -> "asyncio.Protocol":
        return _NewConnection(self)

    def accept(self, transport: asyncio.Transport) -> None:
        """Hand a new connection to HTTP, or end it at once."""
        self._forget_closed()
        if len(self._open) >= MOST_CONNECTIONS:
            stranger = next((t for t in self._open if t not in self._known), None)
            if stranger is None:
                transport.abort()
                return
            stranger.abort()
            del self._open[stranger]
        self._open[transport] = time.monotonic()
        protocol = self._handler()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def trust(self, transport: asyncio.Transport) -> None:
        """A request of a connection has shown the token: it keeps its place."""
        if transport in self._open:
            self._known.add(transport)

    def _forget_closed(self) -> None:
        self._open = {t: since for t, since in self._open.items() if not t.is_closing()}
        self._known.intersection_update(self._open)

    async def close_strangers(self) -> None:
        """For ever: close connections that have not shown the token in time."""
        while True:
            await asyncio.sleep(0.5)
            self._forget_closed()
            latest = time.monotonic() - STRANGER_S
            for transport, since in self._open.items():
                if since < latest and transport not in self._known:
                    transport.abort()


class _NewConnection(asyncio.Protocol):
    """A connection that was neither accepted nor refused yet."""

    def __init__(self, limiter: ConnectionLimiter) -> None:
        self._limiter = limiter

    def connection_made(self, transport: Any) -> None:
        self._limiter.accept(transport)


def qr_code(link: str) -> Optional[str]:
    """The link as a QR code made of text, or None if ``segno`` is not installed."""
    try:
        import segno
    except ImportError:
        return None
    out = io.StringIO()
    segno.make(link, error="l").terminal(out, border=2, compact=True)
    return out.getvalue()
