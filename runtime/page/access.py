"""Who may use the page: connections, hosts, origins, the token, and how often one may fail.

On the loopback nobody is asked for a token, but a request must name the loopback as its host (else
a foreign web page could reach it under a name of its own, by DNS rebinding) and its ``Origin``, if
it has one, must be the page itself. Off the loopback a token is asked for as well.
"""

import asyncio
import hmac
import ipaddress
import secrets
import time
from urllib.parse import urlsplit

CONNECTIONS = 64  # open at once
CONNECTIONS_EACH = 32  # of one address
LINGERING = 256  # refused ones that are given
LINGER_S = 0.5  # to hear why
IDLE_S = 5.0  # a connection must have sent a whole request by then, the next one by
KEPT_S = 20.0  # after the last
FAILURES = 20  # of one address in
FAILURES_S = 60.0  # before it is refused unheard
ADDRESSES = 1024  # remembered

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\ntoo many connections\n"
)

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


def is_loopback(host):
    """Whether an address or name is this computer's own loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Forbidden(Exception):
    """A request that is refused; ``status`` is HTTP's number."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Guard:
    """Looks at every request before anything else does.

    Args:
        host: the address that is listened at; decides whether a token is asked for.

    Attributes:
        token: what the link carries, or None where none is asked for.
    """

    def __init__(self, host):
        self.token = None if is_loopback(host) else secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(24)  # the cookie's value: the token never comes back
        self._failed = {}  # address -> (count, when the first of them was)

    def check(self, host, origin, cookie, bearer, address):
        """Raise ``Forbidden`` unless a request may pass.

        Args:
            host, origin: the headers; ``origin`` None where there is none.
            cookie: the value of the page's cookie, or None.
            bearer: the token of the header ``Authorization: Bearer``, or None.
            address: where it comes from.
        """
        try:
            name = urlsplit("//" + host).hostname or ""
        except ValueError:
            raise Forbidden(400, "the host's name can't be read") from None
        if self.token is None and not is_loopback(name):
            raise Forbidden(403, "the page is served to this computer alone, by that name")
        if origin is not None and origin not in ("http://" + host, "https://" + host):
            raise Forbidden(403, "asked for by a foreign page")
        if self.token is None or _same(cookie, self._session):
            return
        if self._is_blocked(address):
            raise Forbidden(429, "too many failures; wait a minute")
        if _same(bearer, self.token):
            return
        self._failure(address)
        raise Forbidden(401, "open the link that the run printed in its terminal")

    def enter(self, token, address):
        """The cookie's value for who brings the token; raises ``Forbidden``."""
        if self.token is None:
            return None
        if self._is_blocked(address):
            raise Forbidden(429, "too many failures; wait a minute")
        if not _same(token, self.token):
            self._failure(address)
            raise Forbidden(401, "the link is not this run's; open the one in its terminal")
        return self._session

    def _is_blocked(self, address):
        count, since = self._failed.get(address, (0, 0.0))
        if count and time.monotonic() - since > FAILURES_S:
            del self._failed[address]
            return False
        return count >= FAILURES

    def _failure(self, address):
        count, since = self._failed.pop(address, (0, time.monotonic()))
        self._failed[address] = (count + 1, since)
        if len(self._failed) > ADDRESSES:
            del self._failed[next(iter(self._failed))]


def _same(given, secret):
    """Whether they are equal, in a time that does not tell how far."""
    return given is not None and hmac.compare_digest(given.encode("utf-8"), secret.encode("utf-8"))


class Door:
    """Lets connections in: so many at once, and each must send a whole request in time.

    Args:
        handler: function that makes aiohttp's protocol of one connection.
    """

    def __init__(self, handler):
        self._handler = handler
        self._open = {}  # transport -> (address, by when a request must have come, or None)
        self._refused = set()

    def __call__(self):
        return _Gate(self)

    def enter(self, transport):
        """Hand a new connection on to HTTP, or refuse it."""
        peer = transport.get_extra_info("peername")
        address = peer[0] if peer else ""
        self._open = {t: v for t, v in self._open.items() if not t.is_closing()}
        of_this = sum(1 for other, _ in self._open.values() if other == address)
        if len(self._open) >= CONNECTIONS or of_this >= CONNECTIONS_EACH:
            self._refuse(transport)
            return
        self._open[transport] = (address, time.monotonic() + IDLE_S)
        protocol = self._handler()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def _refuse(self, transport):
        """Say so and hang up. Not at once, for an answer to who is still talking would be lost;
        but only so many are waited for."""
        if len(self._refused) >= LINGERING:
            transport.abort()
            return
        transport.write(BUSY)
        transport.write_eof()
        self._refused.add(transport)
        asyncio.get_event_loop().call_later(LINGER_S, self._hang_up, transport)

    def _hang_up(self, transport):
        self._refused.discard(transport)
        transport.abort()

    def busy(self, transport):
        """A whole request came in: no hurry while it is answered."""
        if transport in self._open:
            self._open[transport] = (self._open[transport][0], None)

    def idle(self, transport):
        """It was answered: the next request may take a while."""
        if transport in self._open:
            self._open[transport] = (self._open[transport][0], time.monotonic() + KEPT_S)

    async def sweep(self):
        """For ever: cut connections that keep silent or send a request drop by drop."""
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            for transport, (_, until) in list(self._open.items()):
                if transport.is_closing():
                    del self._open[transport]
                elif until is not None and now > until:
                    transport.abort()


class _Gate(asyncio.Protocol):
    """A connection before anything is known of it."""

    def __init__(self, door):
        self._door = door

    def connection_made(self, transport):
        self._door.enter(transport)
