"""``--gimbal onvif://USER@HOST``: turn a PTZ camera of the network after the target.

The messages are those of ONVIF's Core, Media and PTZ specifications: SOAP over HTTP, with the
digest of WS-Security or HTTP. A run needs six, so a board needs no lxml and zeep for them.
"""

import base64
import calendar
import hashlib
import math
import os
import re
import socket
import threading
import time
import urllib.request
from email.utils import parsedate
from http.client import HTTPConnection, HTTPException
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from hotpath.links import Context, Link, LinkThread, counted, read_login, split_address
from hotpath.runtime.errors import BadOutput
from hotpath.video.base import TrackedFrame
from hotpath.video.http_mjpeg import Digest
from hotpath_vehicle import steering
from hotpath_vehicle.aim.calibration import from_options
from hotpath_vehicle.plug import GimbalOptions
from hotpath_vehicle.ptz import REST, Follower, make_aim
from hotpath_vehicle.steering import STOPS, Velocity

check_run = steering.check_run
DEVICE, MEDIA, PTZ = (
    f"http://www.onvif.org/{name}/wsdl" for name in ("ver10/device", "ver10/media", "ver20/ptz")
)
DEVICE_PATH = "/onvif/device_service"
SCHEMA = 'xmlns="http://www.onvif.org/ver10/schema"'
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{head}</s:Header>'
    '<s:Body><{name} xmlns="{service}">{body}</{name}></s:Body></s:Envelope>'
)
TOKEN = (
    f'<Security s:mustUnderstand="1" xmlns="{OASIS}wssecurity-secext-1.0.xsd"><UsernameToken>'
    f'<Username>{{}}</Username><Password Type="{OASIS}username-token-profile-1.0#PasswordDigest">'
    f'{{}}</Password><Nonce EncodingType="{OASIS}soap-message-security-1.0#Base64Binary">{{}}'
    f'</Nonce><Created xmlns="{OASIS}wssecurity-utility-1.0.xsd">{{}}</Created>'
    "</UsernameToken></Security>"
)
Body = Callable[[], str]  # of a request, made anew for each try
ANSWER_S = 5.0  # longest wait for the camera
LAST_ANSWER_S = 1.0  # for that to a last stop; a run that ends waits for all of them
MOST_BYTES = 1 << 20  # of an answer
MOVE_S = 1  # the camera stops by itself so long after the last command
LONGEST_S = 10  # a camera that stops later is told ``MOVE_S`` all the same
PAUSE_S = 0.1  # least between two commands
GENERIC = "/VelocityGenericSpace"  # end of a URI: velocities as shares of the fastest, -1 to 1
SAID_S = 60.0  # the same sentence is said as often
RETRY_S = 1.0  # after a command that failed
LOGIN_RETRY_S, LONGEST_LOGIN_RETRY_S = 60.0, 600.0  # after a refused login; doubles up to
SAME_CLOCK_S = 2.0  # clocks that differ by less are the same; cameras tell whole seconds
MOST_TRIES = 5  # of a login: the first, one after our clock was set, one for each of three clocks


class Refusal(BadOutput):
    """The camera understood a request and refuses it."""


class WrongLogin(BadOutput):
    """The camera refuses the user or the password; asking again may lock the account."""


class _AtRest(Exception):
    """The newest velocity is zero, so there is nothing to move."""


