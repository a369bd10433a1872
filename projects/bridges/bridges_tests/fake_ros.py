"""A fake ``rclpy`` with its messages, for computers without ROS.

    python -m bridges_tests.fake_ros ARGUMENTS OF runtime.track

Every name is one of ROS 2 Humble that the product uses, and keeps its rules. Messages take keywords
only and refuse values of another type. A queue keeps its last messages, and a callback runs only
while the executor spins. Definitions and CDR are those of rosbags. Processes exchange datagrams
over sockets in the folder ``FAKE_ROS``, and a sender never waits.
"""

import array
import contextlib
import enum
import inspect
import itertools
import os
import pathlib
import select
import socket
import sys
from collections import deque
from types import ModuleType

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

LARGEST = 1 << 20  # bytes of a message
STORE = get_typestore(Stores.ROS2_HUMBLE)
VISION = {  # vision_msgs 4
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": "vision_msgs/ObjectHypothesis hypothesis\n"
    "geometry_msgs/PoseWithCovariance pose",
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "Detection2D": "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
    "vision_msgs/BoundingBox2D bbox\nstring id",
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
}
for _name, _text in VISION.items():
    STORE.register(get_types_from_msg(_text, "vision_msgs/msg/" + _name))
USED = ("builtin_interfaces", "geometry_msgs", "sensor_msgs", "std_msgs", "vision_msgs")
MESSAGES = {}  # name -> class
NUMBERS = itertools.count()


def message(name):
    """The class of a message, whose fields have ROS's defaults."""
    if name not in MESSAGES:
        fields = dict(STORE.fielddefs[name][1])

        def __init__(self, **given):
            assert set(given) <= set(fields), f"{name}: unknown fields in {given}"
            for field, kind in fields.items():
                value = given[field] if field in given else default(kind)
                assert type(value) in types(kind), f"{name}.{field}: {value!r} is refused"
                setattr(self, field, value)

        names = {"__init__": __init__, "__slots__": tuple(fields), "kind": name}
        MESSAGES[name] = type(name.rpartition("/")[2], (), names)
    return MESSAGES[name]


def default(kind):
    """The value of a field that is not given."""
    node, value = int(kind[0]), kind[1]
    if node == 2 and value == "geometry_msgs/msg/Quaternion":
        return message(value)(w=1.0)  # by its definition
    if node == 2:
        return message(value)()
    if node == 1:
        return {"string": "", "bool": False, "float64": 0.0}.get(value[0], 0)
    if node == 3:
        return np.zeros(value[1])
    return array.array("B") if value[0][1] == ("uint8", 0) else []


def types(kind):
    """The types that a field's values may have."""
    node, value = int(kind[0]), kind[1]
    if node == 2:
        return (message(value),)
    if node == 1:
        return ({"string": str, "bool": bool, "float64": float}.get(value[0], int),)
    return (np.ndarray,) if node == 3 else (array.array, list)


def received(name, found):
    """The message of ``rclpy`` that has the values of one of rosbags."""
    made = message(name)()
    for field, (node, value) in STORE.fielddefs[name][1]:
        got = getattr(found, field)
        if int(node) == 2:
            got = received(value, got)
        elif isinstance(got, np.ndarray) and got.dtype == np.uint8:
            got = array.array("B", got.tobytes())
        elif isinstance(got, list):
            got = [received(value[0][1], each) for each in got]
        setattr(made, field, got)
    return made


def serialized(sent):
    """The CDR of a message; rosbags takes arrays of NumPy only."""
    fields = {name: getattr(sent, name) for name in sent.__slots__}
    for name, value in fields.items():
        if isinstance(value, array.array):
            fields[name] = np.frombuffer(value, np.uint8)
    plain = STORE.types[sent.kind](**fields)
    return bytes(STORE.serialize_cdr(plain, sent.kind))


