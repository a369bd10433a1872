"""Run the link in a thread: receive, answer and report. The frame loop never waits for it."""

import contextlib
import os
import secrets
import select
import socket
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, List, Optional

import numpy as np

from hotpath.links import (
    Context,
    Link,
    LinkThread,
    StreamOptions,
    cache,
    counted,
    stream_address,
    why_unread,
)
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.directions import vertical_fov_deg
from hotpath.video.base import TrackedFrame
from hotpath_vehicle import steering
from hotpath_vehicle.aim.calibration import from_options
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink import packets, steering_lock
from hotpath_vehicle.mavlink.camera import NEW_S, MavlinkCamera
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.geo import Geo
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.messages import Message, Outgoing, TargetView
from hotpath_vehicle.mavlink.reports import CHUNK, CameraIdentity, VideoStream
from hotpath_vehicle.mavlink.transport import Address, Transport, open_transport
from hotpath_vehicle.plug import GimbalOptions, MavlinkOptions

check_run = steering.check_run
KEY_BYTES = 32
LEDGERS = os.path.join(cache.USERS, "mavlink")
WAIT_S = 0.05  # longest pause between two looks at what is due
# HEARTBEAT, ATTITUDE and GLOBAL_POSITION_INT of the vehicle, COMMAND_INT, COMMAND_LONG, COMMAND_ACK
# of the gimbal manager, TIMESYNC, gimbal manager and device
WANTED = frozenset((0, 30, 33, 75, 76, 77, 111, 280, 281, 285))
UNHEARD_S = 3.0  # until the user is told that nothing was heard
LISTEN_S = 2.5  # for as long it steers nothing, since another one may
NOTE_S = 10.0  # least between two sentences on peers
LATENCIES = 20000  # most that are kept for the summary


