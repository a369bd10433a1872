"""Judge the time stamps of frames against those of their neighbours.

A recorder or a link sometimes writes one frame with a stamp that is seconds or hours off, and goes
on with right ones. ``Stamps`` gives such a frame of a recording or a bag another time.
``JoinedPackets`` lets the time go on where recordings were joined.
"""

import math
from collections import deque
from typing import Any, Callable, Deque, Iterator, List, Optional

import numpy as np

NEAR = 5  # stamps that a stamp is compared with
USUAL = 2.5  # steps between two frames that raise no doubt


class Stamps:
    """The times of frames that come one after another.

    A stamp is stray if it is later than the median of the next ones, or not later than the frame
    before although those are. Such a frame comes one step after the one before.

    Args:
        step_s: seconds from frame to frame at the rate that is stated.

    Attributes:
        strays: how many stray stamps there were.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._last_s: Optional[float] = None
        self.strays = 0

    def time_of(self, stamp_s: float, later: Callable[[int], List[float]]) -> float:
        """The time of the next frame, later than that of the last one.

        Args:
            stamp_s: its own stamp.
            later: function that returns the stamps of up to so many frames after it. It is called
                only in doubt.
        """
        last_s = -math.inf if self._last_s is None else self._last_s
        if not 0 < stamp_s - last_s <= USUAL * self._step_s:
            after = later(NEAR)
            level_s = float(np.median(after)) if after else stamp_s
            if last_s < level_s and not last_s < stamp_s <= level_s:
                self.strays += 1
                stamp_s = after[0] - self._step_s if self._last_s is None else last_s
        self._last_s = stamp_s if stamp_s > last_s else last_s + self._step_s
        return self._last_s


class JoinedPackets:
    """The packets of a recording, with times that go on where another recording begins.

    Segments of a DVR or of HLS, and files that were joined, begin with a clock of their own. Their
    first packet is decoded earlier than those before it, and so are the packets that follow. One
    stray stamp is no join.

    Args:
        packets: PyAV's packets of one stream, in the order of decoding.
        step: ticks from frame to frame, where a packet does not state its duration.
        offset: ticks that are added to the times of the first packets.
        keeps_clock: whether to change no time.

    Attributes:
        offset: ticks that were added to the times of the last packet.
        position: where the last packet ends in the file, bytes; 0 if that is not known.
    """

    def __init__(
        self, packets: Iterator[Any], step: int, offset: int = 0, keeps_clock: bool = False
    ) -> None:
        self._packets, self._step, self.offset = packets, step, offset
        self._keeps_clock, self.position = keeps_clock, 0
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
        self.position = packet.pos + packet.size if packet.pos else self.position
        length = packet.duration or self._step
        dts, pts = packet.dts, packet.pts
        if self._keeps_clock:
            return packet
        if dts is None:  # of the first frames in Matroska, of some frames in programme streams
            if pts is not None:
                packet.pts = pts + self.offset
            self._end = self._end[0] + length, self._end[1] + length
            return packet
        if self._before and dts < self._before[-1]:
            self._join(dts, dts if pts is None else pts)
        self._before.append(dts)
        if self.offset:
            packet.pts = None if pts is None else pts + self.offset
            packet.dts = dts + self.offset
        due = self.offset + length
        self._end = dts + due, max(self._end[1], (dts if pts is None else pts) + due)
        return packet

    def _join(self, dts: int, pts: int) -> None:
        """Let the time go on at a packet, unless its stamp or that before it is a stray one."""
        while len(self._ahead) < NEAR - 1 and self._read_ahead():
            pass
        stamps = [packet.dts for packet in self._ahead]
        after = [dts] + [stamp for stamp in stamps[: NEAR - 1] if stamp is not None]
        if dts < np.median(self._before) and np.median(after) <= self._before[-1]:
            self.offset = max(self._end[0] - dts, self._end[1] - pts)
            self._before.clear()

    def _read_ahead(self) -> bool:
        """Read one more packet ahead; returns whether there was one."""
        try:
            self._ahead.append(next(self._packets))
        except Exception as error:  # also the end; it is raised after the packets before it
            self._error = self._error or error
            return False
        return True
