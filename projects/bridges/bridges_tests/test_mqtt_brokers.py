"""Brokers that say nothing, take nothing, send too much or refuse: each is one sentence."""

import contextlib
import socket
import threading
import time
import tracemalloc

import numpy as np
import pytest

from hotpath.app.records import LinkOptions
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Track
from hotpath.video.base import TrackedFrame
from hotpath_bridges import mqtt
from tests.support.errors import refusal

pytest.importorskip("paho.mqtt.client")
FRAME = np.zeros((48, 64, 3), np.uint8)
CONNECT = 1  # type of a packet, MQTT 3.1.1, table 2.1


def packets(connection):
    """The type of each packet that a client sends."""
    stream = connection.makefile("rb")
    for first in iter(lambda: stream.read(1), b""):
        length = shift = 0
        while True:
            (byte,) = stream.read(1)
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        stream.read(length)
        yield first[0] >> 4


def serve(connection, kind):
    """Speak to one client as a broker of that kind."""
    with contextlib.suppress(OSError):
        for packet in packets(connection):
            if kind == "silent":
                continue
            if packet == CONNECT:
                code = {"refuses": 5, "is unavailable": 3}.get(kind, 0)
                connection.sendall(b"\x20\x02\0" + bytes([code]))
            if kind == "floods":
                connection.sendall(b"\x30\x80\x80\x80\x7f\0\x01a" + bytes(1 << 20))
            if kind == "takes nothing":
                time.sleep(60)


@contextlib.contextmanager
def broker(kind):
    """The address of a broker that does so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    args = server.accept()[0], kind
                    threading.Thread(target=serve, args=args, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}/home"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def link_to(address, messages):
    return mqtt.MqttLink(LinkOptions(publish=address, video="cam0"), messages.append)


def frame(index):
    return TrackedFrame(FRAME, index, None, {0: Track((1, 2, 30, 40), 0.9)}, time.monotonic())


def wait(until, seconds=60.0):
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        time.sleep(0.02)
    return until()


@pytest.mark.parametrize("kind", ["silent", "takes nothing"])
def test_a_broker_that_takes_nothing_is_told(kind, monkeypatch):
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5 if kind == "silent" else 60.0)
    messages = []
    with broker(kind) as address:
        link = link_to(address, messages)
        assert "does not answer" in "".join(messages) or kind != "silent"
        for index in range(120):
            link.write(frame(index))
        with refusal(BadOutput, "not delivered"):
            link.close()
    assert link.replaced > 0


def test_a_broker_that_sends_a_long_packet_costs_no_memory():
    messages = []
    with broker("floods") as address:
        tracemalloc.start()
        try:
            link = link_to(address, messages)
            assert wait(lambda: messages)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        link.close()
    assert "sends a packet of" in messages[0] and peak < 32 << 20


@pytest.mark.parametrize("kind", ["refuses", "is unavailable"])
def test_a_refusal_is_said_once(kind):
    messages = []
    with broker(kind) as address, pytest.raises(BadOutput, match="refuses the connection"):
        link_to(address, messages)
    time.sleep(0.2)
    assert messages == []
