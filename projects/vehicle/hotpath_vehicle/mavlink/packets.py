"""Find MAVLink packets in bytes, check their signatures, and limit how many are taken.

All bytes from outside pass here first. A packet never reaches the decoder when it is too long, of
an unwanted kind, wrongly signed, or above the limit of packets a second.

The signature is checked here and not by pymavlink. pymavlink stores the time stamp of a packet
before it compares the signature. So one forged packet with a late time stamp would shut the real
sender out.
"""

import hashlib
import hmac
import json
import os
import struct
from collections import OrderedDict
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

from hotpath.links import cache

V1, V2 = 0xFE, 0xFD  # first byte of a packet of MAVLink 1 and 2
SIGNED = 1  # bit of the incompatibility flags
SIGNATURE_BYTES = 13
LONGEST = 280  # bytes of a packet with its signature
BUFFER_BYTES = 4096  # most bytes of one sender that wait for the rest of their packet
SENDERS = 64  # most whose limits are remembered
SECONDS_BEFORE_2015 = 1420070400  # signatures count 10 microseconds from 2015-01-01
TICKS_PER_S = 100000
AHEAD_S = 5  # by which the file is ahead of the packets
OLDEST_S = 60  # the first packet of a stream may be this far behind our clock
AHEAD_TICKS, OLDEST_TICKS = AHEAD_S * TICKS_PER_S, OLDEST_S * TICKS_PER_S
OF_ADDRESS = 3  # limits of a component that its address may use
OURS = "sent"  # the stream of our own packets


class Splitter:
    """Cuts one sender's bytes into packets. Bytes between packets are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> List[bytes]:
        """Take bytes; return the packets that are complete now, unchecked."""
        buffer = self._buffer
        buffer += data
        if len(buffer) > BUFFER_BYTES:  # keep what may still become a packet
            del buffer[: len(buffer) - BUFFER_BYTES]
        packets: List[bytes] = []
        at = 0
        while at < len(buffer):
            if buffer[at] not in (V1, V2):
                at += 1
                continue
            length = _length(buffer, at)
            if length is None or at + length > len(buffer):
                break
            packets.append(bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]
        return packets


def _length(buffer: bytearray, at: int) -> Optional[int]:
    """Length in bytes of the packet that starts at ``at``; None: its header is not complete."""
    if buffer[at] == V1:
        return buffer[at + 1] + 8 if at + 1 < len(buffer) else None
    if at + 2 >= len(buffer):
        return None
    return buffer[at + 1] + 12 + (SIGNATURE_BYTES if buffer[at + 2] & SIGNED else 0)


def number(packet: bytes) -> int:
    """The message number of a packet."""
    if packet[0] == V1:
        return packet[5]
    return packet[7] | packet[8] << 8 | packet[9] << 16


def sender(packet: bytes) -> Tuple[int, int]:
    """(system, component) that a packet says it comes from."""
    return (packet[3], packet[4]) if packet[0] == V1 else (packet[5], packet[6])


class Signatures:
    """Checks signatures of MAVLink 2 (mavlink.io/en/guide/message_signing.html).

    The newest time stamp of each stream is kept in a file, so that a restart forgets none. The file
    is ahead by ``AHEAD_S``: what a run that is killed has accepted is never accepted again. Runs
    with the same key share the file.

    Args:
        key: 32 bytes that both sides know.
        folder: where the file is; None: nothing is kept.
        say: is told that the file can't be used, or that a clock is behind.
    """

    def __init__(
        self,
        key: bytes,
        folder: Optional[str] = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._key, self._say, self._path = key, say, ""
        self._is_behind = False  # whether that was said
        # the newest stamp of each stream: before this run, in this run, and as it was written; who
        # has the key can add to them, and nobody else
        self._before: Dict[str, int] = {}
        self._last: Dict[str, int] = {}
        self._written: Dict[str, int] = {}
        if folder is not None:
            name = hashlib.sha256(b"ledger" + key).hexdigest()[:16]
            self._path = os.path.join(folder, f"{name}.json")
            try:
                cache.make(folder)
                self._before = self._read()
            except (OSError, ValueError, AttributeError) as error:
                self._warn(error)
        known = [ticks for stream, ticks in self._before.items() if stream != OURS]
        self._newest = max(known, default=0)

    def sent(self, ticks: int) -> int:
        """The time stamp of a packet of ours: the clock's, but it only grows."""
        ticks = max((self._known(OURS) or 0) + 1, ticks)
        self._keep(OURS, ticks)
        return ticks

    def good(self, packet: bytes, unix_s: float) -> bool:
        """Whether a packet is signed with the key and newer than the last one of its stream."""
        if packet[0] != V2 or not packet[2] & SIGNED or len(packet) < 12 + SIGNATURE_BYTES:
            return False
        digest = hashlib.sha256(self._key + packet[:-6]).digest()[:6]
        if not hmac.compare_digest(digest, packet[-6:]):
            return False
        low, high = struct.unpack("<IH", packet[-12:-6])
        ticks = low | high << 32
        stream = "{}/{}, link {}".format(*sender(packet), packet[-13])
        last = self._known(stream)
        if last is None:
            last = max(ticks_at(unix_s), self._newest)
            oldest = last - OLDEST_TICKS
        else:
            oldest = last + 1
        if ticks < oldest:  # somebody recorded the packet and sends it again, or a clock is behind
            self._say_behind(stream, last - ticks)
            return False
        self._keep(stream, ticks)
        return True

    def _known(self, stream: str) -> Optional[int]:
        """The newest stamp of a stream; None: it is new."""
        return self._last.get(stream, self._before.get(stream))

    def _keep(self, stream: str, ticks: int) -> None:
        """Note a stamp. The file gets it, with those of all streams, unless it is ahead."""
        self._last[stream] = ticks
        if not self._path or ticks <= self._written.get(stream, -1):
            return
        self._written = {each: last + AHEAD_TICKS for each, last in self._last.items()}
        try:
            stamps = self._read()
            for each, written in self._written.items():
                stamps[each] = max(written, stamps.get(each, -1))
            cache.write(self._path, json.dumps(stamps).encode())
        except (OSError, ValueError, AttributeError) as error:
            self._warn(error)

    def _read(self) -> Dict[str, int]:
        """What the file holds, which another run may have written."""
        if not os.path.exists(self._path):
            return {}
        with open(self._path) as file:
            return {str(stream): int(ticks) for stream, ticks in json.load(file).items()}

    def _warn(self, error: Exception) -> None:
        """Go on without a file."""
        self._say(
            f"--mavlink-key: {self._path} can't be used ({error}), so a recorded command may be "
            "accepted after a restart; delete it, and let Hotpath write there"
        )
        self._path = ""

    def _say_behind(self, stream: str, ticks: int) -> None:
        """Say once that a packet is refused whose signature is right."""
        if ticks > OLDEST_TICKS and not self._is_behind:
            self._is_behind = True
            way_out = f", or delete {self._path} and start again" if self._path else ""
            self._say(
                f"--mavlink-key: {stream} is refused: its clock is {ticks // TICKS_PER_S} s behind "
                f"ours, or earlier packets; set the clocks{way_out}"
            )


