"""Find and open live devices: V4L2 cameras, a Jetson's CSI cameras, network streams; their stamps.

Each call of ``open`` opens the device once; ``live.py`` opens it again when it breaks.
"""

import errno
import math
import os
import re
import sys
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

import cv2

from hotpath.runtime.errors import BadSource, NoCamera
from hotpath.video import gstreamer, pyav, raw, rtp
from hotpath.video.base import is_utf8, without_password
from hotpath.video.gstreamer import BGR, NV12, NVVIDCONV, SIDES, SINK, has_gstreamer
from hotpath.video.hardware import Decoder
from hotpath.video.http_mjpeg import open_parts
from hotpath.video.probe import (
    LOGIN,
    RTP,
    check_certificate,
    check_redirects,
    login_refused,
    verifying_options,
    why_no_stream,
)

# FFmpeg before 5 listens to a transport stream for 4 to 6 s; a slow camera starts its encoder first
OPEN_TIMEOUT_S = 10.0
LEAST_OPEN_S = 1.0  # for FFmpeg, after another reader of HTTP got no answer
# of a stream, from its opening on; encoders make a key frame every ten seconds or more often
FIRST_PICTURE_S = 12.0
READ_TIMEOUT_S = 1.5  # a stream that is silent for so long counts as lost
LIST_READ_TIMEOUT_S = 12.0  # a segment of a live list has up to ten seconds
STALL_S, LONGEST_WAIT_S = 0.3, 30.0  # of a frame of a list: late, early; else its clock began anew
RECORDING_READ_TIMEOUT_S = 5.0  # a recording is not opened again, so a slow network gets more time

# what a stamp of ``cv2.CAP_PROP_POS_MSEC`` is: nothing; the monotonic clock of this computer (V4L2
# drivers); the sender's clock, with an unknown offset to ours (RTP, MPEG-TS)
NONE, MONOTONIC, SENDER = "none", "monotonic", "sender"
OLDEST_S = 2.0  # an older stamp is of another clock, unless that was ours before; then so old
LATEST_S = 60.0  # an older stamp is none
WINDOW = 150  # frames in which the fastest one tells the offset of the sender's clock
# A sender's clock that falls behind ours by over ``SLOW`` of the time, in each of ``BLOCKS``
# comparisons, is none: cameras that send fewer pictures than they state count their stamps up.
BLOCK_S, LEAST_IN_BLOCK, BLOCKS = 0.3, 3, 4  # the fastest frames of blocks of this length compare
SLOW, RIGHT = 0.05, 0.025  # a clock below RIGHT on average is believed again

# addresses whose stamps are of the sender's clock; over HTTP they may be made up from a frame rate
LIVE = "rtsp:", "udp:"  # what GStreamer opens; it does not verify the certificate of rtsps
SECURE = "https:", "rtsps:"
STAMPED = ("rtsp:", "rtp:", "udp:", "srt:")

LIST = re.compile(r"\.(m3u8?|mpd)(\?|#|$)", re.IGNORECASE)  # of segments: HLS, DASH

DEEP = ("Y16 ", "Y12 ", "Y10 ")  # formats of cameras with more than 8 bits of grey
MJPG = int.from_bytes(b"MJPG", "little")

CSI_SIZE = (1280, 720)  # pixels of a CSI camera's pictures
CSI_FPS = 30
CSI_FLIPS = {"rotate90": 3, "rotate180": 2, "rotate270": 1, "hflip": 4, "vflip": 6}  # nvvidconv's
CSI_FORM = "csi0, csi0@1920x1080, csi0@1920x1080:60 or csi0@1920x1080:60/FLIP"
# sensor-id is the CSI connector
CSI_PIPELINE = (
    "nvarguscamerasrc sensor-id={number} ! "
    "video/x-raw(memory:NVMM),width={width},height={height},framerate={fps}/1,format=NV12 ! "
    "{output}"
)
CSI_NV12, CSI_BGR = NVVIDCONV[NV12], NVVIDCONV[BGR]


