"""The links of a run to a vehicle and to other programs: MAVLink, picture streams, datagrams."""

import os
import socket
from typing import Any, Callable, List, Optional, Tuple

from runtime.detect import Detector
from runtime.errors import BadOutput
from runtime.links.gimbal.angles import vertical_fov_deg

KEY_BYTES = 32


class Links:
    """All links of a run; each only if asked for.

    Args:
        options: of the command line.
        controller: the frame loop's (``runtime.links.control``), None without MAVLink.
        source: of frames.
        size: (width, height) of the frames.
        network: name of the network.
        say: function of one line of text for the user.
        detector: finds the object at a point that a ground station sends, or None.

    Raises:
        BadOutput: an address, a file or a library that can't be had.
    """

    def __init__(
        self,
        options: Any,
        controller: Any,
        source: Any,
        size: Tuple[int, int],
        network: str,
        say: Callable[[str], None],
        detector: Optional[Detector] = None,
    ) -> None:
        self._options = options
        self._sender: Any = None
        self._publisher: Any = None
        self._service: Any = None
        self._loop: Any = None
        try:
            if options.publish:
                from runtime.links.publish import Publisher

                self._publisher = Publisher(options.publish)
            if options.stream or options.record:
                from runtime.links.stream.sender import open_sender

                self._sender = open_sender(
                    options.stream,
                    options.record,
                    source.fps,
                    not options.stream_plain,
                    say,
                    bitrate_kbps=options.stream_kbps,
                )
            if options.mavlink:
                self._service, self._loop = _open_mavlink(
                    options, controller, size, network, detector
                )
                if self._service.transport.fileno() is None:
                    text = "--mavlink {}: nothing answers there yet; it is tried again and again"
                    say(text.format(options.mavlink))
                self._service.start()
        except BaseException:
            self.close()
            raise

    def show(self, tracked: Any, recording: bool) -> None:
        """A frame was tracked. Returns at once.

        Args:
            tracked: ``runtime.links.frame_buffer.TrackedFrame``.
            recording: whether files are written now.
        """
        if self._service:
            self._service.show(self._loop.view_of(tracked))
        if self._sender:
            self._sender.recording = recording
            self._sender.show(tracked.frame, tracked.index, tracked.captured_s, tracked.tracks)
        if self._publisher:
            self._publisher.show(tracked)

    def lines(self) -> List[str]:
        """What was done, as lines of text."""
        lines = []
        if self._service:
            lines.append(
                f"mavlink: {self._service.heard} packets heard, {self._service.sent} sent, "
                f"{sum(self._service.refused.values())} refused"
            )
            ms = self._service.latency_ms()
            if ms:
                lines.append(
                    "glass to command: {median:.1f} ms (median, p95 {p95:.1f}, p99 "
                    "{p99:.1f})".format(**ms)
                )
        if self._sender:
            lines.append(f"stream: {self._sender.sent} frames by {self._sender.encoder}")
        if self._publisher:
            lines.append(f"published {self._publisher.sent} datagrams")
        return lines

    def close(self) -> None:
        """Close all of them; may be called twice."""
        for link in (self._service, self._sender, self._publisher):
            if link:
                link.close()


def check_links(options: Any) -> None:
    """Refuse what can't work together, before anything is opened."""
    if options.gimbal is not None and not (options.mavlink and options.fov):
        raise BadOutput("--gimbal needs --mavlink URL and --fov DEGREES")
    if options.captures and not os.path.isdir(options.captures):
        raise BadOutput(f"--captures {options.captures}: no such folder; make it first")


def _open_mavlink(
    options: Any,
    controller: Any,
    size: Tuple[int, int],
    network: str,
    detector: Optional[Detector],
) -> Tuple[Any, Any]:
    """(service, loop) of the MAVLink link."""
    try:
        from runtime.links.mavlink.codec import Codec
    except ImportError as error:
        raise BadOutput(
            f"--mavlink needs the package pymavlink ({error}); run `make setup ALSO=mavlink`, or "
            "pip install pymavlink"
        ) from None
    from runtime.links.gimbal.control import Control
    from runtime.links.gimbal.settings import load_settings
    from runtime.links.mavlink.camera import Camera
    from runtime.links.mavlink.definition import ADDRESS
    from runtime.links.mavlink.geo import Geo
    from runtime.links.mavlink.gimbal_manager import GimbalManager
    from runtime.links.mavlink.loop import Loop
    from runtime.links.mavlink.reports import Identity
    from runtime.links.mavlink.service import Service
    from runtime.links.mavlink.transport import open_transport

    key = read_key(options.mavlink_key) if options.mavlink_key else None
    me = (options.mavlink_system, options.mavlink_component)
    fov = options.fov and (
        options.fov[0],
        options.fov[-1] if len(options.fov) > 1 else vertical_fov_deg(options.fov[0], size),
    )
    geo = Geo(fov) if fov else None
    gimbal = None
    if options.gimbal is not None:
        settings = load_settings(options.gimbal or None)
        gimbal = GimbalManager(Control(settings, fov), me[0], me[1], settings["lost"]["link"], geo)
    identity = Identity(me[0], me[1], network, fov, _streams(options), _folder(options), ADDRESS)
    loop = Loop(controller, options.captures, detector)
    camera = Camera(loop, identity, geo, options.link_delay)
    transport = open_transport(options.mavlink)
    return Service(transport, Codec(me[0], me[1], key), camera, geo, gimbal, key), loop


def read_key(path: str) -> bytes:
    """The 32 bytes of a key file: as they are, or as 64 hex digits.

    Raises:
        BadOutput: no such file, or another length.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(1024)
        text = data.strip()
        key = bytes(bytearray.fromhex(text.decode("ascii"))) if len(text) == 64 else data
    except (OSError, ValueError) as error:
        raise BadOutput(f"--mavlink-key {path}: can't be read: {error}") from None
    if len(key) != KEY_BYTES:
        raise BadOutput(
            f"--mavlink-key {path}: holds {len(data)} bytes; write 32, or 64 hex digits"
        )
    return key


def _streams(options: Any) -> List[Any]:
    """What a ground station is told of the streams."""
    from runtime.links.mavlink import numbers as m
    from runtime.links.mavlink.reports import Stream
    from runtime.links.stream.sender import parse_address

    streams = []
    for number, address in enumerate(options.stream or (), 1):
        kind, where = parse_address(address)
        name = "tracked" if number == 1 else f"tracked {number}"  # chosen by its name
        if kind == "rtsp":
            host = where["host"] if where["host"] not in ("", "0.0.0.0") else local_address()
            uri = "rtsp://{}:{}{}".format(host, where["port"], where["path"])
            streams.append(Stream(m.STREAM_RTSP, uri, name, options.stream_kbps * 1000))
        else:  # the ground station listens at that port
            streams.append(Stream(m.STREAM_RTPUDP, str(where[1]), name, options.stream_kbps * 1000))
    return streams


def local_address() -> str:
    """The address of this computer that others reach it by; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation (RFC 5737)
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def _folder(options: Any) -> Optional[str]:
    """The folder that files are written to, for the free space; None: nothing is written."""
    for path in (options.record, options.save, options.results):
        if path and path != "-":
            return os.path.dirname(os.path.abspath(path))
    return options.captures
