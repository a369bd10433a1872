"""Messages of ROS 2 by a node of rclpy, the library of ROS.

The node uses the middleware of the installation (RMW_IMPLEMENTATION) and its security rules.
The packages are those of ROS 2 Humble and later: rclpy, sensor_msgs and vision_msgs 4.
"""

import os
import time
from collections import deque
from typing import Any, NamedTuple, Optional

import rclpy
from builtin_interfaces.msg import Time as Time  # names that an end's user takes from here
from geometry_msgs.msg import PoseWithCovariance
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage as CompressedImage
from sensor_msgs.msg import Image as Image
from sensor_msgs.msg import RegionOfInterest as RegionOfInterest
from std_msgs.msg import Header as Header
from std_msgs.msg import String as String
from vision_msgs.msg import BoundingBox2D as BoundingBox2D
from vision_msgs.msg import Detection2D as Detection2D
from vision_msgs.msg import Detection2DArray as Detection2DArray
from vision_msgs.msg import ObjectHypothesis as ObjectHypothesis
from vision_msgs.msg import ObjectHypothesisWithPose as ObjectHypothesisWithPose
from vision_msgs.msg import Point2D as Point2D
from vision_msgs.msg import Pose2D as Pose2D

KEPT = 10  # messages that a slow subscriber finds, as rclpy's default
NOWHERE = PoseWithCovariance()  # not turned, by its definition


class _Inbox(NamedTuple):
    """A subscription and its newest messages."""

    subscription: Any
    messages: Any


class End:
    """A node with readers and writers, of one domain (ROS_DOMAIN_ID).

    Raises:
        RuntimeError: the node can't be made.
    """

    def __init__(self, domain: int) -> None:
        self._context = Context()
        self._context.init(domain_id=domain)  # without rclpy's handlers of signals
        self._node: Any = rclpy.create_node(
            f"hotpath_{os.getpid()}_{id(self):x}",
            context=self._context,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def reader(self, topic: str, kind: Any, newest: bool = False) -> Any:
        """Make a reader of a topic. With ``newest`` it keeps only each sender's newest message."""
        depth = 1 if newest else KEPT
        messages: Any = deque(maxlen=depth)
        sure = ReliabilityPolicy.BEST_EFFORT if newest else ReliabilityPolicy.RELIABLE
        qos = QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=sure)

        def receive(message: Any) -> None:  # rclpy refuses functions without a signature
            messages.append(message)

        made_one = self._node.create_subscription(kind, topic, receive, qos)
        return _Inbox(made_one, messages)

    def writer(self, topic: str, kind: Any) -> Any:
        """Make a writer of a topic. It keeps the last messages and never waits for a reader."""
        return self._node.create_publisher(kind, topic, KEPT)

    def send(self, writer: Any, message: Any) -> None:
        """Send a message."""
        writer.publish(message)

    def take(self, reader: Any, timeout_s: float) -> Optional[Any]:
        """Return a reader's newest message; None if none comes in time."""
        ends_s = time.monotonic() + timeout_s
        messages = reader.messages
        while not messages and self._context.ok():
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                break
            self._executor.spin_once(timeout_sec=left_s)
        message = messages[-1] if messages else None
        messages.clear()
        return message

    def close(self) -> None:
        """Leave the bus; may be called twice."""
        if self._node is not None:
            self._executor.shutdown()
            self._node.destroy_node()
            self._context.try_shutdown()
            self._node = None
