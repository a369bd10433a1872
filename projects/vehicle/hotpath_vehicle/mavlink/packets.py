"""Find MAVLink packets in bytes, check their signatures, and limit how many are taken.

All bytes from outside pass here first. A packet never reaches the decoder when it is too long, of
an unwanted kind, wrongly signed, or above the limit of packets a second.

The signature is checked here and not by pymavlink. pymavlink stores the time stamp of a packet
before it compares the signature. So one forged packet with a late time stamp would shut the real
sender out.
"""

import glob
import hashlib
import hmac
import json
import os
import struct
from collections import OrderedDict
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Set, Tuple

from hotpath.links import cache

try:
    import fcntl
except ImportError:  # nothing can be locked
    fcntl = None  # type: ignore[assignment]

V1, V2 = 0xFE, 0xFD  # first byte of a packet of MAVLink 1 and 2
SIGNED = 1  # bit of the incompatibility flags
SIGNATURE_BYTES = 13
LONGEST = 280  # bytes of a packet with its signature
BUFFER_BYTES = 4096  # most bytes of one sender that wait for the rest of their packet
STREAMS = 64  # most streams of signed packets, and most senders, that are remembered
SECONDS_BEFORE_2015 = 1420070400  # signatures count 10 microseconds from 2015-01-01
TICKS_PER_S = 100000
AHEAD_S = 5.0  # by which the disk is ahead of the packets
LOCK = ".lock"  # ending of the file beside it
RUNS = 64  # that may use a key at the same time
OURS = "sent"  # the stream of our own packets
FAR_S = 366 * 86400.0  # a stamp this far ahead of our clock and of all others counts for none
OLDEST_S = 60.0  # the first packet of a stream may be this far behind our clock


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


class Ledger:
    """Keeps the newest time stamps of signatures on disk, so that a restart forgets none.

    It writes ahead by ``AHEAD_S``: what a run that is killed has accepted is never accepted again.
    Runs with the same key may work at the same time. Each locks and writes a file of its own, and
    begins with the newest stamps of all files.

    Args:
        key: the key of the signatures; each has its file.
        folder: where the file is; None: nothing is kept.
        say: is told that the file can't be used.
    """

    def __init__(
        self, key: bytes, folder: Optional[str] = None, say: Optional[Callable[[str], None]] = None
    ) -> None:
        self._say = say
        self._path = ""
        self._lock: Any = None
        self._ahead: Set[str] = set()  # streams whose clock was said to be far ahead
        self._kept: Dict[str, int] = {}  # stream -> time stamp that is on the disk
        if folder is None:
            return
        first = os.path.join(folder, hashlib.sha256(b"ledger" + key).hexdigest()[:16])
        self._path = first
        try:
            cache.make(folder)
            self._path = self._locked(first)
            for path in sorted(glob.glob(glob.escape(first) + "*")):
                if not path.endswith(LOCK):
                    self._read(path)
        except (OSError, ValueError, AttributeError) as error:
            self._fail(error)

    def _locked(self, first: str) -> str:
        """The first file that no other run writes; the lock ends with this run."""
        for run in range(1, RUNS + 1):
            path = f"{first}-{run}.json"
            self._lock = open(path + LOCK, "w")
            try:
                if fcntl is not None:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                continue
            except OSError:  # a file system without locks
                pass
            return path
        raise OSError(f"{RUNS} other runs use this key")

    def _read(self, path: str) -> None:
        """Merge the stamps of a file; a damaged one is said."""
        try:
            with open(path) as file:
                stamps = {str(stream): int(ticks) for stream, ticks in json.load(file).items()}
        except (OSError, ValueError, AttributeError) as error:
            self._warn(path, error)
            return
        for stream, ticks in stamps.items():
            self._kept[stream] = max(ticks, self._kept.get(stream, -1))

    def last(self, stream: str) -> Optional[int]:
        """The newest time stamp of a stream; None if it is not known."""
        return self._kept.get(stream)

    def newest(self, now: int) -> int:
        """The newest stamp that our clock ``now``, or another stream, comes near; both in ticks."""
        far = int(FAR_S * TICKS_PER_S)
        stamps = sorted(self._kept.values())
        near = [t for t in stamps[-1:] if t <= now + far or not now]
        near += [a for a, b in zip(stamps, stamps[1:]) if a <= now + far or b - a <= far]
        return max(near, default=0)

    def warn_ahead(self, stream: str, ticks: int, now: int) -> None:
        """Say once that the clock of a stream is far ahead."""
        if now and ticks > now + FAR_S * TICKS_PER_S and stream not in self._ahead:
            self._ahead.add(stream)
            years = (ticks - now) / TICKS_PER_S / 86400 / 365
            way_out = f", and delete {self._path} after that" if self._path else ""
            if self._say is not None:
                self._say(
                    f"--mavlink-key: {stream} signs with a clock {years:.1f} years ahead of "
                    f"ours; set that clock, or ours{way_out}"
                )

    def note(self, stream: str, ticks: int, ahead_s: float = AHEAD_S) -> None:
        """Keep a time stamp, if the file does not hold a newer one."""
        if ticks > self._kept.get(stream, -1):
            self.write({stream: ticks + int(ahead_s * TICKS_PER_S)})

    def write(self, stamps: Mapping[str, int]) -> None:
        """Write time stamps at once."""
        self._kept.update(stamps)
        while len(self._kept) > 2 * STREAMS:
            del self._kept[min(self._kept, key=self._kept.__getitem__)]
        if self._path:
            try:
                cache.write(self._path, json.dumps(self._kept).encode())
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """Let another run write the file; may be called twice."""
        self._path = ""
        if self._lock is not None:
            self._lock.close()

    def _fail(self, error: Exception) -> None:
        """Go on without a file."""
        self._warn(self._path, error)
        self._path = ""

    def _warn(self, path: str, error: Exception) -> None:
        if self._say is not None:
            self._say(
                f"--mavlink-key: {path} can't be used ({error}), so a recorded command may "
                "be accepted after a restart; let Hotpath write there"
            )


