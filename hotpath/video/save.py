"""Save pictures as H.264 that plays up to its last second, however the program ends.

PyAV (the package ``av``) writes whole pieces while the program runs: an ``.mp4`` in fragments of a
quarter of a second. OpenCV's ``VideoWriter`` is not used: killed, it leaves an ``.mp4`` without
index that nothing plays. An old file of the same name stays until a frame of the new one is on the
disk and can be decoded.
"""

import contextlib
import errno
import os
import pathlib
import queue
import stat
import threading
import time
from fractions import Fraction
from typing import Any, Callable, Optional, Union

import numpy as np

from hotpath.runtime.errors import BadOutput
from hotpath.runtime.tracker.lock import ExclusiveLock, exclusive
from hotpath.video.base import to_bgr
from hotpath.video.containers import mp4_boxes
from hotpath.video.encoder import DEFAULT_FPS, Canvas, Encoder, EncoderSettings, load_pyav
from hotpath.video.hardware import AUTO
from hotpath.video.output_file import MOVED, OLDER_STAYS, NewFile, check_ending, check_folder

KINDS = (".mp4",)
# FFmpeg's options: whole fragments of a quarter of a second, in microseconds
FRAGMENTS = {
    "flush_packets": "1",
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "250000",
}
# veryfast with 20 takes 1.6 times as long for files of .85 to .96 times the size
X264 = {"preset": "superfast", "crf": "21"}
WAITING_FRAMES = 8  # between the loop and the encoder; 50 MB at 1920x1080


