"""A hostile or busy link does not disturb a run."""

import argparse
import contextlib
import hashlib
import os
import random
import select
import socket
import time

import numpy as np
import pytest

pytest.importorskip("pymavlink")
from pymavlink.dialects.v20 import common

from kernels.planes import Planes
from runtime.errors import BadOutput
from runtime.links.mavlink import numbers, packets, reports
from runtime.links.mavlink.codec import Codec
from runtime.links.mavlink.service import read_key, streams
from runtime.links.mavlink.transport import open_transport
from runtime.pictures import PlanarFrame
from tests.support.ports import free_port

KEY = hashlib.sha256(b"key").digest()
NASTY = (0.0, -1.0, 1.0, 0.5, 1e30, -1e30, float("nan"), float("inf"), 1e-30, 275.0, 259.0)
# those that the camera knows, and three that it does not
COMMANDS = [value for name, value in vars(numbers).items() if name.startswith("CMD_")]
COMMANDS += [0, 400, 65535]
KINDS = (
    "COMMAND_LONG COMMAND_LONG COMMAND_LONG COMMAND_INT COMMAND_ACK HEARTBEAT ATTITUDE TIMESYNC "
    "GLOBAL_POSITION_INT GIMBAL_MANAGER_INFORMATION GIMBAL_MANAGER_STATUS RC_CHANNELS "
    "GIMBAL_DEVICE_ATTITUDE_STATUS MANUAL_CONTROL"
).split()
WHOLE = {"char": 8}  # bits; negative ones have a sign
for _bits in (8, 16, 32, 64):
    WHOLE.update({f"uint{_bits}_t": _bits, f"int{_bits}_t": -_bits})


def pictures():
    noise = np.random.RandomState(1).randint(0, 90, (120, 160, 3)).astype(np.uint8)
    noise[45:75, 65:85] = (40, 200, 240)
    return [noise]


def command(codec, number, *parameters):
    return codec.encode(*reports.command_long((1, 100), number, *parameters))


def rectangle(codec):
    return command(codec, 2005, 0.375, 0.33, 0.56, 0.67)


def results(out):
    return [fields["result"] for name, fields in out if name == "COMMAND_ACK"]


@pytest.fixture
def run(make_run):
    return make_run(pictures())


def test_a_fault_of_the_link_stops_the_vehicle(run, monkeypatch):
    monkeypatch.setattr(run.service.transport, "receive", lambda: 1 / 0)
    run.follow.following = True
    with pytest.raises(ZeroDivisionError):
        run.service._run()
    told = [Codec(1, 1).decode(packet) for packet in run.service.transport.sent]
    assert [(m.name, m.fields["vx"]) for m in told] == [("SET_POSITION_TARGET_LOCAL_NED", 0.0)] * 5


def test_rectangles_between_two_frames_start_a_target_and_replace_it(run):
    codec = Codec(255, 190)
    for number, left in enumerate((0.3, 0.35)):
        out = run.receive(command(codec, 2005, left, 0.3, left + 0.2, 0.7))
        assert results(out) == [] and number not in run.targets.numbers
        assert results(run.turn()) == [0] and run.targets.numbers == (number,)
    run.turn()
    assert run.loop.newest().track.box[2] > 5
    run.receive(command(codec, 2010))
    run.turn()
    assert len(run.targets) == 0 and run.loop.newest().track is None


def test_frames_in_planes_take_a_point(make_run):
    bgrx = [np.dstack([picture, picture[:, :, :1]]) for picture in pictures()]
    frames_in_planes = [PlanarFrame(Planes("BGRx", (each,), 160, 120)) for each in bgrx]
    run = make_run(frames_in_planes)
    run.receive(command(Codec(255, 190), 2004, 75 / 160.0, 60 / 120.0))
    said = results(run.turn_until(lambda sent: 0 in results(sent)))
    assert set(said) <= {0, 5} and len(run.targets) == 1


def test_every_kind_of_message_that_is_taken_is_let_in_and_no_other(run):
    codec = Codec(1, 1)
    for count, name in enumerate(sorted(set(KINDS)), 1):
        run.receive(codec.encode(name, {"q": [0.0] * 4}))
        assert run.service.heard == count, name
    run.receive(codec.encode("PARAM_EXT_REQUEST_LIST", {}))
    assert run.service.heard == count and run.service.refused["unwanted"] == 1


def random_message(rng):
    """A message of a kind that the camera takes, its fields nasty or random."""
    kind = getattr(common, f"MAVLink_{rng.choice(KINDS).lower()}_message")
    fields = {}
    for name, type_name, count in zip(kind.fieldnames, kind.fieldtypes, _lengths(kind)):
        values = [_value(rng, type_name) for _ in range(max(1, count))]
        letters = bytes(bytearray(values)) if type_name == "char" else b""
        fields[name] = letters or (values if count > 0 else values[0])
    if "command" in fields:
        fields["command"] = rng.choice(COMMANDS)
    if "target_system" in fields and rng.random() < 0.9:
        fields["target_system"], fields["target_component"] = 1, rng.choice((100, 100, 0))
    return kind(**fields)


def _lengths(kind):
    """Array lengths in the order of the field names; 0: no array."""
    return [kind.array_lengths[kind.ordered_fieldnames.index(name)] for name in kind.fieldnames]


