"""A hostile or busy link does not disturb a run."""

import contextlib
import hashlib
import os
import random
import time

import numpy as np
import pytest

pytest.importorskip("pymavlink")
from pymavlink.dialects.v20 import common

from hotpath.app.links.base import BrokenLink
from hotpath.app.option_records import StreamOptions
from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink import numbers, packets, reports
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.service import read_key, streams
from hotpath_vehicle.plug import GimbalOptions
from hotpath_vehicle.steering import STILL
from tests.support.errors import refusal
from tests.support.pairs import tracked
from vehicle_tests.test_two_threads import mavlink_link

KEY = hashlib.sha256(b"key").digest()
NASTY = (0.0, -1.0, 1.0, 0.5, 1e30, -1e30, float("nan"), float("inf"), 1e-30, 275.0, 259.0)
# those that the camera knows, and three that it does not
COMMANDS = [value for name, value in vars(numbers).items() if name.startswith("CMD_")]
COMMANDS += [0, 400, 65535]
KINDS = (
    "COMMAND_LONG COMMAND_LONG COMMAND_LONG COMMAND_INT COMMAND_ACK HEARTBEAT ATTITUDE TIMESYNC "
    "GLOBAL_POSITION_INT GIMBAL_MANAGER_INFORMATION GIMBAL_MANAGER_STATUS "
    "GIMBAL_DEVICE_ATTITUDE_STATUS"
).split()


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


def test_a_fault_of_the_links_thread_stops_gimbal_and_run(run, monkeypatch):
    monkeypatch.setattr(run.service.transport, "receive", lambda: 1 / 0)
    run.gimbal.manager, run.gimbal.ours = (1, 154), True
    run.service.check()
    run.service.start()
    run.service.threads[0].join(60)
    told = [Codec(1, 1).decode(packet) for packet in run.service.transport.sent]
    stops = [m.fields for m in told if m.name == "GIMBAL_MANAGER_SET_ATTITUDE"]
    assert [(f["angular_velocity_y"], f["angular_velocity_z"]) for f in stops] == [(0, 0)] * 3
    with refusal(BrokenLink, "thread ended"):
        run.service.check()


@pytest.mark.parametrize("name, doubt", [("", STILL), (None, None)])
def test_a_run_that_steers_looks_for_pictures_that_stand_still(name, doubt):
    with contextlib.closing(mavlink_link(GimbalOptions(name))) as link:
        for n in range(30):
            link.write(tracked(0)._replace(captured_s=n / 30))
        assert link.camera.run.view.doubt == doubt


def test_the_end_of_a_run_stops_a_gimbal_that_turns(run):
    run.gimbal.manager, run.gimbal.ours = (1, 154), True
    run.service.start()
    run.close()
    told = [Codec(1, 1).decode(packet) for packet in run.service.transport.sent]
    stops = [m.fields for m in told if m.name == "GIMBAL_MANAGER_SET_ATTITUDE"]
    assert [(f["angular_velocity_y"], f["angular_velocity_z"]) for f in stops[-3:]] == [(0, 0)] * 3
    assert told[-1].fields["command"] == 1001 and told[-1].fields["param1"] == -3  # given back


def test_who_waits_for_a_ground_station_is_told_once_where(make_run):
    messages = []
    run = make_run(pictures(), say=messages.append, address="udpin:127.0.0.1:14550")
    began_s = run.service._began_s
    for later_s in (1, 4, 5):
        run.service._say_if_unheard(began_s + later_s)
        assert len(messages) == (later_s > 3)
    assert (
        "waiting" in messages[0]
        and "udpin:127.0.0.1:14550" in messages[0]
        and "Ctrl-C" in messages[0]
    )
    heard = make_run(pictures(), say=messages.append, address="udpin:127.0.0.1:14550")
    heard.receive(Codec(255, 190, None).encode(*reports.command_long((1, 100), 512, 259)))
    assert heard.service.heard == 1
    heard.service._say_if_unheard(began_s + 60)
    assert len(messages) == 1


def test_an_unencodable_message_is_counted_and_the_link_goes_on(run):
    run.service._send([("MESSAGE_INTERVAL", {"interval_us": 1 << 31}), reports.heartbeat()])
    assert run.service.failures == 1 and len(run.service.transport.sent) == 1
    assert "1 not understood" in run.service.lines()[0]


