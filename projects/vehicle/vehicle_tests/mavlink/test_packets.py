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


def signed(ticks, key=KEY):
    plain = bytearray(packet())
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
    passed = sum(gate.passes(packet(), n / 1000.0, NOW) for n in range(5000))
    assert 250 <= passed <= 310  # 5 s at 50 a second, and the burst
    assert gate.passes(packet(system=7), 5.0, NOW)


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
    for system in range(256):
        for component in range(0, 256, 16):
            gate.passes(packet(system=system, component=component), 0.0, NOW)
    assert len(gate._limits) <= packets.STREAMS


def restarted(folder, told=None):
    messages = (lambda text: None) if told is None else told.append
    return packets.Signatures(KEY, packets.Ledger(KEY, str(folder), messages))


@pytest.mark.parametrize("later_s", [0, 30, 600, -3 * 86400])  # the clock may go back
@pytest.mark.parametrize("is_killed", [True, False])
def test_a_recorded_packet_is_refused_after_a_restart(tmp_path, later_s, is_killed):
    first, folder = restarted(tmp_path / "new"), tmp_path / "new"
    recorded = [signed(packets.ticks_at(NOW + n / 10)) for n in range(100)]
    assert all(first.good(each, NOW + n / 10) for n, each in enumerate(recorded))
    if not is_killed:
        first.close()
    second = restarted(folder)
    assert not any(second.good(each, NOW + 10 + later_s) for each in recorded)
    fresh = NOW + 10 + (packets.AHEAD_S if is_killed else 0)
    assert second.good(signed(packets.ticks_at(fresh)), NOW + 10)


def test_a_new_stream_can_not_be_older_than_the_accepted(tmp_path):
    first = restarted(tmp_path)
    assert first.good(signed(packets.ticks_at(NOW)), NOW)
    data = of_system(7, packets.ticks_at(NOW - 86400))
    assert not restarted(tmp_path).good(data, NOW - 86400)  # the clock is a day behind


def of_system(system, ticks):
    plain = bytearray(packet(system=system))
    plain[2] = packets.SIGNED
    data = bytes(plain) + b"\1" + struct.pack("<Q", ticks)[:6]
    return data + hashlib.sha256(KEY + data).digest()[:6]


@pytest.mark.parametrize("whose", ["a station", "ours"])
def test_a_clock_that_is_years_ahead_shuts_no_other_station_out(tmp_path, whose):
    first, told = restarted(tmp_path), []
    late = packets.ticks_at(NOW + 10 * 365 * 86400)
    if whose == "ours":
        first.sent(late)
    else:
        assert first.good(of_system(255, late), NOW)
    assert first.good(of_system(254, packets.ticks_at(NOW)), NOW)
    first.close()
    second = restarted(tmp_path, told)
    for system in range(200, 210):
        assert second.good(of_system(system, packets.ticks_at(NOW + 5)), NOW + 5)
    old = packets.ticks_at(NOW - packets.OLDEST_S - 1)
    assert not second.good(of_system(7, old), NOW - 86400)  # the other stamps still count
    if whose == "a station":
        assert not second.good(of_system(255, late), NOW)  # nor does its own


def test_a_clock_years_ahead_is_named_once_with_the_way_out(tmp_path):
    told = []
    signatures = restarted(tmp_path, told)
    for n in range(3):
        signatures.good(of_system(255, packets.ticks_at(NOW + 10 * 365 * 86400) + n), NOW)
    (path,) = tmp_path.glob("*.json")
    assert len(told) == 1 and "255/190" in told[0] and str(path) in told[0]


def test_a_computer_without_a_clock_believes_the_first_station(tmp_path):
    first = restarted(tmp_path)
    assert first.good(of_system(255, packets.ticks_at(NOW)), 0.0)
    first.close()
    assert not restarted(tmp_path).good(of_system(7, packets.ticks_at(NOW - 86400)), 0.0)


@pytest.mark.parametrize("later_s", [0, 20, -50])
@pytest.mark.parametrize("closes", ["neither", "the other", "both"])
def test_what_one_of_two_runs_accepted_is_refused_after_restart(tmp_path, later_s, closes):
    first, second = restarted(tmp_path), restarted(tmp_path)
    recorded = signed(packets.ticks_at(NOW))
    assert first.good(recorded, NOW)
    second.sent(packets.ticks_at(NOW))
    if closes != "neither":
        second.close()
    if closes == "both":
        first.close()
    for _ in range(3):
        third = restarted(tmp_path)
        assert not third.good(recorded, NOW + later_s)
        third.close()


def test_a_run_that_ends_lets_the_stamps_of_another_run_stay(tmp_path):
    first = restarted(tmp_path)
    assert first.good(signed(packets.ticks_at(NOW)), NOW)
    second = restarted(tmp_path)
    newest = [signed(packets.ticks_at(NOW + at_s)) for at_s in (packets.AHEAD_S + 1, 7, 8)]
    assert all(second.good(each, NOW + 8) for each in newest)
    first.close()  # its stamps are older
    del second  # killed
    assert not any(restarted(tmp_path).good(each, NOW + 9) for each in newest)


def test_our_own_time_stamps_only_grow_over_restarts(tmp_path):
    before = [restarted(tmp_path).sent(packets.ticks_at(NOW - n * 1000)) for n in range(5)]
    assert before == sorted(set(before))


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"sent": "x"}', b"\xff\xfe"])
def test_a_damaged_ledger_is_said_and_the_link_goes_on(tmp_path, damage):
    restarted(tmp_path).good(signed(packets.ticks_at(NOW)), NOW)
    (path,) = tmp_path.glob("*.json")
    path.write_bytes(damage)
    told = []
    assert restarted(tmp_path, told).good(signed(packets.ticks_at(NOW)), NOW)
    assert len(told) == 1 and str(path) in told[0]


def test_the_ledger_is_no_place_to_read_the_key_from(tmp_path):
    restarted(tmp_path).good(signed(packets.ticks_at(NOW)), NOW)
    (path,) = tmp_path.glob("*.json")
    assert (
        KEY.hex() not in path.read_text() and hashlib.sha256(KEY).hexdigest()[:8] not in path.name
    )
