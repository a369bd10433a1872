"""The frames of the last seconds, so that a target can be chosen on the frame that was seen."""

import threading
import time

RING_BYTES = 96 << 20  # of frames kept, so that a target can be chosen on the frame that was seen
RING_FRAMES = (6, 90)  # at least and at most so many
HOLD_S = 60.0  # a frame that a browser holds is let go after that


class Ring:
    """The frames shown last. When full, every second one of its older half goes: the newest are
    all there, the older the sparser, so that a slow hand still finds the frame that it aims at.
    """

    def __init__(self, limit_bytes=RING_BYTES):
        self._limit_bytes = limit_bytes
        self._shots = []
        self._held = {}  # who -> (index, until)
        self._lock = threading.Lock()

    def add(self, shot):
        """Keep one more frame."""
        low, high = RING_FRAMES
        most = max(low, min(high, self._limit_bytes // max(1, shot.frame.nbytes)))
        with self._lock:
            self._shots.append(shot)
            if len(self._shots) <= most:
                return
            now = time.monotonic()
            held = {index for index, until in self._held.values() if until > now}
            older = self._shots[: len(self._shots) // 2]
            kept = [s for n, s in enumerate(older) if n % 2 or s.index in held]
            self._shots = kept + self._shots[len(older) :]
            if len(self._shots) > 2 * most:  # all of them held
                del self._shots[: len(self._shots) - 2 * most]

    def hold(self, who, index):
        """Keep the frame of that index until ``who`` lets go; None lets go."""
        with self._lock:
            if index is None:
                self._held.pop(who, None)
            elif any(shot.index == index for shot in self._shots):
                self._held[who] = (index, time.monotonic() + HOLD_S)

    def since(self, index):
        """The frame of that index and those after it; empty when it is kept no more."""
        with self._lock:
            shots = [shot for shot in self._shots if shot.index >= index]
        return shots if shots and shots[0].index == index else []
