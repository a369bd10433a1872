"""Brokers that say nothing, take nothing, send too much or refuse: each is one sentence."""

import contextlib
import itertools
import socket
import struct
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
CONNECT, PUBLISH = 1, 3  # types of packets, MQTT 3.1.1, table 2.1


def packets(connection):
    """(type, flags, content) of what a client sends."""
    stream = connection.makefile("rb")
    while True:
        first = stream.read(1)
        if not first:
            return
        length = shift = 0
        while True:
            (byte,) = stream.read(1)
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield first[0] >> 4, first[0] & 15, stream.read(length)


def serve(connection, kind):
    """Speak to one client as a broker of that kind."""
    boxes = 0
    with contextlib.suppress(OSError):
        for packet, flags, content in packets(connection):
            if kind == "breaks" and packet == PUBLISH:  # without a word for what it got
                boxes += b"/box" in content[:40]
                if boxes == 20:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                continue
            if kind == "silent":
                continue
            if packet == CONNECT:
                code = {"refuses": 5, "is unavailable": 3}.get(kind, 0)
                connection.sendall(b"\x20\x02\0" + bytes([code]))
            if kind == "floods":
                connection.sendall(b"\x30\x80\x80\x80\x7f\0\x01a" + bytes(1 << 20))
            if kind == "takes nothing":
                time.sleep(60)
            if packet == PUBLISH and flags & 2:
                (length,) = struct.unpack(">H", content[:2])
                connection.sendall(b"\x40\x02" + content[2 + length : 4 + length])


@contextlib.contextmanager
def broker(kind):
    """The address of a broker that does so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with contextlib.suppress(OSError):
                for number in itertools.count():
                    connection = server.accept()[0]
                    now = "takes all" if kind == "breaks" and number else kind
                    threading.Thread(target=serve, args=(connection, now), daemon=True).start()

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


def test_a_broker_that_accepts_and_says_nothing_is_told(monkeypatch):
    monkeypatch.setattr(mqtt, "SILENT_S", 1.0)
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    messages = []
    with broker("silent") as address:
        link = link_to(address, messages)
        link.write(frame(0))
        assert wait(lambda: messages) and "does not answer" in messages[0]
        with refusal(BadOutput, "not delivered"):
            link.close()
    assert link.lines()[0].startswith("published 0 frames")


@pytest.mark.parametrize("kind, taken", [("takes nothing", 0), ("takes all", 120)])
def test_frames_count_when_the_broker_took_them(kind, taken, monkeypatch):
    if taken:  # a busy computer's broker may take a while to say so
        monkeypatch.setattr(mqtt, "FLUSH_S", 60.0)
        monkeypatch.setattr(mqtt, "ANSWER_S", 60.0)
    with broker(kind) as address:
        link = link_to(address, [])
        for index in range(120):
            link.write(frame(index))
            time.sleep(0.005)
        assert wait(lambda: link.sent > 0)
        with contextlib.ExitStack() if taken else refusal(BadOutput, "not delivered"):
            link.close()
    assert link.taken == min(taken, link.sent)
    (line,) = link.lines()
    assert f"published {link.taken} frame" in line
    assert ("did not confirm" in line) == (taken == 0)


def test_frames_that_a_broken_connection_lost_do_not_count(monkeypatch):
    monkeypatch.setattr(mqtt, "RETRY_S", 0.1)
    monkeypatch.setattr(mqtt, "CONFIRM_S", 0.1)
    with broker("breaks") as address:
        link, ends_s = link_to(address, []), time.monotonic() + 60
        for index in itertools.count():
            link.write(frame(index))
            time.sleep(0.005)
            if link.taken:
                break
            assert time.monotonic() < ends_s
        link.close()
    assert link.sent - link.taken >= 20
    assert f"did not confirm {link.sent - link.taken} more" in link.lines()[0]


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
