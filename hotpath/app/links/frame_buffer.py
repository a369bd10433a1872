"""Keep the frames of the last seconds, so that a target can be selected on the frame that was seen.

The network, the browser and the user take time. When a selection arrives, the loop is already some
frames further. The selection names the index of the frame that was displayed, and the tracker
starts on that frame.
"""

import threading
import time
from typing import Dict, List, Optional, Tuple

from hotpath.video.base import TrackedFrame

LIMIT_BYTES = 96 << 20  # memory for kept frames
FEWEST_FRAMES, MOST_FRAMES = 6, 90  # kept whatever their size
HOLD_S = 60.0  # a held frame may be dropped after this time


class FrameBuffer:
    """The frames that were tracked last.

    A full buffer drops every second frame of its older half. So the newest frames are all there,
    and older ones are sparser. A frame that somebody holds stays.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._frames: List[TrackedFrame] = []
        self._held: Dict[object, Tuple[int, float]] = {}  # holder -> (index, until)
        self._lock = threading.Lock()

    def add(self, tracked: TrackedFrame) -> None:
        """Keep one more frame."""
        fitting = self._limit_bytes // max(1, tracked.frame.nbytes)
        most = max(FEWEST_FRAMES, min(MOST_FRAMES, fitting))
        with self._lock:
            self._frames.append(tracked)
            if len(self._frames) <= most:
                return
            now = time.monotonic()
            held = {index for index, until in self._held.values() if until > now}
            older = self._frames[: len(self._frames) // 2]
            kept = [f for n, f in enumerate(older) if n % 2 or f.index in held]
            self._frames = kept + self._frames[len(older) :]
            if len(self._frames) > 2 * most:  # nearly all of them are held
                del self._frames[: len(self._frames) - 2 * most]

    def hold(self, holder: object, index: Optional[int]) -> None:
        """Keep the frame of that index for ``holder``; None releases what the holder had."""
        with self._lock:
            if index is None:
                self._held.pop(holder, None)
            elif any(tracked.index == index for tracked in self._frames):
                self._held[holder] = (index, time.monotonic() + HOLD_S)

    def at(self, seen_s: float) -> Optional[TrackedFrame]:
        """The frame that was the newest at a time, else the oldest one; None: there is no frame.

        Args:
            seen_s: seconds of the monotonic clock.
        """
        with self._lock:
            before = [tracked for tracked in self._frames if tracked.captured_s <= seen_s]
            if before:
                return before[-1]
            return self._frames[0] if self._frames else None

    def since(self, index: int) -> List[TrackedFrame]:
        """The frame of that index and all later ones; empty when that frame is gone."""
        with self._lock:
            frames = [tracked for tracked in self._frames if tracked.index >= index]
        return frames if frames and frames[0].index == index else []
