"""Save the pictures as a video that plays to within a second of the end however the program ends.

Two writers, both of which put whole pieces on the disk while they go:

- PyAV (the package ``av``), where it is installed: H.264 by libx264 in ``.mp4`` (fragmented,
  a quarter of a second each), ``.mkv`` or ``.avi``.
- without it: Motion JPEG in a fragmented ``.mp4`` (``jpeg_mp4.py``), one fragment a frame. Larger,
  plays in VLC, ffplay, mpv and OpenCV but not in browsers, and needs nothing but OpenCV's JPEG.

OpenCV's own ``VideoWriter`` is not used: killed, it leaves an ``.mp4`` without index that nothing
plays, and an ``.mkv`` or ``.avi`` that lacks up to its last seconds.
"""

import errno
import os
import stat
from fractions import Fraction

import cv2
import numpy as np

from runtime.errors import BadOutput
from runtime.video.base import to_bgr
from runtime.video.containers import mp4_boxes
from runtime.video.jpeg_mp4 import JpegMp4
from runtime.video.results import check_folder, why_not

KINDS = (".mp4", ".mkv", ".avi")
DEFAULT_FPS = 30.0
CLOCK_HZ = 90000  # of the time stamps


def open_video(path, fps=None, h264=None):
    """A video file to write frames to; its size is that of the first frame.

    Args:
        path: ``.mp4``, ``.mkv`` or ``.avi``. A file that exists is replaced.
        fps: frames per second, or None when the source does not say (30 is taken).
        h264: None for H.264 where PyAV is installed; False for Motion JPEG all the same (``.mp4``
            only; a third of the computing time, ten times the size).

    Raises:
        BadOutput: no encoder for the ending, no such folder, a pipe, no permission, or a full disk.
    """
    path = os.fspath(path)
    kind = os.path.splitext(path)[1].lower()
    if kind not in KINDS:
        raise BadOutput(
            "{}: there is no encoder for {}; name the video {}".format(
                path, repr(kind) if kind else "a file without ending", ", ".join(KINDS)
            )
        )
    check_folder(path)
    if os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode):
        raise BadOutput("{}: is a pipe; give the video a file name".format(path))
    av = None if h264 is False else _pyav()
    if av is None and kind != ".mp4":
        raise BadOutput(
            "{}: H.264 in {} needs the package av (pip install av); without it, name the video "
            ".mp4".format(path, kind)
        )
    try:
        open(path, "wb").close()
    except OSError as error:
        raise BadOutput(why_not(path, error)) from None
    return Video(path, fps or DEFAULT_FPS, av)


