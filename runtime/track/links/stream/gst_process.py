"""Encode the frames that come on standard input, and serve them. Runs on its own, see ``sender``.

Needs the system's Python with GStreamer's binding (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0)
and ``protocol`` beside it, nothing else of Hotpath. One encoder feeds every outlet. Each access
unit carries the time when its frame was taken, as user data (SEI): in RTSP, RTP and files alike.

Standard input: a line of JSON, {"rtsp": [...], "udp": [...], "bitrate_kbps": 4000}, then messages,
each with the header ``HEADER``. Standard output: a line of JSON for each
event: {"ready": encoder}, {"want": 0 or 1}, {"error": sentence}, {"recording": path or null}.
"""

import json
import os
import struct
import sys
import threading
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstVideo", "1.0")
import protocol  # type: ignore[import-not-found]  # noqa: E402  # of this file's folder
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer, GstVideo  # noqa: E402

# 16 bytes that mark our user data in an SEI message (ISO/IEC 14496-10, D.1.6)
SEI_UUID = bytes(bytearray.fromhex("6f1d0c5b3a7e4c19a2b48f60d7e3915a"))
KEY_FRAMES = 30  # frames between two key frames
KEY_PAUSE_S = 0.2  # between two that are asked for
WAITING_FRAMES = 8  # that wait in an outlet; a slow one loses the older ones

# The first that this computer has and that encodes a frame: a Jetson's, another board's, x264.
ENCODERS = (
    (
        "nvv4l2h264enc",
        "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvv4l2h264enc bitrate={bps} "
        "iframeinterval={key} insert-sps-pps=true maxperf-enable=true preset-level=1",
    ),
    (
        "v4l2h264enc",
        "videoconvert ! v4l2h264enc extra-controls=controls,video_bitrate={bps},"
        "h264_i_frame_period={key} ! video/x-h264,level=(string)4",
    ),
    (
        "x264enc",
        "x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max={key} "
        "threads=1 sliced-threads=false",
    ),
    ("openh264enc", "openh264enc bitrate={bps} gop-size={key} complexity=low"),
)
RTP = (
    "appsrc name=src is-live=true format=time max-bytes=4000000 ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 mtu=1200"
)
PARSED = "video/x-h264,stream-format=byte-stream,alignment=au"


