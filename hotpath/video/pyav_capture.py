"""Decode the video of a container with PyAV, so that frames and times are those of ffmpeg.

``AvCapture`` gives the frames in order. For a recording it also finds a frame by its number or its
time, by ``pyav_index.py``.
"""

import bisect
import itertools
import math
import time
from collections import deque
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Deque, Iterator, Optional, Tuple

import cv2

from hotpath.video.base import MOST_FPS, SAME, without_password
from hotpath.video.hardware import DEVICES, FORMATS, SOFTWARE, Decoder, context_of
from hotpath.video.limits import DECODER_LIMITS, check_size
from hotpath.video.pyav_frames import UPRIGHT, turn_of, upright
from hotpath.video.pyav_index import index_of, mark_of, starts

if TYPE_CHECKING:
    from hotpath.video.pyav_index import FrameIndex, KeyFrame

EACH_FRAME, ONE_FRAME = "AUTO", "SLICE"  # what PyAV's threads decode: a frame each, or parts of one
NO_TIMES = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS
BAD_PACKETS = 4096  # one after another that are skipped, as OpenCV does
ATTACHED = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
PICTURE_CODECS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")
DEFAULT_AREA = 5000000  # pixels that ffmpeg adds for a stream that is marked as the default
PACKETS_BEFORE = 1000  # a seek may end so many packets before its own
PLAYLISTS = ("hls", "dash", "sdp", "rtsp", "concat")  # whose length is not that of the video
MOST_BYTES = (1 << 31) - 1  # from here on all bits set are a length without a meaning
CUT_BYTES = 1 << 18  # that may follow the last packet of a video, as sound


def video_stream(container: Any) -> Any:
    """The stream that ffmpeg takes as the video, or None.

    It has the largest pictures, and the mark "default" counts more than the size. Covers, which
    have one frame or are of a codec for pictures, count only where there is nothing else. A stream
    whose codec FFmpeg does not know is none.
    """

    def rank(stream: Any) -> Tuple[bool, int]:
        context = stream.codec_context
        marks = int(getattr(stream, "disposition", 0))
        area = (context.width or 0) * (context.height or 0) + DEFAULT_AREA * (marks & 1)
        is_cover = marks & ATTACHED or stream.frames == 1  # a still picture beside a video
        return not (is_cover or context.name in PICTURE_CODECS), area

    usable = (stream for stream in container.streams.video if stream.codec_context is not None)
    return max(usable, key=rank, default=None)


