"""``--stream``: send the picture as H.264, with PyAV.

| address | what is sent |
|---|---|
| udp://HOST:PORT | an MPEG transport stream |
| rtp://HOST:PORT | RTP (RFC 6184, payload type 96), as ground stations take it |
| rtsp://HOST:PORT/PATH | the same, to a server such as MediaMTX, which serves it to others |

Each address has a thread with its own encoder, which takes the newest frame. So nothing that is
slow or away keeps the frame loop waiting. PyAV never opens an address here, because it would keep
every thread of Python waiting for a server that hangs: datagrams go to a socket, and the
conversation with an RTSP server is held by a process (``rtsp_push``) that gets the encoded picture.
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Callable, List, Optional, Tuple, Type
from urllib.parse import quote

from hotpath.app.links.base import (
    Context,
    Link,
    LinkThread,
    StreamAddress,
    parse_address,
    read_login,
    resolve_address,
)
from hotpath.app.option_records import LinkOptions
from hotpath.base.messages import counted
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.base import TrackedFrame
from hotpath.video.drawing import draw
from hotpath.video.encoder import DEFAULT_FPS, Encoder, EncoderSettings, drawn_canvas, load_pyav

# FFmpeg's container and its options; what goes to an RTSP server is converted by ``rtsp_push``
MPEG_TS = ("mpegts", {"flush_packets": "1"})
FORMS = {"udp": MPEG_TS, "rtsp": MPEG_TS, "rtp": ("rtp", {"packetsize": "1200"})}
DATAGRAM = 7 * 188  # bytes: packets of MPEG-TS in a datagram
RTCP = range(200, 205)  # its packet types (RFC 3550); it has the next port
PUSH = ("-m", "hotpath.app.links.rtsp_push")
RETRY_S = (1.0, 30.0)  # after a failure: first and longest pause
AGAIN_S = 60.0  # a failure is said as often
STALLED_S = 10.0  # after which an address that takes nothing is opened anew
END_S = 4.0  # for a thread to say goodbye


class Datagrams:
    """What an encoder writes to: it sends datagrams.

    Raises:
        OSError: there is no such host.

    Attributes:
        sends: whether something arrives at the address, as far as can be known.
    """

    sends = True

    def __init__(self, address: StreamAddress) -> None:
        self._is_rtp = address.scheme == "rtp"
        family, self._place = resolve_address(address.host, address.port, socket.SOCK_DGRAM)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(STALLED_S)

    def write(self, data: bytes) -> int:
        """Send a packet of RTP, or some of MPEG-TS."""
        host, port, *more = self._place
        if self._is_rtp:
            self._socket.sendto(data, (host, port + (data[1] in RTCP), *more))
            return len(data)
        for at in range(0, len(data), DATAGRAM):
            self._socket.sendto(data[at : at + DATAGRAM], self._place)
        return len(data)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Push:
    """What an encoder writes to: a process that sends it to an RTSP server.

    Raises:
        OSError: the process can't be started; in ``write``: it ended, or takes nothing.
    """

    def __init__(self, address: StreamAddress) -> None:
        resolve_address(address.host, address.port, socket.SOCK_STREAM)
        self._process = _start_push(address.url)
        self._sends = False

    @property
    def sends(self) -> bool:
        """Whether the server took a picture."""
        out = self._process.stdout
        if not self._sends and select.select([out], [], [], 0)[0]:
            self._sends = bool(out.read(1))
        return self._sends

    def write(self, data: bytes) -> int:
        """Give the process what was encoded."""
        view, pipe = memoryview(data), self._process.stdin.fileno()
        while view:
            if not select.select([], [pipe], [], STALLED_S)[1]:
                raise OSError(f"it takes nothing for {STALLED_S:g} s")
            try:
                view = view[os.write(pipe, view) :]
            except BrokenPipeError:
                messages = self._process.stderr.read().decode(errors="replace").strip()
                raise OSError(messages.rpartition("\n")[2] or "it ended") from None
        return len(data)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(END_S / 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


def _start_push(url: str) -> Any:
    paths = os.pathsep.join(filter(None, sys.path))
    process: Any = subprocess.Popen(
        [sys.executable, *PUSH],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the tracker's to answer
        bufsize=0,
        # not among the arguments, which every user can list
        env=dict(os.environ, HOTPATH_PUSH=url, HOTPATH_PARENT=str(os.getpid()), PYTHONPATH=paths),
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


class Sender:
    """Sends the newest frame to one address, and opens it again where that fails.

    Args:
        address: the ``StreamAddress``.
        settings: of the encoder.
        box: whether boxes are drawn.
        say: function of one line of text for the user.

    Attributes:
        sent: frames that were sent.
        problem: why the last frame was not sent, or None.
        thread: a ``LinkThread``.
    """

    def __init__(
        self,
        address: StreamAddress,
        settings: EncoderSettings,
        box: bool,
        say: Callable[[str], None],
    ) -> None:
        self.address = address
        self.sent = 0
        self.problem: Optional[str] = None
        self._settings, self._box, self._say = settings, box, say
        self._said_s = -AGAIN_S
        self._news = threading.Condition()
        self._shown: Optional[TrackedFrame] = None  # the newest frame, until it is taken
        self._closing = False
        self._target: Any = None
        self._encoder: Optional[Encoder] = None
        self.thread = LinkThread("stream", self._run)
        self.thread.start()

    def show(self, tracked: TrackedFrame) -> None:
        """Keep the newest frame for the thread."""
        with self._news:
            self._shown = tracked
            self._news.notify_all()

    def close(self) -> None:
        """End the stream. A thread that hangs in the network is left behind."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self.thread.join(END_S)

    def _run(self) -> None:
        """The thread: open, encode and send."""
        errors = (OSError, ValueError, BadOutput, load_pyav("--stream").FFmpegError)
        pause_s = RETRY_S[0]
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closing or self._shown is not None)
                shown, self._shown = self._shown, None
            if self._closing or shown is None:
                break
            try:
                self._send(shown)
                pause_s = RETRY_S[0]
            except errors as error:
                self._end(errors)
                self._tell(str(getattr(error, "strerror", None) or error))
                with self._news:
                    self._news.wait_for(lambda: self._closing, pause_s)
                pause_s = min(2 * pause_s, RETRY_S[1])
        self._end(errors)

    def _send(self, shown: TrackedFrame) -> None:
        """Send one frame, with the time when it was captured."""
        tracks = shown.drawn_tracks() if self._box else {}
        frame: Any = drawn_canvas(shown.frame, tracks, {})
        if frame is None:
            frame = bgr_of(shown.frame)
            frame = draw(frame, tracks) if tracks else frame
        if self._encoder is None:
            self._target = (Push if self.address.scheme == "rtsp" else Datagrams)(self.address)
            self._encoder = Encoder(self._target, self._settings, frame, self._say)
            self._zero_s = shown.captured_s
        self._encoder.write(frame, shown.captured_s - self._zero_s)
        if self._target.sends:
            self.sent += 1
            self.problem = None

    def _end(self, errors: Tuple[Type[BaseException], ...]) -> None:
        """Close the encoder; the address may be gone."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            with contextlib.suppress(*errors):
                encoder.close()
        target, self._target = self._target, None
        if target is not None:
            target.close()

    def _tell(self, problem: str) -> None:
        """Keep why nothing is sent, and say it every minute."""
        self.problem = problem
        now_s = time.monotonic()
        if now_s >= self._said_s + AGAIN_S:
            self._said_s = now_s
            self._say(f"stream: {self.address.shown} takes no picture ({problem}); still trying")


class Streams(Link):
    """The ``Sender``s of a run."""

    def __init__(self, senders: List[Sender]) -> None:
        self._senders = senders
        self.threads = tuple(sender.thread for sender in senders)

    def write(self, tracked: TrackedFrame) -> None:
        """Keep the newest frame for each address."""
        if not tracked.captured_s:
            tracked = tracked._replace(captured_s=time.monotonic())
        for sender in self._senders:
            sender.show(tracked)

    def lines(self) -> List[str]:
        """How much was sent."""
        return [
            f"stream: {counted(sender.sent, 'frame')} to {sender.address.shown}"
            for sender in self._senders
        ]

    def close(self) -> None:
        """End all streams.

        Raises:
            BadOutput: an address took no frame at all.
        """
        for sender in self._senders:
            sender.close()
        for sender in self._senders:
            if sender.problem and not sender.sent:
                raise BadOutput(
                    f"--stream {sender.address.shown}: {sender.problem}", what="not sent"
                )


def check_options(options: LinkOptions) -> None:
    """Refuse addresses that can't be used, before anything is opened.

    Raises:
        BadOutput: a wrong address or login, or no PyAV.
    """
    for address in options.stream.addresses:
        parse_address(address)
    read_login("stream-login", options.stream.login)
    load_pyav("--stream")


def open_link(context: Context) -> Streams:
    """The link of ``--stream``."""
    options = context.options.stream
    names = read_login("stream-login", options.login)
    login = ":".join(quote(name, safe="") for name in names)
    rate = str(options.kbps * 1000)
    codec = {"preset": "ultrafast", "b": rate, "maxrate": rate, "bufsize": rate}
    senders = []
    for text in options.addresses:
        address = parse_address(text)
        if address.scheme == "rtsp" and not address.login and len(login) > 1:
            address = address._replace(login=login)
        form, container = FORMS[address.scheme]
        settings = EncoderSettings(form, context.fps or DEFAULT_FPS, container, codec, threads=1)
        senders.append(Sender(address, settings, not options.plain, context.say))
    return Streams(senders)
