"""When a live frame was captured, from the stamp that its driver or its sender gives it."""

import math
from collections import deque
from typing import Deque

# what a stamp of ``cv2.CAP_PROP_POS_MSEC`` is: nothing; the monotonic clock of this computer (V4L2
# drivers); the sender's clock, with an unknown offset to ours (RTP, MPEG-TS)
NONE, MONOTONIC, SENDER = "none", "monotonic", "sender"
OLDEST_S = 2.0  # an older stamp is of another clock
WINDOW = 150  # frames in which the fastest one tells the offset of the sender's clock
JUMP_S = 1.0  # of the sender's clock against ours: it started again


class CaptureClock:
    """Turns stamps into capture times on our monotonic clock.

    Args:
        kind: ``NONE``, ``MONOTONIC`` or ``SENDER``. With ``SENDER`` a capture time is that of the
            fastest of the last frames: what delays every frame, such as the exposure and the
            shortest way through the network, is not in it.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._offsets: Deque[float] = deque(maxlen=WINDOW)  # our clock less the sender's

    def captured_s(self, stamp_ms: float, arrived_s: float) -> float:
        """Capture time, seconds of the monotonic clock; the arrival where no stamp tells it.

        Args:
            stamp_ms: what the capture states; 0 or not finite for nothing.
            arrived_s: when the frame came, seconds of the monotonic clock.
        """
        stamp_s = stamp_ms / 1e3
        if self._kind == NONE or not math.isfinite(stamp_s) or stamp_s <= 0:
            return arrived_s
        if self._kind == SENDER:
            offset_s = arrived_s - stamp_s
            if self._offsets and abs(offset_s - self._offsets[-1]) > JUMP_S:
                self._offsets.clear()
            self._offsets.append(offset_s)
            stamp_s += min(self._offsets)
        age_s = arrived_s - stamp_s
        return stamp_s if 0 <= age_s <= OLDEST_S else arrived_s