class AvCapture:
    """The video of a container, frame by frame.

    Args:
        av: PyAV.
        opened: function that opens the container for reading, with arguments of ``av.open``, or
            None.
        thread_type: ``EACH_FRAME`` is faster. ``ONE_FRAME`` holds no frame back, and does not need
            to go back after an error.
        planes: whether frames may be ``Picture``s; else all are BGR arrays.
        patience_s: how long the first frame may take. Packets of a stream may come for ever without
            one.
        decoder: what decodes; None for software.

    Attributes:
        turn: how frames are set upright.
        aspect: width of a pixel of the upright frame, divided by its height.
        decode_ms: how long the last call of the decoder took.
        errors: frames that are damaged.
        skipped: packets that could not be decoded.
        time_s: time of the last frame, seconds since the first one.
    """

    def __init__(
        self,
        av: ModuleType,
        opened: Optional[Callable[..., Any]],
        thread_type: str,
        planes: bool = True,
        patience_s: float = math.inf,
        decoder: Optional[Decoder] = None,
    ) -> None:
        self._decoder = decoder or Decoder(SOFTWARE)
        self._av, self._opened, self._planes = av, opened, planes
        self._until_s = time.monotonic() + patience_s  # for the first frame
        self._thread_type = thread_type
        self._container: Any = None
        self._stream: Any = None
        self._context: Any = None  # of the decoder
        # IndexError: of PyAV at the end, if a stream of the file began after the first packets
        self._errors = (av.FFmpegError, OSError, ValueError, IndexError)
        self._decoded: Deque[Tuple[int, Any]] = deque()  # (ticks, frame)
        self._ended = False
        self._first: Optional[int] = None  # ticks of the first frame
        self._last: Optional[int] = None  # ticks of the frame that was decoded last
        self._given: Optional[int] = None  # ticks of the frame that was given last
        self._number = 0  # of the frame that is given next
        self._position = 0  # where the last packet ends in the file, bytes; 0: unknown
        self._index: Optional[FrameIndex] = None
        self._form = ""
        self._by_dts = False
        self.turn = UPRIGHT
        self.aspect = 1.0
        self.decode_ms, self.time_s = 0.0, 0.0
        self.errors = self.skipped = 0
        ahead = self._next() if self._start() else None
        context: Any = self._context
        if self._decoder.name in DEVICES and ahead and not context.is_hwaccel:
            self._decoder.fail("takes none of its frames")
        if ahead is None:
            self._stream = None
            return
        self._first, first = ahead
        self.turn = turn_of(first)
        square = getattr(self._stream, "sample_aspect_ratio", None) or 1
        self.aspect = float(1 / square if self.turn.transpose else square)
        self._decoded.appendleft(ahead)
        self._number = 0

    def isOpened(self) -> bool:
        """Whether the first frame of a video was decoded."""
        return self._stream is not None

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none.

        A frame that FFmpeg can't convert is skipped, as one that it can't decode, or that has more
        pixels than ``DECODER_LIMITS`` allows.
        """
        for _ in range(BAD_PACKETS):
            decoded = self._next() if self._stream is not None else None
            if decoded is None or self._first is None:
                break
            ticks, frame = decoded
            try:
                picture = upright(frame, self.turn, self._planes)
            except self._errors:
                self.skipped += 1
                continue
            self.time_s = float((ticks - self._first) * self._base)
            self.errors += getattr(frame, "is_corrupt", False)
            return True, picture
        return False, None

    def get(self, what: int) -> float:
        """Frame rate, or milliseconds of the last frame, by OpenCV's names; else 0."""
        if what == cv2.CAP_PROP_FPS:
            return self.fps or 0.0
        return self.time_s * 1e3 if what == cv2.CAP_PROP_POS_MSEC else 0.0

    @property
    def fps(self) -> Optional[float]:
        """Frames a second that the file states, or None."""
        if self._stream is None:
            return None
        for rate in (self._stream.guessed_rate, self._stream.average_rate):
            if rate and 0 < rate <= MOST_FPS:
                return float(rate)
        return None

    @property
    def frames(self) -> Optional[int]:
        """How many frames there are. Before ``seek`` it is what the header states, or None."""
        if self._index is not None:
            return len(self._index.ticks)
        stated, length_s = self._stream.frames, self.length_s or 0.0
        # the average rate of raw DV is that of its ticks
        rates = [float(rate) for rate in (self._stream.average_rate, self.fps) if rate]
        by_time = round(length_s * min(rates)) if rates else 0
        # an edit list hides frames that are counted; some FFmpegs count the ticks of raw DV
        is_less = self._form.startswith("mov") or stated == self._stream.duration
        return (min(stated, by_time or stated) if is_less else stated) or by_time or None

    @property
    def in_order(self) -> bool:
        """Whether a time tells a place of the file; else ``seek`` decodes from its start."""
        return self._indexed().in_order

    @property
    def is_list(self) -> bool:
        """Whether segments of a list are read, which come in packs."""
        return self._form.startswith(("hls", "dash"))

    @property
    def invents_stamps(self) -> bool:
        """Whether FFmpeg counts the stamps up, because a bare H.264 or Motion JPEG has none."""
        return bool(self._container.format.flags & NO_TIMES)

    @property
    def is_still(self) -> bool:
        """Whether this is a picture file, such as the still picture of a camera's address."""
        return self._form == "image2" or self._form.endswith("_pipe")

    @property
    def file_bytes(self) -> int:
        """Length of the file that a server states; 0 for none, and for lists of segments."""
        if self._stream is None or self._form.startswith(PLAYLISTS):
            return 0
        size = max(0, int(self._container.size or 0))
        return size if size < MOST_BYTES or size & (size + 1) else 0  # 2^31 - 1: it has no end

    @property
    def is_cut_off(self) -> bool:
        """Whether more than a tenth of ``file_bytes`` followed the last packet."""
        missing = self.file_bytes - self._position
        return self._position > 0 and missing > max(CUT_BYTES, self.file_bytes // 10)

    @property
    def length_s(self) -> Optional[float]:
        """Seconds that the file states for its video, or None."""
        stream, container = self._stream, self._container
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if container.duration and not container.format.flags & NO_TIMES:
            return float(container.duration) / 1e6
        return None

    def count(self) -> int:
        """How many frames there are."""
        return len(self._indexed().ticks)

    def number_at(self, time_s: float) -> int:
        """The number of the first frame at or after a time, seconds since the first frame."""
        ticks = self._indexed().ticks
        near = SAME * self._step
        return bisect.bisect_left(ticks, ticks[0] + time_s / float(self._base) - near)

    def seek(self, number: int) -> Optional[int]:
        """Make the frame of that number the next one, or the last frame where there are fewer.

        Returns:
            its number, or that of the first frame after it that can be decoded; None if there is
                none.
        """
        errors, skipped, index = self.errors, self.skipped, self._indexed()
        number = min(number, len(index.ticks) - 1)
        at = self._seek_by_time(number) if index.in_order else self._count_to(number)
        if at is not None:
            self._number, self.errors, self.skipped = at, errors, skipped
        return at

    def _seek_by_time(self, number: int) -> Optional[int]:
        """As ``seek``, from the nearest key frame on."""
        ticks = self._indexed().ticks
        for key in starts(self._indexed(), ticks[number]):
            decoded = self._next() if self._go(key) else None
            if decoded is None or (key is not None and decoded[0] > ticks[number]):
                continue  # the decoder needs an earlier key frame
            while decoded is not None and decoded[0] < ticks[number]:
                decoded = self._next()
            at = len(ticks) if decoded is None else bisect.bisect_left(ticks, decoded[0])
            while decoded is not None and at < number:  # frames of one and the same time
                decoded, at = self._next(), at + 1
            if decoded is not None:
                self._decoded.appendleft(decoded)
                return at
        return None

    def _count_to(self, number: int) -> Optional[int]:
        """As ``seek``, by decoding all frames from the start of the file."""
        self._go(None)
        for _ in range(number):
            self._next()
        decoded = self._next()
        if decoded is None:
            return None
        self._decoded.appendleft(decoded)
        return number

    def release(self) -> None:
        """Close the file or the connection."""
        self._decoded.clear()
        self._close()
        self._container = None

    def _close(self) -> None:
        """Close the container, if there is one.

        Threads of its decoder may wait for the interpreter to log an error. PyAV holds it while it
        ends them, so each would wait for the other. While the buffers are flushed it does not.
        """
        if self._context is not None:
            self._context.flush_buffers()
        if self._container is not None:
            self._container.close()

    @property
    def _base(self) -> Fraction:
        """Seconds of a tick."""
        base: Fraction = self._stream.time_base
        return base

    @property
    def _step(self) -> int:
        """Ticks from frame to frame at the rate that the file states."""
        return max(1, round(1 / ((self.fps or 25.0) * float(self._base))))

    def _indexed(self) -> "FrameIndex":
        """The index, made once from all packets, which are not decoded."""
        if self._index is None:
            self._go(None)
            facts = self._packets, self._stream, self._by_dts, self._step
            self._index = index_of(*facts, self._first or 0, self._errors)
        return self._index

    def _start(self) -> bool:
        """Open the container, at its first packet; returns whether it has a video."""
        opened = self._container_opened() if self._opened else None
        self._close()  # only now: the file may be gone
        self._container = opened
        self._stream = video_stream(self._container) if self._opened else None
        if self._stream is None:
            return False
        self._name = without_password(self._container.name)
        own = self._context = self._stream.codec_context
        if self._decoder.name != SOFTWARE and own.pix_fmt not in (*FORMATS, None):
            self._decoder.fail(f"decodes no pictures of {own.pix_fmt}")
            return self._start()
        self._stream.thread_type = self._thread_type
        self._context = self._decoder.context(self._av, self._stream)
        check_size(self._name, own.width or 0, own.height or 0)
        self._context.options = DECODER_LIMITS  # for frames of another size than the file states
        self._form = self._container.format.name
        # AVI states when its frames are decoded; FFmpeg guesses the rest
        self._by_dts = self._form == "avi" or bool(self._container.format.flags & NO_TIMES)
        self._packets: Iterator[Any] = self._container.demux(self._stream)
        self._number = 0
        return True

    def _container_opened(self) -> Any:
        assert self._opened is not None
        device = self._decoder.arguments()
        try:
            return self._opened(**device)
        except self._errors as error:
            if not device:
                raise
            opened = self._opened()  # which raises where the device is not the reason
            self._decoder.fail(f"can't be opened ({getattr(error, 'strerror', None) or error})")
            return opened

    def _go(self, key: "Optional[KeyFrame]") -> bool:
        """Go to a key frame; None is the start of the file. Returns whether its packet is there.

        In MPEG programme streams, for one, packets have other times after a seek.
        """
        self._decoded.clear()
        self._last = None
        self._ended = False
        try:
            if key is None:
                return self._start()
            self._container.seek(key.dts, stream=self._stream)
            self._context.flush_buffers()
            packets = self._container.demux(self._stream)
            for packet in itertools.islice(packets, PACKETS_BEFORE):
                if mark_of(packet)[:2] == key.mark[:2]:
                    self._packets = itertools.chain([packet], packets)
                    return True
        except self._errors:  # such as a file of raw pictures
            pass
        self._packets = iter(())
        return False

    def _next(self) -> Optional[Tuple[int, Any]]:
        """The next decoded frame with its time; None at the end.

        Packets that can't be decoded are skipped.
        """
        bad = 0
        while not self._decoded and not self._ended and bad < BAD_PACKETS:
            if self._first is None and time.monotonic() > self._until_s:
                break
            try:
                packet = next(self._packets)
                if packet.pos:
                    self._position = packet.pos + packet.size
            except StopIteration:
                break
            except self._errors:  # the file or the connection broke: what the decoder still holds
                packet = None
                self._ended = True
            may_again = self._thread_type != ONE_FRAME and self._first is not None
            if may_again and getattr(packet, "is_corrupt", False):
                self._decode_again()
                continue
            started = time.perf_counter()
            try:
                frames = self._context.decode(packet)
                self.decode_ms = (time.perf_counter() - started) * 1e3
                self._decoded.extend((self._ticks(frame), frame) for frame in frames)
                bad = 0
            except EOFError:
                self._ended = True
            except self._errors as error:
                if self._decoder.name != SOFTWARE:
                    self._go_on_in_software(error)
                    continue
                if may_again:
                    self._decode_again()
                    continue
                bad += 1
                self.skipped += 1
        if not self._decoded:
            return None
        self._given = self._decoded[0][0]
        self._number += 1
        return self._decoded.popleft()

    def _go_on_in_software(self, error: Exception) -> None:
        """After the hardware failed: a recording goes on with the next frame, a stream from the
        next key frame on."""
        self._decoder.fail(f"failed ({getattr(error, 'strerror', None) or error})")
        if self._thread_type != ONE_FRAME:
            self._decode_again(self._thread_type)
        else:
            codec = self._stream.codec_context.codec.name
            self._context = context_of(self._av, self._stream, codec)
            self._context.options = DECODER_LIMITS

    def _decode_again(self, thread_type: str = ONE_FRAME) -> None:
        """Go on after the last frame with threads that share a frame.

        With a frame for each thread, PyAV loses those that are decoded beside a damaged one.
        """
        self._thread_type, position, number = thread_type, self._given, self._number
        if position is None:  # nothing was decoded yet
            self._go(None)
            return
        index = self._indexed()
        self._go(None)
        if not index.in_order:
            self.seek(number)
        elif (
            position is not None
            and self.seek(bisect.bisect_left(index.ticks, position)) is not None
        ):
            self._next()

    def _ticks(self, frame: Any) -> int:
        """The time of a frame; one step after the last frame if it has none."""
        ticks = frame.dts if self._by_dts else frame.pts
        if ticks is None:
            ticks = (self._first or 0) if self._last is None else self._last + self._step
        elif frame.time_base and frame.time_base != self._base:
            ticks = round(ticks * frame.time_base / self._base)
        self._last = ticks
        return int(ticks)