class Service(Link):
    """The MAVLink side of a run.

    Args:
        transport: carries the bytes.
        codec: encodes and decodes the messages.
        camera: answers commands and reports the target.
        geo: gets the vehicle's position and attitude; may be None.
        gimbal: steers the gimbal; may be None.
        key: 32 bytes that packets must be signed with, or None.
        rate: most packets a second from one component.
        say: function of one line of text for the user.
        ledger: folder that keeps the time stamps of signatures; None: they are kept in memory.
        address: of the link, for the sentences that nobody is heard there; "" says none.

    Attributes:
        failures: messages that could not be answered or encoded; 0 unless there is a bug.
        last_failure: why the last of them could not, or None.
        heard, sent: packets that were decoded, and that were given to ``transport``.
        refused: dict of reason -> packets that were not decoded.
    """

    def __init__(
        self,
        transport: Transport,
        codec: Codec,
        camera: MavlinkCamera,
        geo: Optional[Geo] = None,
        gimbal: Optional[GimbalManager] = None,
        key: Optional[bytes] = None,
        rate: float = 200.0,
        say: Callable[[str], None] = lambda text: None,
        ledger: Optional[str] = None,
        address: str = "",
    ) -> None:
        self._address = address
        self._unheard = bool(address)  # until it was said or is no longer true
        self.transport, self.camera, self._say = transport, camera, say
        self.failures = self.heard = self.sent = 0
        self.last_failure: Optional[Exception] = None
        self._codec, self._geo, self._gimbal = codec, geo, gimbal
        self._signatures = None if key is None else packets.Signatures(key, ledger, say)
        self._gate = packets.Gate(WANTED, self._signatures, rate)
        self.refused = self._gate.counts
        # of a stream, which may begin a packet and end it later
        self._splitter = packets.Splitter()
        self._view: Optional[TargetView] = None
        self._latency_ms: Deque[float] = deque(maxlen=LATENCIES)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._text = b""  # of a STATUSTEXT, until its last chunk
        self._began_s = time.monotonic()
        self._noted_s = -NOTE_S
        self._foreign = 0  # heartbeats of another run with our ids
        self.name_taken: Optional[socket.socket] = None  # while this run steers
        self._closing = threading.Event()
        self.threads = (LinkThread("mavlink", self._run),)

    def start(self) -> None:
        """Start the thread."""
        self.threads[0].start()

    def write(self, tracked: TrackedFrame) -> None:
        """Report a tracked frame. The frame loop calls this; it returns at once."""
        self._view = self.camera.run.view_of(tracked)
        with contextlib.suppress(OSError):  # the thread is awake already, or the link is closed
            self._wake_out.send(b"\0")

    def lines(self) -> List[str]:
        """Packets, and the time from the capture of a frame until its messages were sent."""
        bad = f", {self.failures} not understood" if self.failures else ""
        lines = [
            f"mavlink: {counted(self.heard, 'packet')} heard, "
            f"{self.sent - self.transport.unsent} sent, "
            f"{sum(self.refused.values())} refused{bad}"
        ]
        if self._latency_ms:
            median, p95, p99 = np.percentile(list(self._latency_ms), (50, 95, 99))
            lines.append(
                f"frame to command: {median:.1f} ms (median; p95 {p95:.1f}, p99 {p99:.1f})"
            )
        return lines

    def close(self) -> None:
        """Stop the thread and close the link; may be called twice.

        Raises:
            BadOutput: the link never opened, though there were frames to report.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        if self.threads[0].is_alive():
            self.threads[0].join(2.0)
        self.transport.close()
        if self.name_taken:
            self.name_taken.close()
        self._wake_in.close()
        self._wake_out.close()
        if self._view and self.sent and self.sent == self.transport.unsent and not self.heard:
            raise BadOutput(
                f"--mavlink {self._address}: nothing was delivered, because the link never opened; "
                "check the address, and that the other side is there",
                what="not delivered",
            )

    # in the thread

    def _run(self) -> None:
        """Receive, answer and report until the link is closed; however that ends, stop."""
        try:
            self._serve()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Stop what is steered; packets may be lost, so it is said several times."""
        for _ in range(steering.STOPS):
            now = time.monotonic()
            sent = self.sent
            if self._gimbal:
                self._send(self._guarded(self._gimbal.leave, now))
            if self.sent > sent:
                self.transport.drain()
                time.sleep(steering.STOP_PAUSE_S)

    def _serve(self) -> None:
        shown: Optional[TargetView] = None
        while not self._closing.is_set():
            self._wait()
            now = time.monotonic()
            view = self._view
            out: List[Outgoing] = []
            for peer, data in self.transport.receive():
                out += self.take(peer, data, now)
            fresh = view if view is not shown else None
            shown = view
            if self._gimbal and now - self._began_s > LISTEN_S:
                out += self._gimbal.frame(fresh, now) if fresh else self._gimbal.tick(now)
            out += self.camera.tick(now)
            self._send(out)
            self._say_if_unheard(now)
            self._say_note(now)
            if fresh:
                self._latency_ms.append((time.monotonic() - fresh.captured_s) * 1e3)

    def _say_if_unheard(self, now: float) -> None:
        """Say once, after ``UNHEARD_S``, that the run waits for somebody at the address."""
        if self._unheard and (self.heard or now - self._began_s > UNHEARD_S):
            if not self.heard:
                self._say(
                    f"mavlink: waiting for a first packet at {self._address}; start the ground "
                    "station or the router there, or end this run with Ctrl-C"
                )
            self._unheard = False

    def _say_note(self, now: float) -> None:
        """Say who is not answered, at most once in ``NOTE_S``."""
        if self.transport.note and now - self._noted_s >= NOTE_S:
            self._say(f"mavlink: {self.transport.note}")
            self._noted_s = now
        self.transport.note = None

    def _wait(self) -> None:
        """Wait for bytes or a frame, at most ``WAIT_S``."""
        number = self.transport.fileno()
        watched: List[Any] = [self._wake_in] + ([] if number is None else [number])
        try:
            readable, _, _ = select.select(watched, [], [], WAIT_S)
        except (OSError, ValueError):  # the link was closed meanwhile
            time.sleep(WAIT_S)
            return
        if self._wake_in in readable:
            with contextlib.suppress(OSError):
                self._wake_in.recv(4096)

    def take(self, peer: Optional[Address], data: bytes, now: float) -> List[Outgoing]:
        """Decode received bytes, and return the messages to send in answer.

        Args:
            peer: who sent a datagram; None: the bytes come from a stream.
            data: the bytes.
            now: seconds of the monotonic clock.
        """
        splitter = packets.Splitter() if peer else self._splitter  # a datagram has whole packets
        out: List[Outgoing] = []
        for packet in splitter.feed(data):
            if not self._gate.passes(packet, now, time.time(), peer[0] if peer else None):
                continue
            message = self._codec.decode(packet)
            if message is None:
                continue
            self.heard += 1
            if peer is not None:
                self.transport.welcome(peer, now)
            out += self._guarded(self._answers, message, now)
        return out

    def _guarded(self, function: Callable[..., List[Any]], *given: Any) -> List[Any]:
        """What a function gives for one message; nothing if it fails, which is counted."""
        try:
            return function(*given)
        except BadOutput:
            raise
        except Exception as error:  # no message may end the run
            self.failures += 1
            self.last_failure = error
            return []

    def _answers(self, message: Message, now: float) -> List[Outgoing]:
        me = self.camera.identity
        if (message.system, message.component) == (me.system, me.component):
            if message.name == "HEARTBEAT":
                self._meet(message.fields["custom_mode"], now)
            return []  # our own message, which a router sent back
        if self._geo is not None and message.system == me.system:
            self._geo.receive(message, now)
        if self._gimbal:
            self._gimbal.receive(message, now)
        return self.camera.receive(message, now)

    def _meet(self, mark: int, now: float) -> None:
        """Another run may have our ids: the newer one ends, and leaves the gimbal to the other.

        One heartbeat may still be on its way from an earlier run, so it takes two.
        """
        me = self.camera.identity
        self._foreign += mark & ~m.SETTLED != me.mark
        if self._foreign < 2 or mark & ~m.SETTLED == me.mark:
            return
        is_later = mark & m.SETTLED or mark < me.mark  # of two new ones the larger mark gives way
        if is_later and now - self._began_s < NEW_S:
            self._gimbal = None
            raise BadOutput(
                f"--mavlink: another run is component {me.component} of system {me.system}; end "
                "it, or give this run another --mavlink-component",
                what="another run",
            )
        if self._foreign == 2:
            self._say(f"mavlink: another run has also begun as component {me.component}")

    def _send(self, out: List[Outgoing]) -> None:
        for name, fields in out:
            if name == "STATUSTEXT":
                self._text += fields["text"]
                if len(fields["text"]) < CHUNK:  # the last one
                    self._say(self._text.decode())
                    self._text = b""
            ticks = packets.ticks_at(time.time())
            self._codec.renew(self._signatures.sent(ticks) if self._signatures else ticks)
            for packet in self._guarded(self._encoded, name, fields):
                self.transport.send(packet)
                self.sent += 1

    def _encoded(self, name: str, fields: Any) -> List[bytes]:
        return [self._codec.encode(name, fields)]