def folder_of(domain, topic):
    folder = pathlib.Path(os.environ["FAKE_ROS"]) / str(domain) / topic.strip("/").replace("/", "+")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Context:
    def init(self, args=None, *, initialize_logging=True, domain_id=None):
        self.domain = domain_id
        self.is_ok = True

    def ok(self):
        return self.is_ok

    def try_shutdown(self):
        self.is_ok = False


class Publisher:
    def __init__(self, kind, folder, depth):
        self.kind, self.folder = kind, folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    def publish(self, sent):
        assert type(sent) is self.kind, f"{sent!r} is no {self.kind.__name__}"
        data = serialized(sent)
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # gone, or its queue is full
                self.socket.sendto(data, str(path))


class Subscription:
    def __init__(self, kind, folder, callback, qos):
        self.kind, self.callback, self.queue = kind, callback, deque(maxlen=qos.depth)
        self.path = folder / f"{os.getpid()}-{next(NUMBERS)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)

    def collect(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.queue.append(self.socket.recv(LARGEST))

    def call(self):
        found = STORE.deserialize_cdr(self.queue.popleft(), self.kind.kind)
        self.callback(received(self.kind.kind, found))


class Node:
    def __init__(self, name, context):
        print(f"node {name}", file=sys.stderr, flush=True)
        self.domain = context.domain
        self.publishers = []
        self.subscriptions = []

    def create_publisher(self, kind, topic, qos):
        assert isinstance(qos, int), "a depth"
        self.publishers.append(Publisher(kind, folder_of(self.domain, topic), qos))
        return self.publishers[-1]

    def create_subscription(self, kind, topic, callback, qos):
        assert isinstance(qos, QoSProfile) and kind in MESSAGES.values()
        inspect.signature(callback).bind(object())  # as rclpy of Jazzy does
        made = Subscription(kind, folder_of(self.domain, topic), callback, qos)
        self.subscriptions.append(made)
        return made

    def destroy_node(self):
        for subscription in self.subscriptions:
            subscription.path.unlink()
        for each in self.subscriptions + self.publishers:
            each.socket.close()


class Executor:
    def __init__(self, *, context):
        self.nodes = []

    def add_node(self, node):
        self.nodes.append(node)

    def spin_once(self, timeout_sec):
        """Call one callback, as rclpy does."""
        subscriptions = [each for node in self.nodes for each in node.subscriptions]
        if not any(each.queue for each in subscriptions):
            select.select([each.socket for each in subscriptions], [], [], timeout_sec)
        for each in subscriptions:
            each.collect()
        for each in subscriptions:
            if each.queue:
                return each.call()

    def shutdown(self):
        self.nodes.clear()


class Reliability(enum.Enum):
    RELIABLE, BEST_EFFORT = 1, 2


class History(enum.Enum):
    KEEP_LAST = 1


class QoSProfile:
    def __init__(self, *, depth, history, reliability):
        assert isinstance(history, History) and isinstance(reliability, Reliability)
        self.depth, self.history, self.reliability = depth, history, reliability


def create_node(name, *, context, start_parameter_services=True):
    return Node(name, context)


def modules():
    """dict of name -> module, for ``sys.modules``."""
    contents = {
        "rclpy": dict(create_node=create_node),
        "rclpy.context": dict(Context=Context),
        "rclpy.executors": dict(SingleThreadedExecutor=Executor),
        "rclpy.qos": dict(
            HistoryPolicy=History, QoSProfile=QoSProfile, ReliabilityPolicy=Reliability
        ),
    }
    for name in STORE.fielddefs:
        package, _, kind = name.split("/")
        if package in USED:
            contents.setdefault(package, {})
            contents.setdefault(package + ".msg", {})[kind] = message(name)
    made = {}
    for name, values in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(values)
    return made


if __name__ == "__main__":
    sys.modules.update(modules())
    from hotpath.app.track_command import main

    sys.exit(main(sys.argv[1:]))
