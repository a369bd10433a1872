"""A live source: a thread keeps the newest frame, and opens the source again when it breaks."""

import atexit
import os
import sys
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any, Optional, Tuple

import cv2

from hotpath.base.cli import flush
from hotpath.runtime.errors import BadSource, HotpathError, LoginRefused
from hotpath.runtime.frames.pictures import is_deep
from hotpath.video import opencv, pyav
from hotpath.video.base import (
    WAITING,
    Header,
    Log,
    Source,
    capture_fps,
    checked_picture,
    stated_frames,
    without_password,
)
from hotpath.video.cameras import (
    MONOTONIC,
    NONE,
    READ_TIMEOUT_S,
    RECORDING_READ_TIMEOUT_S,
    CaptureClock,
    CsiCamera,
    LiveListPace,
    NetworkStream,
    V4l2Camera,
)
from hotpath.video.hardware import Decoder
from hotpath.video.recorded import RecordedVideo

FIRST_PAUSE_S = 0.3  # before a lost source is tried again; doubles up to
LONGEST_PAUSE_S = 2.0
LOGIN_PAUSE_S, LONGEST_LOGIN_PAUSE_S = 60.0, 600.0  # the same, after a login was refused
EMPTY_OPENINGS = 3  # a stream joined before its next key frame may open and give nothing
EMPTY_S = 5.0  # and after so long it is not opened again
PATIENT_S = 3.0  # after which the user hears that an opening takes longer
WAKE_S = 0.2  # while the program waits, it answers Ctrl-C within this time
OPENING, READING = "open ", "video "  # the names of threads that open, and read, a source begin so
GAP_S = READ_TIMEOUT_S  # a silence that counts as a gap
CLOSE_WAIT_S = 2.0  # a camera that hangs in its driver can't be stopped; it ends with the process


def open_in_background(device: Any, log: Log = None) -> Any:
    """Call ``device.open()`` in a thread, so that Ctrl-C is answered at once.

    OpenCV can't be interrupted while it opens a source. After Ctrl-C it continues in a daemon
    thread, which does not keep the program from ending.

    Args:
        log: is told if it takes longer than ``PATIENT_S``.

    Returns:
        what ``device.open()`` returned; its error is raised.
    """
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(device.open())
        except BaseException as error:  # raised in the caller's thread
            answer.set_exception(error)

    thread = threading.Thread(target=run, name=OPENING + device.name, daemon=True)
    thread.start()
    tell_s = time.monotonic() + PATIENT_S
    while thread.is_alive():
        thread.join(WAKE_S)
        if log and time.monotonic() > tell_s and thread.is_alive():
            log(f"{device.name}: waiting for its first picture")
            log = None
    return answer.result()


def end_program(code: int) -> None:
    """End the process with an exit code; at once after an error, and where a thread reads a source.

    Such a thread is inside OpenCV's or FFmpeg's code, which crashed now and then when Python ended
    and took the libraries down beside it.
    """
    code = code if flush() else 2
    if code or any(thread.name.startswith((OPENING, READING)) for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)


_open: "weakref.WeakSet[LiveSource]" = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """Close what a program left open: Python's end aborts a process with a thread in OpenCV."""
    sources = list(_open)
    for source in sources:  # before any of them is waited for
        source._closing.set()
    for source in sources:
        source.close()