class Video:
    """Writes frames; made by ``open_video``.

    Attributes:
        frames: how many were written.
        codec: "H.264" or "Motion JPEG".
    """

    def __init__(self, path, fps, av):
        self.name = path
        self.frames = 0
        self.codec = "H.264" if av else "Motion JPEG"
        self._fps, self._av = float(fps), av
        self._size = None  # (width, height) of the video
        self._writer = None
        self._ended = None  # why no more frames can be written
        self._last_tick = -1

    def write(self, frame, time_s=None):
        """Append one frame.

        Args:
            frame: BGR ``uint8`` (H, W, 3). One of another size than the first is scaled to fit,
                with black beside it.
            time_s: when it is to be shown, seconds since the first; None: one frame time after
                the last (files). Frames out of order are shown right after their forerunner.

        Raises:
            BadOutput: the disk is full or the like. The file is then closed; what is on the disk
                plays.
        """
        if self._ended:
            raise BadOutput(self._ended)
        frame = to_bgr(frame)
        try:
            if self._writer is None:
                self._start(frame)
            seconds = self.frames / self._fps if time_s is None else time_s
            self._last_tick = max(self._last_tick + 1, int(round(seconds * CLOCK_HZ)))
            self._writer.write(letterbox(frame, self._size), self._last_tick)
        except (OSError, ValueError) as error:
            self._give_up(error)
        self.frames += 1

    def close(self):
        """Finish the file; may be called twice."""
        self._ended = self._ended or "{}: is closed".format(self.name)
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except BadOutput:
            if kind is None:  # else the first error is the one to report
                raise

    def _start(self, frame):
        """Make the writer for the first frame's size, even in both directions for H.264."""
        height, width = frame.shape[:2]
        self._size = (width + width % 2, height + height % 2) if self._av else (width, height)
        if self._av:
            self._writer = _PyAvWriter(self._av, self.name, self._fps, self._size)
        else:
            self._writer = JpegMp4(self.name, self._fps, self._size, CLOCK_HZ)

    def _give_up(self, error):
        """After a write that failed: close, leave a file that plays, raise ``BadOutput``."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except (OSError, ValueError):  # the same trouble again
                pass
        kept = "what was written before is kept"
        if self.name.lower().endswith(".mp4"):
            plays = keep_whole_fragments(self.name)
            kept = "what was written before plays" if plays else "no frame of it was written"
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full"
        else:
            what = "can't be written ({})".format(getattr(error, "strerror", None) or error)
        self._ended = "{}: {}; {}".format(self.name, what, kept)
        raise BadOutput(self._ended) from None


def keep_whole_fragments(path):
    """Cut an MP4 in fragments back to the last whole one, as some players stop at half a box.

    Returns:
        whether a fragment (``moof`` with its ``mdat``) is left; a device is left alone.
    """
    if not os.path.isfile(path):
        return False
    size, before, whole, fragments = os.path.getsize(path), None, 0, 0
    for kind, _, end in mp4_boxes(path):
        if end > size:
            break
        fragments += before == b"moof" and kind == b"mdat"
        if kind != b"moof":
            whole = end
        before = kind
    try:
        os.truncate(path, whole)
    except OSError:  # the disk is gone or now read-only: what is there stays
        pass
    return fragments > 0


class _PyAvWriter:
    """H.264 through PyAV."""

    def __init__(self, av, path, fps, size):
        self._av = av
        kind = os.path.splitext(path)[1].lower()
        options = {"flush_packets": "1"}
        if kind == ".mp4":
            options["movflags"] = "frag_keyframe+empty_moov+default_base_moof"
            options["frag_duration"] = "250000"  # microseconds
        elif kind == ".mkv":
            options["cluster_time_limit"] = "250"  # milliseconds
        rate = Fraction(fps).limit_denominator(1001)
        self._container = av.open(path, "w", options=options)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate)
        except Exception as error:  # PyAV has its own class for an unknown codec in each version
            self._container.close()
            raise BadOutput("{}: this PyAV has no H.264 encoder ({})".format(path, error)) from None
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        # one key frame a second: players can seek. zerolatency: no frame waits in the encoder
        gop = str(max(1, int(round(fps))))
        self._stream.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "crf": "20",
            "g": gop,
        }
        # AVI has no time stamps, only a frame rate
        self._counted = kind == ".avi"
        self._time_base = 1 / rate if self._counted else Fraction(1, CLOCK_HZ)
        if not self._counted:
            self._stream.codec_context.time_base = self._time_base
        self._written = 0

    def write(self, frame, tick):
        """Encode one frame of the video's size at ``tick`` of the 90 kHz clock."""
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
        picture.pts = self._written if self._counted else tick
        picture.time_base = self._time_base
        self._written += 1
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def close(self):
        """Write what the encoder still holds, and close."""
        try:
            for packet in self._stream.encode():
                self._container.mux(packet)
        finally:
            self._container.close()


def letterbox(frame, size):
    """``frame`` scaled to fit into ``size`` (width, height), centred, with black beside it.

    A frame that lacks one row or column only (an odd size made even) is not scaled: its edge is
    repeated.
    """
    width, height = size
    h, w = frame.shape[:2]
    if (w, h) == (width, height):
        return frame
    if 0 <= width - w <= 1 and 0 <= height - h <= 1:
        return cv2.copyMakeBorder(frame, 0, height - h, 0, width - w, cv2.BORDER_REPLICATE)
    scale = min(width / float(w), height / float(h))
    w, h = max(1, int(round(w * scale))), max(1, int(round(h * scale)))
    small = cv2.resize(
        frame, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    left, top = (width - w) // 2, (height - h) // 2
    return cv2.copyMakeBorder(
        small, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )


def _pyav():
    """The module ``av`` where it is installed and loads, else None."""
    try:
        import av
    except ImportError:  # not installed, or built for another libc
        return None
    return av
