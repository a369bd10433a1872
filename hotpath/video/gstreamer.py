"""Pipelines of GStreamer that OpenCV opens: the hardware decoders of Jetson and RK3588."""

import re
from typing import Any, Callable, Dict, Optional, Tuple

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
    """The frames of a file, decoded by an element; ``read`` goes on in software where it fails.

    Args:
        path: the file.
        element: the decoder.
        planes: whether frames may be ``Picture``s.
        in_software: function that opens the file in software, with the reason, after a failure.
    """

    def __init__(
        self, path: str, element: str, planes: bool, in_software: Callable[[], Any]
    ) -> None:
        self._kind = NV12 if planes else BGR
        self._in_software = in_software
        self._software: Any = None
        self._number = 0  # of the next frame

        def opened() -> Any:
            text = pipeline(path, element, self._kind) + EACH_SINK
            return cv2.VideoCapture(text, cv2.CAP_GSTREAMER)

        super().__init__(opened)

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        if self._software is None:
            good, frame = self._decoded()
            if good or not self._is_early():
                self._number += good
                return good, frame
            self._software = self._in_software()
            self._capture.release()
            if self._software is None or self._software.seek(self._number) is None:
                return False, None
        good, frame = self._software.read()
        self.time_s = self._software.time_s
        self.errors, self.skipped = self._software.errors, self._software.skipped
        return good, frame

    def seek(self, number: int) -> Optional[int]:
        """As of ``CvCapture``."""
        if self._software is not None:
            at: Optional[int] = self._software.seek(number)
            return at
        at = super().seek(number)
        self._number = at or 0
        return at

    def count(self) -> int:
        """As of ``CvCapture``."""
        return super().count() if self._software is None else int(self._software.count())

    def release(self) -> None:
        """Close the file."""
        super().release()
        if self._software is not None:
            self._software.release()

    def _decoded(self) -> Tuple[bool, Any]:
        good, frame = super().read()
        if not good or self._kind == BGR:
            return good, frame
        try:
            planes = raw.planes_in(frame.reshape(-1), NV12, _size_of(self._capture))
        except ValueError:  # rows with gaps
            return False, None
        return True, raw.PlanarFrame(planes)

    def _is_early(self) -> bool:
        """Whether frames are missing that the file states: more than a second, and a twentieth."""
        frames = self.frames or 0
        return self._number == 0 or frames - self._number > max(self.fps or 25.0, frames / 20.0)


def open_recording(
    path: str, element: str, planes: bool, in_software: Callable[[], Any]
) -> Optional[Recorded]:
    """A capture of a file whose first frame the element decodes, or None."""
    for kind in (True, False) if planes else (False,):
        capture = Recorded(path, element, kind, lambda: None)
        if capture.read()[0] and capture.seek(0) == 0:
            capture._in_software = in_software
            return capture
        capture.release()
    return None


def _size_of(capture: Any) -> Tuple[int, int]:
    width, height = (int(capture.get(side)) for side in SIDES)
    return width, height
