"""The interface of the links of a run, and the values with which they are opened."""

import errno
import ipaddress
import os
import socket
import threading
import traceback
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple
from urllib.parse import SplitResult, urlsplit

from hotpath.app.links.run_controller import Controller
from hotpath.app.option_records import LinkOptions
from hotpath.app.selection import Selection
from hotpath.base.messages import why_unread
from hotpath.base.text import decode_utf8
from hotpath.runtime.errors import BadOutput, HotpathError
from hotpath.video.base import Output

STREAMED = ("udp", "rtp", "rtsp")  # schemes of --stream


class Context(NamedTuple):
    """The argument of a link's ``open_link``.

    Attributes:
        options: the links that the command line asks for.
        run: what it may ask of the frame loop; None if no link is asked for that selects targets.
        fps: frames a second of the source, or None.
        size: (width, height) of the frames.
        network: its name.
        say: function of one line of text for the user.
        live: whether the source is live, so that nothing may keep it waiting.
        can_lose: whether the network can say that the target is lost.
        selection: which target is steered after.
        holds: actuators that are stopped for lack of evidence, with reasons.
    """

    options: LinkOptions
    run: Optional[Controller]
    fps: Optional[float]
    size: Tuple[int, int]
    network: str
    say: Callable[[str], None]
    live: bool = True
    can_lose: bool = True
    holds: Optional[Dict[str, str]] = None
    selection: Optional[Selection] = None


class BrokenLink(HotpathError):
    """A link's thread ended by a fault, so that the link no longer answers or steers."""