class LiveSource(Source):
    """The newest frame of a camera or a stream.

    The constructor opens the source, and raises the error of a failed opening. A later loss is not
    an error: the source is opened again after 0.3 s, then with pauses that double up to 2 s, for
    ever. If it refuses the login, which may lock the account, the pauses are a minute to ten.
    Meanwhile ``read`` returns ``WAITING``. Each reopening, and each silence of more than
    ``GAP_S``, becomes one entry of ``gaps``. ``log`` is called when it ends. For a long silence it
    is called when it starts, too.

    Args:
        device: has ``name`` and ``open()``, which returns a ``cv2.VideoCapture`` or its like. It
            has ``read_timeout_s`` where ``read`` gives up after that time, and ``silent`` where it
            can tell why no picture comes. What it opens has ``header`` where the sender gives a
            ``Header`` with each frame.
        log: called with one line of text, only inside ``read``.
        opened: the result of the first ``device.open()``, where the caller opened it.
        depth: used bits of 16-bit pictures. None takes each picture's own range.
    """

    live = True

    def __init__(
        self, device: Any, log: Log = None, opened: Any = None, depth: Optional[int] = None
    ) -> None:
        super().__init__(device.name, log, depth)
        self._device = device
        self._stamps = getattr(device, "stamps", NONE)
        self.captured_at = "camera" if self._stamps == MONOTONIC else "arrival"
        self._opened = opened
        self._news = threading.Condition()
        self._closing = threading.Event()
        # the attributes below are read and written under the lock of _news
        self._frame: Any = None  # the newest frame, until ``read`` takes it
        self._frame_at = 0.0  # when it came, seconds of the monotonic clock
        self._captured_at = 0.0  # when it was taken
        self._decode_ms = 0.0  # how long its decoding took
        self._header: Optional[Header] = None  # that it came with
        self._silent_s = 0.0  # the longest silence since the last frame given
        self._was_reopened = False  # opened again since the last frame given
        self._started = False  # the first frame has come
        self._failed: Optional[BaseException] = None  # why the first opening failed
        self._cause = ""  # of the gap, where it is known
        self._refused_s = 0.0  # the pause after a refused login
        self._first_at = 0.0
        self._loss_told: Optional[str] = None  # the cause that was told, "" for none
        self._received = 0  # frames that came; only the thread uses it
        name = READING + device.name
        self._reader = threading.Thread(target=self._run, name=name, daemon=True)
        self._reader.start()
        _open.add(self)
        self._wait_for_start()

    def read(self, timeout_s: float = 1.0) -> Any:
        """The newest frame, or ``WAITING`` where no new one came; see ``Source.read``.

        After ``close`` it returns ``None``.
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
            at, captured_at, self.decode_ms = self._frame_at, self._captured_at, self._decode_ms
            header = self._header
            if frame is not None:
                gap = self._was_reopened or self._silent_s > GAP_S
                silent_s = self._silent_s
                self._silent_s = 0.0
                self._was_reopened = False
        if frame is None:
            self._tell_loss(time.monotonic() - at)
            return WAITING
        if gap:
            self._record_gap(silent_s)
        self.time_s = captured_at - self._first_at
        self.captured_s, self.arrived_s, self.header = captured_at, at, header
        return self._give_any(frame)

    def close(self) -> None:
        """Stop the thread, release the camera or connection, and record a gap that is open."""
        if not self._closing.is_set():
            self._closing.set()
            with self._news:
                self._news.notify_all()
                silent_s = time.monotonic() - self._frame_at if self._started else 0.0
            if silent_s > GAP_S:
                self.gaps.append((self.given, silent_s))
        self._reader.join(CLOSE_WAIT_S)
        with self._news:
            self._frame = None  # a picture that nobody took may lie in the camera's own memory

    def _wait_for_start(self) -> None:
        """Wait for the first frame; raise the error of a failed opening."""
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

    def _run(self) -> None:
        """The thread: open the source, receive frames until it breaks, pause, repeat."""
        pause_s, login_pause_s = FIRST_PAUSE_S, LOGIN_PAUSE_S
        empty = 0
        began_s = time.monotonic()
        while not self._closing.is_set():
            before = self._received
            trouble = None
            try:
                self._open_and_receive()
            except (HotpathError, cv2.error) as error:
                trouble = error
            except Exception as error:  # of a library: without this, the run would wait for ever
                why = without_password(str(error))
                trouble = BadSource(f"{self.name}: {type(error).__name__}: {why}")
            is_refused = isinstance(trouble, LoginRefused)
            if trouble is not None:
                self._cause = f": {trouble}"
            if not self._started:
                empty += 1
                waited_s = time.monotonic() - began_s
                if trouble or empty == EMPTY_OPENINGS or waited_s > EMPTY_S:
                    if trouble is None and hasattr(self._device, "silent"):
                        trouble = self._device.silent(waited_s)
                    why = "opened, but no picture came; check the sender"
                    trouble = trouble or BadSource(f"{self.name}: {why}")
                    with self._news:
                        self._failed = trouble
                        self._news.notify_all()
                    return
            if self._received > before:
                pause_s, login_pause_s = FIRST_PAUSE_S, LOGIN_PAUSE_S
            if is_refused:
                self._refused_s = login_pause_s
                self._closing.wait(login_pause_s)
                login_pause_s = min(2 * login_pause_s, LONGEST_LOGIN_PAUSE_S)
                continue
            self._refused_s = 0.0
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _open_and_receive(self) -> None:
        """Open the device, receive its frames, and release it in any case."""
        capture = self._opened or self._device.open()
        self._opened = None
        try:
            self.fps = self.fps or capture_fps(capture)
            self._receive(capture)
        finally:
            capture.release()

    def _receive(self, capture: Any) -> None:
        """Put every frame where ``read`` finds it, until the first failure."""
        timeout_s = getattr(self._device, "read_timeout_s", float("inf"))
        clock = CaptureClock(NONE if getattr(capture, "invents_stamps", False) else self._stamps)
        pace = LiveListPace()
        fresh = True
        before = [0, 0]
        while not self._closing.is_set():
            asked = time.monotonic()
            good, frame, decode_ms = _grab_and_decode(capture)
            now = time.monotonic()
            # a read that timed out may still return an old frame that the decoder held back,
            # although the connection is dead
            if not good or frame is None or (not fresh and now - asked > 0.9 * timeout_s):
                break
            captured = clock.captured_s(capture.get(cv2.CAP_PROP_POS_MSEC), now)
            if getattr(capture, "is_list", False):
                captured = pace.due_s(capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, now)
                self._closing.wait(max(0.0, captured - now))
                now = time.monotonic()
            counts = [getattr(capture, name, 0) for name in ("errors", "skipped")]
            if not fresh:  # else those of a stream that was joined between its key frames
                self.errors += counts[0] - before[0]
                self.skipped += counts[1] - before[1]
            before = counts
            if not is_deep(frame):  # ``read`` scales others
                frame = checked_picture(frame)
            header = getattr(capture, "header", None)
            self._put(frame, now, fresh, captured, decode_ms, header)
            fresh = False

    def _put(
        self,
        frame: Any,
        now: float,
        fresh: bool,
        captured: float,
        decode_ms: float,
        header: Optional[Header],
    ) -> None:
        """Make ``frame`` the newest one; ``fresh`` where the device was just opened."""
        self._received += 1
        with self._news:
            if self._frame is not None:
                self.dropped += 1
            if self._started:
                self._silent_s = max(self._silent_s, now - self._frame_at)
                self._was_reopened = self._was_reopened or fresh
            else:
                self._started = True
                self._first_at = captured
            self._frame, self._frame_at, self._captured_at = frame, now, captured
            self._decode_ms, self._header = decode_ms, header
            self._news.notify_all()

    def _tell_loss(self, silent_s: float) -> None:
        """Tell once in each gap that the source is lost, and once that it refuses the login."""
        refused_s, cause = self._refused_s, self._cause
        is_news = self._loss_told is None or (refused_s and cause != self._loss_told)
        if silent_s > GAP_S and is_news:
            self._loss_told = cause
            where = f"{self.name}: no frames after frame {self.given - 1}"
            again = f"next attempt in {refused_s:.0f} s" if refused_s else ""
            self.log(f"{where}{cause}; {again or 'reconnecting'}")

    def _record_gap(self, silent_s: float) -> None:
        """Record the gap that ends with the next frame."""
        self.gaps.append((self.given, silent_s))
        self._loss_told = None
        cause = self._cause
        self._cause = ""
        where = f"{self.name}: back at frame {self.given}"
        self.log(f"{where} after {silent_s:.1f} s without a picture{cause}")


def _grab_and_decode(capture: Any) -> Tuple[bool, Any, float]:
    """As ``capture.read()``, with the milliseconds of decoding; 0 if they are not known."""
    if not isinstance(capture, cv2.VideoCapture):
        good, frame = capture.read()
        return good, frame, getattr(capture, "decode_ms", 0.0)
    if not capture.grab():
        return False, None, 0.0
    started = time.perf_counter()
    good, frame = capture.retrieve()
    return good, frame, (time.perf_counter() - started) * 1e3


def open_camera(spec: str, camera: Any, log: Log, depth: Optional[int], planes: bool) -> Source:
    """A V4L2 camera, of which ``camera`` is the path and the size, or a CSI camera."""
    if camera:
        path, size = camera
        return LiveSource(V4l2Camera(path, planes=planes, size=size), log, depth=depth)
    device = CsiCamera(spec[len("csi") :], planes=planes)
    return LiveSource(device, log, opened=open_in_background(device, log), depth=depth)


def open_address(
    spec: str,
    log: Log,
    depth: Optional[int],
    planes: bool,
    decoder: Optional[Decoder],
    insecure: bool = False,
) -> Source:
    """A stream, or a recording on a server, which states its frames or its length."""
    how: Any = dict(planes=planes, decoder=decoder, insecure=insecure)
    stream = NetworkStream(spec, **how)
    capture = open_in_background(stream, log)
    by_pyav = isinstance(capture, pyav.AvCapture)
    is_opencv = isinstance(capture, cv2.VideoCapture)
    frames = stated_frames(capture) if is_opencv else getattr(capture, "frames", None)
    is_still = getattr(capture, "is_still", frames == 1)
    if frames is None and not getattr(capture, "file_bytes", 0) and not is_still:
        return LiveSource(stream, log, opened=capture, depth=depth)
    capture.release()
    patient = NetworkStream(spec, read_timeout_s=RECORDING_READ_TIMEOUT_S, **how)
    again: Any = open_in_background(patient) if by_pyav else None
    again = again or opencv.CvCapture(lambda: open_in_background(patient))
    source = RecordedVideo(stream.name, again, log, depth=depth)
    if is_still:
        source.leave_out("gives one picture and no more; name the address of the camera's stream")
    return source
