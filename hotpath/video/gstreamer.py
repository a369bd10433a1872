"""Pipelines of GStreamer that OpenCV opens: the hardware decoders of Jetson and RK3588.

They decode live streams. Recordings are decoded by FFmpeg.
"""

import re
from typing import Any, Dict

import cv2

from hotpath.video import raw

NV12, BGR = "NV12", "BGR"
# nvvidconv copies the pictures out of the video hardware's memory, as NV12 for trackers that read
# planes, else as BGRx, which the processor then converts
NVVIDCONV = {
    NV12: "nvvidconv ! video/x-raw,format=NV12",
    BGR: "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR",
}
ELEMENTS: Dict[str, Dict[str, str]] = {  # decoder -> what follows it, for either kind of pictures
    "nvv4l2decoder": NVVIDCONV,
    "mppvideodec": {
        NV12: "video/x-raw,format=NV12",
        BGR: "videoconvert ! video/x-raw,format=BGR",
    },
}
SINK = " ! appsink drop=1 max-buffers=1 sync=false"  # only the newest picture waits
SIDES = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT


def has_gstreamer() -> bool:
    """Whether this OpenCV can open GStreamer pipelines."""
    return re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is not None


def pipeline(address: str, element: str, kind: str) -> str:
    """The pipeline that decodes a stream of RTSP or of datagrams, without its sink."""
    quoted = '"{}"'.format(address.replace("\\", "\\\\").replace('"', '\\"'))
    source = f"udpsrc uri={quoted}"
    if address.lower().startswith("rtsp"):
        source = f"rtspsrc location={quoted} latency=0 protocols=tcp"
    return f"{source} ! parsebin ! {element} ! {ELEMENTS[element][kind]}"


def open_live(address: str, element: str, planes: bool) -> Any:
    """A capture of a stream's newest pictures that gave a first one, or None."""
    for kind in (NV12, BGR) if planes else (BGR,):  # OpenCV before 4.5 takes no NV12
        text = pipeline(address, element, kind) + SINK
        capture: Any = cv2.VideoCapture(text, cv2.CAP_GSTREAMER)
        if kind == NV12 and capture.isOpened():
            width, height = (int(capture.get(side)) for side in SIDES)
            capture = raw.RawCapture(capture, NV12, (width, height))
        if capture.isOpened() and capture.read()[0]:
            return capture
        capture.release()
    return None
