"""Pictures of ROS 2: a topic of a running system (by rclpy), or a recorded bag (by rosbags).

Messages are sensor_msgs/Image and sensor_msgs/CompressedImage. A bag needs no ROS.
"""

import os
import re
import time
from collections import deque
from typing import Any, Deque, List, Optional, Tuple

import cv2
import numpy as np

from hotpath.base.messages import missing_package_text, why_unloaded
from hotpath.kernels.planes import row_bytes_of
from hotpath.runtime.errors import BadSource, NoCamera
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.runtime.frames.pictures import AnyFrame, is_deep
from hotpath.runtime.tracker.lock import exclusive
from hotpath.video.base import PLAYED_FPS, Header, Log, Source, to_bgr
from hotpath.video.cameras import SENDER
from hotpath.video.encoded import decode_picture
from hotpath.video.limits import check_size
from hotpath.video.live import LiveSource
from hotpath.video.raw import planes_in
from hotpath.video.stamps import Stamps

PREFIX = "ros:"
MCAP = b"\x89MCAP0\r\n"  # at both ends of a file
TOPIC = re.compile(PREFIX + r"((?:/[A-Za-z_]\w*)+)", re.ASCII)  # as ROS names topics
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
JPEG, PNG = b"\xff\xd8", b"\x89PNG"  # the first bytes
COMPRESSED_DEPTH = 12  # bytes before the PNG of image_transport's compressedDepth
MOST_BAD = 3  # pictures in a row that can't be read
READ_S = 2.0  # that a topic may be silent; finding the sender takes about one
PLANES = {"yuv422_yuy2": "YUYV", "yuv422": "UYVY", "uyvy": "UYVY", "yuyv": "YUYV", "nv12": "NV12"}
TO_BGR = {"rgb8": cv2.COLOR_RGB2BGR, "rgba8": cv2.COLOR_RGBA2BGR}
DEEP = {"mono16": "u2", "16UC1": "u2"}  # all others have bytes
CHANNELS = {"bgr8": 3, "rgb8": 3, "8UC3": 3, "bgra8": 4, "rgba8": 4, "mono8": 1, "8UC1": 1}


def picture_in(kind: str, message: Any, planes: bool) -> Tuple[Header, AnyFrame]:
    """The header, and the picture in a message; uint16 where it has 16 bits.

    Args:
        kind: ``IMAGE`` or ``COMPRESSED``.
        message: of rclpy or rosbags, with the fields that ROS 2 defines.
        planes: whether the picture may be a ``Picture``.

    Raises:
        BadSource: an encoding that is not known, or less data than the picture needs.
    """
    stamp = message.header.stamp
    header = Header(int(stamp.sec), int(stamp.nanosec), str(message.header.frame_id))
    data = np.frombuffer(message.data, np.uint8)
    if kind == COMPRESSED:
        if data[COMPRESSED_DEPTH : COMPRESSED_DEPTH + 4].tobytes() == PNG:
            data = data[COMPRESSED_DEPTH:]
        if planes and data[:2].tobytes() == JPEG:  # the word of the format is often another one
            try:
                jpeg = JpegFrame(data)
            except ValueError:
                raise BadSource("a compressed picture of ROS is damaged") from None
            check_size("a compressed picture of ROS", *jpeg.shape[1::-1])
            return header, jpeg
        picture = decode_picture(data.tobytes(), f"a compressed picture of ROS, {message.format!r}")
        return header, picture if is_deep(picture) else to_bgr(picture)
    check_size("a picture of ROS", message.width, message.height)
    layout = message.encoding, message.height, message.width, message.step
    frame = _picture(*layout, data, ">" if message.is_bigendian else "<")
    return header, frame if planes or isinstance(frame, np.ndarray) else frame.bgr()


def seconds_of(header: Header) -> float:
    """The stamp of a header, seconds."""
    return header.seconds + header.nanoseconds * 1e-9


def _picture(
    encoding: str, height: int, width: int, step: int, data: np.ndarray, order: str
) -> AnyFrame:
    """The picture of a sensor_msgs/Image, whose rows begin every ``step`` bytes."""
    rows = height * 3 // 2 if encoding == "nv12" else height
    if encoding not in PLANES and encoding not in CHANNELS and encoding not in DEEP:
        raise BadSource(
            f"pictures of ROS in {encoding!r} are not read; have them converted to bgr8 "
            "(Bayer patterns by image_proc, encoded video by image_transport's republish)",
            what="unknown encoding",
        )
    sample = np.dtype(order + DEEP.get(encoding, "u1"))
    channels = CHANNELS.get(encoding, 1)
    needed = width * channels * sample.itemsize
    if encoding in PLANES:
        needed = row_bytes_of(PLANES[encoding], width)[0]
    is_odd = encoding == "nv12" and (width % 2 or height % 2)  # its colours are shared by 2x2
    least = step * (rows - 1) + needed
    if not height or not width or step < needed or data.size < least or is_odd:
        why = f"has {data.size} bytes instead of {least}"
        if not height or not width or is_odd:
            why = "has no such size"
        elif step < needed:
            why = f"has a step of {step} bytes, and its rows have {needed}; correct its sender"
        raise BadSource(f"a picture of ROS, {width}x{height} {encoding}, {why}", what="wrong size")
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
    frame = np.ascontiguousarray(frame)
    return frame[..., 0] if is_deep(frame) else to_bgr(frame)


