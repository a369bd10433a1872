"""A peer on the bus of ROS 2, with message types of its own: it sends pictures and takes boxes.

It sends a square that moves, to /camera/image_raw. When somebody follows on /tracks, it asks for
its box on /tracks/box. It prints each Detection2DArray and each state as a line of JSON.
"""

import json
import os
import time
from dataclasses import dataclass

from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

WIDTH, HEIGHT = 96, 72


def named(package, kind):
    return dict(typename=f"{package}::msg::dds_::{kind}_")


@dataclass
class Header(IdlStruct, **named("std_msgs", "Header")):
    @dataclass
    class Time(IdlStruct, **named("builtin_interfaces", "Time")):
        sec: int32
        nanosec: uint32

    stamp: Time
    frame_id: str


@dataclass
class Image(IdlStruct, **named("sensor_msgs", "Image")):
    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


@dataclass
class Region(IdlStruct, **named("sensor_msgs", "RegionOfInterest")):
    x_offset: uint32
    y_offset: uint32
    height: uint32
    width: uint32
    do_rectify: bool


@dataclass
class String(IdlStruct, **named("std_msgs", "String")):
    data: str


@dataclass
class Result(IdlStruct, **named("vision_msgs", "ObjectHypothesisWithPose")):
    @dataclass
    class Guess(IdlStruct, **named("vision_msgs", "ObjectHypothesis")):
        class_id: str
        score: float64

    @dataclass
    class Where(IdlStruct, **named("geometry_msgs", "PoseWithCovariance")):
        @dataclass
        class Pose(IdlStruct, **named("geometry_msgs", "Pose")):
            @dataclass
            class Point(IdlStruct, **named("geometry_msgs", "Point")):
                x: float64
                y: float64
                z: float64

            @dataclass
            class Quaternion(IdlStruct, **named("geometry_msgs", "Quaternion")):
                x: float64
                y: float64
                z: float64
                w: float64

            position: Point
            orientation: Quaternion

        pose: Pose
        covariance: array[float64, 36]

    hypothesis: Guess
    pose: Where


@dataclass
class Box(IdlStruct, **named("vision_msgs", "BoundingBox2D")):
    @dataclass
    class Center(IdlStruct, **named("vision_msgs", "Pose2D")):
        @dataclass
        class Point(IdlStruct, **named("vision_msgs", "Point2D")):
            x: float64
            y: float64

        position: Point
        theta: float64

    center: Center
    size_x: float64
    size_y: float64


@dataclass
class Detection(IdlStruct, **named("vision_msgs", "Detection2D")):
    header: Header
    results: sequence[Result]
    bbox: Box
    id: str


@dataclass
class Detections(IdlStruct, **named("vision_msgs", "Detection2DArray")):
    header: Header
    detections: sequence[Detection]


def picture(number):
    """Grey bytes: a bright square with a dark middle on a ramp; it goes to and fro slowly."""
    rows = [bytearray((x + y) // 4 + 40 for x in range(WIDTH)) for y in range(HEIGHT)]
    left = 20 + abs(20 - number // 3 % 40)  # a box that is asked for late still has it
    for y in range(24, 44):
        rows[y][left : left + 20] = b"\xf0" * 20
    for y in range(30, 38):
        rows[y][left + 6 : left + 14] = b"\x10" * 8
    return left, list(b"".join(rows))


def taken(reader):
    """Messages, without the notes that a writer is gone."""
    return [one for one in reader.take(10) if one.sample_info.valid_data]


def main():
    end = DomainParticipant(int(os.environ["ROS_DOMAIN_ID"]))
    plain = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(5))
    sure = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(10))
    images = DataWriter(end, Topic(end, "rt/camera/image_raw", Image), qos=plain)
    boxes = DataWriter(end, Topic(end, "rt/tracks/box", Region), qos=sure)
    tracks = DataReader(end, Topic(end, "rt/tracks", Detections), qos=sure)
    states = DataReader(end, Topic(end, "rt/tracks/state", String), qos=sure)
    asked, stop = False, time.monotonic() + 60
    for number in range(10**6):
        left, data = picture(number)
        stamp = Header.Time(7 + number // 30, number % 30 * 33333333)
        images.write(Image(Header(stamp, "c"), HEIGHT, WIDTH, "mono8", 0, WIDTH, data))
        for one in taken(tracks):
            found = [
                [d.bbox.center.position.x, d.bbox.center.position.y, d.bbox.size_x, d.bbox.size_y]
                + [d.results[0].hypothesis.score]
                for d in one.detections
            ]
            print(json.dumps({"detections": found, "left": left}), flush=True)
        for one in taken(states):
            print(json.dumps({"state": json.loads(one.data)}), flush=True)
            if not asked:
                boxes.write(Region(left, 24, 20, 20, False))
                asked = True
        time.sleep(0.03)
        if time.monotonic() > stop:
            return


if __name__ == "__main__":
    main()
