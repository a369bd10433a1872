"""Find and open what gives frames live: V4L2 cameras, a Jetson's CSI cameras, network streams.

Each class opens its thing once per call of ``open``; keeping it open is the work of ``live.py``.
"""

import errno
import os
import re

import cv2

from runtime.errors import BadSource, NoCamera
from runtime.video.base import is_utf8, without_password

OPEN_TIMEOUT_S = 4.0  # an RTSP handshake takes about 1 s on a good network
DATAGRAM_OPEN_TIMEOUT_S = 10.0  # FFmpeg before 5 listens to a transport stream for 4 to 6 s
READ_TIMEOUT_S = 1.5  # a stream that is silent for so long is taken for lost
RECORDING_READ_TIMEOUT_S = 5.0  # a recording is not opened again, so a slow network gets longer

# sensor-id is the CSI connector; the camera's own pictures stay in NVMM until nvvidconv brings them
# down as BGRx. drop=1 max-buffers=1: only the newest picture waits.
CSI_PIPELINE = (
    "nvarguscamerasrc sensor-id={number} ! "
    "video/x-raw(memory:NVMM),width={width},height={height},framerate={fps}/1,format=NV12 ! "
    "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! "
    "appsink drop=1 max-buffers=1 sync=false"
)


class Camera:
    """A V4L2 camera by its number: ``/dev/video<number>``.

    After an unplug the camera is looked for under the same number, where the kernel puts it back as
    long as nothing else took it.
    """

    def __init__(self, number, root="/"):
        self.number, self.root = number, root
        self.path = "/dev/video{}".format(number)
        self.name = "cam{}".format(number)

    def open(self):
        """An open ``cv2.VideoCapture``; ``NoCamera`` when there is none to be had."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            raise NoCamera(self._why_not(error)) from None
        capture = cv2.VideoCapture(self.path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise NoCamera(
                "{}: {} is there but gives no video; it may be in use or no camera; "
                "see --list-cameras".format(self.name, self.path)
            )
        return capture

    def _why_not(self, error):
        """The sentence for a device that can't be opened."""
        if error.errno in (errno.EACCES, errno.EPERM):
            return "{}: no permission for {}; add yourself to the group `video`".format(
                self.name, self.path
            )
        if error.errno == errno.EBUSY:
            return "{}: {} is in use by another program".format(self.name, self.path)
        found = ["cam{} ({})".format(number, title) for number, title in list_cameras(self.root)]
        there = "there are " + ", ".join(found) if found else "no camera was found on this machine"
        return "{}: no camera at {}; {}".format(self.name, self.path, there)


class CsiCamera:
    """A Jetson's CSI camera by its connector, through GStreamer (OpenCV must be built with it)."""

    def __init__(self, number, width=1280, height=720, fps=30):
        self.name = "csi{}".format(number)
        self.pipeline = CSI_PIPELINE.format(number=number, width=width, height=height, fps=fps)

    def open(self):
        """An open ``cv2.VideoCapture``; ``NoCamera`` when there is none to be had."""
        if not has_gstreamer():
            raise NoCamera(
                "{}: a CSI camera needs OpenCV with GStreamer, and this OpenCV {} has none; on a "
                "Jetson use the system's own (make the environment with "
                "--system-site-packages)".format(self.name, cv2.__version__)
            )
        capture = cv2.VideoCapture(self.pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            raise NoCamera(
                "{}: the camera gives no video; check its cable, and that the service "
                "nvargus-daemon runs".format(self.name)
            )
        return capture


class Stream:
    """A stream by its address: ``rtsp://``, ``http://`` (MJPEG), ``udp://`` and what FFmpeg knows.

    Both of OpenCV's timeouts are set: its own are 30 s, and a silent sender would hold a read for
    as long. An address of datagrams gets a longer one to open: nobody can answer "no" there.
    """

    def __init__(self, address, open_timeout_s=None, read_timeout_s=READ_TIMEOUT_S):
        self.address = address
        if open_timeout_s is None:
            datagrams = address.lower().startswith(("udp:", "rtp:"))
            open_timeout_s = DATAGRAM_OPEN_TIMEOUT_S if datagrams else OPEN_TIMEOUT_S
        self.name = without_password(address)
        self.open_timeout_s, self.read_timeout_s = open_timeout_s, read_timeout_s

    def open(self):
        """An open ``cv2.VideoCapture``; ``BadSource`` when nobody answers in time."""
        if not is_utf8(self.address):
            raise BadSource(
                "{!a}: an address must be UTF-8; write any other byte as %FF".format(self.name)
            )
        capture = _open_with_timeouts(self.address, self.open_timeout_s, self.read_timeout_s)
        if not capture.isOpened():
            raise BadSource(
                "{}: no stream there (nobody answered within {:g} s, or it is no video); check the "
                "address and that the sender runs".format(self.name, self.open_timeout_s)
            )
        return capture


def list_cameras(root="/"):
    """The V4L2 cameras of this machine.

    Args:
        root: where ``/sys`` and ``/dev`` are looked for.

    Returns:
        a sorted list of ``(number, name)``; for a device without a name in sysfs (a container)
        the name is its path.
    """
    names = {}
    for path, is_sys in (("sys/class/video4linux", True), ("dev", False)):
        folder = os.path.join(root, path)
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            found = re.match(r"video(\d+)$", entry)
            if not found:
                continue
            number = int(found.group(1))
            title = _first_line(os.path.join(folder, entry, "name")) if is_sys else None
            if is_sys and _first_line(os.path.join(folder, entry, "index")) not in (None, "0"):
                names[number] = None  # the metadata node beside a camera: not a camera
            names.setdefault(number, title or "/dev/" + entry)
    return sorted((number, title) for number, title in names.items() if title is not None)


def has_gstreamer():
    """Whether this OpenCV can open GStreamer pipelines."""
    return re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is not None


def _open_with_timeouts(address, open_timeout_s, read_timeout_s):
    """Open by FFmpeg with both timeouts; an OpenCV before 4.5.2 has none and keeps its own 30 s."""
    if not hasattr(cv2, "CAP_PROP_READ_TIMEOUT_MSEC"):
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG)
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        int(open_timeout_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        int(read_timeout_s * 1000),
    ]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)


def _first_line(path):
    """The first line of a small file without its end, or None."""
    try:
        with open(path) as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError):
        return None