def open_source(
    spec: str, bag: Optional[Tuple[str, str]], log: Log, planes: bool, depth: Optional[int]
) -> Source:
    """Open a bag or a topic; see ``hotpath.video.sources``.

    Args:
        spec: as ``--video`` names it.
        bag: its path and topic, or None for a topic of a running system.
        log, planes, depth: see ``Bag``.
    """
    if bag:
        return Bag(*bag, log, planes, depth)
    return LiveSource(Topic(spec, planes), log, depth=depth)


class Topic:
    """A topic of a running system, for ``LiveSource``. Pictures that can't be read are left out.

    Args:
        spec: ``ros:/camera/image_raw``. Names that end with ``/compressed`` are compressed.
        planes: whether frames may be ``Picture``s.
    """

    stamps = SENDER

    def __init__(self, spec: str, planes: bool) -> None:
        named = TOPIC.fullmatch(spec)
        if named is None:
            raise BadSource(
                f"{spec}: no topic of ROS; give a name such as ros:/camera/image_raw",
                what="no topic",
            )
        self.name = spec
        self._topic = named.group(1)
        self._planes = planes
        self.kind = COMPRESSED if self._topic.endswith("/compressed") else IMAGE

    def open(self) -> "Topic":
        """Join the topic; the result has the methods of ``cv2.VideoCapture`` that are used.

        Raises:
            NoCamera: see ``open_bus``.
        """
        self.header: Optional[Header] = None
        self.skipped = 0  # pictures that can't be read
        bus, self._end = open_bus()
        kind = bus.CompressedImage if self.kind == COMPRESSED else bus.Image
        self._reader = self._end.reader(self._topic, kind, newest=True)
        return self

    def read(self) -> Tuple[bool, Any]:
        """(True, frame), or (False, None) where none came in time.

        Raises:
            BadSource: no picture of the last ``READ_S`` seconds, and of ``MOST_BAD``, can be read.
        """
        bad, began_s = 0, time.monotonic()
        while True:
            message = self._end.take(self._reader, READ_S)
            if message is None:
                return False, None
            try:
                self.header, frame = picture_in(self.kind, message, self._planes)
                return True, frame
            except BadSource:
                bad += 1
                self.skipped += 1
                if bad >= MOST_BAD and time.monotonic() - began_s > READ_S:
                    raise

    def get(self, what: int) -> float:
        """The stamp of the last frame, milliseconds; 0 for everything else."""
        if what != cv2.CAP_PROP_POS_MSEC or self.header is None:
            return 0.0
        return seconds_of(self.header) * 1e3

    def release(self) -> None:
        """Leave the topic."""
        self._end.close()


def open_bus() -> Tuple[Any, Any]:
    """Return (``hotpath_bridges.ros_node``, an open ``End`` of it).

    Raises:
        NoCamera: there is no ROS, or it can't be reached.
    """
    try:
        from hotpath_bridges import ros_node
    except ImportError as error:
        raise NoCamera(
            f"a topic of ROS needs ROS 2 with vision_msgs{why_unloaded(error, 'rclpy')}; source "
            "ROS's setup.bash, and run Hotpath with the Python of ROS",
            what="no ROS",
        ) from None
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    try:
        return ros_node, ros_node.End(int(domain))
    except (ValueError, RuntimeError) as error:  # rclpy's own errors are RuntimeErrors
        raise NoCamera(
            f"ROS can't be reached with ROS_DOMAIN_ID={domain}: {error}", what="wrong domain"
        ) from None


def _why_no_bag(path: str, error: Exception) -> str:
    """Why a bag can't be opened, and what to do."""
    is_file = os.path.isfile(path)
    if is_file and path.endswith(".mcap"):
        with open(path, "rb") as file:
            ends = file.read(len(MCAP)), file.seek(-min(len(MCAP), os.path.getsize(path)), 2)
            if ends[0] == MCAP != file.read():
                return (
                    "was not closed, as after its recorder was killed; run `mcap recover FILE -o "
                    "NEW.mcap` (a program of mcap.dev), and name the new file"
                )
    if is_file and path.endswith(".bag"):
        return f"can't be read ({_words(error)}); run `rosbag reindex FILE`, or record it again"
    return (
        f"is not a whole bag of ROS ({_words(error)}); run `ros2 bag reindex FOLDER`, or record it "
        "again"
    )


