"""Hostile packets: of the kinds that the camera takes, damaged, with nasty fields."""

from pymavlink.dialects.v20 import common

from runtime.links.mavlink import numbers

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


def plain_message(name):
    kind = getattr(common, f"MAVLink_{name.lower()}_message")
    fields = zip(kind.fieldnames, _lengths(kind))
    return kind(**{field: [0] * count if count else 0 for field, count in fields})


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
