"""A peer of ROS 2, a node of its own: it sends pictures and takes boxes.

It sends a square that moves, to /camera/image_raw. When somebody follows on /tracks, it asks for
its box on /tracks/box. It prints each Detection2DArray and each state as a line of JSON.
``picture`` says whether the boxes have the header of a picture that was sent.
"""

import array
import json
import os
import sys
import time

from bridges_tests import fake_ros as ros

sys.modules.update(ros.modules())
import rclpy  # noqa: E402
from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import Image, RegionOfInterest  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402
from vision_msgs.msg import Detection2DArray  # noqa: E402

WIDTH, HEIGHT = 96, 72


def picture(number):
    """Grey bytes: a bright square with a dark middle on a ramp; it goes to and fro slowly."""
    rows = [bytearray((x + y) // 4 + 40 for x in range(WIDTH)) for y in range(HEIGHT)]
    left = 20 + abs(20 - number // 3 % 40)  # a box that is asked for late still has it
    for y in range(24, 44):
        rows[y][left : left + 20] = b"\xf0" * 20
    for y in range(30, 38):
        rows[y][left + 6 : left + 14] = b"\x10" * 8
    return left, array.array("B", b"".join(rows))


class Peer:
    def __init__(self):
        context = Context()
        context.init(domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        node = rclpy.create_node("peer", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(node)
        self.images = node.create_publisher(Image, "/camera/image_raw", 5)
        self.boxes = node.create_publisher(RegionOfInterest, "/tracks/box", 10)
        sure = dict(history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
        qos = QoSProfile(depth=10, **sure)
        node.create_subscription(Detection2DArray, "/tracks", self.take_boxes, qos)
        node.create_subscription(String, "/tracks/state", self.take_state, qos)
        self.left = 0
        self.sent = set()  # what a TimeSynchronizer pairs by
        self.asked = False

    def send(self, number):
        self.left, data = picture(number)
        stamp = Time(sec=7 + number // 30, nanosec=number % 30 * 33333333)
        layout = dict(height=HEIGHT, width=WIDTH, encoding="mono8", step=WIDTH)
        header = Header(stamp=stamp, frame_id="c")
        self.sent.add((stamp.sec, stamp.nanosec, "c"))
        self.images.publish(Image(header=header, data=data, **layout))

    def take_boxes(self, message):
        found = [
            [d.bbox.center.position.x, d.bbox.center.position.y, d.bbox.size_x, d.bbox.size_y]
            + [d.results[0].hypothesis.score]
            for d in message.detections
        ]
        stamp = message.header.stamp
        given = stamp.sec, stamp.nanosec, message.header.frame_id
        line = {"detections": found, "left": self.left, "picture": given in self.sent}
        print(json.dumps(line), flush=True)

    def take_state(self, message):
        print(json.dumps({"state": json.loads(message.data)}), flush=True)
        if not self.asked:
            box = dict(x_offset=self.left, y_offset=24, width=20, height=20)
            self.boxes.publish(RegionOfInterest(**box))
            self.asked = True


def main():
    peer, stop = Peer(), time.monotonic() + 240
    for number in range(10**6):
        peer.send(number)
        ends_s = time.monotonic() + 0.03
        while time.monotonic() < ends_s:
            peer.executor.spin_once(timeout_sec=ends_s - time.monotonic())
        if time.monotonic() > stop:
            return


if __name__ == "__main__":
    main()