def _files_of(path: str) -> List[str]:
    """What rosbags opens: a bag, or the files of a folder whose recorder was killed."""
    if not os.path.isdir(path) or os.path.exists(os.path.join(path, "metadata.yaml")):
        return [path]
    names = sorted(name for name in os.listdir(path) if name.endswith((".mcap", ".db3")))
    return [os.path.join(path, name) for name in names] or [path]


def _words(error: Exception) -> str:
    """The words of a library's error, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


class Bag(Source):
    """A recorded topic: ``FILE.mcap#/topic``, or the folder of a bag and a topic.

    The topic may be left out where the bag has one of pictures.

    Args:
        path: path of the file or folder.
        topic: its name, or empty.
        log: see ``Source``.
        planes: whether frames may be ``Picture``s.
        depth: used bits of 16-bit pictures. None takes each picture's own range.

    Raises:
        BadSource: no bag, no such topic, or the package rosbags is missing.
    """

    def __init__(
        self, path: str, topic: str, log: Log, planes: bool, depth: Optional[int] = None
    ) -> None:
        super().__init__(f"{path}#{topic}" if topic else path, log, depth)
        self._planes = planes
        self._first_s: Optional[float] = None
        self._ahead: Deque[Tuple[AnyFrame, float, Header]] = deque()  # frames, stamps, headers
        self._broken: Optional[Exception] = None
        try:
            import pathlib

            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise BadSource(
                missing_package_text(f"{path}: a bag", "rosbags", error, "ros")
            ) from None
        try:
            # bags of before ROS Iron have no definitions of their messages
            types = get_typestore(Stores.ROS2_HUMBLE)
            files = [pathlib.Path(file) for file in _files_of(path)]
            self._bag: Any = AnyReader(files, default_typestore=types)
            self._bag.open()
        except Exception as error:  # of many kinds, where a file is damaged
            raise BadSource(f"{path}: {_why_no_bag(path, error)}", what="not a bag") from None
        kinds = (IMAGE, COMPRESSED)
        connections = [c for c in self._bag.connections if c.msgtype in kinds]
        chosen = [c for c in connections if c.topic == topic] if topic else connections
        if len({(c.topic, c.msgtype) for c in chosen}) != 1:
            self.close()
            names = sorted({c.topic for c in connections})
            raise BadSource(
                f"{self.name}: name one topic of pictures after '#'; there are: "
                f"{' '.join(names) or 'none (encoded video becomes some by image_transport)'}",
                what="several topics",
            )
        self._kind, self.frames = chosen[0].msgtype, sum(c.msgcount for c in chosen)
        self._messages = self._bag.messages(chosen)
        length_s = (self._bag.end_time - self._bag.start_time) * 1e-9
        if self.frames > 1 and length_s > 0:
            self.fps = (self.frames - 1) / length_s
        self._stamps = Stamps(1.0 / (self.fps or PLAYED_FPS))

    @exclusive
    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        if self._bag is None:
            return None
        if not self._ahead and not self._decode():
            if self._broken is None:
                return None
            why = f"; the bag is damaged there ({_words(self._broken)})"
            if isinstance(self._broken, BadSource):  # whole, and of a kind that is not read
                why = f": {self._broken}"
            raise BadSource(
                f"{self.name}: broke at frame {self.given} of {self.frames}{why}", what="broke off"
            )
        strays, stamp_s = self._stamps.strays, self._ahead[0][1]
        time_s = self._stamps.time_of(stamp_s, self._following)
        if self._first_s is None:
            self._first_s = time_s
        if self._stamps.strays > strays == 0:
            self.log(
                f"{self.name}: the time stamp of frame {self.given} does not fit those of its "
                "neighbours; such a frame gets a time between them"
            )
        frame, _, self.header = self._ahead.popleft()
        return self._give_any(frame, time_s - self._first_s)

    def _decode(self) -> bool:
        """Decode one more picture ahead. Returns whether there was one."""
        bad = 0
        while self._broken is None:
            try:
                _, received_ns, data = next(self._messages)
                message = self._bag.deserialize(data, self._kind)
                header, frame = picture_in(self._kind, message, self._planes)
                break
            except StopIteration:
                return False
            except Exception as error:  # of many kinds, where a file is damaged
                bad += 1
                is_picture = isinstance(error, BadSource) and error.what != "unknown encoding"
                if is_picture and bad < MOST_BAD:
                    self.skipped += 1
                else:
                    self._broken = error
        else:
            return False
        self._ahead.append((frame, seconds_of(header) or received_ns * 1e-9, header))
        return True

    def _following(self) -> Optional[float]:
        """The stamp of the frame after the next one, which is decoded for it, or None."""
        return self._ahead[1][1] if len(self._ahead) > 1 or self._decode() else None

    @exclusive
    def close(self) -> None:
        """Close the files."""
        bag, self._bag = self._bag, None
        if bag is not None:
            bag.close()
