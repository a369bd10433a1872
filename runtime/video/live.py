"""A live source: a thread keeps the newest frame, and opens the source again when it breaks."""

import queue
import threading
import time

import cv2

from runtime.errors import BadSource, HotpathError
from runtime.video.base import WAITING, Source, capture_fps, to_bgr
from runtime.video.cameras import READ_TIMEOUT_S

FIRST_PAUSE_S = 0.3  # before a lost source is tried again; doubles up to
LONGEST_PAUSE_S = 2.0
EMPTY_OPENINGS = 3  # a stream joined before its next key frame may open and give nothing
WAKE_S = 0.2  # Ctrl-C is answered at least so soon while something is waited for
CLOSE_WAIT_S = 2.0  # a camera that hangs in the driver can't be stopped; it dies with the process


def open_in_background(device):
    """What ``device.open()`` gives or raises; Ctrl-C is answered at once meanwhile.

    OpenCV's own opening can't be interrupted. After Ctrl-C it goes on in a thread that keeps no
    program from ending, and what it opens is let go of.
    """
    answers = queue.Queue()

    def run():
        try:
            answers.put((device.open(), None))
        except BaseException as error:  # told to the caller, whatever it is
            answers.put((None, error))

    thread = threading.Thread(target=run, name="open " + device.name)
    thread.daemon = True
    thread.start()
    while True:
        try:
            capture, error = answers.get(timeout=WAKE_S)
        except queue.Empty:
            continue
        if error is not None:
            raise error
        return capture


class LiveSource(Source):
    """The newest frame of a camera or a stream.

    The first opening happens before the constructor returns; when it fails that is the error.
    Later losses are no errors: the source is opened again, after 0.3 s, then with pauses that
    double up to 2 s, for ever. Meanwhile ``read`` answers ``WAITING``. Each time that the source
    had to be opened again, and each silence of more than ``gap_s``, is one entry of ``gaps``, and
    a line for ``log`` when it is over (a long one also when it starts).

    Args:
        device: has ``name`` and ``open() -> cv2.VideoCapture``; and ``read_timeout_s`` where
            OpenCV's ``read`` gives up after that time.
        log: called with one line of text, only from inside ``read``.
        gap_s: silence that counts as a gap, seconds.
        opened: what ``device.open()`` gave for the first time, where the caller called it.
    """

    live = True

    def __init__(self, device, log=None, gap_s=READ_TIMEOUT_S, opened=None):
        super().__init__(device.name, log)
        self._device = device
        self._opened = opened
        self._gap_s = gap_s
        self._news = threading.Condition()
        self._closing = threading.Event()
        # all below under _news
        self._frame = None  # the newest frame that was not given yet
        self._frame_at = None  # its time, seconds of the monotonic clock
        self._silent_s = 0.0  # the longest silence since the last frame given
        self._reopened = False  # opened again since the last frame given
        self._started = False  # the first frame has come
        self._failed = None  # why the first opening failed
        self._first_at = None
        self._lost_said = False
        self._pumped = 0  # frames that came, the thread's own count
        self._reader = threading.Thread(target=self._run, name="video " + device.name)
        self._reader.daemon = True
        self._reader.start()
        self._wait_for_start()

    def read(self, timeout_s=1.0):
        """The newest frame that was not given yet, or ``WAITING``; see ``Source.read``.

        After ``close`` the answer is ``None``.
        """
        deadline = time.monotonic() + timeout_s
        with self._news:
            while self._frame is None and not self._closing.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._news.wait(left)
            frame, self._frame = self._frame, None
            if self._closing.is_set():
                return None
            at = self._frame_at
            if frame is not None:
                gap = self._reopened or self._silent_s > self._gap_s
                silent_s, self._silent_s, self._reopened = self._silent_s, 0.0, False
        if frame is None:
            self._say_if_lost(time.monotonic() - at)
            return WAITING
        if gap:
            self._end_gap(silent_s)
        self.time_s, self.captured_s = at - self._first_at, at
        return self._give(frame)

    def close(self):
        """Stop the thread and let go of the camera or connection; a gap still open is recorded."""
        if not self._closing.is_set():
            self._closing.set()
            with self._news:
                self._news.notify_all()
                silent_s = time.monotonic() - self._frame_at if self._frame_at else 0.0
            if silent_s > self._gap_s:
                self.gaps.append((self.given, silent_s))
        self._reader.join(CLOSE_WAIT_S)

    def _wait_for_start(self):
        """Return when the first frame is there; raise what kept the source from opening."""
        try:
            with self._news:
                while not self._started and self._failed is None:
                    self._news.wait(WAKE_S)
        except BaseException:
            self._closing.set()
            raise
        if self._failed is not None:
            self.close()
            raise self._failed

    def _run(self):
        """The thread: open, pump frames until it breaks, pause, again."""
        pause_s, empty = FIRST_PAUSE_S, 0
        while not self._closing.is_set():
            before, trouble = self._pumped, None
            try:
                self._open_and_pump()
            except (HotpathError, cv2.error) as error:
                trouble = error
            if not self._started:
                empty += 1
                if trouble is not None or empty == EMPTY_OPENINGS:
                    self._fail(trouble)
                    return
            pause_s = FIRST_PAUSE_S if self._pumped > before else pause_s
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _open_and_pump(self):
        """Open the device and pump its frames; whatever happens, let go of it."""
        capture, self._opened = self._opened or self._device.open(), None
        try:
            self.fps = self.fps or capture_fps(capture)
            self._pump(capture)
        finally:
            capture.release()

    def _pump(self, capture):
        """Put every frame where ``read`` finds it, until the first failure."""
        timeout_s = getattr(self._device, "read_timeout_s", float("inf"))
        fresh = True
        while not self._closing.is_set():
            asked = time.monotonic()
            good, frame = capture.read()
            now = time.monotonic()
            # a read that ran into its timeout may still give what the decoder held back: an old
            # frame, and the connection is dead all the same
            if not good or frame is None or (not fresh and now - asked > 0.9 * timeout_s):
                break
            self._put(to_bgr(frame), now, fresh)
            fresh = False

    def _put(self, frame, now, fresh):
        """Make ``frame`` the newest; ``fresh`` when the device was just opened."""
        self._pumped += 1
        with self._news:
            if self._frame is not None:
                self.dropped += 1
            if self._started:
                self._silent_s = max(self._silent_s, now - self._frame_at)
                self._reopened = self._reopened or fresh
            else:
                self._started, self._first_at = True, now
            self._frame, self._frame_at = frame, now
            self._news.notify_all()

    def _fail(self, trouble):
        """Tell the constructor that the first opening gave no frame."""
        with self._news:
            self._failed = trouble or BadSource(
                "{}: opened, but no picture came; check the sender".format(self.name)
            )
            self._news.notify_all()

    def _say_if_lost(self, silent_s):
        """Once per gap: tell that nothing comes any more."""
        if silent_s > self._gap_s and not self._lost_said:
            self._lost_said = True
            self.log(
                "{}: lost after frame {}; trying to get it back".format(self.name, self.given - 1)
            )

    def _end_gap(self, silent_s):
        """Record a gap that the frame about to be given ends."""
        self.gaps.append((self.given, silent_s))
        self._lost_said = False
        self.log(
            "{}: back at frame {} after {:.1f} s without a picture".format(
                self.name, self.given, silent_s
            )
        )
