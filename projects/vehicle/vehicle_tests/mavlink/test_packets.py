"""Untrusted bytes: packets are found in them, signatures are checked, rates are limited."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath_vehicle.mavlink import packets
from tests.support.examples import examples

pytestmark = pytest.mark.pythons("bytes by struct, and pymavlink")

KEY = bytes(range(32))
NOW = 1.8e9  # wall clock


def packet(payload=b"\1\2\3", system=255, component=190):
    head = struct.pack("<BBBBBBB", packets.V2, len(payload), 0, 0, 0, system, component)
    return head + struct.pack("<I", 76)[:3] + payload + b"\xaa\xbb"


def signed(ticks, key=KEY, system=255):
    plain = bytearray(packet(system=system))
    plain[2] = packets.SIGNED
    data = bytes(plain) + b"\1" + struct.pack("<Q", ticks)[:6]
    return data + hashlib.sha256(key + data).digest()[:6]


def test_packets_are_found_in_any_pieces_among_noise():
    stream = b"noise" + packet() + b"\0\1" + packet(payload=b"") + packet(payload=b"x" * 255)
    for size in (1, 2, 7, 64, len(stream)):
        splitter = packets.Splitter()
        found = []
        for at in range(0, len(stream), size):
            found += splitter.feed(stream[at : at + size])
        assert found == [packet(), packet(payload=b""), packet(payload=b"x" * 255)]


@examples(200)
@given(st.lists(st.binary(max_size=600), max_size=20))
def test_any_bytes_are_split_without_error_and_without_growing(pieces):
    splitter = packets.Splitter()
    gate = packets.Gate(frozenset((76,)), packets.Signatures(KEY), 100.0)
    for piece in pieces:
        for found in splitter.feed(piece):
            assert len(found) <= packets.LONGEST
            assert not gate.passes(found, 0.0, NOW)
    assert len(splitter._buffer) <= packets.BUFFER_BYTES


def test_a_signature_of_now_with_the_right_key_passes_once():
    signatures = packets.Signatures(KEY)
    # a late time that is forged does not shut the real sender out
    late, old = (1 << 48) - 1, packets.ticks_at(NOW - 120)
    for wrong in (signed(late, key=b"k" * 32), signed(old), packet()):
        assert not signatures.good(wrong, NOW)
    data = signed(packets.ticks_at(NOW))
    assert signatures.good(data, NOW)
    assert not signatures.good(data, NOW)  # played again
    assert signatures.good(signed(packets.ticks_at(NOW) + 1), NOW)


def test_a_changed_byte_breaks_the_signature():
    data = bytearray(signed(packets.ticks_at(NOW)))
    for at in range(1, len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        assert not packets.Signatures(KEY).good(bytes(changed), NOW), at


def test_a_flood_is_cut_to_the_rate_and_others_come_through():
    gate = packets.Gate(frozenset((76,)), rate=50.0)
    passed = sum(gate.passes(packet(), n / 1000.0, NOW, "router") for n in range(5000))
    assert 250 <= passed <= 310  # 5 s at 50 a second, and the burst
    assert gate.passes(packet(system=7), 5.0, NOW, "router")
    assert gate.passes(packet(), 5.0, NOW, "10.0.0.1")  # another one has the same ids


def test_a_flood_from_one_address_leaves_room_for_another():
    gate = packets.Gate(frozenset((76,)), rate=50.0)
    flood = [gate.passes(packet(system=n % 250), n / 1000.0, NOW, "10.0.0.66") for n in range(5000)]
    assert 750 <= sum(flood) <= 910  # three times the rate
    assert gate.passes(packet(), 5.0, NOW, "10.0.0.1")


def test_a_flood_of_unsigned_packets_spares_the_signed_rate():
    gate = packets.Gate(frozenset((76,)), packets.Signatures(KEY), rate=5.0)
    for _ in range(1000):
        assert not gate.passes(packet(), 0.0, NOW)
    assert gate.passes(signed(packets.ticks_at(NOW)), 0.0, NOW)


def test_many_made_up_senders_take_bounded_memory():
    gate = packets.Gate(frozenset((76,)))
    for number in range(4000):
        gate.passes(packet(), 0.0, NOW, f"10.0.{number // 250}.{number % 250}")
    assert len(gate._limits) <= packets.SENDERS


def of_system(system, unix_s):
    return signed(packets.ticks_at(unix_s), system=system)


def restarted(folder, told=None):
    return packets.Signatures(KEY, str(folder), print if told is None else told.append)


@pytest.mark.parametrize("later_s", [0, 30, 600, -3 * 86400])  # the clock may go back
def test_a_recorded_packet_is_refused_after_a_restart(tmp_path, later_s):
    first = restarted(tmp_path / "new")
    recorded = [signed(packets.ticks_at(NOW + n / 10)) for n in range(100)]
    assert all(first.good(each, NOW + n / 10) for n, each in enumerate(recorded))
    second = restarted(tmp_path / "new")
    assert not any(second.good(each, NOW + 10 + later_s) for each in recorded)
    assert second.good(signed(packets.ticks_at(NOW + 10 + packets.AHEAD_S)), NOW + 10)


def test_a_new_stream_can_not_be_older_than_the_accepted(tmp_path):
    assert restarted(tmp_path).good(of_system(255, NOW), NOW)
    # the clock is a day behind, or there is none
    assert not restarted(tmp_path).good(of_system(7, NOW - 86400), NOW - 86400)
    assert not restarted(tmp_path).good(of_system(7, NOW - 86400), 0.0)
    # a computer without a clock believes the first station
    assert packets.Signatures(KEY).good(of_system(255, NOW), 0.0)


def test_stations_keep_clocks_of_their_own_over_a_restart(tmp_path):
    first, years = restarted(tmp_path), 10 * 365 * 86400
    assert first.good(of_system(255, NOW + years), NOW)
    assert first.good(of_system(254, NOW), NOW)
    first.sent(packets.ticks_at(NOW + 2 * years))
    second = restarted(tmp_path)
    assert second.good(of_system(254, NOW + 9), NOW + 9)
    assert not second.good(of_system(255, NOW + years), NOW)
    assert second.good(of_system(255, NOW + years + 9), NOW)


@pytest.mark.parametrize("system", [255, 7])
def test_a_clock_that_is_behind_is_named_once_with_the_way_out(tmp_path, system):
    told = []
    assert restarted(tmp_path).good(of_system(255, NOW + 86400), NOW)
    signatures = restarted(tmp_path, told)
    assert not any(signatures.good(of_system(system, NOW + n), NOW) for n in range(3))
    (path,) = tmp_path.glob("*.json")
    assert len(told) == 1 and f"{system}/190" in told[0] and str(path) in told[0]
    path.unlink()
    assert restarted(tmp_path, told).good(of_system(system, NOW), NOW) and len(told) == 1


def test_what_one_of_two_runs_accepted_is_refused_after_both(tmp_path):
    first, second = restarted(tmp_path), restarted(tmp_path)
    recorded = of_system(255, NOW)
    assert first.good(recorded, NOW)
    assert second.good(of_system(254, NOW), NOW)
    second.sent(packets.ticks_at(NOW))
    assert not restarted(tmp_path).good(recorded, NOW)
    assert second.good(recorded, NOW)  # to both of them
    assert second.good(of_system(255, NOW + 20), NOW + 20)
    assert first.good(of_system(255, NOW + 9), NOW + 20)  # it wrote less, and later
    assert not restarted(tmp_path).good(of_system(255, NOW + 20), NOW + 20)


def test_our_own_time_stamps_only_grow_over_restarts(tmp_path):
    before = [restarted(tmp_path).sent(packets.ticks_at(NOW - n * 1000)) for n in range(5)]
    assert before == sorted(set(before))
    restarted(tmp_path).sent(packets.ticks_at(NOW + 1e8))
    assert restarted(tmp_path).good(of_system(255, NOW), NOW)  # no other clock is judged by ours


def test_the_file_is_written_once_in_five_seconds(tmp_path, monkeypatch):
    written, write = [], packets.cache.write
    monkeypatch.setattr(packets.cache, "write", lambda *given: written.append(write(*given)))
    signatures = restarted(tmp_path)
    for tenth in range(600):
        now = NOW + tenth / 10
        assert all(signatures.good(of_system(system, now), now) for system in (254, 255))
        signatures.sent(packets.ticks_at(now))
    assert 60 / packets.AHEAD_S <= len(written) <= 60 / packets.AHEAD_S + 3


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"sent": "x"}', b"\xff\xfe"])
def test_a_damaged_file_is_said_and_the_link_goes_on(tmp_path, damage):
    restarted(tmp_path).good(signed(packets.ticks_at(NOW)), NOW)
    (path,) = tmp_path.glob("*.json")
    path.write_bytes(damage)
    told = []
    assert restarted(tmp_path, told).good(signed(packets.ticks_at(NOW)), NOW)
    assert len(told) == 1 and str(path) in told[0]


def test_the_file_is_no_place_to_read_the_key_from(tmp_path):
    restarted(tmp_path).good(signed(packets.ticks_at(NOW)), NOW)
    (path,) = tmp_path.glob("*.json")
    assert (
        KEY.hex() not in path.read_text() and hashlib.sha256(KEY).hexdigest()[:8] not in path.name
    )