class V4l2Camera:
    """A V4L2 camera by its device, ``/dev/video0``, or by a link to it.

    After it was unplugged, the camera is expected under the same name. The kernel gives it its
    number again unless another device has it; a link of udev leads to it under any number.

    Args:
        path: path of the device or the link.
        root: the folder that holds ``sys`` and ``dev``.
        planes: whether frames may be ``Picture``s, as the camera sends them.
        size: (width, height) that is asked for, pixels; None for the default, 640x480.
    """

    stamps = MONOTONIC

    def __init__(
        self,
        path: str,
        root: str = "/",
        planes: bool = False,
        size: Optional[Tuple[int, int]] = None,
    ) -> None:
        self._link, self.root, self.planes, self.size = path, root, planes, size
        self.name = re.sub(r"^/dev/video(?=\d+$)", "cam", path)

    @property
    def path(self) -> str:
        """The device where the link leads to now."""
        return os.path.realpath(self._link)

    def check(self) -> None:
        """Raise ``NoCamera`` if the camera is not there or can't be opened."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            raise NoCamera(self._why_not(error), what="no camera") from None

    def open(self) -> Any:
        """An open capture; raises ``NoCamera`` if the camera gives no video."""
        self.check()
        capture = self._open_with_opencv()
        width, height = (int(capture.get(side)) for side in SIDES)
        if self.size is None or self.size == (width, height):
            kind = _kind_of(capture)
            is_raw = self.planes and kind in (*raw.KINDS, *raw.MOTION_JPEG)
            if is_raw and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
                return raw.RawCapture(capture, kind, (width, height))
            return capture
        capture.release()
        asked = "x".join(map(str, self.size))
        raise NoCamera(
            f"{self.name}: gives frames of {width}x{height} where {asked} are asked for; ask for a "
            "size that it has (v4l2-ctl --list-formats-ext), or for none"
        )

    def _open_with_opencv(self) -> Any:
        capture = cv2.VideoCapture(self.path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise NoCamera(
                f"{self.name}: {self.path} is there but gives no video; it may be in use or no "
                "camera; see --list-cameras"
            )
        if self.size is not None:
            for side, pixels in zip(SIDES, self.size):
                capture.set(side, pixels)
            fps, usual = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FOURCC)
            # many cameras have large pictures at their full rate as Motion JPEG alone
            if capture.set(cv2.CAP_PROP_FOURCC, MJPG) and capture.get(cv2.CAP_PROP_FPS) <= fps:
                capture.set(cv2.CAP_PROP_FOURCC, usual)
        if _kind_of(capture) in DEEP:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)  # else it gives the high byte of each value
        return capture

    def _why_not(self, error: OSError) -> str:
        """The sentence for a device that can't be opened."""
        if not sys.platform.startswith("linux"):
            return f"{self.name}: cameras are opened on Linux only; name a file or a stream"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{self.name}: no permission for {self.path}; add yourself to the group video"
        if error.errno == errno.EBUSY:
            return f"{self.name}: {self.path} is in use by another program"
        cameras = [f"cam{number} ({title})" for number, title in list_cameras(self.root)]
        there = (
            "there are " + ", ".join(cameras) if cameras else "no camera was found; check the cable"
        )
        return f"{self.name}: no camera at {self.path}; {there}"