def test_the_longest_interval_and_no_position_have_answers(run):
    codec = Codec(255, 190)
    assert results(run.receive(command(codec, 511, 275, 3.6e9))) == [2]  # denied
    assert results(run.receive(command(codec, 511, 275, 2.1e9))) == [0]
    nowhere = dict(lat=2**31 - 1, lon=2**31 - 1, relative_alt=10000)
    attitude = dict(pitch=-0.5)
    ours = Codec(1, 1)
    run.receive(command(codec, 511, 276, 1e5))
    run.receive(rectangle(codec))
    run.receive(ours.encode("ATTITUDE", attitude))
    run.receive(ours.encode("GLOBAL_POSITION_INT", nowhere))
    run.service._send(run.receive(command(codec, 510, 275)) + run.turn())
    sent = [Codec(1, 1).decode(packet) for packet in run.service.transport.sent]
    assert [m.fields["interval_us"] for m in sent if m.name == "MESSAGE_INTERVAL"] == [2100000000]
    assert "CAMERA_TRACKING_GEO_STATUS" not in [m.name for m in sent]
    assert run.service.failures == 0


def test_rectangles_between_frames_start_and_replace_targets(run):
    codec = Codec(255, 190)
    for number, left in enumerate((0.3, 0.35)):
        out = run.receive(command(codec, 2005, left, 0.3, left + 0.2, 0.7))
        assert results(out) == [] and number not in run.targets.numbers
        assert results(run.turn()) == [0] and run.targets.numbers == (number,)
    run.turn()
    assert run.loop.view.track.box[2] > 5
    run.receive(command(codec, 2010))
    run.turn()
    assert len(run.targets) == 0 and run.loop.view.track is None


def test_every_kind_of_message_that_is_taken_is_let_in(run):
    codec = Codec(1, 1)
    for count, name in enumerate(sorted(set(KINDS)), 1):
        run.receive(codec.encode(name, {"q": [0.0] * 4}))
        assert run.service.heard == count, name
    run.receive(codec.encode("PARAM_EXT_REQUEST_LIST", {}))
    assert run.service.heard == count and run.service.refused["unwanted"] == 1