class OnvifCamera:
    """The first profile of an ONVIF camera that can be turned.

    Args:
        address: ``onvif://[USER@]HOST[:PORT]``.
        login: (user, password), or two empty texts.

    Attributes:
        name: its address, to show.
        answer_s: longest wait for an answer.
        timeout_s: after so long without a command it stops by itself.
        stops_itself: whether it took a timeout; None until it has moved.

    Raises:
        BadOutput: no such camera, a wrong password, or a camera that can't be turned.
    """

    def __init__(self, address: str, login: Tuple[str, str]) -> None:
        self.name, self._host = _parsed(address, login[0])
        self._login = login
        self._ahead_s = 0.0  # of the camera's clock, to our monotonic one
        self._clock, self._is_open = 0, False  # which of its clocks it means
        self.answer_s = ANSWER_S
        self.stops_itself: Optional[bool] = None
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, "http://" + self._host, *login)
        digest = _Digest(passwords)
        no_proxy = urllib.request.ProxyHandler({})
        self._http = urllib.request.build_opener(no_proxy, digest, _Stay(), _InTime())
        try:
            self._open()
        except (AttributeError, TypeError, ValueError) as error:
            raise BadOutput(
                f"{self.name}: an answer is not as ONVIF has it: {error}", what="wrong answer"
            ) from None

    def _open(self) -> None:
        """Read the camera's clock, its profile and what that can do."""
        self._ahead_s = time.time() - time.monotonic()  # of cameras that tell no time
        self._read_clock()
        asked_all = "<Category>All</Category>"
        services = self._ask(DEVICE_PATH, DEVICE, "GetCapabilities", lambda: asked_all)
        self._is_open = True
        urls = [services.findtext(f".//{name}/XAddr") or "" for name in ("Media", "PTZ")]
        # a service that is missing has no path
        media, self._path = (urlsplit(url)._replace(scheme="", netloc="").geturl() for url in urls)
        profiles = self._ask(media, MEDIA, "GetProfiles").iter("Profiles") if self._path else ()
        profile = next((p for p in profiles if p.find("PTZConfiguration") is not None), None)
        if profile is None:
            raise BadOutput(
                f"{self.name}: this camera has no PTZ; run without --gimbal", what="no PTZ"
            )
        self._profile = f"<ProfileToken>{escape(profile.get('token'))}</ProfileToken>"
        token = escape(profile.find("PTZConfiguration").get("token"))
        asked = f"<ConfigurationToken>{token}</ConfigurationToken>"
        options = self._ask(self._path, PTZ, "GetConfigurationOptions", lambda: asked)
        self.timeout_s = _timeout_in(options)
        turns = options.findall(".//Spaces/ContinuousPanTiltVelocitySpace")
        if not turns:
            raise BadOutput(
                f"{self.name}: this camera can't be turned; run without --gimbal", what="fixed"
            )
        space = _generic_of(turns)
        ranges = (space.find(axis) for axis in ("XRange", "YRange"))  # slowest and fastest velocity
        self._ranges = [[float(axis.findtext(end)) for end in ("Min", "Max")] for axis in ranges]
        # a velocity without a URI is one of the only space; of several it could mean another speed
        self._uri = space.findtext("URI") or "" if len(turns) > 1 else ""
        self._forms = [True, False]  # whether a command has a timeout; some cameras refuse it

    def _read_clock(self) -> bool:
        """Read the camera's time, which needs no login; returns whether its clock was set."""
        before_s, clocks_s = self._ahead_s, self._read_clocks()
        if clocks_s:
            self._ahead_s = clocks_s[min(self._clock, len(clocks_s) - 1)]
        return abs(self._ahead_s - before_s) > SAME_CLOCK_S

    def _read_clocks(self) -> List[float]:
        """What an answer of the camera calls UTC, its local time, and the time of HTTP.

        Seconds ahead of our monotonic clock. Cameras that mistake one for another check tokens by
        any of these.
        """
        root = self._ask_once(DEVICE_PATH, DEVICE, "GetSystemDateAndTime", str)
        names = "Date/Year Date/Month Date/Day Time/Hour Time/Minute Time/Second".split()
        told = filter(None.__ne__, map(root.find, (".//UTCDateTime", ".//LocalDateTime")))
        times: List[Any] = [[int(now.findtext(n)) for n in names] for now in told]
        clocks_s: List[float] = []
        for each in filter(None, [*times, parsedate(root.get("Date", ""))]):
            ahead_s = calendar.timegm((*each, 0, 0, 0)) - time.monotonic()
            if all(abs(ahead_s - other_s) > SAME_CLOCK_S for other_s in clocks_s):
                clocks_s.append(ahead_s)
        return clocks_s

    def move(self, newest: Callable[[], Velocity]) -> Velocity:
        """Move with a velocity until the next command, or stop; returns it. Raises ``BadOutput``.

        Args:
            newest: gives the velocity for each try. A camera may refuse one slowly.
        """
        refusals = []
        for has_timeout in list(self._forms):
            sent: List[Velocity] = []

            def body(has_timeout: bool = has_timeout, sent: List[Velocity] = sent) -> str:
                sent.append(newest())
                if not any(sent[-1]):
                    raise _AtRest
                return self._profile + self._body(sent[-1], has_timeout)

            try:
                self._ask(self._path, PTZ, "ContinuousMove", body)
            except _AtRest:
                break
            except Refusal as error:
                refusals.append(error)
            else:
                self._forms, self.stops_itself = [has_timeout], has_timeout
                return sent[-1]
        else:
            raise refusals[0]
        stop = self._profile + "<PanTilt>true</PanTilt><Zoom>true</Zoom>"
        self._ask(self._path, PTZ, "Stop", lambda: stop)
        return REST

    def _body(self, wish: Velocity, has_timeout: bool) -> str:
        """A velocity and a timeout for ContinuousMove."""
        axes = zip("xy", wish, self._ranges)
        values = [f'{axis}="{v * (high if v > 0 else -low):.4f}"' for axis, v, (low, high) in axes]
        uri = f" space={quoteattr(self._uri)}" if self._uri else ""
        turn = f"<PanTilt {SCHEMA} {' '.join(values)}{uri}/>"
        timeout = f"<Timeout>PT{self.timeout_s:g}S</Timeout>" if has_timeout else ""
        return f"<Velocity>{turn}</Velocity>{timeout}"

    def _ask(self, path: str, service: str, name: str, body: Body = str) -> Any:
        """The answer to a request, with names without namespaces; raises ``BadOutput``.

        A camera whose clock, or ours, was set since refuses a right login. It gets one more, and
        before the first one that is right one for each clock that it may mean.
        """
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                return self._ask_once(path, service, name, self._token, body)
            except WrongLogin as refused:
                if not tries_left:  # more could lock the user out
                    raise
                try:
                    was_set = self._read_clock()
                    if not was_set and not self._is_open:
                        self._clock += 1
                        was_set = self._read_clock()
                except (BadOutput, AttributeError, TypeError, ValueError):
                    raise refused from None
                if not was_set:
                    raise

    def _ask_once(self, path: str, service: str, name: str, head: Body, body: Body = str) -> Any:
        """As ``_ask``, with a head."""
        kind = f'application/soap+xml; charset=utf-8; action="{service}/{name}"'
        request = _Request(f"http://{self._host}{path}", headers={"Content-Type": kind})
        request.make = lambda: ENVELOPE.format(
            head=head(), name=name, service=service, body=body()
        ).encode("utf-8")
        request.data = request.make()
        try:
            try:
                answer = self._http.open(request, timeout=self.answer_s)
                code = answer.getcode()
            except HTTPError as error:
                answer, code = error, error.code
            # without a body, the HTTPError of Python 3.11.2 reads as a text
            data = answer.read(MOST_BYTES + 1) or b"" if answer.fp else b""
            if len(data) > MOST_BYTES:
                raise OSError(f"it has over {MOST_BYTES} bytes")
            is_bomb = b"<!ENTITY" in data.replace(b"\0", b"")  # in UTF-16 too
            root = ElementTree.fromstring(b"" if is_bomb else data)
        except (OSError, HTTPException, ValueError) as error:
            cause = getattr(error, "reason", None) or error
            raise BadOutput(
                f"{self.name}: no answer to {name}: {cause}", what="no answer"
            ) from None
        except ElementTree.ParseError:
            if code == 200:
                raise BadOutput(
                    f"{self.name}: no ONVIF camera answers there", what="no camera"
                ) from None
            root = ElementTree.Element("Fault")
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        root.set("Date", answer.headers.get("Date") or "")
        if code == 401 or (code != 200 and b"NotAuthorized" in data):
            raise WrongLogin(
                f"{self.name}: the camera refuses the user {self._login[0]!r} or the password; "
                "check --gimbal-login or the variable GIMBAL_LOGIN",
                what="wrong login",
            )
        if code != 200 or root.find(".//Fault") is not None:
            cause = root.findtext(".//Fault/Reason/Text") or f"HTTP {code}"
            raise Refusal(f"{self.name}: the camera refuses {name}: {cause}", what="refused")
        return root

    def _token(self) -> str:
        """The UsernameToken: the password is hashed with the camera's time."""
        user, password = self._login
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.monotonic() + self._ahead_s))
        nonce = os.urandom(16)
        digest = hashlib.sha1(nonce + (made + password).encode("utf-8")).digest()
        coded = (base64.b64encode(value).decode("ascii") for value in (digest, nonce))
        return TOKEN.format(escape(user), *coded, made) if user else ""