class Signatures:
    """Checks signatures of MAVLink 2 (mavlink.io/en/guide/message_signing.html).

    Args:
        key: 32 bytes that both sides know.
        ledger: keeps time stamps; None: in memory.
    """

    def __init__(self, key: bytes, ledger: Optional[Ledger] = None) -> None:
        self._key, self._ledger = key, ledger or Ledger(key)
        self._oldest: Optional[int] = None  # stamp of a new stream, by those of earlier runs
        self._last: OrderedDict[Tuple[int, ...], int] = OrderedDict()
        self._sent = self._ledger.last(OURS) or 0

    def sent(self, ticks: int) -> int:
        """The time stamp of a packet of ours: the clock's, but it only grows."""
        self._sent = max(self._sent + 1, ticks)
        self._ledger.note(OURS, self._sent, OLDEST_S)
        return self._sent

    def close(self) -> None:
        """Write the time stamps as they are, without the margin."""
        stamps = {repr(stream): ticks for stream, ticks in self._last.items()}
        if stamps or self._sent:
            self._ledger.write(dict(stamps, **{OURS: self._sent}))
        self._ledger.close()

    def good(self, packet: bytes, unix_s: float) -> bool:
        """Whether a packet is signed with the key and newer than the last one of its stream."""
        if packet[0] != V2 or not packet[2] & SIGNED or len(packet) < 12 + SIGNATURE_BYTES:
            return False
        digest = hashlib.sha256(self._key + packet[:-6]).digest()[:6]
        if not hmac.compare_digest(digest, packet[-6:]):
            return False
        low, high = struct.unpack("<IH", packet[-12:-6])
        ticks = low | high << 32
        stream = (packet[-13],) + sender(packet)
        last = self._last.get(stream, self._ledger.last(repr(stream)))
        if last is not None:
            if ticks <= last:
                return False  # somebody recorded the packet and sends it again
        elif ticks < max(ticks_at(unix_s - OLDEST_S), self._oldest_known(ticks_at(unix_s))):
            return False
        self._last[stream] = ticks
        self._ledger.warn_ahead("component {1}/{2}".format(*stream), ticks, ticks_at(unix_s))
        self._ledger.note(repr(stream), ticks)
        self._last.move_to_end(stream)
        while len(self._last) > STREAMS:
            self._last.popitem(last=False)
        return True

    def _oldest_known(self, now: int) -> int:
        """The oldest stamp of a new stream, by what earlier runs have kept."""
        if self._oldest is None:
            self._oldest = self._ledger.newest(now) - int(OLDEST_S * TICKS_PER_S)
        return self._oldest


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
    """Lets a packet pass that is wanted, correctly signed, and below the limit of its sender.

    Args:
        wanted: message numbers.
        signatures: ``Signatures``, or None: unsigned packets pass too.
        rate: most packets a second from one sender at one address. An address may send three times
            that, and all together ten times.

    Attributes:
        counts: dict of reason -> packets that were refused.
    """

    OF_ADDRESS, SENDERS = 3, 10

    def __init__(
        self, wanted: FrozenSet[int], signatures: Optional[Signatures] = None, rate: float = 200.0
    ) -> None:
        self._wanted, self._signatures, self._rate = wanted, signatures, rate
        self._limits: OrderedDict[Tuple[object, ...], Limit] = OrderedDict()
        self._whole = Limit(rate * self.SENDERS)
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
        limits = [self._limit((address,) + sender(packet), 1), self._whole]
        if address is not None:
            limits.insert(1, self._limit((address,), self.OF_ADDRESS))
        if not all(limit.allows(now) for limit in limits):
            return self._refuse("too many")
        return True

    def _limit(self, who: Tuple[object, ...], times: int) -> Limit:
        if who not in self._limits:
            self._limits[who] = Limit(self._rate * times)
            while len(self._limits) > STREAMS:
                self._limits.popitem(last=False)
        self._limits.move_to_end(who)  # who sends by many names keeps its address's limit
        return self._limits[who]

    def _refuse(self, why: str) -> bool:
        self.counts[why] += 1
        return False