def ticks_at(unix_s: float) -> int:
    """The time stamp of a signature at a time of the wall clock."""
    return max(0, int((unix_s - SECONDS_BEFORE_2015) * TICKS_PER_S))


class Limit:
    """A token bucket: it gives ``rate`` tokens a second on average, and as many at once."""

    def __init__(self, rate: float) -> None:
        self._rate = self._tokens = rate
        self._at: Optional[float] = None

    def allows(self, now: float) -> bool:
        """Take one token; False when none is left."""
        if self._at is not None:
            self._tokens = min(self._rate, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Gate:
    """Lets a packet pass that is wanted, correctly signed, and below the limits of its sender.

    Args:
        wanted: message numbers.
        signatures: ``Signatures``, or None: unsigned packets pass too.
        rate: most packets a second from one component at one address, which may send three times
            that: a router passes on several components.

    Attributes:
        counts: dict of reason -> packets that were refused.
    """

    def __init__(
        self, wanted: FrozenSet[int], signatures: Optional[Signatures] = None, rate: float = 200.0
    ) -> None:
        self._wanted, self._signatures, self._rate = wanted, signatures, rate
        self._limits: OrderedDict[Tuple[object, ...], Limit] = OrderedDict()
        self.counts: Dict[str, int] = {"unwanted": 0, "unsigned": 0, "too many": 0}

    def passes(
        self, packet: bytes, now: float, unix_s: float, address: Optional[str] = None
    ) -> bool:
        """Whether a packet may be decoded.

        Args:
            packet: as ``Splitter`` gives it.
            now: seconds of the monotonic clock.
            unix_s: seconds of the wall clock.
            address: that it came from; None if there is one other side only.
        """
        if len(packet) > LONGEST or number(packet) not in self._wanted:
            return self._refuse("unwanted")
        # first the signature: forged packets must not use up the limit of the real sender
        if self._signatures is not None and not self._signatures.good(packet, unix_s):
            return self._refuse("unsigned")
        component = self._limit((address,) + sender(packet), self._rate)
        whole = self._limit((address,), OF_ADDRESS * self._rate)
        return (component.allows(now) and whole.allows(now)) or self._refuse("too many")

    def _limit(self, who: Tuple[object, ...], rate: float) -> Limit:
        if who not in self._limits:
            self._limits[who] = Limit(rate)
            while len(self._limits) > SENDERS:
                self._limits.popitem(last=False)
        self._limits.move_to_end(who)  # who sends by many names keeps its address's limit
        return self._limits[who]

    def _refuse(self, why: str) -> bool:
        self.counts[why] += 1
        return False
