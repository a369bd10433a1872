"""Run the link: a thread that hears, answers and reports. The frame loop never waits for it."""

import select
import socket
import threading
import time
from collections import deque

import numpy as np

from runtime.mavlink import frames
from runtime.mavlink import numbers as m
from runtime.mavlink.transport import UdpIn

WAIT_S = 0.05  # longest pause; streams and heartbeats are looked at so often
WANTED = frozenset(
    (
        0,  # HEARTBEAT: keeps a gimbal manager's link up
        30,
        33,  # ATTITUDE, GLOBAL_POSITION_INT of the vehicle
        75,
        76,  # COMMAND_INT, COMMAND_LONG
        77,  # COMMAND_ACK of the gimbal manager
        111,  # TIMESYNC
        280,
        281,
        285,  # gimbal manager and gimbal device
    )
)
LATENCIES = 20000  # kept for the summary


class Service:
    """The MAVLink side of a run.

    Args:
        transport: ``transport.Transport``.
        codec: ``codec.Codec``.
        camera: ``camera.Camera``.
        geo: ``geo.Geo`` or None.
        gimbal: ``gimbal_manager.GimbalManager`` or None.
        key: bytes that packets must be signed with, or None.
        rate: packets a second that are taken of one sender.

    Attributes:
        failures: exceptions that were caught while a packet was worked on; 0 unless there is a bug.
        heard, sent: packets that were decoded and sent.
        refused: dict of reason -> packets that were not decoded.
    """

    def __init__(self, transport, codec, camera, geo=None, gimbal=None, key=None, rate=200.0):
        self.transport, self.camera = transport, camera
        self.failures = self.heard = self.sent = 0
        self.last_failure = None
        self._codec, self._geo, self._gimbal = codec, geo, gimbal
        signatures = frames.Signatures(key) if key is not None else None
        self._gate = frames.Gate(WANTED, signatures, rate)
        self.refused = self._gate.counts
        self._splitter = frames.Splitter()
        self._view = None
        self._latency_ms = deque(maxlen=LATENCIES)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mavlink", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def show(self, view) -> None:
        """A frame was tracked. Called by the frame loop; returns at once."""
        self._view = view
        try:
            self._wake_out.send(b"\0")
        except OSError:
            pass  # it is awake, or closed

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self.transport.close()
        self._wake_in.close()
        self._wake_out.close()

    def latency_ms(self):
        """Glass to command: from the capture of a frame to the sending of what it causes.

        Returns:
            dict of "median", "p95", "p99" in milliseconds; empty before the first frame.
        """
        kept = list(self._latency_ms)
        if not kept:
            return {}
        return dict(zip(("median", "p95", "p99"), np.percentile(kept, (50, 95, 99)).tolist()))

    # the thread's

    def _run(self):
        shown = None
        while not self._closing.is_set():
            self._wait()
            now = time.monotonic()
            view, out = self._view, []
            for peer, data in self.transport.receive():
                out += self.take(peer, data, now)
            fresh = view is not None and view is not shown
            shown = view
            if fresh and self._gimbal is not None:
                out += self._gimbal.frame(view, now)
            elif self._gimbal is not None:
                out += self._gimbal.tick(now)
            out += self.camera.tick(now)
            self._send(out)
            if fresh:
                self._latency_ms.append((time.monotonic() - view.captured_s) * 1e3)

    def _wait(self):
        watched = [self._wake_in]
        if self.transport.fileno() is not None:
            watched.append(self.transport.fileno())
        try:
            readable, _, _ = select.select(watched, [], [], WAIT_S)
        except (OSError, ValueError):  # the link was closed in between
            time.sleep(WAIT_S)
            return
        if self._wake_in in readable:
            try:
                self._wake_in.recv(4096)
            except OSError:
                pass

    def take(self, peer, data, now):
        """Work on bytes that came; returns what is to be sent."""
        # a datagram holds whole packets; on a stream they may come in pieces
        splitter = self._splitter if peer is None else frames.Splitter()
        out = []
        for packet in splitter.feed(data):
            if not self._gate.passes(packet, now, time.time()):
                continue
            message = self._codec.decode(packet)
            if message is None:
                continue
            self.heard += 1
            if isinstance(self.transport, UdpIn):
                self.transport.welcome(peer)
            try:
                out += self._hear(message, now)
            except Exception as error:  # whatever a packet does, the run goes on
                self.failures += 1
                self.last_failure = error
        return out

    def _hear(self, message, now):
        if (message.system, message.component) == self._me:
            return []  # our own, back from a router
        if self._geo is not None and self._of_vehicle(message):
            self._geo.hear(message, now)
        if self._gimbal is not None:
            self._gimbal.hear(message, now)
        return self.camera.hear(message, now)

    @property
    def _me(self):
        return self.camera.identity.system, self.camera.identity.component

    def _of_vehicle(self, message):
        return message.system == self._me[0] and message.component == m.COMPONENT_AUTOPILOT

    def _send(self, out):
        for name, fields in out:
            self._codec.renew(frames.ticks_at(time.time()))
            self.transport.send(self._codec.encode(name, fields))
            self.sent += 1
