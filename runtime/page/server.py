"""Serve the page: pictures and state to browsers, their wishes to the frame loop.

Two threads beside the loop: one scales and encodes the newest frame, once for all browsers and only
if one of them is ready for it; one runs the HTTP server. A browser says which picture it has shown,
and no more than ``IN_FLIGHT`` are ever on their way to it: a slow one gets fewer pictures, not
older ones, and a dead one gets none. Pictures go over the web socket because multipart JPEG came
out twice as old in Chromium (median 50 ms against 25): it shows a part when the next one begins.

What may be asked is described in ``page/openapi.json``; no request names a file, an address or a
command. The page itself is read into memory when the run starts.
"""

import asyncio
import json
import logging
import os
import re
import struct
import threading
import time
from collections import namedtuple

from aiohttp import WSMsgType, web

from boards.detect import detect
from boards.telemetry import Telemetry
from runtime.errors import BadOutput, HotpathError
from runtime.page import address, api
from runtime.page.access import HEADERS, Door, Forbidden, Guard
from runtime.page.control import Refused

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
KINDS = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml",
    ".json": "application/json",
}  # fmt: skip
IN_FLIGHT = 2  # pictures on their way to one browser
VIEWERS = 16
HEARTBEAT_S = 0.5  # state is sent so often when nothing changes
PING_S = 15.0  # a browser that does not answer is cut off
BODY_BYTES = 2048
MESSAGE_BYTES = 256
MESSAGES_PER_S = 500

News = namedtuple("News", "index state jpeg")  # jpeg None: nobody was ready for one


def serve(desk, options, say):
    """Start serving; returns the ``Server``.

    Args:
        desk: the loop's side.
        options: ``page_host``, ``page_port``, ``page_fps``, ``page_width``.
        say: function of one line of text for the user.

    Raises:
        BadOutput: the address can't be had.
    """
    server = Server(desk, options)
    server.start()
    say("page: " + server.link)
    if server.guard.token:
        code = address.qr_code(server.link)
        if code:
            say(code)
    return server


class Viewer:
    """One browser's socket."""

    def __init__(self, socket):
        self.socket = socket
        self.news = asyncio.Event()
        self.sent = []  # indices of pictures on their way
        self.last = None  # index of the picture sent last
        self._second, self._heard = 0, 0

    @property
    def ready(self):
        """Whether it may be sent another picture."""
        return len(self.sent) < IN_FLIGHT

    def hear(self, text):
        """One message: ``{"seen": INDEX}`` or ``{"hold": INDEX or null}``; raises ValueError.

        Returns:
            (held,) when a frame is to be held or let go, else None.
        """
        second = int(time.monotonic())
        self._heard = self._heard + 1 if second == self._second else 1
        self._second = second
        message = api.parsed(text)
        if self._heard > MESSAGES_PER_S or not isinstance(message, dict) or len(message) != 1:
            raise ValueError
        if "seen" in message:
            index = api.whole(message["seen"])
            self.sent = [n for n in self.sent if n > index]
            return None
        held = message["hold"] if "hold" in message else True
        return (None if held is None else api.whole(held),)


