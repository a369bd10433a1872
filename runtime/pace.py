"""Receive a live source's frames, and warm the processor up shortly before each is due.

A camera's frame comes after tens of milliseconds in which the core slept and other work emptied
its caches. The same frame then takes about twice the time that it takes in a recording. A
rehearsal does the last frame's work again and forgets the result: it brings weights, buffers and
code back into the caches. ``docs/results/pace.md`` has the measurements.
"""

import contextlib
import os
import time
from collections import deque
from typing import Any, Deque, Optional

import numpy as np

from runtime.options import LOW, NORMAL, SAVING
from runtime.pictures import AnyFrame
from runtime.video.base import WAITING

# saving: no rehearsal. normal: one a frame. low: several, and the core never sleeps deeply.
REHEARSALS = {SAVING: 0, NORMAL: 1, LOW: 4}
CPU_LATENCY = "/dev/cpu_dma_latency"  # while it is open, cores sleep no deeper than it says
INTERVALS = 16  # between frames, that are remembered
NEEDED = 6  # of them before the next frame's time is predicted
EARLY = 0.2  # share of the intervals that are shorter than the predicted one
TRIED = 3  # frames with rehearsals before they are given up as too long
MARGIN_S = 0.0001  # between the last rehearsal and the frame
MOST_SHARE = 0.12  # of the time between frames that the first rehearsal may take
EASE = 0.8  # a rehearsal that was interrupted is forgotten by this factor a frame
POLL_S = 0.00005
LATE_S = 0.002  # with LOW, polling for a late frame ends after so long


class Expecting:
    """What trackers offer to a program with a loop of its own: the warm processor of ``Pace``."""

    _lead_s = 0.0  # how long a rehearsal takes

    def rehearse(self, frame: AnyFrame) -> Any:
        """Do a frame's work again and forget it."""
        raise NotImplementedError

    def expect(self, frame: AnyFrame, seconds: float) -> None:
        """Wait for the next frame, and warm the processor up shortly before it is due.

        Nothing is warmed up where there is no time for it, on a GPU, and on an FPGA.

        Args:
            frame: the last one that ``update`` or ``init`` took.
            seconds: until the next frame is due. The call returns at that time.
        """
        has_time = seconds > self._lead_s
        time.sleep(max(0.0, seconds - has_time * self._lead_s - MARGIN_S))
        began_s = time.monotonic()
        if has_time:
            self.rehearse(frame)
        self._lead_s = max(time.monotonic() - began_s, EASE * self._lead_s)


class Pace:
    """Reads frames of a source for the frame loop.

    Args:
        source: ``runtime.video.base.Source``.
        targets: ``runtime.targets.targets.Targets``; only ``rehearse`` is used.
        latency: one of ``runtime.options.LATENCIES``.
        cpu_latency: the system's file that limits how deeply cores sleep.

    Attributes:
        rehearsals: how many were done.
        rehearsed_s: seconds that all of them took.
        frame_rehearsed_s: seconds of those before the last frame.
    """

    def __init__(
        self, source: Any, targets: Any, latency: str = NORMAL, cpu_latency: str = CPU_LATENCY
    ) -> None:
        self.rehearsals, self.rehearsed_s, self.frame_rehearsed_s = 0, 0.0, 0.0
        self._source, self._targets = source, targets
        self._count = REHEARSALS[latency] if source.live else 0
        self._polls = latency == LOW
        self._frame: Optional[np.ndarray] = None  # the last one
        self._arrived_s = 0.0
        self._intervals: Deque[float] = deque(maxlen=INTERVALS)
        self._cold_s: Deque[float] = deque(maxlen=INTERVALS)  # first rehearsals of the last frames
        self._lead_s = 0.0  # between the first rehearsal and the time at which the frame is due
        self._warm_s = 0.0  # the last rehearsal after another one
        self._awake: Optional[int] = None
        if latency == LOW and source.live:
            with contextlib.suppress(OSError):  # of root only
                self._awake = os.open(cpu_latency, os.O_WRONLY)
                os.write(self._awake, b"\0\0\0\0")

    def read(self, timeout_s: float) -> Any:
        """As ``Source.read``. Rehearses where the time until the next frame allows it."""
        deadline = time.monotonic() + timeout_s
        frame: Any = WAITING
        before_s = self.rehearsed_s
        due_s = self._due_s()
        if due_s is not None and due_s < deadline:
            frame = self._rehearse(due_s)
        if frame is WAITING:
            frame = self._source.read(max(0.0, deadline - time.monotonic()))
        self.frame_rehearsed_s = self.rehearsed_s - before_s
        if self._count and frame is not None and frame is not WAITING:
            self._remember(frame)
        return frame

    def close(self) -> None:
        """Let cores sleep again; may be called twice."""
        if self._awake is not None:
            os.close(self._awake)
            self._awake = None

    def __enter__(self) -> "Pace":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _due_s(self) -> Optional[float]:
        """When the next frame is expected, seconds of the monotonic clock; None if unknown."""
        if not self._count or self._frame is None or len(self._intervals) < NEEDED:
            return None
        usual_s = sorted(self._intervals)[int(EARLY * len(self._intervals))]
        cold_s = most_s = MOST_SHARE * usual_s
        if len(self._cold_s) >= TRIED:
            cold_s = sorted(self._cold_s)[-1 - len(self._cold_s) // 4]
        self._lead_s = cold_s + (self._count - 1) * self._warm_s + MARGIN_S
        return self._arrived_s + usual_s if cold_s <= most_s else None

    def _rehearse(self, due_s: float) -> Any:
        """Wait and rehearse until a frame is there or due; returns it, or ``WAITING``."""
        frame = self._source.read(max(0.0, due_s - self._lead_s - time.monotonic()))
        for number in range(self._count):
            began_s = time.monotonic()
            least_s = self._warm_s if number else 0.0
            if frame is not WAITING or began_s + least_s > due_s:
                break
            if self._frame is None or not self._targets.rehearse(self._frame):
                return WAITING
            took_s = time.monotonic() - began_s
            self.rehearsals += 1
            self.rehearsed_s += took_s
            if number:
                self._warm_s = took_s
            else:
                self._cold_s.append(took_s)
            frame = self._source.read(0.0)
        while self._polls and frame is WAITING and time.monotonic() < due_s + LATE_S:
            time.sleep(POLL_S)
            frame = self._source.read(0.0)
        return frame

    def _remember(self, frame: np.ndarray) -> None:
        """Keep the frame for rehearsals, and the time since the last one."""
        arrived_s = self._source.arrived_s
        if self._frame is not None:
            self._intervals.append(arrived_s - self._arrived_s)
        self._frame, self._arrived_s = frame, arrived_s
