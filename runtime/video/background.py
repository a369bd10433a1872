"""Encode a saved video in a thread of its own, so that the frame loop does not wait for it."""

import queue
import threading
import time
from typing import Any, Callable, Optional

import numpy as np

from runtime.video.save import Video

WAITING_FRAMES = 8  # between the loop and the encoder; 50 MB at 1920x1080


class BackgroundVideo:
    """Hands frames to a ``Video`` in another thread.

    Args:
        video: what encodes and writes.
        may_drop: drop a frame where the encoder is late. Live sources do so; for a recording the
            loop waits instead, and every frame is saved.
        timed: function that is called with the milliseconds of each frame's encoding.

    Attributes:
        dropped: how many frames were dropped.
    """

    def __init__(self, video: Video, may_drop: bool, timed: Callable[[float], None]) -> None:
        self.dropped = 0
        self._video, self._may_drop, self._timed = video, may_drop, timed
        self._queue: queue.Queue[Any] = queue.Queue(WAITING_FRAMES)
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = threading.Thread(
            target=self._run, name="encoder", daemon=True
        )
        self._thread.start()

    def write(self, frame: np.ndarray, time_s: Optional[float] = None) -> None:
        """Append one frame, which must not be changed afterwards; see ``Video.write``.

        Raises:
            BadOutput: the encoder failed, at this frame or an earlier one.
        """
        self._raise_error()
        if self._may_drop:
            try:
                self._queue.put_nowait((frame, time_s))
            except queue.Full:
                self.dropped += 1
        else:
            self._queue.put((frame, time_s))

    def close(self) -> None:
        """Encode what waits, and finish the file; may be called twice."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            self._video.close()
            self._raise_error()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        """The thread: encode until None comes; after an error take frames and drop them."""
        failed = False
        while True:
            item = self._queue.get()
            if item is None:
                return
            if failed:
                continue
            started = time.perf_counter()
            try:
                self._video.write(*item)
            except BaseException as error:  # raised in the loop's thread
                self._error, failed = error, True
            self._timed((time.perf_counter() - started) * 1e3)
