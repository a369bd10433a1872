"""One JSON datagram a frame, as the schema says."""

import json
import pathlib
import socket
import time

import numpy as np
import pytest

from hotpath.app.links.publish import Publisher, encode_datagram
from hotpath.runtime import bearing
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Track
from hotpath.video.base import TrackedFrame
from tests.support.errors import refusal

pytestmark = pytest.mark.pythons("sockets")

FRAME = np.zeros((48, 64, 3), np.uint8)
SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "docs" / "publish.schema.json"


def test_a_listener_gets_each_frame_and_a_gone_one_costs_nothing():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(60)
        publisher = Publisher(f"udp://127.0.0.1:{listener.getsockname()[1]}")
        captured = time.monotonic() - 20.0
        classed = dict(class_id=1, class_name="car", velocity=(2.5, -3.0), presence=0.625)
        tracks = {3: Track((1.0, 2.0, 30.0, 40.0), 0.875, **classed)}
        publisher.write(TrackedFrame(FRAME, 7, None, tracks, captured))
        message = json.loads(listener.recv(65536).decode())
    for n in range(100):
        publisher.write(TrackedFrame(FRAME, n, None, {}, time.monotonic()))
    publisher.close()
    assert message["frame"] == 7 and message["size"] == [64, 48]
    assert abs(message["captured_us"] / 1e6 - (time.time() - 20.0)) < 10.0
    assert message["captured_boot_us"] == int(captured * 1e6) and message["age_ms"] >= 2e4
    target = dict(number=3, box=[1.0, 2.0, 30.0, 40.0], score=0.875, lost=False, state="tracked")
    target.update(found=False)
    more = {"class": 1, "class_name": "car", "velocity": [2.5, -3.0], "predicted": None}
    more.update(presence=0.625, witnessed=None)
    assert message["targets"] == [dict(target, **more)]


def test_every_message_keeps_to_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    nan = float("nan")
    moves = dict(velocity=(1.5, -2.0), predicted=(1.0, 2.0, 9.0, 9.0))
    hidden = Track((0, 0, 9, 9), 0.5, False, "unsure", **moves)
    for tracks in (
        {},
        {0: Track((nan,) * 4, nan, lost=True)},
        {1: Track((0, 0, 9, 9), 0.5)},
        {2: hidden},
        {3: Track((0, 0, 9, 9), 0.5, True, "lost")},
    ):
        data = encode_datagram(TrackedFrame(FRAME, 1, 0.5, tracks, 10.0), 10.1, 1e9)
        jsonschema.validate(json.loads(data.decode()), schema)
        assert b"bearing" not in data
        data = encode_datagram(TrackedFrame(FRAME, 1, 0.5, tracks, 10.0), 10.1, 1e9, fov=(60.0,))
        message = json.loads(data.decode())
        jsonschema.validate(message, schema)
        for target in message["targets"]:
            there = target["box"] and bearing(target["box"], (64, 48), 60)
            assert (target["bearing"] is None) == (there is None)
            assert there is None or target["bearing"] == pytest.approx(there, abs=1e-3)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "udp://127.0.0.1", "udp://h:x", "udp://[::1", "x"]
)
def test_other_addresses_are_refused(address):
    with refusal(BadOutput, "not an address"):
        Publisher(address)
