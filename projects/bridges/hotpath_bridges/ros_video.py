"""Encoded video in messages of ROS: packets of H.264, HEVC, AV1, VP8 or VP9, decoded with PyAV."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.video.base import Header
from hotpath.video.limits import DECODER_LIMITS, check_size
from hotpath.video.pyav_capture import ONE_FRAME
from hotpath.video.pyav_frames import UPRIGHT, upright

FFMPEG = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
FOXGLOVE = "foxglove_msgs/msg/CompressedVideo"
DEFINITIONS = {  # of the messages, which older bags do not hold
    FFMPEG: "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n"
    "uint8 flags\nbool is_bigendian\nuint8[] data\n",
    FOXGLOVE: "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n",
}
CODECS = {  # what the name of a codec or of an encoder contains -> FFmpeg's decoder
    "264": "h264",
    "265": "hevc",
    "hevc": "hevc",
    "av1": "libdav1d",
    "vp8": "vp8",
    "vp9": "vp9",
}
MOST_HELD = 64  # packets whose frames may be late: more than any of these codecs reorders


class Packet(NamedTuple):
    """A part of a video.

    Attributes:
        header: of the picture.
        codec: FFmpeg's name of the decoder.
        data: the bytes, as the encoder gave them.
    """

    header: Header
    codec: str
    data: bytes


def packet_in(kind: str, message: Any) -> Optional[Packet]:
    """The part of a video in a message; None for a message with a picture.

    Args:
        kind: name of the message's type.
        message: of rosbags, with the fields of its definition.

    Raises:
        BadSource: the message has video of a codec that is not read, or is too large.
    """
    # CompressedVideo, CompressedImage / FFMPEGPacket, Image
    name = str(message.format if hasattr(message, "format") else message.encoding)
    # FFMPEGPacket may add pixel formats: "hevc;yuv420p;bgr8"
    codec = next((c for part, c in CODECS.items() if part in name.lower().split(";")[0]), "")
    if not codec and kind in DEFINITIONS:
        raise BadSource(
            f"video of ROS in {name!r} is not read; play the bag, run `ros2 run image_transport "
            "republish`, and record its pictures",
            what="unknown encoding",
        )
    if not codec:
        return None
    if hasattr(message, "width"):
        check_size("a picture of ROS", message.width, message.height)
    stamp = message.timestamp if kind == FOXGLOVE else message.header.stamp
    place = message.frame_id if kind == FOXGLOVE else message.header.frame_id
    return Packet(
        Header(int(stamp.sec), int(stamp.nanosec), str(place)), codec, bytes(message.data)
    )


class Decoder:
    """Decode the packets of one topic. Each one may depend on those before it.

    Args:
        planes: whether frames may be ``Picture``s.

    Attributes:
        errors: frames that are damaged.
        skipped: packets that could not be decoded, also those before the first key frame.
        codec: FFmpeg's name of the decoder; "" before the first packet.
    """

    def __init__(self, planes: bool) -> None:
        self._planes = planes
        self._context: Any = None
        self._headers: Dict[int, Tuple[Header, float]] = {}  # of packets without a frame so far
        self._number = 0
        self.errors = self.skipped = 0
        self.codec = ""

    def decode(
        self, packet: Optional[Packet], stamp_s: float = 0.0
    ) -> List[Tuple[AnyFrame, float, Header]]:
        """Return the frames that are complete with this packet, each with its own stamp.

        Args:
            packet: the next one; None after the last one.
            stamp_s: of the packet, seconds.

        Raises:
            ImportError: PyAV is missing.
            BadSource: it has no decoder for the codec.
        """
        if packet is None and self._context is None:
            return []
        if packet is not None and not packet.data:  # which would end the decoder
            self.skipped += 1
            return []
        import av

        damage = (av.FFmpegError, OSError, ValueError)
        try:
            if packet is None:
                context, self._context = self._context, None
                frames = context.decode(None)
            else:
                frames = self._opened(av, packet.codec).decode(self._numbered(av, packet, stamp_s))
        except damage:
            self.skipped += 1
            return []
        found = []
        for frame in frames:
            header = self._headers.pop(frame.pts, None)
            try:
                picture = upright(frame, UPRIGHT, self._planes)
            except damage:
                header = None
            if header is None:
                self.skipped += 1
                continue
            self.errors += bool(getattr(frame, "is_corrupt", False))
            found.append((picture, header[1], header[0]))
        return found

    def _opened(self, av: Any, codec: str) -> Any:
        """The decoder, which the first packet decides."""
        if self._context is None:
            try:
                self._context = av.CodecContext.create(codec, "r")
            except ValueError:  # PyAV's UnknownCodecError
                raise BadSource(
                    f"this PyAV has no decoder {codec}; install its wheel with "
                    "`pip install --force-reinstall av`",
                    what="no decoder",
                ) from None
            self._context.options = DECODER_LIMITS
            self._context.thread_type = ONE_FRAME  # a damaged packet costs no other frame
            self.codec = codec
        return self._context

    def _numbered(self, av: Any, packet: Packet, stamp_s: float) -> Any:
        """PyAV's packet, whose number in place of a time finds its header again."""
        part = av.Packet(packet.data)
        part.pts = self._number
        self._headers[self._number] = packet.header, stamp_s
        self._headers.pop(self._number - MOST_HELD, None)
        self._number += 1
        return part
