"""Pictures of ROS 2: a topic of a running system, or a recorded bag. ROS is not needed.

Names, types and qualities of service are those of ROS 2's middleware (design.ros2.org, "Topic and
Service name mapping to DDS", REP 2003). Messages are sensor_msgs/Image and
sensor_msgs/CompressedImage, in CDR (OMG "DDS-XTypes" 1.3, section 7.4).
"""

import os
import re
import struct
from typing import Any, Optional, Tuple

import cv2
import numpy as np

from hotpath.kernels.commands import make, needs, why_unloaded
from hotpath.runtime.errors import BadSource, NoCamera
from hotpath.runtime.pictures import AnyFrame, JpegFrame, PlanarFrame, decode_picture
from hotpath.runtime.track.video.base import Log, Source, to_bgr
from hotpath.runtime.track.video.cameras import SENDER
from hotpath.runtime.track.video.raw import planes_in, row_bytes_of

PREFIX = "ros:"
TOPIC = re.compile(PREFIX + r"((?:/[A-Za-z_]\w*)+)", re.ASCII)  # as ROS names topics
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
READ_S = 2.0  # that a topic may be silent; finding the sender takes about one
PLANES = {"yuv422_yuy2": "YUYV", "yuv422": "UYVY", "uyvy": "UYVY", "yuyv": "YUYV", "nv12": "NV12"}
TO_BGR = {"rgb8": cv2.COLOR_RGB2BGR, "rgba8": cv2.COLOR_RGBA2BGR}
SAMPLES = {"mono16": "u2", "16UC1": "u2"}  # all others have bytes
CHANNELS = {"bgr8": 3, "rgb8": 3, "8UC3": 3, "bgra8": 4, "rgba8": 4, "mono8": 1, "8UC1": 1}


class Message:
    """A message as it came, in CDR; its fields are read in their order.

    Args:
        data: with the four bytes before the fields, which tell the order of bytes.

    Raises:
        BadSource: it ends too early.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._order, self._at = "<" if data[1:2] == b"\1" else ">", 4

    def number(self, kind: str) -> int:
        """A number of one of ``struct``'s kinds."""
        size = struct.calcsize(kind)
        self._at += -(self._at - 4) % size
        try:
            (value,) = struct.unpack_from(self._order + kind, self.data, self._at)
        except struct.error:
            raise BadSource("a message of ROS ends too early") from None
        self._at += size
        return int(value)

    def bytes(self) -> memoryview:
        """A sequence of bytes, without a copy."""
        count = self.number("I")
        found = memoryview(self.data)[self._at : self._at + count]
        if len(found) < count:
            raise BadSource("a message of ROS ends too early")
        self._at += count
        return found

    def text(self) -> str:
        """A string."""
        return bytes(self.bytes()[:-1]).decode("utf-8", "replace")


def picture_in(kind: str, message: Message, planes: bool) -> Tuple[float, AnyFrame]:
    """The stamp in seconds, and the picture in a message.

    Args:
        kind: ``IMAGE`` or ``COMPRESSED``.
        message: not read yet.
        planes: whether the picture may be a ``Picture``.

    Raises:
        BadSource: an encoding that is not known, or less data than the picture needs.
    """
    stamp_s = message.number("i") + message.number("I") * 1e-9
    message.text()  # the frame's name
    if kind == COMPRESSED:
        encoding, data = message.text(), np.frombuffer(message.bytes(), np.uint8)
        if planes and "jp" in encoding.lower():
            try:
                return stamp_s, JpegFrame(data)
            except ValueError:
                raise BadSource("a compressed picture of ROS is damaged") from None
        picture = decode_picture(data)
        if picture is None:
            raise BadSource(f"a compressed picture of ROS, {encoding!r}, can't be decoded")
        return stamp_s, to_bgr(picture)
    height, width, encoding = message.number("I"), message.number("I"), message.text()
    swapped, step = message.number("B"), message.number("I")
    data = np.frombuffer(message.bytes(), np.uint8)
    frame = _picture(encoding, height, width, step, data, ">" if swapped else "<")
    return stamp_s, frame if planes or isinstance(frame, np.ndarray) else frame.bgr()


def _picture(
    encoding: str, height: int, width: int, step: int, data: np.ndarray, order: str
) -> AnyFrame:
    """The picture of a sensor_msgs/Image, whose rows begin every ``step`` bytes."""
    rows = height * 3 // 2 if encoding == "nv12" else height
    if encoding not in PLANES and encoding not in CHANNELS and encoding not in SAMPLES:
        raise BadSource(
            f"pictures of ROS in {encoding!r} are not read; have them converted to bgr8 "
            "(Bayer patterns by image_proc)"
        )
    sample = np.dtype(order + SAMPLES.get(encoding, "u1"))
    channels = CHANNELS.get(encoding, 1)
    needed = width * channels * sample.itemsize
    if encoding in PLANES:
        needed = row_bytes_of(PLANES[encoding], width)[0]
    is_odd = encoding == "nv12" and (width % 2 or height % 2)  # its colours are shared by 2x2
    if not height or not width or step < needed or data.size < step * (rows - 1) + needed or is_odd:
        raise BadSource(f"a picture of ROS, {width}x{height} {encoding}, has {data.size} bytes")
    if encoding in PLANES:
        missing = step * rows - data.size  # the last row may end early
        data = np.pad(data, (0, missing)) if missing > 0 else data
        return PlanarFrame(planes_in(data, PLANES[encoding], (width, height), step))
    lines = np.lib.stride_tricks.as_strided(data, (rows, needed), (step, 1), writeable=False)
    frame = lines.view(sample).astype(sample.newbyteorder("=")) if sample.itemsize > 1 else lines
    frame = frame.reshape(height, width, channels)
    if encoding in TO_BGR:
        converted: np.ndarray = cv2.cvtColor(frame, TO_BGR[encoding])
        return converted
    return to_bgr(np.ascontiguousarray(frame))


