"""Judge the time stamps of frames against those of their neighbours.

A recorder or a link sometimes writes one frame with a stamp that is seconds or hours off, and goes
on with right ones. ``Stamps`` finds such stray stamps of frames that come one after another, of a
recording or a bag; ``strays.py`` in a list. ``JoinedPackets`` lets the time go on where recordings
were joined.
"""

from collections import deque
from typing import Any, Callable, Deque, Iterator, List, Optional

import numpy as np

from hotpath.video.base import NEAR
from hotpath.video.strays import mended

USUAL = 2.5  # steps between two frames that raise no doubt
LONGEST_S, LONGEST_STEPS = 3.0, 10.0  # both off: a pause, or the clock of another recording


class Stamps:
    """The times of frames that come one after another.

    Args:
        step_s: seconds from frame to frame at the rate that is stated.

    Attributes:
        strays: how many stray stamps there were.
    """

    def __init__(self, step_s: float) -> None:
        self._stated_s = step_s
        self._before: Deque[float] = deque(maxlen=NEAR)
        self.strays = 0

    def time_of(self, stamp_s: float, later: Callable[[int], List[float]]) -> float:
        """The time of the next frame, later than that of the last one.

        Args:
            stamp_s: its own stamp.
            later: function that returns the stamps of up to so many frames after it. It is called
                only in doubt.
        """
        if self._before and 0 < stamp_s - self._before[-1] <= USUAL * self._stated_s:
            self._before.append(stamp_s)  # nearly every frame of nearly every recording
            return stamp_s
        before = list(self._before)
        step_s = float(np.median(np.diff(before))) if len(before) > 2 else self._stated_s
        if before:
            since_s = stamp_s - before[-1]
        else:
            since_s = next(iter(later(1)), stamp_s + step_s) - stamp_s
        if not 0 < since_s <= USUAL * step_s:
            around = before + [stamp_s] + later(NEAR)
            values, strays = mended(around, step_s)
            if len(before) in strays:
                self.strays += 1
                stamp_s = float(values[len(before)])
        if before and stamp_s <= before[-1]:
            stamp_s = before[-1] + self._stated_s
        self._before.append(stamp_s)
        return stamp_s


class JoinedPackets:
    """The packets of a recording, with times that go on where another recording begins.

    Segments of a DVR or of HLS, and files that were joined, begin with a clock of their own. Their
    first packet is decoded earlier than those before it, or more than ``LONGEST_S`` after the end
    of the last one, and so are the packets that follow. One stray stamp is no join. Neither is a
    pause that the last packet's own duration states.

    Args:
        packets: PyAV's packets of one stream, in the order of decoding.
        step: ticks from frame to frame, where a packet does not state its duration.
        second: ticks of a second.
        offset: ticks that are added to the times of the first packets.
        keeps_clock: whether to change no time.

    Attributes:
        offset: ticks that were added to the times of the last packet.
        restarts: whether the clock went back, so that a time is in several places of the file.
        position: where the last packet ends in the file, bytes; 0 if that is not known.
    """

    def __init__(
        self,
        packets: Iterator[Any],
        step: int,
        second: float,
        offset: int = 0,
        keeps_clock: bool = False,
    ) -> None:
        self._packets, self._step, self.offset = packets, step, offset
        self._longest = LONGEST_S * second
        self._keeps_clock, self.position, self.restarts = keeps_clock, 0, False
        self._ahead: Deque[Any] = deque()
        self._error: Optional[Exception] = None  # of the packets, raised in its place
        self._before: Deque[int] = deque(maxlen=NEAR)  # times of decoding, without the offset
        self._end = (0, 0)  # at which the next packet is due: time of decoding, of showing

    def __iter__(self) -> "JoinedPackets":
        return self

    def __next__(self) -> Any:
        if not self._ahead and not self._read_ahead():
            raise self._error or StopIteration
        packet = self._ahead.popleft()
        if packet.pos:
            self.position = packet.pos + packet.size
        if not self._keeps_clock:
            self._shift(packet)
        return packet

    def _shift(self, packet: Any) -> None:
        """Let the times of a packet follow those before it."""
        length = packet.duration or self._step
        if packet.dts is None:  # of the first frames in Matroska, of some in programme streams
            self._end = self._end[0] + length, self._end[1] + length
            if packet.pts is not None:
                packet.pts += self.offset
            return
        dts = self._decoded_at(packet)
        pts = dts if packet.pts is None else packet.pts
        pause = dts + self.offset - self._end[0]
        if self._before and (dts < self._before[-1] or pause > self._longest):
            self._join(dts, pts)
        self._before.append(dts)
        due = self.offset + length
        self._end = dts + due, max(self._end[1], pts + due)
        if self.offset:
            packet.dts = dts + self.offset
            packet.pts = None if packet.pts is None else pts + self.offset

    def _decoded_at(self, packet: Any) -> int:
        """When a packet is decoded; if it is shown far later, this follows from those after it.

        FFmpeg orders the times of Matroska itself. Those of decoding step ahead some packets late.
        """
        dts = int(packet.dts)
        if packet.pts is None or packet.pts - dts <= self._longest:
            return dts
        for place, stamp in enumerate(self._next_stamps(), 1):
            if stamp is not None and stamp - dts > self._longest:
                return int(stamp) - place * self._step
        return dts

    def _next_stamps(self) -> List[Optional[int]]:
        """When the next packets are decoded, which are read ahead."""
        while len(self._ahead) < NEAR - 1 and self._read_ahead():
            pass
        return [packet.dts for packet in self._ahead][: NEAR - 1]

    def _join(self, dts: int, pts: int) -> None:
        """Let the time go on at a packet, unless its stamp or that before it is a stray one."""
        after = [dts] + [stamp for stamp in self._next_stamps() if stamp is not None]
        restarts = bool(dts < np.median(self._before) and np.median(after) <= self._before[-1])
        if restarts or self._goes_ahead(after):
            self.restarts |= restarts
            self.offset = max(self._end[0] - dts, self._end[1] - pts)
            self._before.clear()

    def _goes_ahead(self, after: List[int]) -> bool:
        """Whether a packet and those after it are far later than all before it, and no slow ones.

        Two packets at the very end are too few to tell; ``strays.mended`` judges them.
        """
        steps = np.abs(np.concatenate([np.diff(self._before), np.diff(after)]))
        if len(after) < 3 or not len(steps):
            return False
        far = max(self._longest, LONGEST_STEPS * np.median(steps))
        return bool(min(after[0], np.median(after)) - max(self._before) > far)

    def _read_ahead(self) -> bool:
        """Read one more packet ahead; returns whether there was one."""
        try:
            self._ahead.append(next(self._packets))
        except Exception as error:  # also the end; it is raised after the packets before it
            self._error = self._error or error
            return False
        return True