def _value(rng, type_name):
    if type_name in ("float", "double"):
        return rng.choice(NASTY) if rng.random() < 0.7 else rng.random()
    bits = WHOLE[type_name]
    low, high = (-(1 << -bits - 1), (1 << -bits - 1) - 1) if bits < 0 else (0, (1 << bits) - 1)
    return rng.choice((low, high, 0, 1)) if rng.random() < 0.5 else rng.randint(low, high)


def mutated(rng, mav):
    mav.seq = rng.randrange(256)
    mav.srcSystem, mav.srcComponent = rng.choice(((255, 190), (1, 1), (1, 154), (7, 7)))
    packet = bytearray(random_message(rng).pack(mav))
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.5:
        return bytes(checksummed(packet))
    if rng.random() < 0.3:
        cut = rng.randrange(1, len(packet))
        packet = packet[:cut] + bytearray(rng.randrange(256) for _ in range(rng.randrange(40)))
    return bytes(packet) * rng.choice((1, 1, 2))


def checksummed(packet):
    """A packet with its checksum put right, where its kind is known."""
    number = packet[7] | packet[8] << 8 | packet[9] << 16
    kind = common.mavlink_map.get(number)
    if kind is None or packet[0] != 0xFD or len(packet) < 12:
        return packet
    body = bytearray(packet[1:-2]) + bytearray([kind.crc_extra])
    value = common.x25crc(body).crc
    packet[-2:] = bytearray([value & 255, value >> 8])
    return packet


def test_two_thousand_hostile_packets_raise_nothing_and_have_answers(make_run):
    rng, noise = random.Random(7), np.random.RandomState(7)
    run = make_run([noise.randint(0, 256, (120, 160, 3)).astype(np.uint8) for _ in range(4)])
    mav = common.MAVLink(None, 255, 190)
    for n in range(2000):
        out = run.receive(mutated(rng, mav)) + (run.turn() if n % 200 == 0 else [])
        for name, fields in out:
            run.service._codec.encode(name, fields)
        assert run.service.failures == 0, run.service.last_failure
    assert run.service.heard > 500


def test_damaged_packets_and_our_own_that_a_router_brings_back_are_not_obeyed(run):
    rng = np.random.RandomState(3)
    for _ in range(1000):
        packet = bytearray(rectangle(Codec(255, 190)))
        packet[rng.randint(10, len(packet))] ^= 1 + rng.randint(255)
        assert run.receive(bytes(packet)) == []
    assert run.service.heard == 0
    assert run.receive(rectangle(Codec(1, 100))) == []
    run.turn()
    assert len(run.targets) == 0


@pytest.mark.parametrize("first", (True, False))
def test_floods_from_twelve_addresses_leave_the_ground_station_its_place(run, first):
    now, port, beat = time.monotonic(), free_port(), Codec(255, 190).encode(*reports.heartbeat())
    link = run.service.transport = open_transport(f"udpin:127.0.0.1:{port}")
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(link.close)
        peers = [cleanup.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(13)]
        for number, peer in enumerate(peers):
            peer.bind((f"127.0.1.{number + 1}", 0))
            peer.settimeout(5)
        station, strangers = peers[0], peers[1:]
        for peer in [station] + strangers if first else strangers + [station]:
            for _ in range(1 if peer is station else 30):
                peer.sendto(beat, ("127.0.0.1", port))
            while select.select([link.fileno()], [], [], 0)[0]:
                for sender, data in link.receive():
                    run.service.take(sender, data, now)
        link.send(b"for the station")
        assert station.recv(64) == b"for the station"
        assert not select.select(strangers, [], [], 0.1)[0]


def test_with_a_key_only_signed_commands_are_obeyed(make_run):
    run = make_run(pictures(), key=KEY)
    now = packets.ticks_at(time.time())
    run.receive(rectangle(Codec(255, 190)))
    run.receive(rectangle(Codec(255, 190, b"w" * 32, now)))
    run.turn()
    assert len(run.targets) == 0 and run.service.refused["unsigned"] == 2
    good = rectangle(Codec(255, 190, KEY, now))
    run.receive(good)
    run.turn()
    assert len(run.targets) == 1
    run.service._send([reports.heartbeat()])
    packet = run.service.transport.sent[-1]
    assert packets.Signatures(KEY).good(packet, time.time())
    peer = common.MAVLink(None, 255, 190)  # pymavlink's own check
    peer.signing.secret_key, peer.signing.sign_outgoing = KEY, True
    assert peer.decode(bytearray(packet)).get_type() == "HEARTBEAT"


def test_a_key_file_is_32_bytes_or_64_digits(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    assert read_key(str(path)) == KEY
    path.write_text(KEY.hex() + "\n")
    assert read_key(str(path)) == KEY
    path.write_bytes(os.urandom(31))
    with pytest.raises(BadOutput, match="write 32, or 64 hex digits"):
        read_key(str(path))
    with pytest.raises(BadOutput, match="--mavlink-key /nowhere: can't be read"):
        read_key("/nowhere")


def test_streams_have_names_by_which_a_ground_station_chooses_them():
    addresses = ["rtsp://:8554/live", "udp://127.0.0.1:5600", "udp://127.0.0.1:5601"]
    found = streams(argparse.Namespace(stream=addresses, stream_kbps=1000))
    assert len({stream.name for stream in found}) == 3
    assert [stream.uri for stream in found[1:]] == ["5600", "5601"]
