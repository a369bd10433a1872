"""Messages of ROS 2 over DDS, with its names, types and qualities of service.

The package is cyclonedds (Python 3.10 or newer); ROS is not needed. Fields are
those of vision_msgs 4 (ROS 2 Humble and later).
"""

from typing import Any, Callable, Dict, Optional

from cyclonedds.core import (
    DDSException,
    InstanceState,
    ReadCondition,
    SampleState,
    ViewState,
    WaitSet,
)
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import make_idl_struct
from cyclonedds.idl.types import array, float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

Failed = DDSException  # for who opens an ``End``
KEPT = 10  # messages that a slow subscriber finds, as rclpy's default
AT_ONCE, SOON = duration(seconds=0), duration(seconds=1)


def message(name: str, **fields: Any) -> Any:
    """The type ``PACKAGE/NAME``, of these fields in their order."""
    package, kind = name.split("/")
    return make_idl_struct(kind, f"{package}::msg::dds_::{kind}_", fields)


Time = message("builtin_interfaces/Time", sec=int32, nanosec=uint32)
Header = message("std_msgs/Header", stamp=Time, frame_id=str)
String = message("std_msgs/String", data=str)
RegionOfInterest = message(
    "sensor_msgs/RegionOfInterest",
    **dict.fromkeys(("x_offset", "y_offset", "height", "width"), uint32),
    do_rectify=bool,
)
Image = message(
    "sensor_msgs/Image",
    header=Header,
    **dict.fromkeys(("height", "width"), uint32),
    encoding=str,
    is_bigendian=uint8,
    step=uint32,
    data=sequence[uint8],
)
CompressedImage = message(
    "sensor_msgs/CompressedImage", header=Header, format=str, data=sequence[uint8]
)
Point = message("geometry_msgs/Point", x=float64, y=float64, z=float64)
Quaternion = message("geometry_msgs/Quaternion", x=float64, y=float64, z=float64, w=float64)
Pose = message("geometry_msgs/Pose", position=Point, orientation=Quaternion)
PoseWithCovariance = message(
    "geometry_msgs/PoseWithCovariance", pose=Pose, covariance=array[float64, 36]
)
ObjectHypothesis = message("vision_msgs/ObjectHypothesis", class_id=str, score=float64)
ObjectHypothesisWithPose = message(
    "vision_msgs/ObjectHypothesisWithPose", hypothesis=ObjectHypothesis, pose=PoseWithCovariance
)
Point2D = message("vision_msgs/Point2D", x=float64, y=float64)
Pose2D = message("vision_msgs/Pose2D", position=Point2D, theta=float64)
BoundingBox2D = message("vision_msgs/BoundingBox2D", center=Pose2D, size_x=float64, size_y=float64)
Detection2D = message(
    "vision_msgs/Detection2D",
    header=Header,
    results=sequence[ObjectHypothesisWithPose],
    bbox=BoundingBox2D,
    id=str,
)
Detection2DArray = message(
    "vision_msgs/Detection2DArray", header=Header, detections=sequence[Detection2D]
)
NOWHERE = PoseWithCovariance(Pose(Point(0, 0, 0), Quaternion(0, 0, 0, 1)), [0.0] * 36)


def raw(kind: str, made: Callable[[bytes], Any]) -> Any:
    """The type of a message of pictures, which is given as it came.

    The package makes a list of numbers of a sequence of bytes, which takes 30 ms for a picture.

    Args:
        kind: ``sensor_msgs/msg/Image`` or ``sensor_msgs/msg/CompressedImage``.
        made: makes what is given of a message in CDR.
    """
    chosen = CompressedImage if kind.endswith("CompressedImage") else Image
    chosen.deserialize = classmethod(lambda cls, data, **_: made(data))
    return chosen


class End:
    """One end of the bus: it has readers and writers.

    Args:
        domain: ROS_DOMAIN_ID.

    Raises:
        Failed: the network can't be used.
    """

    def __init__(self, domain: int) -> None:
        self._participant = DomainParticipant(domain)
        self._waits: Dict[Any, Any] = {}

    def reader(self, topic: str, kind: Any, newest: bool = False) -> Any:
        """Make a reader of a topic. With ``newest`` it keeps only each sender's newest message."""
        reliability = Policy.Reliability
        sure = reliability.BestEffort if newest else reliability.Reliable(SOON)
        qos = Qos(sure, Policy.History.KeepLast(1 if newest else KEPT))
        reader = DataReader(self._participant, self._topic(topic, kind), qos=qos)
        anything = SampleState.Any | ViewState.Any | InstanceState.Any
        self._waits[reader] = WaitSet(self._participant)
        self._waits[reader].attach(ReadCondition(reader, anything))
        return reader

    def writer(self, topic: str, kind: Any) -> Any:
        """A writer of a topic. It keeps the last messages and waits for nobody."""
        encoding = Policy.DataRepresentation(
            use_cdrv0_representation=True, use_xcdrv2_representation=False
        )
        sure, history = Policy.Reliability.Reliable(AT_ONCE), Policy.History.KeepLast(KEPT)
        return DataWriter(
            self._participant, self._topic(topic, kind), qos=Qos(sure, history, encoding)
        )

    def send(self, writer: Any, message: Any) -> None:
        """Send a message."""
        writer.write(message)

    def take(self, reader: Any, timeout_s: float) -> Optional[Any]:
        """The newest message of a reader; None if none comes in time."""
        self._waits[reader].wait(duration(milliseconds=max(1, int(timeout_s * 1e3))))
        taken = [one for one in reader.take(KEPT) if one.sample_info.valid_data]
        return taken[-1] if taken else None

    def close(self) -> None:
        """Leave the bus, with all readers and writers; others may still hold their objects."""
        self._waits.clear()
        self._participant.__del__()  # the package's only way, and harmless twice

    def _topic(self, name: str, kind: Any) -> Any:
        return Topic(self._participant, "rt" + name, kind)