def value(rng, kind):
    if kind in ("float", "double"):
        return rng.choice(NASTY) if rng.random() < 0.7 else rng.random()
    bits = int(kind.strip("uint_"))
    low, high = (0, (1 << bits) - 1) if kind[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return rng.choice((low, high, 0, 1)) if rng.random() < 0.5 else rng.randint(low, high)


def hostile(rng, mav):
    """A packet of a kind that is taken; its fields are nasty or random, and some bytes damaged."""
    kind = getattr(common, f"MAVLink_{rng.choice(KINDS).lower()}_message")
    fields = {}
    for name, of in zip(kind.fieldnames, kind.fieldtypes):
        count = kind.array_lengths[kind.ordered_fieldnames.index(name)]
        values = [value(rng, of) for _ in range(count or 1)]
        fields[name] = values if count else values[0]
    if "command" in fields:
        fields["command"] = rng.choice(COMMANDS)
    if "target_system" in fields and rng.random() < 0.9:
        fields["target_system"], fields["target_component"] = 1, rng.choice((100, 100, 0))
    mav.seq = rng.randrange(256)
    mav.srcSystem, mav.srcComponent = rng.choice(((255, 190), (1, 1), (1, 154), (7, 7)))
    packet = bytearray(kind(**fields).pack(mav))
    for _ in range(rng.choice((0, 0, 1, 2, 8))):
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.5:  # nobody sees the damage
        crc = common.x25crc(packet[1:-2] + bytes([kind.crc_extra])).crc
        packet[-2:] = crc.to_bytes(2, "little")
    elif rng.random() < 0.3:
        packet[rng.randrange(1, len(packet)) :] = rng.getrandbits(160).to_bytes(20, "little")
    return bytes(packet) * rng.choice((1, 1, 2))


def test_two_thousand_hostile_packets_raise_nothing(run):
    rng, mav = random.Random(7), common.MAVLink(None, 255, 190)
    for n in range(2000):
        out = run.receive(hostile(rng, mav)) + (run.turn() if n % 200 == 0 else [])
        for name, fields in out:
            run.service._codec.encode(name, fields)
        assert run.service.failures == 0, run.service.last_failure
    assert run.service.heard > 500


def test_our_own_packets_that_a_router_returns_are_not_obeyed(run):
    assert run.receive(rectangle(Codec(1, 100))) == []
    run.turn()
    assert len(run.targets) == 0


def test_a_peer_over_udp_is_known_by_what_is_understood(run, monkeypatch):
    welcome, codec = [], Codec(255, 190)
    monkeypatch.setattr(run.service.transport, "welcome", lambda peer, now: welcome.append(peer))
    for number, data in enumerate((b"noise", codec.encode(*reports.heartbeat()), rectangle(codec))):
        run.receive(data, ("10.0.0.1", number))
    assert welcome == [("10.0.0.1", 1), ("10.0.0.1", 2)]


def test_with_a_key_only_signed_commands_are_obeyed(make_run):
    run = make_run(pictures(), key=KEY)
    stranger, ours = Codec(255, 190, b"w" * 32), Codec(255, 190, KEY)
    for codec in (stranger, ours):
        codec.renew(packets.ticks_at(time.time()))
    run.receive(rectangle(Codec(255, 190)))
    run.receive(rectangle(stranger))
    run.turn()
    assert len(run.targets) == 0 and run.service.refused["unsigned"] == 2
    run.receive(rectangle(ours))
    run.turn()
    assert len(run.targets) == 1
    run.service._send([reports.heartbeat()])
    packet = run.service.transport.sent[-1]
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
    with refusal(BadOutput, "wrong size"):
        read_key(str(path))
    with refusal(BadOutput, "not read", where="/nowhere"):
        read_key("/nowhere")


def test_streams_have_names_for_a_ground_station():
    addresses = ["rtsp://eye:secret@10.0.0.2:8554/live", "rtp://127.0.0.1:5600", "udp://a:5601"]
    found = streams(StreamOptions(addresses, kbps=1000))
    assert len({stream.name for stream in found}) == 3
    assert [stream.uri for stream in found] == ["rtsp://10.0.0.2:8554/live", "5600", "5601"]
    kinds = ("RTSP", "RTPUDP", "MPEG_TS")
    wanted = [getattr(common, "VIDEO_STREAM_TYPE_" + kind) for kind in kinds]
    assert [stream.kind for stream in found] == wanted


def test_after_a_stop_the_other_target_is_not_steered_after(run):
    codec = Codec(255, 190)
    run.controller.call(run.controller.add_target, run.index - 1, (60, 40, 30, 40))
    run.turn()
    other = run.controller.call(run.controller.add_target, run.index - 1, (10, 10, 30, 40))
    run.turn()
    assert run.loop.view.number != other.result() and run.loop.view.track
    run.receive(command(codec, 2010))
    run.turn()
    run.turn()
    assert len(run.targets) == 1 and run.loop.view.track is None
    run.receive(rectangle(codec))
    run.turn()
    assert len(run.targets) == 2 and run.loop.view.number not in (None, other.result())


def beat(mark):
    return Codec(1, 100).encode(*reports.heartbeat(30, mark))


@pytest.mark.parametrize("mark", [0, 5, numbers.SETTLED | 5, numbers.SETTLED | 0x7FFFFFFF])
def test_a_run_with_ids_of_another_gives_way(run, mark):
    run.service.camera.identity = run.service.camera.identity._replace(mark=9)
    run.gimbal.manager, run.gimbal.ours = (1, 154), True
    run.receive(beat(9))  # our own, by a router
    run.receive(beat(9 | numbers.SETTLED))
    run.receive(beat(mark))  # a last one of an earlier run
    with refusal(BadOutput, "another run"):
        run.receive(beat(mark))
    run.service._leave()
    assert run.service.transport.sent == []


def test_the_older_run_and_the_smaller_mark_go_on(run):
    run.service.camera.identity = run.service.camera.identity._replace(mark=9)
    for _ in range(3):
        run.receive(beat(10))
    run.service._began_s -= 60
    for mark in (3, numbers.SETTLED | 3, 0):
        run.receive(beat(mark))
