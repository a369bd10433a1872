"""Serve the page: pictures and state go to browsers, requests go to the frame loop.

Two threads run beside the loop. One scales and encodes the newest frame, once for all browsers,
and only if a browser is ready for it. The other runs the HTTP server. A browser reports each
picture that it has displayed, and at most two pictures are on their way to it. So a slow
browser gets fewer pictures, not older ones. Pictures go over a web socket: with multipart JPEG
Chromium shows a part only when the next one begins (median age 50 ms against 25 ms).

No request names a command, or a file but the page's own ones.
"""

import asyncio
import errno
import json
import logging
import os
import socket
import struct
import threading
import time
from typing import Any, Awaitable, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from aiohttp import WSMsgType, web

from hotpath.app.links.base import Context, Link, LinkThread, host_for_link, made_socket
from hotpath.app.links.page import access, api
from hotpath.app.links.page.access import ConnectionLimiter, Guard
from hotpath.app.links.page.answers import error, error_page, policy
from hotpath.app.links.requests import RequestRefused
from hotpath.app.links.run_controller import Controller
from hotpath.app.option_records import LinkOptions
from hotpath.app.report.thumbnails import cut
from hotpath.boards.detect import detect
from hotpath.boards.telemetry import Telemetry
from hotpath.runtime.errors import BadOutput, HotpathError
from hotpath.video.base import TrackedFrame

# the page's own files
STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
MOST_VIEWERS = 16
HEARTBEAT_S = 0.5  # the state is sent at least this often
PING_S = 15.0  # a browser that does not answer is disconnected
IDLE_S = 20.0  # without a request a connection is closed
SELECTED_PX = 160  # side of the picture of a target as it was selected
BODY_BYTES = 2048
MESSAGE_BYTES = 256

IN_FLIGHT = 2  # pictures on their way to one browser
MESSAGES_PER_S = 500


class Update(NamedTuple):
    """What browsers are sent of one frame.

    Attributes:
        index: index of the frame in its source.
        state: JSON text.
        jpeg: bytes, or None if no browser was ready for a picture.
    """

    index: int  # type: ignore[assignment]  # in the place of a tuple's own method
    state: str
    jpeg: Optional[bytes]


