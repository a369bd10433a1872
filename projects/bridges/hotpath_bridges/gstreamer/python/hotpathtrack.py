"""The element ``hotpathtrack``: it follows a target through a pipeline.

    gst-launch-1.0 filesrc location=drone.mp4 ! decodebin ! videoconvert ! \
        hotpathtrack box=440,270,60,90 draw=true ! videoconvert ! autovideosink

A buffer is passed on unchanged, without a copy of its picture. Its box is a
``GstVideoRegionOfInterestMeta`` of the type "hotpath", in whole pixels inside the picture, with the
exact box, score, state and the element's name as a parameter. A lost target has none. For each
frame the element posts a message "hotpath" on the bus: pts, x, y, width, height (pixels of the
frame), score, state and its name.

It needs GStreamer 1.18 or newer, and its binding for Python. Hotpath is loaded when the element
starts, so that ``gst-inspect-1.0`` works without it. The tracker has its own thread, since a GPU's
context belongs to a thread.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, Tuple

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, GObject, Gst, GstBase, GstVideo  # noqa: E402

FORMATS = "video/x-raw,format={NV12,I420,BGRx,BGR}"
NAME = "hotpath"  # of messages and metadata
SAMPLES = {"NV12": (2,), "I420": (1, 1)}  # bytes of a place in each plane of colour
# BGR and YUV (BT.601) of a drawn box
GREEN, AMBER, RED = (
    ((80, 220, 60), (156, 85, 74)),
    ((40, 170, 255), (181, 49, 181)),
    ((70, 70, 235), (117, 105, 208)),
)


class HotpathTrack(GstBase.BaseTransform):
    """Tracks one target. Properties may be set at any time; all but box and draw count at start."""

    __gstmetadata__ = (
        "Object tracker",
        "Filter/Analyzer/Video",
        "Follows a target and says when it is lost",
        "Hotpath",
    )
    __gsttemplates__ = tuple(
        Gst.PadTemplate.new(name, way, Gst.PadPresence.ALWAYS, Gst.Caps.from_string(FORMATS))
        for name, way in (("src", Gst.PadDirection.SRC), ("sink", Gst.PadDirection.SINK))
    )

    box = GObject.Property(type=str, default="", nick="target: X,Y,W,H in pixels or per cent")
    network = GObject.Property(type=str, default="", nick="name of a network, or path of its TOML")
    engine = GObject.Property(type=str, default="auto", nick="engine of the network")
    bundle = GObject.Property(type=str, default="", nick="folder that make engine wrote")
    threads = GObject.Property(type=int, default=1, minimum=1, nick="of the network")
    recover = GObject.Property(type=bool, default=True, nick="search for a lost target")
    witness = GObject.Property(type=str, default="", nick="a second network, or none")
    draw = GObject.Property(type=bool, default=False, nick="draw the box into the picture")

    def __init__(self) -> None:
        super().__init__()
        self.set_in_place(True)
        self.set_gap_aware(False)
        self.connect("notify::box", self._take_box)
        self._tracker: Any = None
        self._waiting = ""  # the box of the next frame
        self._has_target = False

    def _take_box(self, *_: Any) -> None:
        self._waiting = self.box
        self._has_target = self._has_target and bool(self.box)  # "" drops the target

    def do_start(self) -> bool:
        """Load the network."""
        self._thread = ThreadPoolExecutor(1)
        self._has_target = False
        self._waiting = self.box
        return self._thread.submit(self._load).result()

    def _load(self) -> bool:
        try:
            from hotpath.runtime import load_tracker

            self._tracker = load_tracker(
                self.network or None,
                engine=self.engine,
                bundle=self.bundle or None,
                threads=self.threads,
                recover=None if self.recover else False,
                witness=self.witness or None,
                log=lambda line: Gst.info(line),
            )
        except Exception as error:
            self._say("error", f"{type(error).__name__}: {error}")
            return False
        return True

    def do_stop(self) -> bool:
        """Release the network."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()
        return True

    def _close(self) -> None:
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None

    def do_set_caps(self, incaps: Any, outcaps: Any) -> bool:
        """Take the size and the format of the frames."""
        self._info = GstVideo.VideoInfo.new_from_caps(incaps)
        self._format = incaps.get_structure(0).get_string("format")
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        """Track in one frame."""
        from hotpath.runtime.errors import HotpathError

        try:
            track = self._mapped_track(buffer)
        except HotpathError as error:
            self._say("warning", str(error))
            track = None
        if track is not None:
            self._tell(buffer, track)
        return Gst.FlowReturn.OK

    def _mapped_track(self, buffer: Any) -> Any:
        """The ``Track`` in a picture of the processor; None if there is no target."""
        flags = Gst.MapFlags.READ | (Gst.MapFlags.WRITE if self.draw else 0)
        with buffer.map(flags) as mapped:
            planes = self._planes(buffer, mapped.data)
            track = self._track(self._frame(planes))
            if self.draw and track is not None:
                self._draw(planes, track)
        return track

    def _track(self, frame: Any) -> Any:
        if self._waiting:
            text = self._waiting
            self._waiting = ""
            self._has_target = False
            return self._begin(frame, text)
        if not self._has_target:
            return None
        return self._thread.submit(self._tracker.update, frame).result()

    def _begin(self, frame: Any, text: str) -> Any:
        """Take the target in a box; returns the ``Track`` of its first frame."""
        from hotpath.app.cli.first_boxes import parse_box

        height, width = frame.shape[:2]
        box = parse_box("box", text, (width, height))
        track = self._thread.submit(self._tracker.init, frame, box).result()
        self._has_target = True
        if self._tracker.doubt:
            self._say("warning", self._tracker.doubt)
        return track

    def _planes(self, buffer: Any, data: Any) -> List[Any]:
        """Views of the picture's planes: uint8 (rows, columns, bytes of a place).

        Raises:
            BadFrame: the buffer holds less than its caps say.
        """
        import numpy as np

        from hotpath.runtime.errors import BadFrame

        meta = GstVideo.buffer_get_video_meta(buffer)
        info = self._info
        offsets, strides = (meta or info).offset, (meta or info).stride
        height, width = info.height, info.width
        sizes = [(height, width, {"BGR": 3, "BGRx": 4}.get(self._format, 1))]
        half = (height + 1) // 2, (width + 1) // 2
        sizes += [half + (count,) for count in SAMPLES.get(self._format, ())]
        bytes_of = np.frombuffer(data, np.uint8)
        for offset, stride, (rows, columns, count) in zip(offsets, strides, sizes):
            row = columns * count
            if stride < row or offset + stride * (rows - 1) + row > len(bytes_of):
                raise BadFrame(
                    f"a buffer of {len(bytes_of)} bytes is too small for its caps, "
                    f"{width}x{height} {self._format}; correct the element before hotpathtrack"
                )
        return [
            np.lib.stride_tricks.as_strided(
                bytes_of[offset:], size, (stride, size[2], 1), writeable=self.draw
            )
            for offset, stride, size in zip(offsets, strides, sizes)
        ]

    def _frame(self, planes: List[Any]) -> Any:
        """The frame as a tracker takes it."""
        from hotpath.kernels.planes import Planes
        from hotpath.runtime.frames.camera_frames import PlanarFrame

        if self._format == "BGR":
            return planes[0]
        flat = planes
        if self._format != "BGRx":
            flat = [plane.reshape(plane.shape[0], -1) for plane in planes]
        colours = self._info.colorimetry
        matrix = "709" if colours.matrix == GstVideo.VideoColorMatrix.BT709 else "601"
        is_full = colours.range == getattr(GstVideo.VideoColorRange, "0_255")
        size = self._info.width, self._info.height
        return PlanarFrame(Planes(self._format, flat, *size, matrix, is_full))

    def _draw(self, planes: List[Any], track: Any) -> None:
        """Draw the box; lines of the colour planes are half as wide."""
        import cv2

        bgr, yuv = {"lost": RED, "unsure": AMBER}.get(track.state, GREEN)
        x, y, w, h = track.box
        width = max(2, planes[0].shape[0] // 240 * 2)
        is_yuv = self._format in SAMPLES
        colours: Tuple[Any, ...] = ((bgr + (255,)),) if not is_yuv else (yuv[:1], yuv[1:], yuv[2:])
        for number, (plane, colour) in enumerate(zip(planes, colours)):
            part = 2 if number else 1
            first = int(x / part), int(y / part)
            last = int((x + w) / part), int((y + h) / part)
            cv2.rectangle(plane, first, last, colour[: plane.shape[2]], width // part)

    def _tell(self, buffer: Any, track: Any) -> None:
        """Attach the box to the buffer, and post it on the bus."""
        box, info = track.box, self._info
        told = Gst.Structure.new_empty(NAME)
        told.set_value("pts", GObject.Value(GObject.TYPE_UINT64, buffer.pts))
        for name, value in zip(("x", "y", "width", "height", "score"), (*box, track.score)):
            told.set_value(name, float(value))
        told.set_value("state", track.state)
        told.set_value("element", self.get_name())
        told.set_value("found", track.found)
        if track.presence is not None:
            told.set_value("presence", float(track.presence))
        left, top = max(0, round(box.x)), max(0, round(box.y))
        right = min(info.width, round(box.x + box.w))
        bottom = min(info.height, round(box.y + box.h))
        if not track.lost and right > left and bottom > top:
            meta = GstVideo.buffer_add_video_region_of_interest_meta(
                buffer, NAME, left, top, right - left, bottom - top
            )
            meta.add_param(told.copy())
        self.post_message(Gst.Message.new_element(self, told))

    def _say(self, kind: str, text: str) -> None:
        """Post an error or a warning on the bus."""
        make = Gst.Message.new_error if kind == "error" else Gst.Message.new_warning
        fault = GLib.Error.new_literal(Gst.stream_error_quark(), text, Gst.StreamError.FAILED)
        self.post_message(make(self, fault, text))


GObject.type_register(HotpathTrack)
__gstelementfactory__ = ("hotpathtrack", Gst.Rank.NONE, HotpathTrack)