class CsiCamera:
    """A Jetson's CSI camera by its connector, through GStreamer (OpenCV must be built with it).

    Args:
        mode: number of the connector, and options in the form ``CSI_FORM``. FLIP is one of
            ``CSI_FLIPS``; rotations are clockwise. The video hardware turns the pictures.
        planes: whether frames may be ``Picture``s: NV12, as the camera gives it.

    Attributes:
        size: (width, height) of its frames, pixels.

    Raises:
        NoCamera: ``mode`` has another form.
    """

    def __init__(self, mode: str, planes: bool = False) -> None:
        self.name, self.planes = f"csi{mode}", planes
        match = re.match(r"(\d+)(?:@([1-9]\d*)x([1-9]\d*)(?::([1-9]\d*))?)?(?:/(\w+))?$", mode)
        if not match or match.group(5) not in (None, *CSI_FLIPS):
            flips = ", ".join(CSI_FLIPS)
            raise NoCamera(
                f"{self.name}: write {CSI_FORM}; FLIP is one of {flips}", what="wrong mode"
            )
        self._number, width, height, fps, self._flip = match.groups()
        self._size = (int(width), int(height)) if width else CSI_SIZE
        self._fps = fps or CSI_FPS
        self.size = self._size[::-1] if self._flip in ("rotate90", "rotate270") else self._size

    def pipeline(self, output: str) -> str:
        """The GStreamer pipeline; ``output``: ``CSI_NV12`` or ``CSI_BGR``."""
        width, height = self._size
        if self._flip:
            turn = f"nvvidconv flip-method={CSI_FLIPS[self._flip]}"
            output = output.replace("nvvidconv", turn, 1)
        return CSI_PIPELINE.format(
            number=self._number, width=width, height=height, fps=self._fps, output=output
        )

    def open(self) -> Any:
        """An open capture; raises ``NoCamera`` if the camera gives no video."""
        if not has_gstreamer():
            raise NoCamera(
                f"{self.name}: a CSI camera needs OpenCV with GStreamer, and this OpenCV "
                f"{cv2.__version__} has none; on a Jetson use the system's own (make the "
                "environment with --system-site-packages)",
                what="no GStreamer",
            )
        if self.planes:
            capture: Any = cv2.VideoCapture(self.pipeline(CSI_NV12) + SINK, cv2.CAP_GSTREAMER)
            planar = raw.RawCapture(capture, "NV12", self.size)
            if capture.isOpened() and planar.read()[0]:
                return planar
            capture.release()  # OpenCV before 4.5 takes no NV12 from a pipeline
        capture = cv2.VideoCapture(self.pipeline(CSI_BGR) + SINK, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            raise NoCamera(
                f"{self.name}: the camera gives no video; check that it has this size and rate, "
                "its cable, and that the service nvargus-daemon runs (in a container: -v "
                "/tmp/argus_socket:/tmp/argus_socket)"
            )
        return capture


class NetworkStream:
    """A stream by its address: ``rtsp://``, ``http://`` (MJPEG), ``udp://`` and others of FFmpeg.

    Both of OpenCV's timeouts are set, because its own are 30 s, and a silent sender would block a
    read for so long. Datagrams get more time to open, because nobody can refuse a connection.

    Args:
        address: the address.
        open_timeout_s, read_timeout_s: seconds.
        planes: whether frames may be ``Picture``s, where PyAV or GStreamer is installed.
        decoder: see ``hardware.Decoder``; None for software.
        insecure: whether any certificate is accepted, as that of a camera.
    """

    def __init__(
        self,
        address: str,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        planes: bool = False,
        decoder: Optional[Decoder] = None,
        insecure: bool = False,
    ) -> None:
        self.address, self.decoder, self.insecure = address, decoder, insecure
        in_real_time = address.lower().startswith(STAMPED)
        self.stamps = SENDER if in_real_time else NONE
        self.name = without_password(address)
        if LIST.search(address):
            read_timeout_s = max(read_timeout_s, LIST_READ_TIMEOUT_S)
        self.open_timeout_s, self.read_timeout_s = open_timeout_s, read_timeout_s
        self.planes = planes
        self._sdp: Any = None  # of the RTP that came

    def open(self) -> Any:
        """An open capture; raises ``BadSource`` if nobody answers in time, or no picture comes."""
        if not is_utf8(self.address):
            raise BadSource(f"{self.name!a}: an address must be UTF-8; write any other byte as %FF")
        began_s = time.monotonic()
        if not self.insecure and self.address.lower().startswith(SECURE):
            if not pyav.pyav() or not verifying_options():
                lacks = "no list of authorities" if pyav.pyav() else "no PyAV"
                raise BadSource(
                    f"{self.name}: its certificate can't be verified, because this computer has "
                    f"{lacks}; install {'ca-certificates' if pyav.pyav() else 'the package av'}, "
                    "or accept any certificate with --insecure",
                    what="certificate",
                )
            check_certificate(self.address, self.open_timeout_s)
        check_redirects(self.address)
        self._sdp = rtp.sniff_sdp(self.address, self.open_timeout_s)
        # streams that have one video; no element of GStreamer reads bare RTP here
        is_one = self.address.lower().startswith(LIVE) and self._sdp is None
        element = self.decoder.element if self.decoder is not None and is_one else None
        why = ""
        capture: Any = gstreamer.open_live(self.address, element, self.planes) if element else None
        if self.address.lower().startswith(("http:", "https:")):
            times = self.open_timeout_s, self.read_timeout_s, FIRST_PICTURE_S
            capture = open_parts(self.address, *times, self.planes, insecure=self.insecure)
        if capture is None:
            left_s = self.open_timeout_s - (time.monotonic() - began_s)
            capture, why = self._by_ffmpeg(max(LEAST_OPEN_S, left_s))
            is_open, decoder = capture is not None and capture.isOpened(), self.decoder
            if is_open and decoder is not None and element:  # the sender is there
                lacks = "gives no picture" if has_gstreamer() else "needs an OpenCV with GStreamer"
                decoder.fail(lacks)
        if capture is None or not capture.isOpened():
            if capture is not None:
                capture.release()  # it may hold the port, at which ``silent`` listens
            raise self.silent(time.monotonic() - began_s, why)
        return capture

    def _by_ffmpeg(self, open_timeout_s: float) -> Tuple[Any, str]:
        """A capture by PyAV, or by OpenCV where there is none; and FFmpeg's reason, or ""."""
        timeouts = open_timeout_s, self.read_timeout_s
        if self._sdp is not None and pyav.pyav():
            return self._by_sdp(timeouts)
        if not pyav.pyav():
            return _open_with_timeouts(self.address, *timeouts), ""
        how: Dict[str, Any] = dict(planes=self.planes, decoder=self.decoder, insecure=self.insecure)
        return pyav.open_stream(self.address, *timeouts, FIRST_PICTURE_S, **how)

    def _by_sdp(self, timeouts: Tuple[float, float]) -> Tuple[Any, str]:
        """As ``_by_ffmpeg``, of bare RTP. Where no picture comes, its datagrams are asked again."""
        asked: List[bytes] = []
        capture, why = None, ""
        while capture is None and self._sdp is not None and self._sdp.getvalue() not in asked:
            asked.append(self._sdp.getvalue())
            capture, why = pyav.open_stream(self._sdp, *timeouts, FIRST_PICTURE_S, self.planes)
            if capture is None:
                self._sdp = rtp.sniff_sdp(self.address, self.open_timeout_s) or self._sdp
        return capture, why

    def silent(self, waited_s: float, reason: str = "") -> BadSource:
        """The error to raise where no picture came in that time. It says why.

        Args:
            waited_s: for how long it was tried.
            reason: what FFmpeg said, or "".
        """
        refused = LOGIN.search(reason)
        if refused:
            return login_refused(self.name, refused.group().replace("(", ""))
        if self._sdp is not None:
            return BadSource(f"{self.name}: {RTP}", what="RTP")
        why = why_no_stream(self.address, waited_s, reason)
        return BadSource(f"{self.name}: the stream did not open: {why}", what="no stream")


def list_cameras(root: str = "/") -> List[Tuple[int, str]]:
    """The V4L2 cameras of this machine.

    Args:
        root: the folder that holds ``sys`` and ``dev``.

    Returns:
        a sorted list of ``(number, name)``; for a device without a name in sysfs (a container)
        the name is its path.
    """
    names: Dict[int, Optional[str]] = {}
    for path, is_sys in (("sys/class/video4linux", True), ("dev", False)):
        folder = os.path.join(root, path)
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            match = re.match(r"video(\d+)$", entry)
            if not match:
                continue
            number = int(match.group(1))
            title = _first_line(os.path.join(folder, entry, "name")) if is_sys else None
            if is_sys and _first_line(os.path.join(folder, entry, "index")) not in (None, "0"):
                names[number] = None  # a camera's metadata node is not a camera
            names.setdefault(number, title or "/dev/" + entry)
    return sorted((number, title) for number, title in names.items() if title is not None)


def _kind_of(capture: Any) -> str:
    """The four letters of the format that a camera sends."""
    number = int(capture.get(cv2.CAP_PROP_FOURCC))
    return number.to_bytes(4, "little", signed=True).decode("latin-1")


def _open_with_timeouts(address: str, open_timeout_s: float, read_timeout_s: float) -> Any:
    """Open by FFmpeg with both timeouts; OpenCV before 4.5.2 can't set them and waits 30 s."""
    if not hasattr(cv2, "CAP_PROP_READ_TIMEOUT_MSEC"):
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG)
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(open_timeout_s * 1000)]
    timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(read_timeout_s * 1000)]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)