class Topic:
    """A topic of a running system, for ``LiveSource``.

    Args:
        spec: ``ros:/camera/image_raw``. Names that end with ``/compressed`` are compressed.
        planes: whether frames may be ``Picture``s.
    """

    stamps, read_timeout_s = SENDER, READ_S

    def __init__(self, spec: str, planes: bool) -> None:
        named = TOPIC.fullmatch(spec)
        if named is None:
            raise BadSource(f"{spec}: no topic of ROS; give a name such as ros:/camera/image_raw")
        self.name, self._topic, self._planes = spec, named.group(1), planes
        self.kind = COMPRESSED if self._topic.endswith("/compressed") else IMAGE

    def open(self) -> "Topic":
        """Join the topic; the result has the methods of ``cv2.VideoCapture`` that are used.

        Raises:
            NoCamera: see ``open_bus``.
        """
        self._stamp_s = 0.0
        bus, self._end = open_bus()
        self._reader = self._end.reader(self._topic, bus.raw(self.kind, Message), newest=True)
        return self

    def read(self) -> Tuple[bool, Any]:
        """(True, frame), or (False, None) where none came in time."""
        message = self._end.take(self._reader, READ_S)
        if message is None:
            return False, None
        self._stamp_s, frame = picture_in(self.kind, message, self._planes)
        return True, frame

    def get(self, what: int) -> float:
        """The stamp of the last frame, milliseconds; 0 for everything else."""
        return self._stamp_s * 1e3 if what == cv2.CAP_PROP_POS_MSEC else 0.0

    def release(self) -> None:
        """Leave the topic."""
        self._end.close()


def open_bus() -> Tuple[Any, Any]:
    """What speaks to ROS here, and an open ``End`` of it.

    Returns:
        (``hotpath.runtime.track.video.ros_node`` where ROS is installed, else
        ``hotpath.runtime.track.video.dds``; its End).

    Raises:
        NoCamera: neither can be used.
    """
    bus: Any
    try:
        from hotpath.runtime.track.video import ros_node as bus
    except ImportError as no_ros:
        try:
            from hotpath.runtime.track.video import dds as bus
        except ImportError as error:
            why = why_unloaded(no_ros, "rclpy") or why_unloaded(error, "cyclonedds")
            raise NoCamera(
                "a topic of ROS needs ROS 2 with vision_msgs, or the package cyclonedds"
                f"{why}; source ROS's setup.bash, or run `{make('setup', ALSO='ros')}`"
            ) from None
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    try:
        return bus, bus.End(int(domain))
    except (ValueError, bus.Failed) as error:
        raise NoCamera(f"ROS can't be reached with ROS_DOMAIN_ID={domain}: {error}") from None


class Bag(Source):
    """A recorded topic: ``FILE.mcap#/topic``, or the folder of a bag and a topic.

    The topic may be left out where the bag has one of pictures.

    Args:
        path: path of the file or folder.
        topic: its name, or empty.
        log: see ``Source``.
        planes: whether frames may be ``Picture``s.

    Raises:
        BadSource: no bag, no such topic, or the package rosbags is missing.
    """

    def __init__(self, path: str, topic: str, log: Log, planes: bool) -> None:
        super().__init__(f"{path}#{topic}" if topic else path, log)
        self._planes, self._first_s = planes, 0.0
        try:
            import pathlib

            from rosbags.highlevel import AnyReader
        except ImportError as error:
            raise BadSource(needs(f"{path}: a bag", "rosbags", error, "ros")) from None
        try:
            self._bag: Any = AnyReader([pathlib.Path(path)])
            self._bag.open()
        except Exception as error:  # of many kinds, where a file is damaged
            raise BadSource(f"{path}: is no bag of ROS 2 that can be read: {error!r}") from None
        found = [c for c in self._bag.connections if c.msgtype in (IMAGE, COMPRESSED)]
        chosen = [c for c in found if c.topic == topic] if topic else found
        if len(chosen) != 1:
            self.close()
            names = " ".join(sorted(c.topic for c in found)) or "none"
            raise BadSource(
                f"{self.name}: name one topic of pictures after '#'; there are: {names}"
            )
        self._kind, self.frames = chosen[0].msgtype, chosen[0].msgcount
        self._messages = self._bag.messages(chosen)
        length_s = (self._bag.end_time - self._bag.start_time) * 1e-9
        if self.frames > 1 and length_s > 0:
            self.fps = (self.frames - 1) / length_s

    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        try:
            _, received_ns, data = next(self._messages)
            stamp_s, frame = picture_in(self._kind, Message(bytes(data)), self._planes)
        except StopIteration:
            return None
        except Exception as error:  # of many kinds, where a file is damaged
            text = f"{self.name}: broke at frame {self.given} of {self.frames}: {error!r}"
            raise BadSource(text) from None
        stamp_s = stamp_s or received_ns * 1e-9
        if not self.given:
            self._first_s = stamp_s
        return self._give(frame, max(stamp_s - self._first_s, self.time_s or 0.0))

    def close(self) -> None:
        """Close the files."""
        bag, self._bag = self._bag, None
        if bag is not None:
            bag.close()


def bag_of(spec: str) -> Optional[Tuple[str, str]]:
    """(path, topic) where ``spec`` names a bag, else None."""
    path, _, topic = spec.partition("#")
    if path.endswith((".mcap", ".db3")):
        return path, topic
    try:
        with open(os.path.join(path, "metadata.yaml"), "rb") as file:
            return (path, topic) if b"rosbag2_bagfile" in file.read(200) else None
    except OSError:
        return None