class _Request(urllib.request.Request):
    make: Callable[[], bytes]  # the body as it is now


class _Digest(Digest):
    """Repeats a request with the body as it is then."""

    def retry_http_digest_auth(self, req: Any, auth: str) -> Any:
        """The answer to a request with the login."""
        req.data = req.make()
        return super().retry_http_digest_auth(req, auth)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes to no other host, whatever the camera says."""

    def redirect_request(self, *_: object) -> None:
        """No request."""


class _TimedConnection(socket.socket):
    """A connection whose answer has a time in all: each byte of it may come late."""

    ends_s = 0.0

    def recv_into(self, *into: Any) -> int:
        """Receive what comes in the time that is left."""
        left_s = self.ends_s - time.monotonic()
        if left_s <= 0:
            raise socket.timeout("it takes too long")
        self.settimeout(left_s)
        return super().recv_into(*into)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _TimedConnection(self.sock.family, fileno=self.sock.detach())
        self.sock.settimeout(self.timeout)
        self.sock.ends_s = time.monotonic() + (self.timeout or ANSWER_S)


class _InTime(urllib.request.HTTPHandler):
    """Takes no answer that drips."""

    def http_open(self, request: urllib.request.Request) -> Any:
        """An answer, or ``OSError``."""
        return self.do_open(_Connection, request)


class PtzLink(Link):
    """Follows the selected target. A thread talks to the camera: the newest velocity counts.

    Args:
        camera: an ``OnvifCamera``.
        follower: says where to move.
        say: function of one line of text for the user.
        pause_s: least between two commands.
    """

    def __init__(
        self,
        camera: OnvifCamera,
        follower: Follower,
        say: Callable[[str], None],
        pause_s: float = PAUSE_S,
    ) -> None:
        self.done = self.failed = 0
        self._camera, self._follower, self._say, self._pause_s = camera, follower, say, pause_s
        self._told: Dict[str, float] = {}
        self._moved = self._is_refused = self._is_unstopped = False
        self._wish: Optional[Velocity] = None  # that was just computed
        self._closing = threading.Event()
        self.threads = (LinkThread("onvif", self._run),)
        self.threads[0].start()

    def write(self, tracked: TrackedFrame) -> None:
        """Take a frame and its target."""
        self._follower.see(tracked, time.monotonic())

    def lines(self) -> List[str]:
        """How many commands were sent."""
        lost = f", {self.failed} failed" if self.failed else ""
        return [f"gimbal: {counted(self.done, 'command')}{lost}"]

    def close(self) -> None:
        """Stop the camera.

        Raises:
            BadOutput: it answered no stop.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        # for the answer that is waited for, and the stops'
        self.threads[0].join(ANSWER_S + (STOPS + 1) * LAST_ANSWER_S)
        if self._is_unstopped or (self._moved and self.threads[0].is_alive()):
            raise BadOutput(f"{self._camera.name}: answers no stop; {self._end}", what="no stop")

    @property
    def _end(self) -> str:
        """What becomes of a camera that answers no stop."""
        if self._camera.stops_itself:
            return f"it stops by itself after {self._camera.timeout_s:g} s"
        return "switch it off, or stop it by its own page"

    def _run(self) -> None:
        """The thread: repeat the velocity while it is not zero; however that ends, stop."""
        try:
            self._serve()
        finally:
            self._leave()

    def _serve(self) -> None:
        sent: Optional[Velocity] = REST  # None: unknown
        pause_s, login_s = 0.0, LOGIN_RETRY_S
        while not self._closing.wait(pause_s or self._pause_s):
            now = time.monotonic()
            self._wish = wish = self._follower.command(now)
            if wish == sent == REST:
                continue
            try:
                self._moved = True
                sent = self._camera.move(self._newest)
                if pause_s:
                    self._tell(f"gimbal: {self._camera.name} answers again", now)
                if self._camera.stops_itself is False:
                    text = "takes no timeout, so it turns on if this program is killed"
                    self._tell(f"gimbal: {self._camera.name} {text}", now)
                pause_s, login_s = 0.0, LOGIN_RETRY_S
                self._is_refused = False
                self.done += 1
            except WrongLogin as error:
                self._tell(f"gimbal: {error}; it is asked again in {login_s:g} s", now)
                sent, pause_s, self._is_refused = None, login_s, True
                login_s = min(2 * login_s, LONGEST_LOGIN_RETRY_S)
                self.failed += 1
            except BadOutput as error:
                if not pause_s:
                    self._tell(f"gimbal: {error}; trying again", now)
                sent, pause_s, self._is_refused = None, RETRY_S, False
                self.failed += 1

    def _newest(self) -> Velocity:
        """The velocity of now; ``move`` may ask several times."""
        wish, self._wish = self._wish, None
        return self._follower.command(time.monotonic()) if wish is None else wish

    def _tell(self, text: str, now: float) -> None:
        """Say a sentence, at most once in ``SAID_S``."""
        if now - self._told.get(text, -SAID_S) >= SAID_S:
            self._told[text] = now
            self._say(text)

    def _leave(self) -> None:
        """Stop the camera, several times, if it was moved; once if it refuses the login."""
        stops = 1 if self._is_refused else STOPS
        self._camera.answer_s = LAST_ANSWER_S
        for _ in range(stops if self._moved else 0):
            try:
                self._camera.move(lambda: REST)
                self.done, self._is_unstopped = self.done + 1, False
            except BadOutput as error:
                self.failed, self._is_unstopped = self.failed + 1, True
                self._tell(f"gimbal: {error}; {self._end}", time.monotonic())