class Server:
    """The page of one run.

    Attributes:
        link: what the user opens.
    """

    def __init__(self, desk, options):
        self.desk, self.options = desk, options
        self.guard = Guard(options.page_host)
        self._viewers = set()
        self._wanted = threading.Event()  # somebody is ready for a picture
        self._closing = threading.Event()
        self._news = None
        self._board = {}
        self.files = _read_files()
        self._api = api.Api(self)
        self._loop = asyncio.new_event_loop()
        self._encoder = threading.Thread(target=self._encode, name="page pictures", daemon=True)
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self):
        """Listen, and serve in the background."""
        try:
            self._socket = address.listen(self.options.page_host, self.options.page_port)
        except (OSError, UnicodeError) as error:
            raise BadOutput("--page-host {} --page-port {}: can't listen there: {}".format(
                self.options.page_host, self.options.page_port,
                getattr(error, "strerror", None) or error)) from None  # fmt: skip
        self.port = self._socket.getsockname()[1]
        self._cookie = "hotpath_{}".format(self.port)  # cookies are shared between ports
        self.link = "http://{}:{}/".format(address.shown_host(self.options.page_host), self.port)
        if self.guard.token:
            self.link += "enter?token=" + self.guard.token
        self._thread.start()
        self._encoder.start()

    def close(self):
        """Tell every browser that the run is over; may be called twice."""
        if not self._closing.is_set():
            self._closing.set()
            self._encoder.join(2.0)
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(3.0)

    # the pictures' thread

    def _encode(self):
        """Newest frame and state to every browser, at most ``--page-fps`` a second."""
        pause_s = 0.9 / self.options.page_fps  # sources are not punctual
        version, last, shown_at = -1, None, 0.0
        while not self._closing.is_set():
            version, shot = self.desk.wait(version, HEARTBEAT_S)
            wait_s = shown_at + pause_s - time.monotonic()
            if wait_s > 0 and not self._closing.wait(wait_s):
                version, shot = self.desk.wait(-1, 0)  # a newer one came
            shown_at = time.monotonic()
            if shot is None or not self._viewers:
                continue
            jpeg = last.jpeg if last and last.index == shot.index else None
            if jpeg is None and self._wanted.is_set():
                jpeg = api.encoded(shot.frame, self.options.page_width)
            last = News(shot.index, self.state(shot), jpeg)
            self._loop.call_soon_threadsafe(self._spread, last)
        shot = self.desk.wait(-1, 0)[1]
        if shot is not None:
            self._loop.call_soon_threadsafe(self._spread, News(shot.index, self.state(shot), None))

    def state(self, shot):
        """All that the page shows beside a picture, as JSON."""
        return json.dumps(dict(self.desk.state(shot), board=self._board))

    # the server's thread

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self):
        self._ending = asyncio.Event()
        app = web.Application(middlewares=[self._check], client_max_size=BODY_BYTES)
        app.router.add_routes([
            web.get("/ws", self._watch),
            web.get("/enter", self._enter),
        ] + self._api.routes())  # fmt: skip
        for name in self.files:
            if name != api.DESCRIPTION:
                app.router.add_get("/" + name, self._static)
        app.router.add_get("/", self._static)
        quiet = logging.Logger("page")  # what strangers send is no news for the terminal
        quiet.addHandler(logging.NullHandler())
        runner = web.AppRunner(app, access_log=None, logger=quiet, lingering_time=2.0)
        await runner.setup()
        self._door = Door(runner.server)
        tasks = [asyncio.ensure_future(t) for t in (self._door.sweep(), self._read_sensors())]
        listener = await self._loop.create_server(self._door, sock=self._socket, backlog=128)
        await self._ending.wait()
        listener.close()
        for task in tasks:
            task.cancel()
        if self._viewers:
            await asyncio.wait([asyncio.ensure_future(self._part(v)) for v in self._viewers],
                               timeout=1.0)  # fmt: skip
        try:
            await asyncio.wait_for(runner.cleanup(), 2.0)
        except asyncio.TimeoutError:
            pass  # a browser that does not answer: the process ends without it

    async def _part(self, viewer):
        """The last state to one browser, and goodbye."""
        try:
            if self._news is not None:
                await viewer.socket.send_str(self._news.state)
            await viewer.socket.close(code=1001)
        except (ConnectionError, RuntimeError):
            pass  # it has gone before us

    async def _read_sensors(self):
        """Temperature, clock and power once a second, while somebody looks."""
        telemetry = await self._loop.run_in_executor(None, _telemetry)
        while telemetry is not None:
            if self._viewers:
                sample = await self._loop.run_in_executor(None, telemetry.read)
                self._board = api.board_figures(sample)
            await asyncio.sleep(1.0)

    def _spread(self, news):
        self._news = news
        for viewer in self._viewers:
            viewer.news.set()
        self._look_who_is_ready()

    def _look_who_is_ready(self):
        if any(viewer.ready for viewer in self._viewers):
            self._wanted.set()
        else:
            self._wanted.clear()

    @web.middleware
    async def _check(self, request, handler):
        """Every request: may it pass? Every answer: the headers; errors as JSON."""
        self._door.busy(request.transport)
        try:
            if request.path != "/enter":
                self.guard.check(
                    request.host, request.headers.get("Origin"), request.cookies.get(self._cookie),
                    _bearer(request), request.remote,
                )  # fmt: skip
            response = await handler(request)
        except (Forbidden, Refused) as error:
            response = _error(error.status, str(error))
        except web.HTTPException as error:
            response = _error(error.status, error.reason.lower(), error.headers.get("Allow"))
        except asyncio.TimeoutError:
            response = _error(504, "the run did not answer in time")
        if request.transport is not None:
            self._door.idle(request.transport)
        if not response.prepared:
            response.headers.update(HEADERS)
            response.headers["Content-Security-Policy"] = _policy(request.host)
        return response

    async def _watch(self, request):
        """The socket: state and pictures to the browser, what it has shown from it."""
        if len(self._viewers) >= VIEWERS:
            raise Refused(503, "{} browsers watch, and no more can".format(VIEWERS))
        socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, compress=False)
        if not socket.can_prepare(request).ok:
            raise Refused(400, "this address is for web sockets")
        await socket.prepare(request)
        viewer = Viewer(socket)
        self._viewers.add(viewer)
        self._look_who_is_ready()
        sender = asyncio.ensure_future(self._send(viewer))
        self.desk.nudge()
        try:
            async for message in socket:
                if message.type != WSMsgType.TEXT:
                    raise ValueError
                held = viewer.hear(message.data)
                if held:
                    self.desk.ring.hold(viewer, held[0])
                else:
                    viewer.news.set()
                self._look_who_is_ready()
        except ValueError:
            await socket.close(code=1008, message=b"not understood")
        finally:
            sender.cancel()
            self._viewers.discard(viewer)
            self.desk.ring.hold(viewer, None)
            self._look_who_is_ready()
        return socket

    async def _send(self, viewer):
        """The newest state and picture, whenever the browser has shown an earlier one."""
        told = None
        while True:
            await viewer.news.wait()
            viewer.news.clear()
            news = self._news
            if news is None or not viewer.ready or viewer.socket.closed:
                continue
            try:
                if news is not told:  # also when nothing changed: silence means a lost connection
                    told = news
                    await viewer.socket.send_str(news.state)
                if news.jpeg is not None and news.index != viewer.last:
                    viewer.last = news.index
                    viewer.sent.append(news.index)
                    await viewer.socket.send_bytes(struct.pack(">Q", news.index) + news.jpeg)
            except (ConnectionError, RuntimeError):
                return  # it left; the reader sees that too

    async def _enter(self, request):
        value = self.guard.enter(request.query.get("token"), request.remote)
        response = web.Response(status=303, headers={"Location": "/"})
        if value:
            # Lax, for Strict is not sent after a link in a chat was followed; what changes
            # something is no GET and must come from the page itself
            response.set_cookie(self._cookie, value, httponly=True, samesite="Lax", path="/")
        return response

    async def _static(self, request):
        name = request.path[1:] or "index.html"
        return web.Response(
            body=self.files[name], content_type=KINDS[os.path.splitext(name)[1]], charset="utf-8"
        )


def _bearer(request):
    """The token of ``Authorization: Bearer``, or None."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _policy(host):
    """Content-Security-Policy: the page's own files, nothing inline, nothing from elsewhere."""
    # older browsers do not count web sockets as 'self'
    sockets = " ws://{0} wss://{0}".format(host) if re.match(r"[\w.:\[\]-]+$", host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'{}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'".format(sockets)
    )


def _error(status, text, allow=None):
    """An answer that says what is wrong."""
    headers = {"Allow": allow} if allow else {}
    if status in (429, 503):
        headers["Retry-After"] = "60" if status == 429 else "2"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response({"error": text}, status=status, headers=headers)


def _read_files():
    """The page's files: dict of name -> bytes."""
    files = {}
    for name in sorted(os.listdir(FOLDER)):
        if os.path.splitext(name)[1] in KINDS:
            with open(os.path.join(FOLDER, name), "rb") as file:
                files[name] = file.read()
    return files


def _telemetry():
    """The board's sensors; None where they can't be looked for."""
    try:
        return Telemetry("/", detect("/").board)
    except (HotpathError, OSError):
        return None