class LinkThread(threading.Thread):
    """A thread of a link. ``error`` is the exception that ended it, else None."""

    def __init__(self, name: str, function: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.error: Optional[BaseException] = None
        self._function = function

    def run(self) -> None:
        """Call the function."""
        try:
            self._function()
        except BaseException as error:  # ``Link.check`` raises it in the frame loop
            self.error = error


class Link(Output):
    """A link to people, a vehicle or other programs. It works in its own threads or process.

    ``write`` returns at once.

    Each link's module has ``open_link(context)``, which returns one or raises ``BadOutput``. It
    may have ``check_options(options)``, called before anything is opened, and
    ``check_run(context)``, called before any link is opened; both raise ``BadOutput``.

    Attributes:
        threads: its ``LinkThread``s; one that ends by a fault ends the run.
    """

    threads: Tuple[LinkThread, ...] = ()

    def check(self) -> None:
        """Raise ``BrokenLink`` where a thread ended by a fault."""
        for thread in self.threads:
            if isinstance(thread.error, HotpathError):  # which says itself what to do
                raise thread.error
            if thread.error is not None:
                error = thread.error
                place = traceback.extract_tb(thread.error.__traceback__)[-1]
                raise BrokenLink(
                    f"the thread {thread.name!r} ended by a fault, {type(error).__name__}: {error} "
                    f"({os.path.basename(place[0])}:{place[1]}); start the run again",
                    what="thread ended",
                )


def check_file(option: str, path: str) -> None:
    """Refuse a file that can't be read. It is not opened, since it may be a pipe."""
    if os.path.isdir(path):
        raise BadOutput(f"--{option} {path}: is a folder; name a file")
    if not os.access(path, os.R_OK):
        why = "can't be read" if os.path.exists(path) else "no such file"
        raise BadOutput(f"--{option} {path}: {why}; name another file")


def read_login(option: str, path: Optional[str]) -> Tuple[str, str]:
    """(user, password) of the file of an option, or of its variable; empty without both.

    Args:
        option: such as ``stream-login``, with the variable ``STREAM_LOGIN``.
        path: path of the file, or None.

    Raises:
        BadOutput: the file can't be read, or there is no USER:PASSWORD.
    """
    name = option.upper().replace("-", "_")
    text = os.environ.get(name, "")
    if path:
        name = f"--{option} {path}"
        try:
            with open(path, "rb") as file:
                text = decode_utf8(file.read(1024))
        except (OSError, UnicodeDecodeError) as error:
            raise BadOutput(f"{name}: {why_unread(error)}") from None
    user, _, password = text.strip().partition(":")
    if (path or text) and not (user and password):
        raise BadOutput(f"{name}: is not USER:PASSWORD; write both in one line", what="no login")
    return user, password


def split_address(address: str) -> SplitResult:
    """The parts of an address; empty ones where it is none, or has a wrong port."""
    try:
        parts = urlsplit(address)
        return parts if parts.port != 0 else urlsplit("")
    except ValueError:
        return urlsplit("")


def is_loopback(host: str) -> bool:
    """Whether an address or a name means this computer's loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_for_link(host: str) -> str:
    """The host for a link: one of this computer's own addresses where it listens on all."""
    if host in ("0.0.0.0", "::", ""):
        host = _own_address(host == "::") or socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _own_address(ipv6: bool) -> Optional[str]:
    """The address of this computer that others reach it by, or None; nothing is sent."""
    family, outside = socket.AF_INET, "192.0.2.1"  # addresses of documentation (RFC 5737, 3849)
    if ipv6:
        family, outside = socket.AF_INET6, "2001:db8::1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((outside, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None


class StreamAddress(NamedTuple):
    """An address of ``--stream``.

    Attributes:
        scheme: "udp", "rtp" or "rtsp".
        host, port: where it is sent.
        path: of RTSP, else empty.
        login: "USER:PASSWORD" as the address has it, or empty.
    """

    scheme: str
    host: str
    port: int
    path: str
    login: str

    @property
    def shown(self) -> str:
        """The address without its password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def url(self) -> str:
        """The address with its password."""
        start = self.scheme + "://"
        return self.shown.replace(start, f"{start}{self.login}@", 1) if self.login else self.shown

    @property
    def for_viewers(self) -> str:
        """The address of RTSP for other computers: a server here is reached by this one's name."""
        host = "0.0.0.0" if is_loopback(self.host) else self.host
        return f"rtsp://{host_for_link(host)}:{self.port}{self.path}"


def parse_address(text: str) -> StreamAddress:
    """Return the parts of an address.

    Raises:
        BadOutput: it is none, or no host is named.
    """
    parts = split_address(text)
    host, port = parts.hostname or "", parts.port or (554 if parts.scheme == "rtsp" else 0)
    if parts.scheme == "rtsp" and host in ("", "0.0.0.0", "::"):
        raise BadOutput(
            f"--stream {text}: Hotpath serves no RTSP; start a server, such as MediaMTX, and give "
            "its address: rtsp://HOST:PORT/PATH",
            what="no server",
        )
    if parts.scheme not in STREAMED or not host or not port or parts.query:
        raise BadOutput(
            f"--stream {text}: not an address; give udp://HOST:PORT, rtp://HOST:PORT or "
            "rtsp://[USER:PASSWORD@]HOST:PORT/PATH",
            what="not an address",
        )
    login = parts.netloc.rpartition("@")[0]
    path = (parts.path or "/") if parts.scheme == "rtsp" else ""
    return StreamAddress(parts.scheme, host, port, path, login)


def resolve_address(host: str, port: int, kind: int, flags: int = 0) -> Tuple[int, Any]:
    """(family, address) of a host; raises ``OSError`` if there is no such one."""
    try:
        found = socket.getaddrinfo(host, port, 0, kind, 0, flags)[0]
    except UnicodeError:  # a part of the name is empty, or longer than 63 letters
        raise OSError(errno.EINVAL, "no host has such a name") from None
    return found[0], found[4]


def made_socket(host: str, port: int, kind: int, connect: bool) -> socket.socket:
    """A socket that does not block, connected or (for listening) bound; raises ``OSError``."""
    flags = 0 if connect else socket.AI_PASSIVE
    family, address = resolve_address(host, port, kind, flags)
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if not connect:
            if kind == socket.SOCK_STREAM:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            if kind == socket.SOCK_STREAM:
                made.listen(8)
            return made
        result = made.connect_ex(address)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))
    except OSError:
        made.close()
        raise
    return made