def _timeout_in(options: Any) -> float:
    """The timeout to give with each command, seconds, by the limits that a camera states."""
    limits = options.find(".//PTZTimeout")
    ends = ("" if limits is None else limits.findtext(end) or "" for end in ("Min", "Max"))
    least, most = map(_seconds_of, ends)
    timeout_s = max(MOVE_S, min(least or MOVE_S, most or math.inf))
    return MOVE_S if timeout_s > LONGEST_S else timeout_s


def _generic_of(spaces: List[Any]) -> Any:
    """The space of shares of the fastest velocity, or else the first.

    A camera may list others before it, such as degrees a second.
    """
    generic = [s for s in spaces if (s.findtext("URI") or "").strip().endswith(GENERIC)]
    return (generic or spaces)[0]


def _seconds_of(text: str) -> Optional[float]:
    """A duration of XML, such as PT5S or PT1M0.5S, in seconds; None if it is none."""
    found = re.match(
        r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$", text.strip()
    )
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _parsed(address: str, user: str) -> Tuple[str, str]:
    """(name to show, HOST:PORT) of an address; ``user``: whose password is known."""
    parts = split_address(address)
    if not parts.hostname or parts.path.strip("/") or parts.password:
        raise BadOutput(
            "--gimbal: not an address; give onvif://USER@HOST:PORT, and --gimbal-login",
            what="not an address",
        )
    if parts.username and parts.username != user:
        raise BadOutput(
            f"--gimbal {address}: the password is missing; write {parts.username}:PASSWORD into a "
            "file for --gimbal-login, or into the variable GIMBAL_LOGIN",
            what="no password",
        )
    host = parts.netloc.rpartition("@")[2] + ("" if parts.port else ":80")
    return "onvif://" + host, host


def open_link(context: Context) -> PtzLink:
    """The link of ``--gimbal onvif://``; raises ``BadOutput``."""
    options, gimbal = context.options, context.options.of(GimbalOptions)
    camera = OnvifCamera(gimbal.name or "", read_login("gimbal-login", gimbal.login))
    context.say(f"gimbal: {camera.name} follows the target")
    if camera.timeout_s != MOVE_S:
        context.say(f"gimbal: without commands it stops after {camera.timeout_s:g} s")
    aim = make_aim(options.fov, context.size, from_options(options, context.size))
    if aim.calibration is not None and aim.calibration.actuator != camera.name:
        aim.refuse(f"calibrated is {aim.calibration.actuator}")
    follower = Follower(aim, context.say, context.holds, context.selection)
    return PtzLink(camera, follower, context.say)
