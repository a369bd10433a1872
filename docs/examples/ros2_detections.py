"""A ROS 2 node: the datagrams of --publish as vision_msgs/Detection2DArray.

NOT RUN HERE: written against ROS 2 Humble and vision_msgs 4.0, tried on no ROS installation.

    python -m runtime.track --video cam0 --publish udp://127.0.0.1:5601 ...
    python3 ros2_detections.py --ros-args -p port:=5601
"""

import json
import socket

import rclpy
from rclpy.node import Node
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose


class Detections(Node):
    """Publishes ~/detections, one message a frame."""

    def __init__(self):
        super().__init__("hotpath_detections")
        port = self.declare_parameter("port", 5601).value
        self._frame_id = self.declare_parameter("frame_id", "camera").value
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._publisher = self.create_publisher(Detection2DArray, "~/detections", 10)
        self.create_timer(0.005, self._read)

    def _read(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            self._publisher.publish(self._message(json.loads(data)))

    def _message(self, frame):
        message = Detection2DArray()
        seconds, micros = divmod(frame["captured_us"], 1000000)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, micros * 1000
        message.header.frame_id = self._frame_id
        for target in frame["targets"]:
            if target["box"] is None or target["lost"]:
                continue
            x, y, width, height = target["box"]
            detection = Detection2D()
            detection.header, detection.id = message.header, str(target["number"])
            detection.bbox.center.position.x = x + width / 2
            detection.bbox.center.position.y = y + height / 2
            detection.bbox.size_x, detection.bbox.size_y = width, height
            hypothesis = ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id = "target"
            hypothesis.hypothesis.score = float(target["score"] or 0.0)
            detection.results.append(hypothesis)
            message.detections.append(detection)
        return message


def main():
    rclpy.init()
    node = Detections()
    try:
        rclpy.spin(node)
    finally:
        node.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    main()