def tell(**event: Any) -> None:
    """One line to the tracker."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def choose_encoder(kbps: int) -> Optional[Tuple[str, str]]:
    """(name, piece of a pipeline) of the first encoder that works; None if none does."""
    for name, piece in ENCODERS:
        if Gst.ElementFactory.find(name) is None:
            continue
        piece = piece.format(bps=kbps * 1000, kbps=kbps, key=KEY_FRAMES)
        if encodes(piece):
            return name, piece
    return None


def encodes(piece: str) -> bool:
    """Whether an encoder gives a picture: one of an old driver may be there and not work."""
    try:
        pipeline = Gst.parse_launch(
            "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=320,height=240,"
            f"framerate=30/1 ! {piece} ! fakesink"
        )
    except GLib.Error:
        return False
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        5 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    pipeline.set_state(Gst.State.NULL)
    return message is not None and message.type == Gst.MessageType.EOS


def time_stamp(unix_us: int, monotonic_us: int, index: int) -> bytes:
    """An SEI message with a frame's time, as a NAL unit with its start code.

    Its user data: the UUID, then big-endian microseconds since 1970 and since the boot, and the
    frame's index, 8 bytes each.
    """
    data = SEI_UUID + struct.pack(">QQq", unix_us, monotonic_us, index)
    body = bytearray([6, 5, len(data)]) + bytearray(data) + bytearray([0x80])
    guarded, zeros = bytearray(), 0
    for byte in body:  # no start code may appear inside (7.4.1)
        if zeros >= 2 and byte <= 3:
            guarded.append(3)
            zeros = 0
        guarded.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes(guarded)


def with_stamp(unit: bytes, stamp: bytes) -> Tuple[bytes, bool]:
    """An access unit with the SEI message before its first slice, and whether it is a key frame."""
    at = 0
    while True:
        at = unit.find(b"\0\0\1", at)
        if at < 0 or at + 3 >= len(unit):
            return unit, False
        kind = unit[at + 3] & 31
        if kind in (1, 5):
            start = at - 1 if at and unit[at - 1] == 0 else at
            return unit[:start] + stamp + unit[start:], kind == 5
        at += 3


class Outlet:
    """An appsrc of a pipeline that encoded frames are pushed into.

    Args:
        pipeline: its bin.
        source: the appsrc.
        from_zero: whether its time is that in the source, from the first frame on (files), or the
            clock's.
    """

    def __init__(self, pipeline: Any, source: Any, from_zero: bool = False) -> None:
        self.pipeline, self.source = pipeline, source
        self._started, self._from_zero = False, from_zero
        self._zero: Optional[int] = None  # time in the source of a file's first frame
        self._last = -1  # time stamp of a file's last frame
        source.set_property("caps", Gst.Caps.from_string(PARSED))

    def push(self, unit: bytes, captured_ns: int, time_ns: int, key: bool) -> bool:
        """One access unit; returns whether a key frame is waited for."""
        base = self.pipeline.get_base_time()
        if not self._from_zero and not base:
            return False  # it does not run yet
        if not self._started and not key:
            return True
        self._started = True
        if self._from_zero:
            self._zero = time_ns if self._zero is None else self._zero
            at = self._last = max(self._last + 1, time_ns - self._zero)  # a page may go back
        else:  # GStreamer's clock is the monotonic one
            at = max(0, captured_ns - base)
        waiting = self.source.get_property("current-level-bytes")
        if waiting > len(unit) * WAITING_FRAMES and waiting > 1 << 20:
            self._started = False  # too slow: go on at the next key frame
            return False
        buffer = Gst.Buffer.new_wrapped(unit)
        buffer.pts = buffer.dts = at
        if not key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self.source.emit("push-buffer", buffer)
        return False


class Streams:
    """The encoder and its outlets."""

    def __init__(self, options: Dict[str, Any]) -> None:
        self.kbps = int(options["bitrate_kbps"])
        self._lock = threading.Lock()
        self._outlets: List[Outlet] = []
        # time in the encoder's pipeline -> (captured ns, unix us, index, ns in the source)
        self._times: Dict[int, Tuple[int, int, int, int]] = {}
        self._recording: Optional[Outlet] = None
        self._key_asked_at = 0.0
        self._encoder: Any = None
        self._shape: Optional[Tuple[int, int]] = None
        found = choose_encoder(self.kbps)
        if found is None:
            raise RuntimeError(
                "no H.264 encoder of GStreamer works here; install gstreamer1.0-plugins-ugly "
                "(x264enc)"
            )
        self.name, self._piece = found
        for address in options.get("udp") or ():
            self._add_udp(address)
        self._servers = [self._serve(place) for place in options.get("rtsp") or ()]
        self._tell_wanted()

    # frames

    def frame(self, header: Sequence[int], picture: bytes) -> None:
        """Encode one I420 picture."""
        _, _, captured_ns, unix_us, index, width, height, milli_fps, time_ns, _ = header
        shape = (width, height)
        if shape != self._shape:
            self._start_encoder(shape, milli_fps, captured_ns)
        buffer = Gst.Buffer.new_wrapped(picture)
        if width % 8:  # GStreamer's own rows would be padded
            half = width // 2
            luma, chroma = width * height, half * (height // 2)
            plain, i420 = GstVideo.VideoFrameFlags.NONE, GstVideo.VideoFormat.I420
            starts, rows = [0, luma, luma + chroma, 0], [width, half, half, 0]
            GstVideo.buffer_add_video_meta_full(buffer, plain, i420, width, height, 3, starts, rows)
        at = max(0, captured_ns - self._first_ns)
        buffer.pts = at
        with self._lock:
            self._times[at] = (captured_ns, unix_us, index, time_ns)
            while len(self._times) > 64:
                del self._times[min(self._times)]
        self._source.emit("push-buffer", buffer)

    def _start_encoder(self, shape: Tuple[int, int], milli_fps: int, first_ns: int) -> None:
        if self._encoder is not None:
            self._encoder.set_state(Gst.State.NULL)
        self._shape, self._first_ns = shape, first_ns
        self._encoder = Gst.parse_launch(
            "appsrc name=src is-live=true format=time block=true "
            f"max-bytes={2 * shape[0] * shape[1] * WAITING_FRAMES} ! {self._piece} ! h264parse "
            f"config-interval=-1 ! {PARSED} ! appsink name=sink emit-signals=true sync=false "
            "max-buffers=8"
        )
        self._source = self._encoder.get_by_name("src")
        self._source.set_property(
            "caps",
            Gst.Caps.from_string(
                f"video/x-raw,format=I420,width={shape[0]},height={shape[1]},"
                f"framerate={max(1000, milli_fps)}/1000,pixel-aspect-ratio=1/1"
            ),
        )
        self._sink = self._encoder.get_by_name("sink")
        self._sink.connect("new-sample", self._encoded)
        self._encoder.set_state(Gst.State.PLAYING)

    def _encoded(self, sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        buffer = sample.get_buffer()
        unit = buffer.extract_dup(0, buffer.get_size())
        # an encoder may shift its time stamps; the segment says by how much
        at = sample.get_segment().to_running_time(Gst.Format.TIME, buffer.pts)
        with self._lock:
            known = self._times.pop(at, None)
            outlets = list(self._outlets)
        if known is None:  # not one of ours: only headers
            return Gst.FlowReturn.OK
        captured_ns, unix_us, index, time_ns = known
        unit, key = with_stamp(unit, time_stamp(unix_us, captured_ns // 1000, index))
        waiting = [outlet.push(unit, captured_ns, time_ns, key) for outlet in outlets]
        if any(waiting):
            self._key_frame()
        return Gst.FlowReturn.OK

    def _key_frame(self) -> None:
        """Ask the encoder for a key frame now: somebody new looks."""
        now = time.monotonic()
        if self._encoder is not None and now - self._key_asked_at > KEY_PAUSE_S:
            self._key_asked_at = now
            structure = Gst.Structure.new_from_string("GstForceKeyUnit, all-headers=(boolean)true")
            event = Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, structure)
            self._sink.get_static_pad("sink").push_event(event)

    # outlets

    def _add(self, outlet: Outlet) -> None:
        with self._lock:
            self._outlets.append(outlet)
        self._key_frame()
        self._tell_wanted()

    def _remove(self, outlet: Outlet) -> None:
        with self._lock:
            if outlet in self._outlets:
                self._outlets.remove(outlet)
        self._tell_wanted()

    def _tell_wanted(self) -> None:
        tell(want=len(self._outlets))

    def _add_udp(self, address: Sequence[Any]) -> None:
        pipeline = Gst.parse_launch(RTP + " ! udpsink name=out sync=false async=false")
        out = pipeline.get_by_name("out")
        out.set_property("host", address[0])
        out.set_property("port", int(address[1]))
        pipeline.set_state(Gst.State.PLAYING)
        self._add(Outlet(pipeline, pipeline.get_by_name("src")))

    def _serve(self, place: Dict[str, Any]) -> Any:
        """An RTSP server. ``place``: {"host", "port", "path", "user", "password"}."""
        server = GstRtspServer.RTSPServer()
        server.set_address(place["host"])
        server.set_service(str(place["port"]))
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {RTP} )")
        factory.set_shared(True)
        factory.set_latency(0)
        factory.connect("media-configure", self._configure)
        if place.get("user"):
            self._protect(server, factory, place)
        server.get_mount_points().add_factory(place["path"], factory)
        if not server.attach(None):
            raise RuntimeError("--stream: port {} can't be listened at".format(place["port"]))
        return server

    @staticmethod
    def _protect(server: Any, factory: Any, place: Dict[str, Any]) -> None:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(place["user"], place["password"], token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)

    def _configure(self, factory: Any, media: Any) -> None:
        element = media.get_element()
        media.set_reusable(False)
        outlet = Outlet(element, element.get_by_name("src"))
        media.connect("unprepared", lambda _: self._remove(outlet))
        self._add(outlet)

    # recording

    def record(self, path: str) -> None:
        """Write what comes from now on to a file."""
        self.stop_recording()
        mp4 = "mp4mux fragment-duration=250 fragment-mode=dash-or-mss"
        muxer = "matroskamux" if path.endswith(".mkv") else mp4
        pipeline = Gst.parse_launch(
            f"appsrc name=src format=time max-bytes=0 ! h264parse ! {muxer} ! filesink name=out"
        )
        pipeline.get_by_name("out").set_property("location", path)
        if pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            pipeline.set_state(Gst.State.NULL)
            tell(error=f"--record {path}: can't be written")
            return
        self._recording = Outlet(pipeline, pipeline.get_by_name("src"), from_zero=True)
        self._add(self._recording)
        tell(recording=path)

    def stop_recording(self) -> None:
        """Finish the file."""
        outlet = self._recording
        if outlet is None:
            return
        self._remove(outlet)
        outlet.source.emit("end-of-stream")
        ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
        bus = outlet.pipeline.get_bus()
        self._end_recording(outlet, bus.timed_pop_filtered(3 * Gst.SECOND, ends))

    def check_recording(self) -> None:
        """End the recording where the file can't be written any more, such as on a full disk."""
        outlet = self._recording
        if outlet is None:
            return
        message = outlet.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        if message is not None:
            self._remove(outlet)
            self._end_recording(outlet, message)

    def _end_recording(self, outlet: Outlet, message: Any) -> None:
        """Close the file. ``message``: the pipeline's last one, or None."""
        self._recording = None
        path = outlet.pipeline.get_by_name("out").get_property("location")
        outlet.pipeline.set_state(Gst.State.NULL)
        if message is not None and message.type == Gst.MessageType.ERROR:
            reason = message.parse_error()[0].message.rstrip(".")
            tell(error=f"--record {path}: {reason}; what was written before is kept")
        tell(recording=None)

    def close(self) -> None:
        """Finish everything."""
        if self._encoder is not None:
            self._source.emit("end-of-stream")
            self._encoder.get_bus().timed_pop_filtered(
                Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
            )
        self.stop_recording()
        if self._encoder is not None:
            self._encoder.set_state(Gst.State.NULL)


