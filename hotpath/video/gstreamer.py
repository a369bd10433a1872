"""Pipelines of GStreamer that OpenCV opens: the hardware decoders of Jetson and RK3588."""

import re
from typing import Any, Dict, Optional, Tuple

import cv2

from hotpath.video import raw
from hotpath.video.opencv import CvCapture

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
EACH_SINK = " ! appsink max-buffers=4 sync=false"
SIDES = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT


def has_gstreamer() -> bool:
    """Whether this OpenCV can open GStreamer pipelines."""
    return re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is not None


def why_no_picture() -> str:
    """The rest of a sentence, after an element."""
    return "gives no picture" if has_gstreamer() else "needs an OpenCV with GStreamer"


def pipeline(place: str, element: str, kind: str) -> str:
    """The pipeline that decodes a file or an address, without its sink."""
    quoted = '"{}"'.format(place.replace("\\", "\\\\").replace('"', '\\"'))
    source = f"filesrc location={quoted}"
    if place.lower().startswith(("rtsp:", "rtsps:")):
        source = f"rtspsrc location={quoted} latency=0 protocols=tcp"
    elif place.lower().startswith("udp:"):
        source = f"udpsrc uri={quoted}"
    return f"{source} ! parsebin ! {element} ! {ELEMENTS[element][kind]}"


def open_live(address: str, element: str, planes: bool) -> Any:
    """A capture of a stream's newest pictures that gave a first one, or None."""
    for kind in (NV12, BGR) if planes else (BGR,):  # OpenCV before 4.5 takes no NV12
        text = pipeline(address, element, kind) + SINK
        capture: Any = cv2.VideoCapture(text, cv2.CAP_GSTREAMER)
        if kind == NV12 and capture.isOpened():
            capture = raw.RawCapture(capture, NV12, _size_of(capture))
        if capture.isOpened() and capture.read()[0]:
            return capture
        capture.release()
    return None


class Recorded(CvCapture):
    """The frames of a file, decoded by an element.

    Args:
        path: the file.
        element: the decoder.
        planes: whether frames may be ``Picture``s.
    """

    def __init__(self, path: str, element: str, planes: bool) -> None:
        self.element, self._kind = element, NV12 if planes else BGR
        text = pipeline(path, element, self._kind) + EACH_SINK
        super().__init__(lambda: cv2.VideoCapture(text, cv2.CAP_GSTREAMER))

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        good, frame = super().read()
        if not good or self._kind == BGR:
            return good, frame
        try:
            planes = raw.planes_in(frame.reshape(-1), NV12, _size_of(self._capture))
        except ValueError:  # rows with gaps
            return False, None
        return True, raw.PlanarFrame(planes)


def open_recording(path: str, element: str, planes: bool) -> Optional[Recorded]:
    """A capture of a file whose first frame the element decodes, or None."""
    for kind in (True, False) if planes else (False,):
        capture = Recorded(path, element, kind)
        if capture.read()[0] and capture.seek(0) == 0:
            return capture
        capture.release()
    return None


def _size_of(capture: Any) -> Tuple[int, int]:
    width, height = (int(capture.get(side)) for side in SIDES)
    return width, height
