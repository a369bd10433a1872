"""Run the link in a thread: receive, answer and report. The frame loop never waits for it."""

import select
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional, Tuple

import numpy as np

from runtime.links.mavlink import numbers as m
from runtime.links.mavlink import packets
from runtime.links.mavlink.camera import Camera
from runtime.links.mavlink.definition import PATH, Settings, definition
from runtime.links.mavlink.ftp import FileServer
from runtime.links.mavlink.geo import Geo
from runtime.links.mavlink.gimbal_manager import GimbalManager
from runtime.links.mavlink.message import Message, Outgoing
from runtime.links.mavlink.reports import DEFINITION_VERSION
from runtime.links.mavlink.run import View
from runtime.links.mavlink.transport import Address, Transport, UdpIn

if TYPE_CHECKING:  # it needs pymavlink
    from runtime.links.mavlink.codec import Codec

WAIT_S = 0.05  # longest pause between two looks at what is due
WANTED = frozenset(
    (
        0,  # HEARTBEAT: keeps a gimbal manager's link up
        30,
        33,  # ATTITUDE, GLOBAL_POSITION_INT of the vehicle
        75,
        76,  # COMMAND_INT, COMMAND_LONG
        77,  # COMMAND_ACK of the gimbal manager
        110,  # FILE_TRANSFER_PROTOCOL
        111,  # TIMESYNC
        280,
        281,
        285,  # gimbal manager and gimbal device
        320,
        321,
        323,  # PARAM_EXT_REQUEST_READ, PARAM_EXT_REQUEST_LIST, PARAM_EXT_SET
    )
)
LATENCIES = 20000  # most that are kept for the summary


class Service:
    """The MAVLink side of a run.

    Args:
        transport: carries the bytes.
        codec: encodes and decodes the messages.
        camera: answers commands and reports the target.
        geo: gets the vehicle's position and attitude; may be None.
        gimbal: steers the gimbal; may be None.
        key: 32 bytes that packets must be signed with, or None.
        rate: most packets a second from one sender.

    Attributes:
        failures: exceptions that were caught while a packet was answered; 0 unless there is a bug.
        last_failure: the last of them, or None.
        heard, sent: packets that were decoded and sent.
        refused: dict of reason -> packets that were not decoded.
    """

    def __init__(
        self,
        transport: Transport,
        codec: "Codec",
        camera: Camera,
        geo: Optional[Geo] = None,
        gimbal: Optional[GimbalManager] = None,
        key: Optional[bytes] = None,
        rate: float = 200.0,
    ) -> None:
        self.transport, self.camera = transport, camera
        self.failures = self.heard = self.sent = 0
        self.last_failure: Optional[Exception] = None
        self._codec, self._geo, self._gimbal = codec, geo, gimbal
        me = camera.identity
        file = definition(me.model, DEFINITION_VERSION, camera)
        self._settings = Settings(camera, me.system, me.component)
        self._files = FileServer({PATH: file}, me.system, me.component)
        signatures = packets.Signatures(key) if key is not None else None
        self._gate = packets.Gate(WANTED, signatures, rate)
        self.refused = self._gate.counts
        self._splitter = packets.Splitter()
        self._view: Optional[View] = None
        self._latency_ms: Deque[float] = deque(maxlen=LATENCIES)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mavlink", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def show(self, view: View) -> None:
        """Report a tracked frame. The frame loop calls this; it returns at once."""
        self._view = view
        try:
            self._wake_out.send(b"\0")
        except OSError:
            pass  # the thread is awake already, or the link is closed

    def close(self) -> None:
        """Stop the thread and close the link; may be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self.transport.close()
        self._wake_in.close()
        self._wake_out.close()

    def latency_ms(self) -> Dict[str, float]:
        """Glass to command: from the capture of a frame until its messages were sent.

        Returns:
            dict of "median", "p95", "p99" in milliseconds; empty before the first frame.
        """
        kept = list(self._latency_ms)
        if not kept:
            return {}
        return dict(zip(("median", "p95", "p99"), np.percentile(kept, (50, 95, 99)).tolist()))

    # in the thread

    def _run(self) -> None:
        """Receive, answer and report until the link is closed."""
        shown: Optional[View] = None
        while not self._closing.is_set():
            self._wait()
            now = time.monotonic()
            view = self._view
            out: List[Outgoing] = []
            for peer, data in self.transport.receive():
                out += self.take(peer, data, now)
            fresh = view if view is not shown else None
            shown = view
            if self._gimbal is not None:
                out += self._gimbal.frame(fresh, now) if fresh else self._gimbal.tick(now)
            out += self.camera.tick(now)
            self._send(out)
            if fresh:
                self._latency_ms.append((time.monotonic() - fresh.captured_s) * 1e3)

    def _wait(self) -> None:
        """Wait for bytes or a frame, at most ``WAIT_S``."""
        watched: List[Any] = [self._wake_in]
        if self.transport.fileno() is not None:
            watched.append(self.transport.fileno())
        try:
            readable, _, _ = select.select(watched, [], [], WAIT_S)
        except (OSError, ValueError):  # the link was closed meanwhile
            time.sleep(WAIT_S)
            return
        if self._wake_in in readable:
            try:
                self._wake_in.recv(4096)
            except OSError:
                pass

    def take(self, peer: Optional[Address], data: bytes, now: float) -> List[Outgoing]:
        """Decode received bytes, and return the messages to send in answer.

        Args:
            peer: who sent a datagram; None: the bytes come from a stream.
            data: the bytes.
            now: seconds of the monotonic clock.
        """
        # a datagram holds whole packets; a stream may deliver them in pieces
        splitter = self._splitter if peer is None else packets.Splitter()
        out: List[Outgoing] = []
        for packet in splitter.feed(data):
            if not self._gate.passes(packet, now, time.time()):
                continue
            message = self._codec.decode(packet)
            if message is None:
                continue
            self.heard += 1
            if isinstance(self.transport, UdpIn) and peer is not None:
                self.transport.welcome(peer)
            try:
                out += self._hear(message, now)
            except Exception as error:  # no packet may end the run
                self.failures += 1
                self.last_failure = error
        return out

    def _hear(self, message: Message, now: float) -> List[Outgoing]:
        if (message.system, message.component) == self._me:
            return []  # our own message, which a router sent back
        if self._geo is not None and self._of_vehicle(message):
            self._geo.hear(message, now)
        if self._gimbal is not None:
            self._gimbal.hear(message, now)
        out = self.camera.hear(message, now)
        return out + self._settings.hear(message) + self._files.hear(message)

    @property
    def _me(self) -> Tuple[int, int]:
        """(system, component) of ours."""
        return self.camera.identity.system, self.camera.identity.component

    def _of_vehicle(self, message: Message) -> bool:
        """Whether the autopilot of our vehicle sent it."""
        return message.system == self._me[0] and message.component == m.COMPONENT_AUTOPILOT

    def _send(self, out: List[Outgoing]) -> None:
        for name, fields in out:
            self._codec.renew(packets.ticks_at(time.time()))
            self.transport.send(self._codec.encode(name, fields))
            self.sent += 1