def pump(streams: Streams, loop: Any) -> None:
    """Take messages until the tracker ends."""
    file = sys.stdin.buffer
    try:
        while True:
            data = file.read(protocol.HEADER.size)
            if len(data) < protocol.HEADER.size:
                break
            header = protocol.HEADER.unpack(data)
            if header[0] != protocol.MAGIC or header[1] == protocol.END:
                break
            payload = file.read(header[-1])
            if len(payload) < header[-1]:
                break
            streams.check_recording()
            if header[1] == protocol.FRAME:
                streams.frame(header, payload)
            elif header[1] == protocol.RECORD:
                streams.record(payload.decode("utf-8", "surrogateescape"))
            elif header[1] == protocol.STOP_RECORDING:
                streams.stop_recording()
        streams.close()
    finally:
        loop.quit()


def main() -> int:
    Gst.init(None)
    loop = GLib.MainLoop()
    try:
        streams = Streams(json.loads(sys.stdin.buffer.readline().decode("ascii")))
    except (RuntimeError, GLib.Error) as error:
        tell(error=str(error))
        return 2
    tell(ready=streams.name)
    thread = threading.Thread(target=pump, args=(streams, loop))
    thread.daemon = True
    thread.start()
    loop.run()
    sys.stdout.flush()
    os._exit(0)  # GStreamer's threads may hang in a driver; every file is finished


if __name__ == "__main__":
    sys.exit(main())