def open_link(context: Context) -> Service:
    """The link of ``--mavlink``; see ``base.Context``.

    Raises:
        BadOutput, BadSettings: an address, a key or a gimbal's file that can't be used.
    """
    options, size = context.options, context.size
    mavlink, gimbal_options = options.of(MavlinkOptions), options.of(GimbalOptions)
    me = (mavlink.system, mavlink.component)
    fov: Any = options.fov and (
        options.fov[0],
        options.fov[-1] if len(options.fov) > 1 else vertical_fov_deg(options.fov[0], size),
    )
    geo = Geo(fov) if fov else None
    gimbal = None
    if gimbal_options.name is not None and not gimbal_options.is_onvif:
        settings = load_settings(gimbal_options.name or None)
        link_s = settings["lost"]["link"]
        aim = Follow(settings, fov, from_options(options, size))
        gimbal = GimbalManager(aim, *me, link_s, context.holds)
    kind = m.TYPE_ONBOARD_CONTROLLER if mavlink.type == "onboard" else m.TYPE_CAMERA
    mark = 1 + secrets.randbelow(m.SETTLED - 1)
    written = [path for path in (options.save, options.results) if path and path != "-"]
    folder = os.path.dirname(os.path.abspath(written[0])) if written else None
    identity = CameraIdentity(
        *me, context.network, fov, streams(options.stream), folder, kind, mark
    )
    assert context.run is not None, "MAVLink selects targets"
    loop = Loop(context.run, gimbal is not None)
    camera = MavlinkCamera(loop, identity, geo, mavlink.delay_s)
    service = begin(mavlink, camera, geo, gimbal, context.say, mavlink.url)
    if service.transport.fileno() is None:
        why = service.transport.why_closed
        context.say(f"--mavlink {mavlink.url}: {why}; it is tried again and again")
    service.start()
    return service


def begin(
    mavlink: MavlinkOptions,
    camera: Any,
    geo: Optional[Geo],
    gimbal: Optional[GimbalManager],
    say: Callable[[str], None],
    address: str = "",
) -> Service:
    """A ``Service`` at the address of the options, not yet started; raises ``BadOutput``."""
    key = read_key(mavlink.key) if mavlink.key else None
    me = (mavlink.system, mavlink.component)
    name = steering_lock.take(mavlink.url, me) if gimbal else None
    transport, codec = open_transport(mavlink.url, mavlink.allow or ()), Codec(*me, key)
    service = Service(
        transport, codec, camera, geo, gimbal, key, say=say, ledger=LEDGERS, address=address
    )
    service.name_taken = name
    return service


def read_key(path: str) -> bytes:
    """The 32 bytes of a key file: as they are, or as 64 hex digits.

    Raises:
        BadOutput: no such file, or another length.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(1024)
        text = data.strip()
        key = bytes(bytearray.fromhex(text.decode("ascii"))) if len(text) == 64 else data
    except ValueError:
        raise BadOutput(f"--mavlink-key {path}: is not 64 hex digits; correct the file") from None
    except OSError as error:
        raise BadOutput(
            f"--mavlink-key {path}: {why_unread(error)}", what="not read", where=path
        ) from None
    if len(key) != KEY_BYTES:
        raise BadOutput(
            f"--mavlink-key {path}: holds {counted(len(data), 'byte')}; write 32, or 64 hex digits",
            what="wrong size",
        )
    return key


def streams(options: StreamOptions) -> List[VideoStream]:
    """What a ground station is told of the streams of ``--stream``."""
    kinds = {"rtsp": m.STREAM_RTSP, "rtp": m.STREAM_RTPUDP, "udp": m.STREAM_MPEG_TS}
    told = []
    for number, text in enumerate(options.addresses, 1):
        address = stream_address(text)
        name = "tracked" if number == 1 else f"tracked {number}"  # chosen by its name
        # without a server, the ground station is told the port at which it listens
        uri = address.for_viewers if address.scheme == "rtsp" else str(address.port)
        told.append(VideoStream(kinds[address.scheme], uri, name, options.kbps * 1000))
    return told