def _first_line(path: str) -> Optional[str]:
    """The first line of a small file without its end, or None."""
    try:
        with open(path) as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError):
        return None


class LiveListPace:
    """When to show the frames of a live list (HLS, DASH), whose segments come in packs.

    Frames keep the distances of their stamps. The list holds what comes later, as its players
    expect. After a stall the next frame is due at once.
    """

    def __init__(self) -> None:
        self._zero_s: Optional[float] = None  # our clock less that of the stamps

    def due_s(self, stamp_s: float, arrived_s: float) -> float:
        """When a frame is due, seconds of the monotonic clock."""
        if (
            self._zero_s is None
            or not -STALL_S < self._zero_s + stamp_s - arrived_s < LONGEST_WAIT_S
        ):
            self._zero_s = arrived_s - stamp_s
        return self._zero_s + stamp_s


class CaptureClock:
    """Turns stamps into capture times on this computer's monotonic clock.

    Frames come in the order of their stamps. So a stamp that is the last one again tells nothing,
    and one below it is of a clock that was set: a sender's begins anew there. A sender's clock that
    runs slow is not a clock, and arrivals count while it does. No time is before that of the frame
    before.

    Args:
        kind: ``NONE``, ``MONOTONIC`` or ``SENDER``. With ``SENDER`` a capture time is that of the
            fastest of the last frames: what delays every frame, such as the exposure and the
            shortest way through the network, is not in it.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._offsets: Deque[float] = deque(maxlen=WINDOW)  # our clock less the sender's
        self._stamp_s = 0.0  # the last one
        self._captured_s = -math.inf  # of the last frame
        self._is_ours = False  # a stamp was of our clock
        self._is_slow = False
        self._begin_blocks()

    def _begin_blocks(self) -> None:
        self._block: List[Tuple[float, float]] = []  # (arrival, offset) of its frames
        self._fastest: Deque[Tuple[float, float]] = deque(maxlen=BLOCKS)  # of each block

    def captured_s(self, stamp_ms: float, arrived_s: float) -> float:
        """Capture time, seconds of the monotonic clock; the arrival where no stamp tells it.

        Args:
            stamp_ms: what the capture states; 0 or not finite for nothing.
            arrived_s: when the frame came, seconds of the monotonic clock.
        """
        captured_s = self._by_stamp(stamp_ms / 1e3, arrived_s)
        self._captured_s = max(captured_s, self._captured_s)
        return self._captured_s

    def _by_stamp(self, stamp_s: float, arrived_s: float) -> float:
        if self._kind == NONE or not math.isfinite(stamp_s) or stamp_s <= 0:
            return arrived_s
        before_s, self._stamp_s = self._stamp_s, stamp_s
        if stamp_s == before_s or (stamp_s < before_s and self._kind != SENDER):
            return arrived_s
        if self._kind == SENDER:
            if stamp_s < before_s:
                self._offsets.clear()
                self._begin_blocks()
            self._compare(arrived_s, arrived_s - stamp_s)
            if self._is_slow:
                self._offsets.clear()
            self._offsets.append(arrived_s - stamp_s)
            stamp_s += min(self._offsets)
        age_s = arrived_s - stamp_s
        self._is_ours = self._is_ours or 0 <= age_s <= OLDEST_S
        return stamp_s if 0 <= age_s <= (LATEST_S if self._is_ours else OLDEST_S) else arrived_s

    def _compare(self, arrived_s: float, offset_s: float) -> None:
        """Note a frame, and at the end of a block find out whether the sender's clock runs slow.

        Frames that are late for another reason, such as a stall, are late in one comparison.
        """
        self._block.append((arrived_s, offset_s))
        if len(self._block) < LEAST_IN_BLOCK or arrived_s - self._block[0][0] < BLOCK_S:
            return
        self._fastest.append(min(self._block, key=lambda frame: frame[1]))
        self._block = []
        if len(self._fastest) < BLOCKS:
            return
        blocks = list(self._fastest)
        if self._is_slow:
            (from_s, before_s), (to_s, after_s) = blocks[0], blocks[-1]
            self._is_slow = after_s - before_s > RIGHT * (to_s - from_s)
        else:
            self._is_slow = all(
                after_s - before_s > SLOW * (to_s - from_s)
                for (from_s, before_s), (to_s, after_s) in zip(blocks, blocks[1:])
            )