class Video:
    """Writes frames. The first frame decides the video's size.

    Args:
        path: ``.mp4``. An existing file is replaced as soon as the new one plays.
        fps: frames a second, or None if the source does not state it (then 30).
        aspect: width of a pixel, divided by its height. Players show the video so.
        log: takes a sentence where an older file stays, or hardware can't be used.
        encoder: ``auto`` takes the board's hardware where there is some; ``software``.

    Raises:
        BadOutput: no PyAV, another ending, no such folder, a pipe, no permission, or a file that
            another run is writing.

    Attributes:
        frames: how many were written.
        replaces: whether the new file may replace an older one. While it is False, the older file
            stays; where it is still False at the end, the new file is removed.
    """

    def __init__(
        self,
        path: Union[str, pathlib.Path],
        fps: Optional[float] = None,
        aspect: float = 1.0,
        log: Callable[[str], None] = lambda text: None,
        encoder: str = AUTO,
    ) -> None:
        self._encoder_asked = encoder
        self.name = os.fspath(path)
        self.frames = 0
        self.replaces = True
        self._log = log
        check_ending(self.name, KINDS)
        check_folder(self.name)
        if os.path.exists(self.name) and stat.S_ISFIFO(os.stat(self.name).st_mode):
            raise BadOutput(f"{self.name}: is a pipe; give the video a file name", what="is a pipe")
        self._errors = (OSError, ValueError, load_pyav(self.name).FFmpegError)
        self._fps = float(fps or DEFAULT_FPS)
        self._aspect = Fraction(aspect).limit_denominator(1000)
        self._zero_s: Optional[float] = None  # time of the first frame
        self._encoder: Optional[Encoder] = None  # from the first frame on
        self._refusal: Optional[str] = None  # why no more frames can be written
        self._file = NewFile(self.name)
        self._looked_bytes = 0  # of the new file, when it was last decoded
        self.lock = ExclusiveLock()  # an encoder that is closed while it encodes ends the process

    @exclusive
    def write(self, frame: Union[np.ndarray, Canvas], time_s: Optional[float] = None) -> None:
        """Append one frame.

        Args:
            frame: BGR ``uint8`` (H, W, 3), or a ``Canvas``. One of another size than the first is
                scaled to fit, with black beside it.
            time_s: its time in the source, seconds. None: one frame time after the last frame. A
                frame that is out of order follows its predecessor at once.

        Raises:
            BadOutput: the disk is full or the encoder fails. The video is then closed; what is on
                the disk plays.
        """
        if self._refusal:
            raise BadOutput(self._refusal, what="not written")
        frame = frame if isinstance(frame, Canvas) else to_bgr(frame)
        try:
            if self._encoder is None:
                self._start(frame)
            assert self._encoder is not None, "started"
            seconds = self.frames / self._fps if time_s is None else time_s
            self._zero_s = seconds if self._zero_s is None else self._zero_s
            self._encoder.write(frame, seconds - self._zero_s)
            self._keep_if_it_plays()
        except BadOutput:  # there is no encoder
            self.close()
            raise
        except self._errors as error:
            self._fail(error)
        self.frames += 1

    @exclusive
    def close(self) -> None:
        """Finish the file; may be called twice."""
        self._refusal = self._refusal or f"{self.name}: is closed"
        try:
            self._finish()
        except self._errors as error:
            self._fail(error)
        finally:
            is_there = self._file.is_there
            if self.frames and not self.replaces and self._file.replaces:
                self._log(OLDER_STAYS.format(self.name))
                self.frames = 0
            self._file.close()
        if not is_there:
            raise BadOutput(MOVED.format(self.name), what="moved")

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            self.close()
        except BadOutput:
            if kind is None:  # else the first error is the one to report
                raise

    def _start(self, frame: Union[np.ndarray, Canvas]) -> None:
        """Open container and encoder for the first frame's size."""
        how = EncoderSettings(
            "mp4", self._fps, FRAGMENTS, X264, self._aspect, encoder=self._encoder_asked
        )
        try:
            self._encoder = Encoder(self._file.path, how, frame, self._log)
        except BadOutput as error:
            raise BadOutput(f"--save: {error}") from None

    @property
    def kept(self) -> bool:
        """Whether the file with this name is the one that was written."""
        return self._file.kept

    def _keep_if_it_plays(self) -> None:
        """Give the new file its name once a frame of it can be decoded from the disk."""
        if self._file.kept or (self._file.replaces and not self.replaces):
            return
        size = os.path.getsize(self._file.path)
        if size != self._looked_bytes:  # each look costs milliseconds
            self._looked_bytes = size
            if plays(self._file.path):
                self._file.keep()

    def _finish(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()
            self._keep_if_it_plays()

    def _fail(self, error: Exception) -> None:
        """After a write that failed: close, leave a file that plays, raise ``BadOutput``."""
        with contextlib.suppress(*self._errors):  # the same trouble again
            self._finish()
        keep_whole_fragments(self._file.path)
        with contextlib.suppress(*self._errors):
            self._keep_if_it_plays()
        kept = "what was written before plays" if self._file.kept else "no frame of it was written"
        self._file.close()
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full"
        else:
            what = "can't be written ({})".format(getattr(error, "strerror", None) or error)
        self._refusal = f"{self.name}: {what}; {kept}"
        raise BadOutput(self._refusal, what="not written") from None


def plays(path: str) -> bool:
    """Whether the first frame of a video is whole and can be decoded."""
    import av

    try:
        with av.open(path) as container:
            for packet in container.demux(video=0):
                if packet.is_corrupt:  # the file ends in it
                    return False
                if packet.decode():
                    return True
        return False
    except (OSError, ValueError, IndexError, av.FFmpegError):  # no header, or no frame yet
        return False


def keep_whole_fragments(path: str) -> None:
    """Cut an MP4 back to its last whole fragment, because some players stop at a partial one.

    A device is not touched.
    """
    if not os.path.isfile(path):
        return
    size = os.path.getsize(path)
    whole = 0
    for kind, _, end in mp4_boxes(path):
        if end > size:
            break
        if kind != b"moof":
            whole = end
    with contextlib.suppress(OSError):  # the disk is gone or read-only now: what is there stays
        os.truncate(path, whole)


class BackgroundVideo:
    """Hands frames to a ``Video`` in another thread.

    Args:
        video: what encodes and writes.
        may_drop: drop a frame where the encoder is late. Live sources do so; for a recording the
            loop waits instead, and every frame is saved.
        timed: function that is called with the milliseconds of each frame's encoding.

    Attributes:
        dropped: how many frames were dropped.
        video: the ``Video``.
    """

    def __init__(self, video: Video, may_drop: bool, timed: Callable[[float], None]) -> None:
        self.dropped = 0
        self.video, self._may_drop, self._timed = video, may_drop, timed
        self._queue: queue.Queue[Any] = queue.Queue(WAITING_FRAMES)
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = threading.Thread(
            target=self._run, name="encoder", daemon=True
        )
        self._thread.start()
        # what is written after ``close`` would wait for its thread for ever
        self.lock = ExclusiveLock()

    @property
    def kept(self) -> bool:
        """Whether the file with this name is the one that was written."""
        return self.video.kept

    @exclusive
    def write(self, frame: Union[np.ndarray, Canvas], time_s: Optional[float] = None) -> None:
        """Append one frame, which must not be changed afterwards; see ``Video.write``.

        Raises:
            BadOutput: the encoder failed, at this frame or an earlier one, or it is closed.
        """
        self.check()
        if self._thread is None:
            raise BadOutput(f"{self.video.name}: is closed")
        if self._may_drop:
            try:
                self._queue.put_nowait((frame, time_s))
            except queue.Full:
                self.dropped += 1
        else:
            self._queue.put((frame, time_s))

    @exclusive
    def close(self) -> None:
        """Encode what waits, and finish the file; may be called twice."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            self.video.close()
            self.check()

    def check(self) -> None:
        """Raise ``BadOutput`` if the encoder failed."""
        if self._error is not None:
            # each raise adds the caller's variables, so its frame, to the traceback
            raise self._error.with_traceback(None)

    def _run(self) -> None:
        """The thread: encode until None comes; after an error take frames and drop them."""
        while True:
            item = self._queue.get()
            if item is None:
                return
            if self._error is not None:
                continue
            started = time.perf_counter()
            try:
                self.video.write(*item)
            except BaseException as error:  # raised in the loop's thread
                self._error = error
            self._timed((time.perf_counter() - started) * 1e3)