class PageViewer:
    """One browser's web socket.

    Attributes:
        updated: set when there may be something to send.
        in_flight: indices of the pictures on their way.
        last_index: index of the picture sent last.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.updated = asyncio.Event()
        self.in_flight: List[int] = []
        self.last_index: Optional[int] = None
        self._second, self._messages = 0, 0

    @property
    def ready(self) -> bool:
        """Whether another picture may be sent."""
        return len(self.in_flight) < IN_FLIGHT

    def receive(self, text: str) -> Optional[Tuple[Optional[int]]]:
        """Read one message: ``{"seen": INDEX}`` or ``{"hold": INDEX or null}``.

        Returns:
            (index,) where a frame is to be held, (None,) where it is released, else None.

        Raises:
            ValueError: it is not such a message, or too many came within a second.
        """
        second = int(time.monotonic())
        self._messages = self._messages + 1 if second == self._second else 1
        self._second = second
        message = api.parse_strict_json(text)
        if self._messages > MESSAGES_PER_S or not isinstance(message, dict) or len(message) != 1:
            raise ValueError
        if "seen" in message:
            index = api.whole_number(message["seen"])
            self.in_flight = [n for n in self.in_flight if n > index]
            return None
        held = message["hold"] if "hold" in message else True
        return (None if held is None else api.whole_number(held),)


class Server(Link):
    """The page of one run.

    Attributes:
        link: the address for the user to open.
        guard: checks requests, and holds the token.
    """

    def __init__(self, controller: Controller, options: LinkOptions) -> None:
        self.guard = Guard(options.page.host)
        self.link = ""
        self._controller, self._options = controller, options
        self._viewers: Set[PageViewer] = set()
        self._wanted = threading.Event()  # a browser is ready for a picture
        self._closing = threading.Event()
        self._update: Optional[Update] = None
        self._board: Dict[str, Any] = {}
        self._selected: Dict[int, bytes] = {}  # number of a target -> JPEG
        self._begun: Dict[int, bytes] = {}  # the same, until the target is in a frame
        controller.on_selected = self._cut_begun
        self._loop = asyncio.new_event_loop()
        self._encoder = LinkThread("page pictures", self._encode)
        self._thread = LinkThread("page", self._run)
        self.threads = self._encoder, self._thread

    def start(self) -> None:
        """Listen, and serve in the background; raises ``BadOutput``."""
        host, port = self._options.page.host, self._options.page.port
        try:
            self._socket = made_socket(host, port, socket.SOCK_STREAM, connect=False)
        except OSError as error:
            why = error.strerror or error
            advice = "give another --page-port, such as 0 for any that is free"
            if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL) or isinstance(
                error, socket.gaierror
            ):
                advice = "give an address of this computer as --page-host, or 0.0.0.0 for all"
            raise BadOutput(
                f"--page-host {host} --page-port {port}: can't listen there: {why}; {advice}"
            ) from None
        port = self._socket.getsockname()[1]
        self._cookie = f"hotpath_{port}"  # browsers share cookies between ports
        self.link = f"http://{host_for_link(host)}:{port}/enter?token={self.guard.token}"
        self._thread.start()
        self._encoder.start()

    def close(self) -> None:
        """Tell every browser that the run is over; may be called twice."""
        if not self._closing.is_set():
            self._closing.set()
            self._encoder.join(2.0)
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(3.0)

    # in the loop's thread

    def _cut_begun(self, tracked: TrackedFrame) -> None:
        """Cut a target out of the frame on which the user saw it: the newest one may be later."""
        for number, track in tracked.tracks.items():
            self._begun[number] = cut(tracked.frame, track.box, SELECTED_PX)

    # in the thread that encodes pictures

    def _encode(self) -> None:
        """Send the newest frame and state to every browser, at most ``page-fps`` a second."""
        pause_s = 0.9 / self._options.page.fps  # sources are not punctual
        version = -1
        last = None
        sent_at = 0.0
        while not self._closing.is_set():
            version, tracked = self._controller.wait(version, HEARTBEAT_S)
            wait_s = sent_at + pause_s - time.monotonic()
            if wait_s > 0 and not self._closing.wait(wait_s):
                version, tracked = self._controller.wait(-1, 0)  # a newer frame may have come
            sent_at = time.monotonic()
            if tracked is None:
                continue
            self._keep_selected(tracked)
            if not self._viewers:
                continue
            jpeg = last.jpeg if last and last.index == tracked.index else None
            if jpeg is None and self._wanted.is_set():
                jpeg = api.encode_jpeg(tracked.frame, self._options.page.width)
            last = Update(tracked.index, self._state_text(tracked), jpeg)
            self._loop.call_soon_threadsafe(self._broadcast, last)
        tracked = self._controller.wait(-1, 0)[1]
        if tracked is not None:
            final = Update(tracked.index, self._state_text(tracked), None)
            self._loop.call_soon_threadsafe(self._broadcast, final)

    def _keep_selected(self, tracked: TrackedFrame) -> None:
        """Keep a picture of each new target, as it was selected."""
        self._selected = {
            number: self._selected.get(number)
            or self._begun.pop(number, b"")
            or cut(tracked.frame, track.box, SELECTED_PX)
            for number, track in tracked.tracks.items()
        }

    def _state_text(self, tracked: TrackedFrame) -> str:
        """All that the page displays beside a picture, as JSON."""
        return json.dumps(dict(self._controller.state(tracked), board=self._board))

    # in the server's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    def _routes(self) -> List[Any]:
        requests = api.Api(
            self._controller,
            self._state_text,
            lambda number: self._selected.get(number, b""),
        )
        return [
            web.get("/ws", self._serve_socket),
            web.get("/enter", self._log_in),
            *requests.routes(),
            web.get("/", self._index),
            web.static("/static", STATIC),
        ]

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        app = web.Application(middlewares=[self._check], client_max_size=BODY_BYTES)
        app.router.add_routes(self._routes())
        silent = logging.Logger("page")  # bad requests of strangers do not go to the terminal
        silent.addHandler(logging.NullHandler())
        runner = web.AppRunner(
            app, access_log=None, logger=silent, lingering_time=2.0, keepalive_timeout=IDLE_S
        )
        await runner.setup()
        self._limiter = ConnectionLimiter(runner.server)
        background = [self._limiter.close_strangers(), self._read_sensors()]
        tasks = [asyncio.ensure_future(task) for task in background]
        listener = await self._loop.create_server(self._limiter, sock=self._socket, backlog=128)
        await self._ending.wait()
        listener.close()
        for task in tasks:
            task.cancel()
        goodbyes = [asyncio.ensure_future(self._say_goodbye(v)) for v in self._viewers]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=1.0)
        try:
            await asyncio.wait_for(runner.cleanup(), 2.0)
        except asyncio.TimeoutError:
            pass  # a browser does not answer: the process ends all the same

    async def _say_goodbye(self, viewer: PageViewer) -> None:
        """Send the last state to one browser and close its socket."""
        try:
            if self._update is not None:
                await viewer.socket.send_str(self._update.state)
            await viewer.socket.close(code=1001)
        except (ConnectionError, RuntimeError):
            pass  # it has left already

    async def _read_sensors(self) -> None:
        """Read temperature, clock and power once a second, while a browser is connected."""
        telemetry = await self._loop.run_in_executor(None, _telemetry)
        while telemetry is not None:
            if self._viewers:
                sample = await self._loop.run_in_executor(None, telemetry.read)
                self._board = api.board_figures(sample)
            await asyncio.sleep(1.0)

    def _broadcast(self, update: Update) -> None:
        """Wake the senders of all browsers."""
        self._update = update
        for viewer in self._viewers:
            viewer.updated.set()
        self._update_wanted()

    def _update_wanted(self) -> None:
        """Tell the encoder whether a browser is ready for a picture."""
        if any(viewer.ready for viewer in self._viewers):
            self._wanted.set()
        else:
            self._wanted.clear()

    @web.middleware
    async def _check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check every request, add the headers to every answer, and give errors as JSON."""
        try:
            if request.path != "/enter":
                self.guard.check(
                    request.host,
                    request.headers.get("Origin"),
                    request.cookies.get(self._cookie),
                    _bearer(request),
                )
                self._limiter.trust(request.transport)
            response = await handler(request)
        except RequestRefused as refusal:
            is_person = "text/html" in request.headers.get("Accept", "")  # in a browser
            response = (error_page if is_person else error)(refusal.status, str(refusal))
        except web.HTTPException as wrong:
            response = error(wrong.status, wrong.reason.lower(), wrong.headers.get("Allow"))
        except asyncio.TimeoutError:
            response = error(504, "the run did not answer in time")
        if not response.prepared:
            response.headers.update(access.HEADERS)
            response.headers.setdefault("Content-Security-Policy", policy(request.host))
        return response

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve one web socket: send state and pictures, receive what was displayed."""
        if len(self._viewers) >= MOST_VIEWERS:
            raise RequestRefused(
                503, f"{MOST_VIEWERS} browsers are connected, the most there can be"
            )
        socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, compress=False)
        if not socket.can_prepare(request).ok:
            raise RequestRefused(400, "this address is for web sockets")
        await socket.prepare(request)
        viewer = PageViewer(socket)
        self._viewers.add(viewer)
        self._update_wanted()
        sender = asyncio.ensure_future(self._send_updates(viewer))
        self._controller.notify()
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT:
                    raise ValueError
                held = viewer.receive(message.data)
                if held:
                    self._controller.buffer.hold(viewer, held[0])
                else:
                    viewer.updated.set()
                self._update_wanted()
        except ValueError:
            await socket.close(code=1008, message=b"not understood")
        finally:
            sender.cancel()
            self._viewers.discard(viewer)
            self._controller.buffer.hold(viewer, None)
            self._update_wanted()
        return socket

    async def _send_updates(self, viewer: PageViewer) -> None:
        """Send the newest state and picture whenever the browser has displayed an earlier one."""
        sent = None
        while True:
            await viewer.updated.wait()
            viewer.updated.clear()
            update = self._update
            if update is None or not viewer.ready or viewer.socket.closed:
                continue
            try:
                if update is not sent:  # also when nothing changed: silence means a lost connection
                    sent = update
                    await viewer.socket.send_str(update.state)
                if update.jpeg is not None and update.index != viewer.last_index:
                    viewer.last_index = update.index
                    viewer.in_flight.append(update.index)
                    await viewer.socket.send_bytes(struct.pack(">Q", update.index) + update.jpeg)
            except (ConnectionError, RuntimeError):
                return  # the browser left; the receiving side sees that too

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        """Exchange the token of the link for a cookie, and lead on to the page."""
        value = self.guard.log_in(request.query.get("token"))
        response = web.Response(status=303, headers={"Location": "./"})
        # Strict cookies are not sent after a link in a chat was followed, so this one is Lax;
        # requests that change something are no GET and must come from the page itself
        response.set_cookie(self._cookie, value, httponly=True, samesite="Lax", path="/")
        return response

    async def _index(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        return web.FileResponse(os.path.join(STATIC, "index.html"))


def _bearer(request: web.Request) -> Optional[str]:
    """The token of ``Authorization: Bearer``, or None."""
    kind, _, token = str(request.headers.get("Authorization", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _telemetry() -> Optional[Telemetry]:
    """The board's sensors; None if they can't be read."""
    try:
        return Telemetry("/", detect("/").board)
    except (HotpathError, OSError):
        return None


def open_link(context: Context) -> Server:
    """Start to serve the page of ``--page`` in the background; raises ``BadOutput``."""
    assert isinstance(context.run, Controller), "the page needs a Controller"
    server = Server(context.run, context.options)
    server.start()
    context.say("page: " + server.link)
    code = None if server.guard.is_local else access.qr_code(server.link)
    if code:
        context.say(code)
    return server
